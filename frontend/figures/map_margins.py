"""The margins of a map: a measure along each axis, as a line with a band from the lowest to the highest run."""

from __future__ import annotations

import math
from typing import Any, Final

from frontend.figures.palette import Palette, faded
from frontend.maps.data import Margin, View, field_label, label_px, measured_text, value_text

Figure = dict[str, Any]
NOTHING_YET: Final[Figure] = {
    "data": [],
    "layout": {
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "xaxis": {"visible": False, "fixedrange": True},
        "yaxis": {"visible": False, "fixedrange": True},
    },
}
"""A margin of which nothing is known yet; plotly's own would have axes from -1 to 6."""


def margin_figure(view: View, axis: int, palette: Palette) -> Figure:
    """The figure over the columns (axis 0) or beside the rows (1): places are those of the squares."""
    margin = view.margin(axis)
    values, unit = view.axes[axis]["values"], view.about["unit"]
    places = [at for at, mean in enumerate(margin.mean) if math.isfinite(mean)]
    ends = [-0.5, len(values) - 0.5]
    along = {"range": ends if axis == 0 else ends[::-1], "visible": False, "fixedrange": True}
    across = {
        "range": _padded(view),
        "nticks": 4 if axis == 0 else 3,
        "tickangle": 0,
        "fixedrange": True,
        "gridcolor": palette.line,
        "zeroline": False,
        "tickformat": ".0%" if unit == "%" else None,
        "tickfont": {"size": 12, "color": palette.muted},
    }
    label = field_label(view.axes[axis]["field"])
    said = [
        f"{label} {value_text(values[at])}: {measured_text(margin.mean[at], unit)}, "
        f"{measured_text(margin.low[at], unit)} to {measured_text(margin.high[at], unit)}"
        for at in places
    ]
    return {
        "data": _traces(margin, places, said, palette, turned=axis == 1),
        "layout": {
            "margin": {"l": label_px(view), "r": 0, "t": 8, "b": 8} if axis == 0 else {"l": 8, "r": 8, "t": 0, "b": 24},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "font": {"family": "Inter, system-ui, sans-serif", "size": 12, "color": palette.muted},
            "showlegend": False,
            "hovermode": "closest",
            "dragmode": False,
            "xaxis": along if axis == 0 else across,
            "yaxis": across if axis == 0 else along,
        },
    }


def _traces(margin: Margin, places: list[int], said: list[str], palette: Palette, *, turned: bool) -> list[Figure]:
    at = list(places)
    mean, low, high = ([part[i] for i in places] for part in (margin.mean, margin.low, margin.high))
    band, back = [*low, *reversed(high)], [*at, *reversed(at)]
    names = ("y", "x") if turned else ("x", "y")
    shared = {"type": "scatter", "showlegend": False}
    return [
        {
            **shared,
            **dict(zip(names, (back, band), strict=True)),
            "mode": "lines",
            "fill": "toself",
            "fillcolor": faded(palette.accent, 0.18),
            "line": {"width": 0},
            "hoverinfo": "skip",
        },
        {
            **shared,
            **dict(zip(names, (at, mean), strict=True)),
            "mode": "lines+markers",
            "line": {"color": palette.ink, "width": 1.5},
            "marker": {"color": palette.ink, "size": 7},
            "hovertext": said,
            "hoverinfo": "text",
        },
    ]


def _padded(view: View) -> list[float]:
    room = 0.08 * (view.top - view.bottom)
    return [view.bottom - room, view.top + room]
