"""Keeps what torch would otherwise find out at every call of an operation with `setup_context`."""

from __future__ import annotations

import inspect
from typing import TypeVar

import torch

Operation = TypeVar("Operation", bound=type[torch.autograd.Function])


def with_signature(operation: Operation) -> Operation:
    """The operation, with its forward's signature kept, which torch reads from the code at every `apply` otherwise.

    A training step on a CPU has a dozen of them, and they took 3 to 5 % of it (docs/decisions.md).
    """
    forward = operation.forward
    forward.__signature__ = inspect.signature(forward)  # type: ignore[attr-defined]
    return operation
