"""Trains the recipe of a recorded run again and says whether it came out the same, or between which steps it parted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cdsp_core.studies.framework.recorder import pictures_of
from cdsp_core.wire.recipe import Recipe
from cdsp_core.wire.recording import Recording, record

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, kw_only=True, slots=True)
class Parted:
    """The first picture that is another: its step, that of the one before, which was the same, and what differs."""

    step: int
    after: int | None
    what: str

    def __str__(self) -> str:
        since = "from the first picture on" if self.after is None else f"after step {self.after:,}"
        return f"{self.what} parted {since}, by step {self.step:,}"


def replayed(
    recording: Recording,
    *,
    device: torch.device,
    data_root: Path | None = None,
    progress: Callable[[int, int], None] = lambda step, last: None,
) -> Parted | None:
    """Train up to the last picture, or to the first that is another; None where all are the same, bit for bit.

    What is compared is what the file holds: sigma(A) in 255ths and the curves' means as 16-bit floats at every picture,
    and at the end the accuracy where it was measured. Raises ValueError, NonFiniteLossError.
    """
    steps = [int(step) for step in recording.steps]
    before: int | None = None
    plain = Recipe(config=recording.recipe.config)
    for picture in pictures_of(recording.recipe, steps, device=device, data_root=data_root):
        place = steps.index(picture.step)
        made = record(plain, [(picture.step, picture.layers)], rows=picture.rows, names=picture.names)
        if not np.array_equal(made.connection[0], recording.connection[place]):
            return Parted(step=picture.step, after=before, what="σ(A)")
        if made.scalar_names == recording.scalar_names and made.scalars.tobytes() != recording.scalars[place].tobytes():
            return Parted(step=picture.step, after=before, what="the curves")
        before = picture.step
        progress(picture.step, steps[-1])
        if picture.step == steps[-1] and recording.accuracy is not None:
            known, blind = picture.test_accuracy()
            if {"known": known, "blind": blind} != recording.accuracy:
                return Parted(step=picture.step, after=before, what="the accuracy at the end")
    return None
