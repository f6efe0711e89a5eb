"""Trains a recipe and records it: log-spaced pictures, thinned scalars, accuracy over all test images at the end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cdsp_core.settings.overrides import with_controls
from cdsp_core.wire.frames import Array
from cdsp_core.wire.recording import Recipe, Recording, picture_steps, record

if TYPE_CHECKING:
    import torch


def recorded(
    recipe: Recipe,
    *,
    device: torch.device,
    data_root: Path | None = None,
    progress: Callable[[int, int], None] = lambda step, last: None,
) -> Recording:
    """Train a recipe to its last step and record it; `progress(step, last)` is called at every picture.

    Raises ValueError for an edit that comes after the last step, NonFiniteLossError.
    """
    from cdsp_core.training.trainer import Trainer

    trainer = Trainer(recipe.config, device=device, data_root=data_root)
    last = trainer.total_steps
    if recipe.edits and recipe.edits[-1].step >= last:
        raise ValueError(f"an edit must come before step {last}, the last. Found one at {recipe.edits[-1].step}.")
    edits = list(recipe.edits)
    pictures: list[tuple[int, list[Array]]] = []
    rows: list[Array] = []
    for step in picture_steps(last):
        while trainer.step < step:
            while edits and edits[0].step == trainer.step:
                trainer.apply(with_controls(trainer.controls, edits.pop(0).controls))
            move = trainer.steer()
            if move is not None:
                trainer.apply(with_controls(trainer.controls, move.controls))
            trainer.train_step()
        arrays = trainer.arrays()
        layers = [f"layer{layer}/connection" for layer in range(recipe.config.model.num_layers)]
        pictures.append((step, [arrays[name] for name in layers if name in arrays]))
        rows.append(arrays["scalars"])
        progress(step, last)
    known, blind = trainer.test_accuracy()
    return record(
        recipe,
        pictures,
        rows=np.concatenate(rows),
        names=trainer.log.names,
        accuracy={"known": known, "blind": blind},
    )
