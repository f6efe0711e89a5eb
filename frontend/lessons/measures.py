"""What a lesson can ask of a recorded run: one number, counted in what the recording holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Final

import numpy as np

from cdsp_core.wire.recording import CUT_BELOW, Recording

LARGEST_SLOPE: Final = 0.25
"""of the sigmoid, at 0"""
NEARLY_ALL: Final = 0.9


@dataclass(frozen=True, kw_only=True, slots=True)
class Measure:
    """A number of a layer of a recorded run, NaN where it has none. `text` writes a value with its unit."""

    name: str
    of: Callable[[Recording, int], float]
    axis: Callable[[Recording], tuple[float, float]]
    text: Callable[[float], str]
    unit: str


def links_cut(recording: Recording, layer: int) -> float:
    """Links of a layer that are cut at the end."""
    return float(_cut(recording, layer)[-1].sum())


def blocks_held(recording: Recording, layer: int) -> float:
    """Blocks that an expert still holds at the end, the mean of the layer's experts."""
    return float((~_cut(recording, layer)[-1]).sum(axis=1).mean())


def own_blocks(recording: Recording, layer: int) -> float:
    """Experts that hold their own block at the end; NaN where they have none."""
    held_ep = ~_cut(recording, layer)[-1]
    return float(np.trace(held_ep)) if recording.recipe.config.model.has_diagonal else float("nan")


def cutting_share(recording: Recording, layer: int) -> float:
    """Share of the steps between the first cut link and nine in ten of the end's; NaN where none is cut at the end."""
    cut_t = _cut(recording, layer).sum(axis=(1, 2))
    if cut_t[-1] == 0:
        return float("nan")
    first, nearly = (int(np.argmax(cut_t >= count)) for count in (1, NEARLY_ALL * cut_t[-1]))
    return float(recording.steps[nearly] - recording.steps[first]) / float(recording.steps[-1])


def links_back(recording: Recording, layer: int) -> float:
    """Links that were cut at the last edit and are not at the end; NaN without an edit."""
    edited = _picture_of_the_last_edit(recording)
    cut_tep = _cut(recording, layer)
    return float("nan") if edited is None else float((cut_tep[edited] & ~cut_tep[-1]).sum())


def slope_of_cut(recording: Recording, layer: int) -> float:
    """Mean slope of the sigmoid at the links cut at the last edit, or at the end, as a share of its largest."""
    edited = _picture_of_the_last_edit(recording)
    picture = -1 if edited is None else edited
    sigma_ep = recording.connection[picture, layer] / 255
    cut = sigma_ep < CUT_BELOW
    return float((sigma_ep * (1 - sigma_ep))[cut].mean() / LARGEST_SLOPE) if cut.any() else float("nan")


def lost_without_id(recording: Recording, layer: int) -> float:
    """Points of accuracy that hiding the task's ID costs at the end, mean over the tasks; NaN where not measured."""
    measured = recording.accuracy
    if measured is None:
        return float("nan")
    return 100 * (fmean(measured["known"].values()) - fmean(measured["blind"].values()))


def _cut(recording: Recording, layer: int) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Which links of a layer are cut [T, E, P]."""
    cut: np.ndarray[tuple[int, ...], np.dtype[np.bool_]] = recording.connection[:, layer] < CUT_BELOW * 255
    return cut


def _picture_of_the_last_edit(recording: Recording) -> int | None:
    """The last picture before or at the last edit."""
    if not recording.recipe.edits:
        return None
    return max(0, int(np.searchsorted(recording.steps, recording.recipe.edits[-1].step, side="right")) - 1)


def _links(recording: Recording) -> tuple[float, float]:
    model = recording.recipe.config.model
    return 0.0, float(model.num_experts * model.num_partitions)


def _blocks(recording: Recording) -> tuple[float, float]:
    return 0.0, float(recording.recipe.config.model.num_partitions)


def _percent(recording: Recording) -> tuple[float, float]:
    return 0.0, 1.0


def _points(recording: Recording) -> tuple[float, float]:
    return -5.0, 25.0


def _count(value: float) -> str:
    return f"{value:.0f}" if abs(value - round(value)) < 0.05 else f"{value:.1f}"


def _share(value: float) -> str:
    return f"{100 * value:.0f} %"


MEASURES: Final[Mapping[str, Measure]] = {
    measure.name: measure
    for measure in (
        Measure(name="links_cut", of=links_cut, axis=_links, text=_count, unit="links cut at the end"),
        Measure(
            name="blocks_held", of=blocks_held, axis=_blocks, text=_count, unit="blocks an expert holds at the end"
        ),
        Measure(name="own_blocks", of=own_blocks, axis=_blocks, text=_count, unit="experts that hold their own block"),
        Measure(name="cutting_share", of=cutting_share, axis=_percent, text=_share, unit="of the run, for most cuts"),
        Measure(name="links_back", of=links_back, axis=_links, text=_count, unit="cut links that came back"),
        Measure(name="slope_of_cut", of=slope_of_cut, axis=_percent, text=_share, unit="of the largest slope"),
        Measure(
            name="lost_without_id", of=lost_without_id, axis=_points, text=_count, unit="points lost without the ID"
        ),
    )
}
"""by the name that a lesson's file has"""
