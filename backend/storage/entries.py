"""One entry of A through a run: sigma(A) at log-spaced steps, and what pushed it there."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from backend.errors import BadInputError, RunNotFoundError
from backend.storage.archive import Archive
from backend.storage.film import FIRST_STEP, some_of
from cdsp_core.settings.model import ModelConfig
from cdsp_core.wire.frames import GRADIENT_ROWS, decode_frame
from cdsp_core.wire.messages.api import EntryHistory

FIRST_STEPS: Final = (0, 1, 2, 5, 10, 20, 35)
AN_OCTAVE: Final = 6
"""moments between a step and twice that step, from `FIRST_STEP` on"""
MOST_MOMENTS: Final = 64
NOT_KEPT: Final = "The frames of this run do not hold what pushed A: they are of a version that did not tell it."
TOO_LARGE: Final = "A of this model has so many entries that frames do not tell what pushed each."
NO_VALUE: Final = float("nan")


class Place(NamedTuple):
    """Where an entry of A stands, each from 0."""

    layer: int
    expert: int
    block: int


def checked_place(model: ModelConfig, *, layer: int, expert: int, block: int) -> Place:
    """The place of an entry. Raises BadInputError where the model's A has none there."""
    if not model.has_topology:
        raise BadInputError(f"An entry of A needs a model with A. Found architecture {model.architecture}.")
    sizes = {"layer": model.num_layers, "expert": model.num_experts, "block": model.num_partitions}
    for name, value in {"layer": layer, "expert": expert, "block": block}.items():
        if not 0 <= value < sizes[name]:
            raise BadInputError(f"{name} must be a whole number from 0 to {sizes[name] - 1}. Found {str(value)[:40]}.")
    return Place(layer, expert, block)


def moments_up_to(last: int) -> list[int]:
    """Steps to look at, the last one among them: close together early on, then evenly on a logarithmic scale."""
    steps = {step for step in FIRST_STEPS if step <= last} | {last}
    moment = 0
    while (step := round(FIRST_STEP * 2 ** (moment / AN_OCTAVE))) <= last:
        steps.add(step)
        moment += 1
    return some_of(sorted(steps), MOST_MOMENTS)


def history_of_entry(archive: Archive, run_id: str, generation: int, place: Place, *, is_told: bool) -> EntryHistory:
    """The entry at every moment whose frame is kept. `is_told`: whether frames of the model tell the gradient.

    Raises RunNotFoundError where no frame is stored.
    """
    last = archive.last_step(run_id, generation)
    if last is None:
        raise RunNotFoundError(f"There is no stored frame of epoch {generation}.")
    layer, expert, block = place
    frames = {
        frame.step: frame for frame in map(decode_frame, archive.moments(run_id, generation, moments_up_to(last)))
    }
    rows: list[tuple[float, ...]] = []
    for step in sorted(frames):
        arrays = frames[step].arrays
        connection = arrays.get(f"layer{layer}/connection")
        if connection is None:
            continue
        gradient = arrays.get(f"layer{layer}/topology_gradient")
        told = [NO_VALUE] * len(GRADIENT_ROWS) if gradient is None else gradient[:, expert, block].tolist()
        rows.append((step, float(connection[expert, block]), *told))
    table = np.array(rows, dtype=np.float64).reshape(-1, 2 + len(GRADIENT_ROWS))
    gradient_t, conflict_t, l1_t, binarize_t = table[:, 2:].T
    is_untold = bool(np.isnan(gradient_t).all())
    return EntryHistory(
        steps=table[:, 0].astype(int).tolist(),
        connection=table[:, 1].tolist(),
        gradient=gradient_t.tolist(),
        task=(gradient_t - (conflict_t + l1_t + binarize_t)).tolist(),
        conflict=conflict_t.tolist(),
        l1=l1_t.tolist(),
        binarize=binarize_t.tolist(),
        untold=(NOT_KEPT if is_told else TOO_LARGE) if is_untold and last > 0 else None,
    )
