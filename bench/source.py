"""A worker that trains nothing: it replays one real frame at a steady pace, through the real link.

`python -m bench.source URL`; the token comes from CDSP_WORKER_TOKEN. Ends when its backend is gone.
"""

from __future__ import annotations

import argparse
import os
import queue
import signal
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from bench.frames import STEPS_A_FRAME
from cdsp_core.settings.config import Controls, RunConfig
from cdsp_core.training.non_finite import NonFiniteLossError
from cdsp_core.training.trainer import Trainer
from cdsp_core.wire.frames import Array
from cdsp_core.wire.messages.link import End, Order
from cdsp_core.worker.link import Link
from cdsp_core.worker.loop import WorkerLoop
from cdsp_core.worker.outbox import Outbox
from cdsp_core.worker.studies import StudyRunner
from cdsp_core.worker.surroundings import Pace, Surroundings
from cdsp_core.worker.trainable import Trainable

FRAMES_PER_S: Final = 20.0
LOST_AFTER_S: Final = 3.0
NEVER_S: Final = 1e9


class Replay:
    """A trainer whose every frame holds the same arrays."""

    def __init__(self, config: RunConfig) -> None:
        trainer = Trainer(config, device=torch.device("cpu"))
        for _ in range(STEPS_A_FRAME):
            trainer.train_step()
        self._arrays = trainer.arrays()
        self._described = trainer.describe()
        self._step_s = 1 / (FRAMES_PER_S * STEPS_A_FRAME)
        self._due_s = time.monotonic()
        self._told = 0
        self.config = config
        self.controls = config.controls
        self.step = 0
        self.total_steps = trainer.total_steps

    def describe(self) -> dict[str, Any]:
        return self._described

    def steer(self) -> None:
        """A replay has no controller."""

    def train_step(self) -> None:
        self._due_s = max(self._due_s + self._step_s, time.monotonic() - 1)
        time.sleep(max(0.0, self._due_s - time.monotonic()))
        self.step += 1

    def apply(self, controls: Controls) -> None:
        self.controls = controls

    def arrays(self) -> dict[str, Array]:
        rows = np.repeat(self._arrays["scalars"][-1:], self.step - self._told, axis=0)
        rows[:, 0] = np.arange(self._told + 1, self.step + 1)
        self._told = self.step
        return {**self._arrays, "scalars": rows}


class Replays:
    """Keeps no checkpoints: a replay is not worth going on with."""

    def new(self, config: RunConfig) -> Replay:
        return Replay(config)

    def load(self, folder: Path, name: str) -> Replay:
        raise ValueError(f"a replay must begin anew. Found checkpoint {name}.")

    def is_readable(self, folder: Path, name: str) -> bool:
        return False

    def save(self, trainer: Trainable, folder: Path, name: str) -> None:
        return None


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.source", description=__doc__)
    parser.add_argument("url", help="the backend's link, ws://HOST:PORT/ws/worker")
    url = parser.parse_args().url
    torch.set_num_threads(1)
    inbox: queue.SimpleQueue[Order] = queue.SimpleQueue()
    outbox = Outbox()
    link = Link(
        url,
        token=os.environ["CDSP_WORKER_TOKEN"],
        worker_id=uuid.uuid4().hex,
        outbox=outbox,
        inbox=inbox,
        lost_after_s=LOST_AFTER_S,
    )
    signal.signal(signal.SIGTERM, lambda *_: inbox.put(End(reason="Asked to end by a signal.")))
    link.start()
    with tempfile.TemporaryDirectory() as folder:
        WorkerLoop(
            inbox=inbox,
            link=link,
            surroundings=Surroundings(
                trainers=Replays(),
                outbox=outbox,
                checkpoint_dir=Path(folder),
                pace=Pace(frames_per_s=FRAMES_PER_S, checkpoint_every_s=NEVER_S),
            ),
            non_finite=NonFiniteLossError,
            studies=StudyRunner(folder=Path(folder), on_change=link.tell_study),
        ).run()


if __name__ == "__main__":
    main()
