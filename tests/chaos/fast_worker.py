"""A worker whose clock runs faster: the checkpoints and frames that take it hours take minutes, all else is as ever.

    CDSP_WORKER_TOKEN=... python -m tests.chaos.fast_worker --connect URL --folder DIR --speed TIMES [--replayed PACE]

`--replayed` trains nothing: it shows the frames of the stored run again and again, so many steps a second by its clock.
At its end it prints how many checkpoints it has written. `fast_worker` starts it for a test.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np

from cdsp_core.settings.config import Controls, RunConfig
from cdsp_core.training.controller import Move
from cdsp_core.wire.frames import Array
from cdsp_core.wire.messages.link import Order
from cdsp_core.worker.__main__ import end_when_told
from cdsp_core.worker.link import Link
from cdsp_core.worker.loop import WorkerLoop
from cdsp_core.worker.outbox import Outbox
from cdsp_core.worker.studies import StudyRunner
from cdsp_core.worker.surroundings import Surroundings
from cdsp_core.worker.trainable import Trainable, Trainers
from tests.chaos.processes import ROOT, Server
from tests.e2e.fixed_run import FIXED_FILE

SHORTEST_STEP_S: Final = 0.002
MOST_STEPS_A_FRAME: Final = 2000
"""while it makes up for a pause of the machine, so that the rows of a frame fit into a message"""
PICTURE_STEPS: Final = 67
"""steps that a picture of the stored run is shown for"""


class Replayed:
    """The stored run without end: its pictures and its rows, one after the other, at so many times the pace."""

    def __init__(self, config: RunConfig, *, steps_per_s: float) -> None:
        with np.load(FIXED_FILE) as file:
            head = json.loads(bytes(file["head"]))
            arrays = {name: file[name] for name in file.files if name != "head"}
        self.config, self.controls = config, config.controls
        self.step, self.total_steps = 0, 10_000_000
        self._description: dict[str, Any] = head["record"]["description"]
        self._rows = arrays.pop("scalars").astype(np.float32)
        self._pictures = {
            name: each if each.dtype == np.uint8 else each.astype(np.float32) for name, each in arrays.items()
        }
        self._told = 0
        self._began = time.monotonic()
        self._steps_per_s = steps_per_s

    def describe(self) -> dict[str, Any]:
        return self._description

    def steer(self) -> Move | None:
        return None

    def train_step(self) -> None:
        time.sleep(SHORTEST_STEP_S)
        due = int(self._steps_per_s * (time.monotonic() - self._began))
        room = MOST_STEPS_A_FRAME - (self.step - self._told)
        self.step += min(max(1, due - self.step), max(1, room))

    def apply(self, controls: Controls) -> None:
        self.controls = controls

    def arrays(self) -> dict[str, Array]:
        steps = np.arange(self._told + 1, self.step + 1)
        rows = self._rows[steps % len(self._rows)]
        rows[:, 0] = steps
        self._told = self.step
        seen = {name: each[self.step // PICTURE_STEPS % len(each)] for name, each in self._pictures.items()}
        return {"scalars": rows, **seen}


class ReplayedTrainers:
    """Makes them; there is nothing to save."""

    def __init__(self, steps_per_s: float) -> None:
        self._steps_per_s = steps_per_s

    def new(self, config: RunConfig) -> Trainable:
        return Replayed(config, steps_per_s=self._steps_per_s)

    def load(self, folder: Path, name: str) -> Trainable:
        raise ValueError("a replayed run has no checkpoints.")

    def is_readable(self, folder: Path, name: str) -> bool:
        return True

    def save(self, trainer: Trainable, folder: Path, name: str) -> None:
        return None


class NeverError(RuntimeError):
    """What replayed runs never raise."""


class Counted:
    """Trainers whose checkpoints are counted."""

    def __init__(self, trainers: Trainers) -> None:
        self._trainers = trainers
        self.saved = 0
        self.new, self.load, self.is_readable = trainers.new, trainers.load, trainers.is_readable

    def save(self, trainer: Trainable, folder: Path, name: str) -> None:
        self._trainers.save(trainer, folder, name)
        self.saved += 1


def trainers_of(steps_per_s: float | None) -> tuple[Trainers, type[RuntimeError]]:
    """The trainers, those that replay at a pace or real ones, and their error for a loss that is not finite."""
    if steps_per_s is not None:
        return ReplayedTrainers(steps_per_s), NeverError
    from cdsp_core.worker.training import (
        TorchTrainers,
        choose_device,
        non_finite_error,
        prepare_process,
        use_threads,
    )

    prepare_process()
    use_threads(1)
    return TorchTrainers(device=choose_device("cpu"), data_root=None), non_finite_error


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connect", required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--speed", type=float, required=True)
    parser.add_argument("--replayed", type=float)
    options = parser.parse_args()
    inbox: queue.SimpleQueue[Order] = queue.SimpleQueue()
    outbox = Outbox()
    pace = None if options.replayed is None else options.speed * options.replayed
    made, non_finite = trainers_of(pace)
    trainers = Counted(made)
    token, worker_id = os.environ["CDSP_WORKER_TOKEN"], uuid.uuid4().hex
    link = Link(options.connect, token=token, worker_id=worker_id, outbox=outbox, inbox=inbox)
    end_when_told(inbox)
    link.start()
    WorkerLoop(
        inbox=inbox,
        link=link,
        surroundings=Surroundings(
            trainers=trainers,
            outbox=outbox,
            checkpoint_dir=options.folder / "checkpoints",
            clock=lambda: options.speed * time.monotonic(),
        ),
        non_finite=non_finite,
        studies=StudyRunner(folder=options.folder / "studies", on_change=link.tell_study),
    ).run()
    print(trainers.saved)


@contextmanager
def fast_worker(server: Server, *options: str) -> Iterator[subprocess.Popen[str]]:
    """The process, until the end of the block; `end` gives how many checkpoints it wrote."""
    url = f"ws://127.0.0.1:{server.port}/ws/worker"
    command = [sys.executable, "-m", "tests.chaos.fast_worker", "--connect", url, "--folder", str(server.folder)]
    token = (server.folder / "worker.token").read_text().strip()
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CDSP_WORKER_TOKEN": token}
    command += options
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
                process.communicate()


if __name__ == "__main__":
    main()
