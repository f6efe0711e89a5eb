"""A map of GET /api/sweeps/{id} as the page shows it: squares with their seeds, margins, and what they say."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Final

import numpy as np

from cdsp_core.wire.frames import Array
from frontend.numbers import fixed, minus, plain
from frontend.page_settings import CONTROLS

Cell = Mapping[str, Any]
LINKS_ARE: Final = ("num_layers", "num_experts", "num_partitions")
"""settings whose product is the number of links"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Square:
    """One place of the map: its cells, one a seed."""

    x: int
    y: int
    cells: tuple[Cell, ...]

    @property
    def name(self) -> str:
        """What the page calls it: places across and down."""
        return f"{self.x}-{self.y}"

    @property
    def state(self) -> str:
        """training, done, failed or waiting: the first of these that a cell is in."""
        states = [cell["state"] for cell in self.cells]
        return next((state for state in ("training", "done", "failed") if state in states), "waiting")

    @property
    def pictured(self) -> Cell | None:
        """The cell that it shows: one that trains, else the first with a picture."""
        pictured = [cell for cell in self.cells if cell["connection"]]
        return next((cell for cell in pictured if cell["state"] == "training"), pictured[0] if pictured else None)

    def picture(self, layer: int) -> Array | None:
        """sigma(A) of a layer of that cell in 255ths, [experts, blocks] uint8; None where it shows none."""
        cell = self.pictured
        if cell is None or layer >= cell["connection"]["shape"][0]:
            return None
        layers = np.frombuffer(base64.b64decode(cell["connection"]["base64"]), np.uint8)
        found: Array = layers.reshape(cell["connection"]["shape"])[layer]
        return found

    @property
    def begun(self) -> Cell | None:
        """The cell that stands at the side: the one that it shows, else the first with a recording, as without A."""
        return self.pictured or next((cell for cell in self.cells if cell["replay"]), None)

    def values(self, measure: str) -> list[float]:
        """The measure of each seed that has ended."""
        return [float(cell["measures"][measure]) for cell in self.cells if measure in cell["measures"]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Margin:
    """A measure along one axis: of every value the mean, lowest and highest of the finished runs; NaN: none."""

    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """A map under one measure."""

    body: Mapping[str, Any]
    measure: str
    squares: tuple[Square, ...]
    top: float
    """the value that has the strongest ground; the lowest is 0, or less where there is less"""
    bottom: float

    @property
    def axes(self) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """What varies across, and down."""
        across, down = self.body["axes"]
        return across, down

    @property
    def about(self) -> Mapping[str, Any]:
        """The measure's label, unit and text."""
        found: Mapping[str, Any] = next(each for each in self.body["measures"] if each["name"] == self.measure)
        return found

    def share(self, value: float) -> float:
        """Where a value lies between the lowest and the strongest."""
        return (value - self.bottom) / (self.top - self.bottom) if self.top > self.bottom else 0.0

    def margin(self, axis: int) -> Margin:
        """Along the first axis (0) or the second (1)."""
        columns: list[list[float]] = [[] for _ in self.axes[axis]["values"]]
        for square in self.squares:
            columns[(square.x, square.y)[axis]] += square.values(self.measure)
        return Margin(
            mean=tuple(fmean(values) if values else math.nan for values in columns),
            low=tuple(min(values, default=math.nan) for values in columns),
            high=tuple(max(values, default=math.nan) for values in columns),
        )


def view_of(body: Mapping[str, Any], measure: str | None) -> View:
    """The map under a measure, by default its first."""
    names: list[str] = [each["name"] for each in body["measures"]]
    chosen = measure if measure is not None and measure in names else names[0]
    places: dict[tuple[int, int], list[Cell]] = {}
    for cell in body["cells"]:
        places.setdefault((cell["y"], cell["x"]), []).append(cell)
    squares = tuple(Square(x=x, y=y, cells=tuple(cells)) for (y, x), cells in sorted(places.items()))
    found = [value for square in squares for value in square.values(chosen)]
    return View(
        body=body,
        measure=chosen,
        squares=squares,
        top=_top(body, chosen, found),
        bottom=min(0.0, *found) if found else 0.0,
    )


def field_label(field: str) -> str:
    """What a setting is called: λ, p_drop."""
    return CONTROLS[field].label if field in CONTROLS else field


def name_of(field: str) -> str:
    """A setting in words: "Conflict weight λ"; a field of the config is called as it is written."""
    text = CONTROLS.get(field)
    if text is None:
        return field
    name = text.name or text.label
    return name if text.label.lower() == name.lower() else f"{name} {text.label}"


def value_text(value: Any) -> str:
    """A value of an axis: numbers as short as they are, whole ones whole."""
    if isinstance(value, int):
        return minus(str(value))
    return plain(value) if isinstance(value, float) else str(value)


def measured_text(value: float, unit: str) -> str:
    """A value of a measure: shares in %, links as whole numbers."""
    if unit == "%":
        return f"{fixed(100 * value, 1)} %"
    return fixed(value, 0 if unit == "links" and value == round(value) else 1 if unit == "links" else 2)


def short_text(value: float, unit: str) -> str:
    """The same where there is little room."""
    return fixed(100 * value, 0) if unit == "%" else fixed(value, 0 if unit == "links" else 2)


def place_text(view: View, square: Square) -> str:
    """Where a square stands: "λ 10, p_drop 0.5"."""
    across, down = view.axes
    return ", ".join(
        f"{field_label(axis['field'])} {value_text(axis['values'][at])}"
        for axis, at in ((across, square.x), (down, square.y))
    )


def progress_text(body: Mapping[str, Any]) -> tuple[str, str]:
    """How far the map is, and how long it will take, or why it does not go on."""
    ended = sum(cell["state"] in ("done", "failed") for cell in body["cells"])
    failed = sum(cell["state"] == "failed" for cell in body["cells"])
    runs = f"{ended:,} of {body['total']:,} runs" + (f", {failed} failed" if failed else "")
    rest = (body["reason"] or "").rstrip(".") or {
        "waiting": "waits for another map",
        "stopped": "stopped",
        "finished": "",
    }.get(body["state"])
    if rest is None:
        rest = f"{duration(body['left_s'])} left" if body["left_s"] is not None else "starting"
    return runs, ", ".join(part for part in (rest, body["place"]) if part)


def duration(seconds: float) -> str:
    """A while, as people say it."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _top(body: Mapping[str, Any], measure: str, found: Iterable[float]) -> float:
    unit = next(each["unit"] for each in body["measures"] if each["name"] == measure)
    if unit == "links":
        return float(links_of(body))
    if measure in ("accuracy", "blind_accuracy", "routing_overlap", "entropy"):
        return 1.0
    return max(found, default=1.0) or 1.0


def links_of(body: Mapping[str, Any], square: Square | None = None) -> int:
    """How many entries A has in all layers of a square's model; of the largest in the map without a square."""
    sizes = {name: int(body["config"]["model"][name]) for name in LINKS_ARE}
    for axis, at in zip(body["axes"], (None, None) if square is None else (square.x, square.y), strict=True):
        if axis["field"] in sizes:
            sizes[axis["field"]] = int(max(axis["values"]) if at is None else axis["values"][at])
    return math.prod(sizes.values())


def told_measures(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The measures that a run which has ended has; all of them before one has. Without A there are no links to cut."""
    known = {name for cell in body["cells"] for name in cell["measures"]}
    return [each for each in body["measures"] if not known or each["name"] in known]


def are_alike(body: Mapping[str, Any]) -> bool:
    """Whether A has as many entries in every square."""
    return not any(axis["field"] in LINKS_ARE for axis in body["axes"])


def label_px(view: View) -> int:
    """Room for the values of the rows and the name of what varies down, in pixels."""
    longest = max(len(value_text(value)) for value in view.axes[1]["values"])
    return min(160, max(44, 28 + 7 * longest))


def layers_of(body: Mapping[str, Any]) -> int:
    """How many layers the squares can show: those of the deepest."""
    varied = [max(axis["values"]) for axis in body["axes"] if axis["field"] == "num_layers"]
    return int(varied[0] if varied else body["config"]["model"]["num_layers"])


def strongest(view: View) -> Square | None:
    """The square of the highest measure; None where no run has ended."""
    ended = [square for square in view.squares if square.values(view.measure)]
    return max(ended, key=lambda square: fmean(square.values(view.measure)), default=None)


def square_of(view: View, name: Any) -> Square | None:
    """The square of that name."""
    return next((square for square in view.squares if square.name == name), None)
