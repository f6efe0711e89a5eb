"""Trains a recipe and records it: log-spaced pictures, thinned scalars, accuracy over all test images at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cdsp_core.settings.overrides import with_controls
from cdsp_core.wire.frames import Array
from cdsp_core.wire.recipe import Recipe
from cdsp_core.wire.recording import Recording, picture_steps, record

if TYPE_CHECKING:
    import torch

    from cdsp_core.training.trainer import Trainer


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """What a run in training shows at a step: sigma(A) per layer [E, P], and the scalars since the picture before."""

    step: int
    last: int
    """step of the run"""
    layers: list[Array]
    rows: Array
    names: tuple[str, ...]
    test_accuracy: Callable[[], tuple[dict[str, float], dict[str, float]]]
    """measures it now over all test images, with the task's ID and without"""
    class_names: dict[str, tuple[str, ...]]
    """of each task of own data"""


def own_class_names(trainer: Trainer) -> dict[str, tuple[str, ...]]:
    """The classes of each task of somebody's own data; empty for tasks that come with the program."""
    return {task.name: task.class_names for task in trainer.tasks} if trainer.config.train.dataset else {}


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
    pictures: list[tuple[int, list[Array]]] = []
    rows: list[Array] = []
    for picture in pictures_of(recipe, None, device=device, data_root=data_root):
        pictures.append((picture.step, picture.layers))
        rows.append(picture.rows)
        progress(picture.step, picture.last)
    known, blind = picture.test_accuracy()
    return record(
        recipe,
        pictures,
        rows=np.concatenate(rows),
        names=picture.names,
        accuracy={"known": known, "blind": blind},
        class_names=picture.class_names,
    )


def pictures_of(
    recipe: Recipe, steps: Sequence[int] | None, *, device: torch.device, data_root: Path | None = None
) -> Iterator[Picture]:
    """Train a recipe and stop for a picture at these steps, which rise; None: log-spaced to its last step.

    Raises ValueError for a step or an edit that comes after the last step, NonFiniteLossError.
    """
    from cdsp_core.training.trainer import Trainer

    trainer = Trainer(recipe.config, device=device, data_root=data_root)
    last = trainer.total_steps
    if recipe.edits and recipe.edits[-1].step >= last:
        raise ValueError(f"an edit must come before step {last}, the last. Found one at {recipe.edits[-1].step}.")
    if steps and steps[-1] > last:
        raise ValueError(f"a picture must come by step {last}, the last. Found one at {steps[-1]}.")
    edits = list(recipe.edits)
    for step in picture_steps(last) if steps is None else steps:
        while trainer.step < step:
            while edits and edits[0].step == trainer.step:
                trainer.apply(with_controls(trainer.controls, edits.pop(0).controls))
            move = trainer.steer()
            if move is not None:
                trainer.apply(with_controls(trainer.controls, move.controls))
            trainer.train_step()
        arrays = trainer.arrays()
        layers = [f"layer{layer}/connection" for layer in range(recipe.config.model.num_layers)]
        yield Picture(
            step=step,
            last=last,
            layers=[arrays[name] for name in layers if name in arrays],
            rows=arrays["scalars"],
            names=tuple(trainer.log.names),
            test_accuracy=trainer.test_accuracy,
            class_names=own_class_names(trainer),
        )
