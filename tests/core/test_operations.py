"""Operations of our own in the graph of a training step."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import torch

import cdsp_core.kernels
import cdsp_core.method
import cdsp_core.models


def test_no_operation_has_its_signature_read_from_the_code_at_every_call() -> None:
    for package in (cdsp_core.kernels, cdsp_core.method, cdsp_core.models):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    operations = [it for it in torch.autograd.Function.__subclasses__() if it.__module__.startswith("cdsp_core.")]
    asked = [it for it in operations if it.setup_context is not torch.autograd.Function.setup_context]
    assert {it.__name__ for it in asked} >= {"_RMSNorm", "_TakeRows", "_PutRows", "_DenseExperts", "_Rotation"}
    for operation in asked:
        assert inspect.signature(operation.forward) is inspect.signature(operation.forward), operation
