"""The real trainers behind the worker's loop. The only module of the worker that imports torch."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from safetensors import SafetensorError

from cdsp_core.kernels.execution import build_kernels
from cdsp_core.settings.config import RunConfig
from cdsp_core.training.checkpoint import CheckpointError, check_checkpoint, load_checkpoint, save_checkpoint
from cdsp_core.training.device import choose_device, prepare_process, use_threads
from cdsp_core.training.non_finite import NonFiniteLossError
from cdsp_core.training.trainer import Trainer
from cdsp_core.worker.trainable import Trainable

non_finite_error: Final = NonFiniteLossError

__all__ = ["TorchTrainers", "build_kernels", "choose_device", "non_finite_error", "prepare_process", "use_threads"]


@dataclass(frozen=True, kw_only=True, slots=True)
class TorchTrainers:
    """Makes, saves and loads trainers on one device."""

    device: torch.device
    data_root: Path | None

    def new(self, config: RunConfig) -> Trainer:
        return Trainer(config, device=self.device, data_root=self.data_root)

    def load(self, folder: Path, name: str) -> Trainer:
        return load_checkpoint(folder, name, device=self.device, data_root=self.data_root)

    def is_readable(self, folder: Path, name: str) -> bool:
        try:
            check_checkpoint(folder, name)
        except CheckpointError:
            return False
        return True

    def save(self, trainer: Trainable, folder: Path, name: str) -> None:
        assert isinstance(trainer, Trainer)
        try:
            save_checkpoint(trainer, folder, name)
        except SafetensorError as error:
            raise OSError(errno.EIO, str(error)) from error
