"""What a map says in two sentences: where a setting turns the measure, and whether the other matters."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean
from typing import Any, Final

from frontend.maps.data import View, are_alike, field_label, measured_text, value_text

TURNS_FROM: Final = 0.6
"""share of an axis's whole range that lies between two neighbours for it to turn there"""
MATTERS_FROM: Final = 0.25
"""of the range of the axis that moves the measure most"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Moved:
    """What one axis does to the measure, the other averaged over: a mean for each value that has one."""

    label: str
    values: tuple[Any, ...]
    means: tuple[float, ...]

    @property
    def lowest(self) -> int:
        return self.means.index(min(self.means))

    @property
    def highest(self) -> int:
        return self.means.index(max(self.means))

    @property
    def range(self) -> float:
        return max(self.means) - min(self.means)

    @property
    def turn(self) -> int | None:
        """Where the measure turns and stays: the first value after one great change; None for no such place."""
        if len(self.values) < 3 or not self.range or any(isinstance(value, str) for value in self.values):
            return None
        jumps = [abs(after - before) for before, after in pairwise(self.means)]
        at = jumps.index(max(jumps)) + 1
        before, after = self.means[:at], self.means[at:]
        apart = max(before) < min(after) or max(after) < min(before)
        return at if apart and max(jumps) >= TURNS_FROM * self.range else None


def sentence(view: View) -> str:
    """What the finished runs say of the measure, means over the squares of a row or column."""
    axes = sorted((found for axis in (0, 1) if (found := _moved(view, axis))), key=lambda each: -each.range)
    if not axes:
        return _without_axes(view)
    first = axes[0]
    said = _first(view, first)
    return said + (_second(view, first, axes[1]) if len(axes) == 2 else "")


def _without_axes(view: View) -> str:
    """What is said before a setting has two values to compare."""
    values = [value for square in view.squares for value in square.values(view.measure)]
    if values:
        return f"{_said(view, fmean(values))} in the runs that have ended."
    if any(cell["state"] == "done" for cell in view.body["cells"]):
        return f"{view.about['label']} has no value in these runs."
    return "A map of when modules emerge: no run has ended yet."


def seeds_text(view: View) -> str:
    """On how many runs each square rests."""
    seeds = int(view.body["seeds"])
    return "one seed a square" if seeds == 1 else f"means of {seeds} seeds a square"


def _moved(view: View, axis: int) -> Moved | None:
    about = view.axes[axis]
    known = [each for each in zip(about["values"], view.margin(axis).mean, strict=True) if math.isfinite(each[1])]
    if len(known) < 2:
        return None
    values, means = zip(*known, strict=True)
    return Moved(label=field_label(about["field"]), values=values, means=means)


def _first(view: View, axis: Moved) -> str:
    low, high = min(axis.means), max(axis.means)
    if _text(view, low) == _text(view, high):
        return f"{_said(view, low)} at every {axis.label}."
    if axis.turn is not None:
        before, after = (fmean(part) for part in (axis.means[: axis.turn], axis.means[axis.turn :]))
        where = f"{axis.label} {value_text(axis.values[axis.turn])}"
        return f"{_said(view, after)} from {where} on, {_text(view, before)} below."
    first, last = sorted((axis.lowest, axis.highest))
    return (
        f"{_said(view, axis.means[first])} at {axis.label} {value_text(axis.values[first])}, "
        f"{_text(view, axis.means[last])} at {value_text(axis.values[last])}."
    )


def _second(view: View, first: Moved, axis: Moved) -> str:
    if axis.range < MATTERS_FROM * first.range or _text(view, min(axis.means)) == _text(view, max(axis.means)):
        return f" {axis.label} hardly matters."
    ends = sorted((axis.lowest, axis.highest))
    return (
        f" By {axis.label}: {', '.join(f'{_text(view, axis.means[n])} at {value_text(axis.values[n])}' for n in ends)}."
    )


def _said(view: View, value: float) -> str:
    """A value of the measure as the beginning of a sentence."""
    if view.about["unit"] != "links":
        return f"{view.about['label']} is {_text(view, value)}"
    of = f" of {view.top:.0f}" if are_alike(view.body) else ""
    return f"{_text(view, value)}{of} links are cut"


def _text(view: View, value: float) -> str:
    """A mean; of links a whole number."""
    unit = view.about["unit"]
    return f"{value:.0f}" if unit == "links" else measured_text(value, unit)
