"""Records a training on the way: what it does is looked at, and no number of it changes.

Shapes: E experts, P partitions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from cdsp_core.studies.framework.recorder import own_class_names
from cdsp_core.studies.framework.study import Job, Row
from cdsp_core.training.trainer import Trainer
from cdsp_core.wire.frames import Array
from cdsp_core.wire.recipe import Recipe
from cdsp_core.wire.recording import SUFFIX, Recording, RecordingError, picture_steps, record, write_recording

LABELS: Final[tuple[str, ...]] = ("rules", "arm", "model")
"""Settings of a job that say what its run is for, beside preset and seed."""
FEWEST_PICTURES: Final = 8


class OnTheWay:
    """The pictures and scalars of one training, taken while it goes on."""

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer
        self._wanted = set(picture_steps(trainer.total_steps))
        self._pictures: list[tuple[int, list[Array]]] = []
        self._rows: list[Array] = []
        self.see()

    def see(self) -> None:
        """Take a picture if one is due at this step: every layer's sigma(A) [E, P], none of a model without A."""
        if self._trainer.step in self._wanted:
            layers = [layer.topology.connection().detach().cpu().numpy().copy() for layer in self._trainer.cdsp_layers]
            self._pictures.append((self._trainer.step, layers))

    def keep(self, rows: Array) -> None:
        """Scalars that the training has taken from its log."""
        self._rows.append(rows)

    def write(self, job: Job, measured: Sequence[Row], folder: Path) -> Path | None:
        """Write the recording under the job's key; with fewer pictures where sixty do not fit, None where few do not.

        Raises OSError.
        """
        labels: dict[str, str] = {name: str(job.settings[name]) for name in LABELS if name in job.settings}
        pictures = self._pictures
        while len(pictures) >= FEWEST_PICTURES:
            path = folder / f"{job.key}{SUFFIX}"
            try:
                write_recording(self._recording(pictures, measured, labels), path)
            except RecordingError:
                pictures = [*pictures[:-1:2], pictures[-1]]
            else:
                return path
        return None

    def _recording(
        self, pictures: Sequence[tuple[int, list[Array]]], measured: Sequence[Row], labels: Mapping[str, str]
    ) -> Recording:
        trainer = self._trainer
        return record(
            Recipe(config=trainer.config),
            pictures,
            rows=np.concatenate(self._rows),
            names=trainer.log.names,
            accuracy={"known": _accuracy(measured, "own"), "blind": _accuracy(measured, "none")},
            labels=labels,
            class_names=own_class_names(trainer),
        )


def _accuracy(measured: Sequence[Row], given: str) -> dict[str, float]:
    """Test accuracy by task."""
    return {
        str(row["task"]): float(row["value"] or 0.0)
        for row in measured
        if row["measure"] == "accuracy" and row["given"] == given
    }
