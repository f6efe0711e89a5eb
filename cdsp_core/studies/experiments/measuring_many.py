"""Trains many runs as one batch and measures each as `measuring.py` measures a single one: the same rows.

What is measured of one step of all runs is worked out in a thread, while the device goes on training.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

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
from cdsp_core.training.non_finite import NonFiniteLossError

Outcome = list[Row] | NonFiniteLossError


def measured_batch(
    configs: Sequence[RunConfig], options: StudyOptions, tell: Tell, *, device: torch.device
) -> tuple[list[Outcome], dict[str, object]]:
    """Every run's rows, or what went wrong with it; and how all were computed. Raises what BatchedTrainer raises."""
    trainer = BatchedTrainer(configs, device=device, data_root=options.data_root)
    total, every = trainer.total_steps, configs[0].train.eval_every
    found = [_Measured() for _ in configs]
    with ThreadPoolExecutor(max_workers=1) as beside:
        added: list[Future[None]] = []
        while trainer.step < total:
            trainer.train_step()
            if trainer.step % every == 0 or trainer.step == total:
                added.append(beside.submit(_add, found, trainer.snapshot()))
                tell(trainer.step / total, f"step {trainer.step} of {total}")
        shown = trainer.show_whole_test_set()
        for future in added:
            future.result()
    last_epoch = max(total - trainer.streams.steps_per_epoch, 0)
    tasks = [task.name for task in trainer.tasks]
    outcomes: list[Outcome] = []
    for run, measured in enumerate(found):
        if run in trainer.failed:
            outcomes.append(trainer.failed[run])
            continue
        rows = measured.closed(trainer.names, configs[run], after=last_epoch)
        rows.append(parameter_row(trainer.models.weights_of_one))
        outcomes.append(rows + list(protocol_rows(shown[run], tasks)))
    return outcomes, trainer.describe()


def measured_untrained_batch(
    configs: Sequence[RunConfig], options: StudyOptions, *, device: torch.device
) -> tuple[list[Outcome], dict[str, object]]:
    """What the protocols say of networks before their first step: the null of every measure of routing."""
    trainer = BatchedTrainer(configs, device=device, data_root=options.data_root, capture=False)
    tasks = [task.name for task in trainer.tasks]
    return [list(protocol_rows(shown, tasks)) for shown in trainer.show_whole_test_set()], trainer.describe()


class _Measured:
    """What was measured of one run so far."""

    def __init__(self) -> None:
        self._rows: list[Row] = []
        self._scalars: list[Array] = []
        self._arrays: dict[str, Array] = {}

    def add(self, step: int, names: tuple[str, ...], arrays: dict[str, Array]) -> None:
        window = Window(step, names, arrays)
        self._rows += window.curve_rows()
        self._scalars.append(window.scalars)
        self._arrays = arrays

    def closed(self, names: tuple[str, ...], config: RunConfig, *, after: int) -> list[Row]:
        """All rows of the training, in the order of a single run's."""
        rows = [*self._rows, *last_epoch_rows(names, np.concatenate(self._scalars), after=after)]
        rows += mean_of_curves(rows, after=after)
        return rows + connection_rows(self._arrays, config.model)


def _add(found: Sequence[_Measured], snapshot: Snapshot) -> None:
    for run, measured in enumerate(found):
        measured.add(snapshot.step, snapshot.names, snapshot.of_run(run))
