"""A training in which a control moves by itself: by the run's own controller, or by lot as that one's null."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from cdsp_core.settings.config import TrainConfig
from cdsp_core.settings.overrides import with_controls
from cdsp_core.studies.experiments.measuring import measured, one_row, trainer_of
from cdsp_core.studies.framework.study import Row, StudyOptions, Tell
from cdsp_core.training.controller import ARMS, Controller
from cdsp_core.training.trainer import Trainer

FOLLOWED = ("lambda_conflict", "sharing")


class ByLot(Controller):
    """Moves as often and as far as the controller does, but draws which way: what it lacks is the reward."""

    def __init__(self, config: TrainConfig) -> None:
        super().__init__(config)
        self._lot = random.Random(f"{config.seed} by lot")

    def _choose(self) -> tuple[str, str]:
        return self._lot.choice(ARMS), "drawn by lot"


class Steered:
    """Makes the moves that the controller asks for, if the run has one, and keeps where the controls were."""

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer
        self._course: list[Row] = []

    def see(self) -> None:
        """Move after the step, before the next."""
        move = self._trainer.steer()
        if move is not None:
            self._trainer.apply(with_controls(self._trainer.controls, move.controls))

    def keep(self, rows: np.ndarray[Any, Any]) -> None:
        """Take the controls of a look."""
        step, controls = int(rows[-1, 0]), self._trainer.controls
        self._course += [one_row("curve", name, getattr(controls, name), step=step) for name in FOLLOWED]

    def rows(self) -> list[Row]:
        """The followed controls, look by look."""
        return self._course


def measured_and_steered(config: dict[str, Any], *, by_lot: bool, options: StudyOptions, tell: Tell) -> list[Row]:
    """Rows as `framework/training.py` describes them, and the course of the controls. Raises what Trainer raises."""
    trainer = trainer_of(config, options)
    if by_lot:
        trainer.controller = ByLot(trainer.config.train)
    steered = Steered(trainer)
    return [*measured(trainer, tell, steered), *steered.rows()]
