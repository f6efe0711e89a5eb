"""A deterministic trainer without torch, so that the worker's own loop can be tested in milliseconds."""

from __future__ import annotations

import dataclasses
import errno
import json
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from cdsp_core.settings.config import Controls, RunConfig, to_dict
from cdsp_core.settings.presets import from_dict, preset
from cdsp_core.training.controller import Move
from cdsp_core.wire.frames import Array
from cdsp_core.wire.messages.run import Data, Description, Device, Task, sizes
from cdsp_core.worker.session import Session
from cdsp_core.worker.surroundings import Surroundings

MANY = 1_000_000
"""steps of a run that says nothing of them: more than any test takes, however slow the machine"""
NAMES = ["step", "data_epoch", "loss", "test_accuracy/mnist"]


class TinyNonFiniteError(RuntimeError):
    """What the tiny trainer raises where the real one raises NonFiniteLossError."""

    def __init__(self, term: str, step: int) -> None:
        super().__init__(f"{term} became non-finite at step {step}.")
        self.term = term
        self.step = step


class TinyTrainer:
    """Every number follows from seed, step and p_drop. A lr_base of 0.1 makes the loss non-finite at once."""

    def __init__(
        self,
        config: RunConfig,
        *,
        step: int = 0,
        step_s: float = 0.001,
        further: tuple[str, ...] = (),
        hangs: threading.Event | None = None,
    ) -> None:
        self.config = config
        self.controls = config.controls
        self.step = step
        self.total_steps = config.train.steps or MANY
        self._rows: list[list[float]] = []
        self._step_s = step_s
        self._hangs = hangs or threading.Event()
        self.names = [*NAMES[:3], *further, *NAMES[3:]]

    def describe(self) -> dict[str, Any]:
        return Description(
            tasks=[Task(name="mnist", label="MNIST", note="")],
            scalar_names=self.names,
            **{**sizes(self.config.model), "layers": 1, "experts": 4, "partitions": 4, "dims": 16, "rank": 8},
            steps_per_epoch=10,
            data=Data(train=1, test=1, note=""),
            device=Device(kind="cpu", name="tiny", memory_mib=1, threads=1),
        ).to_json()

    def train_step(self) -> None:
        time.sleep(self._step_s)
        while self._hangs.is_set():
            time.sleep(0.01)
        if self.controls.lr_base >= 0.1:
            raise TinyNonFiniteError("task_loss", self.step + 1)
        self.step += 1
        measured = 0.5 if self.step % 20 == 0 else float("nan")
        further = [7.0] * (len(self.names) - len(NAMES))
        self._rows.append([self.step, self.step / 10, self.loss(self.step), *further, measured])

    def loss(self, step: int) -> float:
        return 1 / (1 + step) + self.config.train.seed + self.controls.p_drop

    def steer(self) -> Move | None:
        """With a controller, one move: at step 30 lambda_conflict becomes 5."""
        asked = self.config.train.controller != "off" and self.step == 30 and self.controls.lambda_conflict != 5.0
        return Move(controls={"lambda_conflict": 5.0}, reason="Because it is step 30.") if asked else None

    def apply(self, controls: Controls) -> None:
        self.controls = controls

    def arrays(self) -> dict[str, Array]:
        rows, self._rows = self._rows, []
        pairs = np.full((4, 4), 0.5, dtype=np.float32)
        return {
            "scalars": np.array(rows, dtype=np.float32).reshape(-1, len(self.names)),
            "layer0/connection": pairs,
            "layer0/load": np.full(4, 0.25, dtype=np.float32),
        }


@dataclasses.dataclass
class TinyTrainers:
    """Checkpoints are JSON files. `further` scalars, 7 at every step, are what another version measures."""

    step_s: float = 0.001
    further: tuple[str, ...] = ()
    refuses_to_save: bool = False
    """as a process that has died"""
    hangs: threading.Event = dataclasses.field(default_factory=threading.Event)
    """while it is set, the main thread hangs in its next step"""

    def new(self, config: RunConfig) -> TinyTrainer:
        return TinyTrainer(config, step_s=self.step_s, further=self.further, hangs=self.hangs)

    def load(self, folder: Path, name: str) -> TinyTrainer:
        raw = json.loads((folder / f"{name}.json").read_text())
        config = from_dict(raw["config"])
        return TinyTrainer(config, step=raw["step"], step_s=self.step_s, further=self.further, hangs=self.hangs)

    def is_readable(self, folder: Path, name: str) -> bool:
        try:
            self.load(folder, name)
        except ValueError:
            return False
        return True

    def save(self, trainer: Any, folder: Path, name: str) -> None:
        if self.refuses_to_save:
            raise OSError(errno.EIO, "This process has died")
        config = replace(trainer.config, controls=trainer.controls)
        (folder / f"{name}.json").write_text(json.dumps({"config": to_dict(config), "step": trainer.step}))


def a_session(trainers: TinyTrainers, folder: Path, **options: Any) -> Session:
    """Of a run that goes on from step 0, in a folder of its name."""
    (folder / "run-1").mkdir()
    trainer = trainers.new(preset("live"))
    trainers.save(trainer, folder / "run-1", "e000000-s000000000")
    return Session(
        run_id="run-1",
        generation=1,
        revision=0,
        trainer=trainer,
        speed=None,
        paused=False,
        surroundings=Surroundings(trainers=trainers, checkpoint_dir=folder, **options),
        parent=(0, 0),
    )
