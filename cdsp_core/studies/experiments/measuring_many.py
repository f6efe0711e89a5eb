"""Trains many runs as one batch and measures each as `measuring.py` measures a single one: the same rows.

The device only trains; what its snapshots say of every run is worked out by an executor, on other cores where it has
processes, so that nothing holds up the next batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from typing import Any

import numpy as np
import torch

from cdsp_core.settings.config import RunConfig
from cdsp_core.studies.experiments.measuring import (
    Array,
    Window,
    connection_rows,
    last_epoch_rows,
    mean_of_curves,
    parameter_row,
    protocol_rows,
)
from cdsp_core.studies.framework.study import Row, StudyOptions, Tell
from cdsp_core.training.batched import BatchedTrainer
from cdsp_core.training.batched_snapshot import Snapshot
from cdsp_core.training.evaluation import Shown
from cdsp_core.training.non_finite import NonFiniteLossError

Outcome = list[Row] | NonFiniteLossError


def measured_batch(
    configs: Sequence[RunConfig], options: StudyOptions, tell: Tell, *, device: torch.device, beside: Executor
) -> tuple[list[Outcome], dict[str, Any]]:
    """Every run's rows, or what went wrong with it; and how all were computed. Raises what BatchedTrainer raises."""
    trainer = BatchedTrainer(configs, device=device, data_root=options.data_root)
    total, every = trainer.total_steps, configs[0].train.eval_every
    snapshots: list[Snapshot] = []
    while trainer.step < total:
        trainer.train_step()
        if trainer.step % every == 0 or trainer.step == total:
            snapshots.append(trainer.snapshot())
            tell(trainer.step / total, f"step {trainer.step} of {total}")
    shown = trainer.show_whole_test_set()
    about: dict[str, Any] = {
        "after": max(total - trainer.streams.steps_per_epoch, 0),
        "parameters": trainer.models.weights_of_one,
        "tasks": [task.name for task in trainer.tasks],
    }
    rows = {
        run: beside.submit(rows_of_run, config, [own.part(run) for own in snapshots], *_plain(shown[run]), **about)
        for run, config in enumerate(configs)
        if run not in trainer.failed
    }
    outcomes = [trainer.failed[run] if run in trainer.failed else rows[run].result() for run in range(len(configs))]
    return outcomes, trainer.describe()


def measured_untrained_batch(
    configs: Sequence[RunConfig], options: StudyOptions, *, device: torch.device
) -> tuple[list[Outcome], dict[str, Any]]:
    """What the protocols say of networks before their first step: the null of every measure of routing."""
    trainer = BatchedTrainer(configs, device=device, data_root=options.data_root, capture=False)
    tasks = [task.name for task in trainer.tasks]
    return [list(protocol_rows(shown, tasks)) for shown in trainer.show_whole_test_set()], trainer.describe()


def rows_of_run(
    config: RunConfig,
    snapshots: Sequence[Snapshot],
    accuracy_QG: Array,
    routing_LQGE: Array,
    *,
    after: int,
    parameters: int,
    tasks: list[str],
) -> list[Row]:
    """All rows of one run, in the order of a single run's, from snapshots of it alone. `after`: the last epoch."""
    rows: list[Row] = []
    scalars: list[Array] = []
    arrays: dict[str, Array] = {}
    for snapshot in snapshots:
        arrays = snapshot.of_run(0)
        window = Window(snapshot.step, snapshot.names, arrays)
        rows += window.curve_rows()
        scalars.append(window.scalars)
    rows += last_epoch_rows(snapshots[0].names, np.concatenate(scalars), after=after)
    rows += mean_of_curves(rows, after=after)
    rows += connection_rows(arrays, config.model)
    rows.append(parameter_row(parameters))
    shown = Shown(accuracy_QG=torch.from_numpy(accuracy_QG), routing_LQGE=torch.from_numpy(routing_LQGE))
    return rows + list(protocol_rows(shown, tasks))


def _plain(shown: Shown) -> tuple[Array, Array]:
    """Arrays, which go to another process as they are; tensors would go through shared memory."""
    return shown.accuracy_QG.numpy(), shown.routing_LQGE.numpy()
