"""The real trainers behind the worker's loop. The only module of the worker that imports torch."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from safetensors import SafetensorError

from cdsp_core.checkpoint import load_checkpoint, save_checkpoint
from cdsp_core.config import RunConfig
from cdsp_core.device import choose_device, keep_freed_memory
from cdsp_core.trainer import NonFiniteLossError, Trainer
from cdsp_core.worker.session import Trainable

non_finite_error: Final = NonFiniteLossError

__all__ = ["TorchTrainers", "choose_device", "keep_freed_memory", "non_finite_error", "use_threads"]


MOST_THREADS: Final = 4
"""The matrices of a small model do not feed more."""


def use_threads(number: int | None) -> None:
    """Compute with so many threads; None: all cores but one, at most 4, unless OMP_NUM_THREADS says otherwise.

    A core stays free for the web process and the browser, because OpenMP's threads wait for each other by spinning:
    measured on 2 cores with another program busy, 2 threads made 0.3 to 6 `live` steps a second and 1 thread 21 to 39.
    """
    if number is not None or "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(number or min(max(1, len(os.sched_getaffinity(0)) - 1), MOST_THREADS))


@dataclass(frozen=True, kw_only=True, slots=True)
class TorchTrainers:
    """Makes, saves and loads trainers on one device."""

    device: torch.device
    data_root: Path | None

    def new(self, config: RunConfig) -> Trainer:
        return Trainer(config, device=self.device, data_root=self.data_root)

    def load(self, folder: Path, name: str) -> Trainer:
        return load_checkpoint(folder, name, device=self.device, data_root=self.data_root)

    def save(self, trainer: Trainable, folder: Path, name: str) -> None:
        assert isinstance(trainer, Trainer)
        try:
            save_checkpoint(trainer, folder, name)
        except SafetensorError as error:
            raise OSError(errno.EIO, str(error)) from error
