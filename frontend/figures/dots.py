"""Dots with their intervals, one row a claim, against each claim's own threshold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from frontend.claims.evidence import Bound
from frontend.figures.palette import Palette, faded
from frontend.numbers import measure

Figure = dict[str, Any]

AXIS_PX: Final = 24
"""Height below the rows, for the ticks."""
NAME_PX: Final = 18
"""Height below the ticks, for the axis' name where it has one."""
BAND_PX: Final = 11
"""Half of the height of the shaded side of a threshold."""
DOT_PX: Final = 9
AXIS_CHARACTERS: Final = 64
ROOM: Final = 0.06
MAX_RATIO: Final = 50
"""Rows whose sizes differ by more get axes of their own: the smaller would be a point on the threshold."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DotRow:
    """What is drawn of one claim. `fresh` is what was measured just now, as (value, interval)."""

    label: str
    bound: Bound
    tone: str
    unit: str
    quantity: str
    measured: float | None
    interval: tuple[float, float] | None
    published: float | None = None
    fresh: tuple[float, tuple[float, float] | None] | None = None

    @property
    def values(self) -> list[float]:
        """Everything that must fit on the axis."""
        found = [*self.bound.ends, *(self.interval or ())]
        found += [value for value in (self.measured, self.published) if value is not None]
        if self.fresh is not None:
            found += [self.fresh[0], *(self.fresh[1] or ())]
        return found

    @property
    def size(self) -> float:
        """The largest of them, without sign."""
        return max(map(abs, self.values), default=0.0)


def groups(rows: Sequence[DotRow]) -> list[list[int]]:
    """Which rows share an axis: indices of rows of one unit and of sizes that can be seen together, in order."""
    found: list[list[int]] = []
    for i, row in enumerate(rows):
        for group in found:
            sizes = [rows[j].size for j in group] + [row.size]
            if rows[group[0]].unit == row.unit and max(sizes) <= MAX_RATIO * max(min(sizes), 1e-9):
                group.append(i)
                break
        else:
            found.append([i])
    return found


def dots(rows: Sequence[DotRow], palette: Palette) -> Figure:
    """The figure; row i lies at y = i + .5, counted from the top, so that rows of a list beside it stand level."""
    low, high = extent([value for row in rows for value in row.values])
    return {
        "data": list(_traces(rows, palette)),
        "layout": {
            "autosize": True,
            "margin": {"l": 8, "r": 8, "t": 0, "b": axis_px(rows)},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "font": {"family": "Inter, system-ui, sans-serif", "size": 12, "color": palette.muted},
            "showlegend": False,
            "hovermode": "closest",
            "hoverlabel": {
                "bgcolor": palette.ink,
                "font": {"color": palette.panel, "size": 12},
                "bordercolor": palette.ink,
            },
            "dragmode": False,
            "xaxis": {
                "range": [low, high],
                "fixedrange": True,
                "gridcolor": palette.line,
                "zeroline": False,
                "nticks": 6,
                "title": {"text": axis_name(rows), "standoff": 4, "font": {"size": 12}},
            },
            "yaxis": {"range": [len(rows), 0], "visible": False, "fixedrange": True},
            "shapes": [shape for i, row in enumerate(rows) for shape in _side(row, i, low, high, palette)],
        },
    }


def axis_name(rows: Sequence[DotRow]) -> str:
    """The unit, or what is measured where one row has the axis to itself and its words fit."""
    if not rows:
        return ""
    quantity = rows[0].quantity if len(rows) == 1 and len(rows[0].quantity) <= AXIS_CHARACTERS else ""
    return rows[0].unit or quantity


def axis_px(rows: Sequence[DotRow]) -> int:
    """Height below the rows."""
    return AXIS_PX + (NAME_PX if axis_name(rows) else 0)


def extent(values: Sequence[float]) -> tuple[float, float]:
    """Ends of an axis that has room for all values."""
    if not values:
        return 0.0, 1.0
    low, high = min(values), max(values)
    room = ROOM * (high - low) or 0.1 * abs(low) or 1.0
    return low - room, high + room


def _side(row: DotRow, i: int, low: float, high: float, palette: Palette) -> Iterator[Figure]:
    """The side of the threshold on which the claim holds, and the threshold."""
    colour = palette.aside if row.tone == "aside" else palette.holds
    place = {"yref": "y", "ysizemode": "pixel", "yanchor": i + 0.5, "layer": "below"}
    if row.bound.ends:
        yield {
            **place,
            "type": "rect",
            "x0": low if row.bound.low is None else row.bound.low,
            "x1": high if row.bound.high is None else row.bound.high,
            "y0": -BAND_PX,
            "y1": BAND_PX,
            "fillcolor": faded(colour, 0.11),
            "line": {"width": 0},
        }
    for end in row.bound.ends:
        yield {
            **place,
            "layer": "between",
            "type": "line",
            "x0": end,
            "x1": end,
            "y0": -BAND_PX - 2,
            "y1": BAND_PX + 2,
            "line": {"color": colour, "width": 2},
        }


def _traces(rows: Sequence[DotRow], palette: Palette) -> Iterator[Figure]:
    for i, row in enumerate(rows):
        colour = palette.of(row.tone)
        if row.measured is not None:
            yield _dot(row.measured, row.interval, i, "stored", colour, hollow=False, palette=palette)
        if row.fresh is not None:
            yield _dot(*row.fresh, i, "measured just now", palette.accent, hollow=True, palette=palette)
        if row.published is not None:
            yield {
                **_mark([row.published], i, f"published: {measure(row.published)}"),
                "marker": {
                    "symbol": "diamond",
                    "size": 9,
                    "color": palette.panel,
                    "line": {"color": palette.ink, "width": 1.5},
                },
            }


def _dot(
    value: float,
    interval: tuple[float, float] | None,
    i: int,
    name: str,
    colour: str,
    *,
    hollow: bool,
    palette: Palette,
) -> Figure:
    low, high = interval or (value, value)
    text = f"{name}: {measure(value)}, {interval_in_words(interval)}"
    return {
        **_mark([value], i, text),
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [high - value],
            "arrayminus": [value - low],
            "thickness": 3,
            "width": 0,
            "color": faded(colour, 0.55),
            "visible": interval is not None,
        },
        "marker": {
            "symbol": "circle",
            "size": DOT_PX,
            "color": palette.panel if hollow else colour,
            "line": {"color": colour if hollow else palette.panel, "width": 2 if hollow else 1},
        },
    }


def _mark(x: list[float], i: int, text: str) -> Figure:
    return {
        "type": "scatter",
        "mode": "markers",
        "x": x,
        "y": [i + 0.5],
        "hovertext": [text],
        "hoverinfo": "text",
        "cliponaxis": False,
    }


def interval_in_words(interval: tuple[float, float] | None) -> str:
    """The ends, or that there are none."""
    return "no interval" if interval is None else f"interval {measure(interval[0])} to {measure(interval[1])}"
