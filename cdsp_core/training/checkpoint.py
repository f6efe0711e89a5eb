"""Saving and loading a trainer: safetensors for tensors, JSON beside it for the rest. Never pickle.

A checkpoint NAME is two files, NAME.safetensors and NAME.json. Each is written under a temporary name, flushed to
disk and renamed, the JSON last: a checkpoint exists when its JSON does. To overwrite one, its JSON goes first.

The JSON holds a checksum of both, which is compared before anything is loaded; those of versions that wrote none load.

There are no random states to save: data order and task dropout are functions of seed and step (`batches.py`).
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import load_file, save_file

from cdsp_core import __version__
from cdsp_core.data.datasets import Datasets
from cdsp_core.settings.config import to_dict
from cdsp_core.settings.overrides import with_controls
from cdsp_core.settings.presets import from_dict
from cdsp_core.storage.folder import flush_folder
from cdsp_core.training.trainer import Trainer

FORMAT = 3
_RENAMED_IN_3 = ((".layer_norm.", ".ffn_norm."), (".layer.", ".feed_forward."))
"""names of a block's parts in format 2, and today's"""


class CheckpointError(RuntimeError):
    """A checkpoint is missing, broken or of another format; the message says which in one sentence."""


def save_checkpoint(trainer: Trainer, folder: Path, name: str) -> Path:
    """Write the trainer's state; returns the path of the JSON. Waits for the device. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {f"model/{key}": value for key, value in trainer.model.state_dict().items()}
    for number, parameter in enumerate(trainer.parameters):
        for key, value in trainer.optimizer.state.get(parameter, {}).items():
            tensors[f"optimizer/{number}/{key}"] = value
    head = {
        "format": FORMAT,
        "version": __version__,
        "step": trainer.step,
        "config": to_dict(trainer.config),
        "controls": dataclasses.asdict(trainer.controls),
        "controller": trainer.controller.state() if trainer.controller else None,
    }
    contiguous = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
    if (folder / f"{name}.json").exists():
        (folder / f"{name}.json").unlink()
        flush_folder(folder)
    _write(folder / f"{name}.safetensors", lambda path: save_file(contiguous, path))
    whole = {**head, "sha256": _checksum(head, folder / f"{name}.safetensors")}
    _write(folder / f"{name}.json", lambda path: path.write_text(json.dumps(whole)))
    flush_folder(folder)
    return folder / f"{name}.json"


def load_checkpoint(
    folder: Path,
    name: str,
    *,
    device: torch.device,
    data_root: Path | None = None,
    datasets: Datasets | None = None,
) -> Trainer:
    """A trainer that goes on where the saved one stood, bit for bit on one CPU. Raises CheckpointError."""
    head = check_checkpoint(folder, name)
    path = folder / f"{name}.safetensors"
    try:
        tensors = load_file(path, device=str(device))
        config = from_dict(head["config"])
        trainer = Trainer(config, device=device, data_root=data_root, datasets=datasets)
        trainer.model.load_state_dict(_named_as_today(_part(tensors, "model/"), head["format"]))
        for number, parameter in enumerate(trainer.parameters):
            state = _part(tensors, f"optimizer/{number}/")
            if state:
                trainer.optimizer.state[parameter] = state
        trainer.step = int(head["step"])
        trainer.apply(with_controls(config.controls, head["controls"]))
        if trainer.controller is not None:
            trainer.controller.restore(head["controller"])
    except (OSError, safetensors.SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"Checkpoint {path} cannot be read: {' '.join(str(error).split())}") from error
    trainer.look_at_test_images()
    return trainer


def check_checkpoint(folder: Path, name: str) -> dict[str, Any]:
    """What the JSON says, of a checkpoint whose format and checksum are right. Raises CheckpointError."""
    head = _read_head(folder / f"{name}.json")
    path = folder / f"{name}.safetensors"
    try:
        found = _checksum(head, path)
    except OSError as error:
        raise CheckpointError(f"Checkpoint {path} cannot be read: {error.strerror}.") from error
    if head.get("sha256", found) != found:
        raise CheckpointError(f"Checkpoint {path} cannot be read: its checksum is not the one written with it.")
    return head


def _checksum(head: dict[str, Any], path: Path) -> str:
    """SHA-256 over the tensors' file and the rest of the JSON. Raises OSError."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    rest = {key: value for key, value in head.items() if key != "sha256"}
    digest.update(json.dumps(rest, sort_keys=True).encode())
    return digest.hexdigest()


def _read_head(path: Path) -> dict[str, Any]:
    try:
        head = json.loads(path.read_text())
    except FileNotFoundError:
        raise CheckpointError(f"Checkpoint {path} does not exist.") from None
    except (OSError, ValueError) as error:
        raise CheckpointError(f"Checkpoint {path} cannot be read: {error}") from error
    if not isinstance(head, dict) or head.get("format") not in (FORMAT, 2):
        found = head.get("format") if isinstance(head, dict) else head
        raise CheckpointError(f"Checkpoint {path} must have format 2 or {FORMAT}. Found {found!r}.")
    return head


def _named_as_today(weights: dict[str, torch.Tensor], written_as: int) -> dict[str, torch.Tensor]:
    """Weights under the names that this version gives them."""
    if written_as == FORMAT:
        return weights
    renamed = {}
    for name, value in weights.items():
        for old, new in _RENAMED_IN_3:
            name = name.replace(old, new)
        renamed[name] = value
    return renamed


def _part(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}


def _write(path: Path, write: Callable[[Path], object]) -> None:
    temporary = path.with_name(f".{path.name}.partial")
    write(temporary)
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    temporary.replace(path)
