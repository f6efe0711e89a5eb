"""Trains one cell of a map: an ordinary run that keeps little, and shows itself while it goes on.

Shapes: L layers, E experts, P partitions.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from cdsp_core import __version__
from cdsp_core.settings.presets import from_dict
from cdsp_core.studies.framework.recorder import own_class_names
from cdsp_core.studies.framework.study import Job, Row, StudyOptions, Tell
from cdsp_core.studies.sweeps.files import FAILED, HELD
from cdsp_core.studies.sweeps.measures import MEASURES
from cdsp_core.wire.frames import Array
from cdsp_core.wire.recipe import Recipe
from cdsp_core.wire.recording import (
    CUT_BELOW,
    SUFFIX,
    Recording,
    RecordingError,
    picture_steps,
    record,
    write_recording,
)

if TYPE_CHECKING:
    from cdsp_core.training.trainer import Trainer

PICTURES: Final = 16
"""the first, log-spaced ones and the last"""
FEWEST_PICTURES: Final = 4
SHOWN_EVERY_S: Final = 1.0
LOOKS_EVERY_S: Final = 0.2
"""while it waits"""


def run_cell(job: Job, options: StudyOptions, tell: Tell) -> list[Row]:
    """Train a cell; one row with its measures. A loss that is not finite is a result: the row says so.

    Its recording, as far as it has come, is `KEY.recording` in the folder `options.record`, renewed every second.
    """
    import torch

    from cdsp_core.training.non_finite import NonFiniteLossError
    from cdsp_core.training.trainer import Trainer

    assert options.record is not None
    trainer = Trainer(from_dict(job.settings["config"]), device=torch.device("cpu"), data_root=options.data_root)
    watch = _Watch(trainer, options.record / f"{job.key}{SUFFIX}")
    failed, held = options.record / f"{job.key}{FAILED}", options.record / HELD
    failed.unlink(missing_ok=True)
    reason: str | None = None
    measured: dict[str, float] = {}
    try:
        for step in picture_steps(trainer.total_steps, pictures=PICTURES):
            while trainer.step < step:
                while held.exists():
                    time.sleep(LOOKS_EVERY_S)
                move = trainer.steer()
                if move is not None:
                    trainer.apply(_moved(trainer, move.controls))
                trainer.train_step()
                watch.show()
                tell(trainer.step / trainer.total_steps, f"step {trainer.step} of {trainer.total_steps}")
            watch.keep()
        known, blind = trainer.test_accuracy()
        measured = measures_of(watch.arrays, known=known, blind=blind)
        watch.end({"known": known, "blind": blind}, measured)
    except NonFiniteLossError as error:
        reason = str(error)
        failed.write_text(reason)
    about: Row = {"steps": trainer.step, "failed": reason, "config": json.dumps(job.settings["config"])}
    values: Row = {name: measured.get(name) for name in MEASURES}
    return [{**values, **about, "version": __version__}]


def measures_of(
    arrays: Mapping[str, Array], *, known: Mapping[str, float], blind: Mapping[str, float]
) -> dict[str, float]:
    """The measures of a run's arrays (`Trainer.arrays`) and of its accuracy by task; without those that have no value.

    Of each layer the mean, but links, which are counted.
    """
    from cdsp_core.training import measures

    def layers(name: str) -> list[Array]:
        return [array for full, array in arrays.items() if full.startswith("layer") and full.endswith(f"/{name}")]

    connection = layers("connection")
    accuracy, blind_accuracy = fmean(known.values()), fmean(blind.values())
    found = {
        "links_cut": float(sum((layer < CUT_BELOW).sum() for layer in connection)) if connection else math.nan,
        "accuracy": accuracy,
        "blind_accuracy": blind_accuracy,
        "blind_gap": accuracy - blind_accuracy,
        "diagonal_gini": _mean([measures.diagonal_gini(layer) for layer in connection]),
        "load_gini": _mean([measures.gini(layer) for layer in layers("load")]),
        "routing_overlap": 1.0 - _mean([measures.isolation(layer) for layer in layers("routing")]),
        "entropy": _mean([measures.structural_entropy(layer) for layer in connection]),
        "conflict": _mean([measures.gradient_interference(layer) for layer in layers("conflict")]),
    }
    assert set(found) == set(MEASURES)
    return {name: value for name, value in found.items() if math.isfinite(value)}


class _Watch:
    """The recording of a run that goes on: pictures that are kept, and one of how it is now."""

    def __init__(self, trainer: Trainer, path: Path) -> None:
        self._trainer = trainer
        self._path = path
        self._pictures: list[tuple[int, list[Array]]] = []
        self._rows: list[Array] = []
        self._shown_s = -math.inf
        self.arrays: dict[str, Array] = {}
        """of the last picture that was kept"""

    def keep(self) -> None:
        """Take a picture to keep, and the scalars up to it."""
        self.arrays = self._trainer.arrays()
        self._pictures.append((self._trainer.step, self._now()))
        self._rows.append(self.arrays["scalars"])

    def show(self) -> None:
        """Write how the run is now, if the last time was a second ago."""
        if time.monotonic() - self._shown_s >= SHOWN_EVERY_S and self._pictures[-1][0] < self._trainer.step:
            self._shown_s = time.monotonic()
            self._write([*self._pictures, (self._trainer.step, self._now())])

    def end(self, accuracy: Mapping[str, Mapping[str, float]], measures: Mapping[str, float]) -> None:
        """Write the run as it ended."""
        self._write(self._pictures, accuracy=accuracy, measures=measures)

    def _now(self) -> list[Array]:
        return [layer.topology.connection().detach().cpu().numpy().copy() for layer in self._trainer.cdsp_layers]

    def _write(self, pictures: list[tuple[int, list[Array]]], **ended: Any) -> None:
        """With fewer pictures where all do not fit. Raises RecordingError where few do not, OSError."""
        while True:
            recording: Recording = record(
                Recipe(config=self._trainer.config),
                pictures,
                rows=np.concatenate(self._rows),
                names=self._trainer.log.names,
                class_names=own_class_names(self._trainer),
                **ended,
            )
            try:
                write_recording(recording, self._path)
            except RecordingError:
                if len(pictures) < FEWEST_PICTURES:
                    raise
                pictures = [*pictures[:-1:2], pictures[-1]]
            else:
                return


def _mean(values: list[float]) -> float:
    """The mean of what has a value, NaN where nothing has."""
    found = [value for value in values if math.isfinite(value)]
    return fmean(found) if found else math.nan


def _moved(trainer: Trainer, controls: Mapping[str, float]) -> Any:
    """The controls after a move of the run's own controller."""
    from cdsp_core.settings.overrides import with_controls

    return with_controls(trainer.controls, dict(controls))
