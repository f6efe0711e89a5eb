"""A step never asks the device for a value, so an accelerator runs ahead of the host.

Two proofs that need no accelerator. On the `meta` device tensors have shapes but no values: whatever reads one, or
copies one to the host, raises. And on the CPU a dispatch mode refuses every operation that hands a value to Python
or whose result's shape depends on values. `execution: dense` is what an accelerator takes by itself; `sorted` is
there on request. The trainer's check for finite numbers at every step is for the CPU alone, where reading is free.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from cdsp_core.data.datasets import Datasets, TaskData
from cdsp_core.models.registry import NAMES
from cdsp_core.training.telemetry import ScalarLog
from cdsp_core.training.trainer import Trainer
from tests.core.small import small_trainer, steps

META = torch.device("meta")
OTHERS = [name for name in NAMES if name != "cdsp"]
"""every architecture without a topology"""
WAITING = (
    "_local_scalar_dense",
    "item",
    "is_nonzero",
    "equal",
    "nonzero",
    "nonzero_static",
    "masked_select",
    "unique",
    "_unique2",
    "unique_dim",
    "unique_consecutive",
    "repeat_interleave.Tensor",
    "bincount",
)


class NoWaiting(TorchDispatchMode):
    """Refuses every operation after which the host would have to wait for the device."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name = func.name().removeprefix("aten::")
        if name in WAITING or name.split(".")[0] in WAITING:
            raise AssertionError(f"{name} waits for the device")
        if name.startswith(("index.", "index_put")) and any(i is not None and i.dtype == torch.bool for i in args[1]):
            raise AssertionError(f"{name} by a mask waits for the device")
        return func(*args, **(kwargs or {}))


def no_waiting() -> NoWaiting:
    return NoWaiting()  # type: ignore[no-untyped-call]


class Descent(torch.optim.Optimizer):
    """Plain gradient descent in place of the fused AdamW, which has no kernel on the meta device."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:  # the task embedding, where nothing reads it
                    continue
                parameter.sub_(group["lr"] * parameter.grad)


def on_meta(trainer: Trainer) -> Trainer:
    """The same trainer with every tensor on the meta device."""

    def moved(part: TaskData) -> TaskData:
        return replace(
            part, images_NHW=part.images_NHW.to(META), labels_N=part.labels_N.to(META), task_N=part.task_N.to(META)
        )

    trainer.device = META
    trainer.data = Datasets(train=moved(trainer.data.train), test=moved(trainer.data.test), note=trainer.data.note)
    trainer.batches.data = trainer.data.train
    trainer.batches._begin(0)
    trainer.test.data = trainer.data.test
    trainer.test._per_task = [indices.to(META) for indices in trainer.test._per_task]
    logits = {id(layer.topology.topology_logits) for layer in trainer.cdsp_layers}
    is_topology = [id(parameter) in logits for parameter in trainer.model.parameters()]
    trainer.model = trainer.model.to(META)
    pairs = list(zip(trainer.model.parameters(), is_topology, strict=True))
    weights, topology = [p for p, a in pairs if not a], [p for p, a in pairs if a]
    trainer.parameters = [*weights, *topology]
    trainer.optimizer = Descent([{"params": weights}, {"params": topology}], {})  # type: ignore[assignment]
    trainer.log = ScalarLog(trainer.log.names, device=META)
    trainer.apply(trainer.controls)
    return trainer


MODELS: list[dict[str, Any]] = [
    {},
    {"num_partitions": 8},
    {"num_partitions": 32},
    {"penalty": "logit_while_positive", "conflict_over": "u", "task_dropout": "batch", "router_norm": "all"},
    {"penalty": "sigmoid", "gate_softmax": "all"},
    {"clip_scope": "apart"},
    {"conflict_every": 2, "conflict_pairs": "co_active", "conflict_projection": 8},
    {"backbone": "block_sparse", "num_partitions": 8},
    *({"architecture": name, "clip_scope": "apart"} for name in OTHERS),
]


@pytest.mark.parametrize("execution", ["dense", "sorted"])
@pytest.mark.parametrize("settings", MODELS)
def test_a_step_and_a_look_need_no_value_on_the_host(settings: dict[str, Any], execution: str) -> None:
    trainer = on_meta(small_trainer(execution=execution, eval_every=2, **settings))
    assert trainer.model.layers[0].path(META) in (execution, "dense")
    steps(trainer, 4)
    assert trainer.step == 4
    assert trainer.log._used == 4


@pytest.mark.parametrize("settings", MODELS)
def test_a_step_runs_no_operation_that_waits(settings: dict[str, Any]) -> None:
    trainer = steps(small_trainer(execution="dense", eval_every=2, **settings), 1)
    with no_waiting():
        steps(trainer, 3)
    assert trainer.step == 4


def test_only_taking_a_frame_copies_to_the_host() -> None:
    trainer = on_meta(small_trainer(execution="dense"))
    steps(trainer, 1).look_at_test_images()
    with pytest.raises(NotImplementedError, match="Cannot copy out of meta tensor"):
        trainer.arrays()


@pytest.mark.parametrize(
    "read",
    [
        lambda value: value.sum().item(),
        lambda value: value.nonzero(),
        lambda value: value[value > 0],
        lambda value: bool((value > 0).any()),
        lambda value: value.repeat_interleave((value > 0).long()),
    ],
)
def test_the_dispatch_mode_notices_what_waits(read: Callable[[torch.Tensor], object]) -> None:
    with no_waiting(), pytest.raises(AssertionError, match=r"waits? for the device"):
        read(torch.ones(3))


@pytest.mark.parametrize(
    "read",
    [
        lambda value: value.tolist(),
        lambda value: value.cpu(),
        lambda value: value.numpy(),
        lambda value: np.asarray(value),
        lambda value: float(value[0]),
    ],
)
def test_the_meta_device_notices_what_copies_to_the_host(read: Callable[[torch.Tensor], object]) -> None:
    with pytest.raises((NotImplementedError, RuntimeError, TypeError)):
        read(torch.ones(3, device=META))
