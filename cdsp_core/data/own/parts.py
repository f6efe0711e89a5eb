"""A task as it is read from any source, before it becomes part of a set."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cdsp_core.data.idx import Array
from cdsp_core.data.own.bounds import TEST_EVERY
from cdsp_core.data.own.stored import OwnSet, own_set


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class TaskImages:
    """Images uint8 [n, 28, 28] of one task with labels [n] and whether each only tests [n]."""

    name: str
    class_names: tuple[str, ...]
    images: Array
    labels: Array
    is_test: Array


def every_fifth(labels: Array) -> Array:
    """Which images test where nothing says so: every fifth of a class, in their order."""
    is_test = np.zeros(len(labels), dtype=np.uint8)
    for label in np.unique(labels):
        is_test[np.flatnonzero(labels == label)[TEST_EVERY - 1 :: TEST_EVERY]] = 1
    return is_test


def joined(name: str, made_of: str, parts: list[TaskImages]) -> OwnSet:
    """A set of these tasks. Raises DatasetError."""
    arrays = {
        "images": np.concatenate([part.images for part in parts]),
        "labels": np.concatenate([part.labels for part in parts]),
        "tasks": np.repeat(np.arange(len(parts)), [len(part.labels) for part in parts]),
        "is_test": np.concatenate([part.is_test for part in parts]),
    }
    return own_set(name, made_of, {part.name: part.class_names for part in parts}, arrays)
