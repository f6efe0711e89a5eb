"""A chart of a study: curves with a band over seeds, or dots with whiskers where the places on x have names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from frontend.claims.evidence import Chart, Line
from frontend.figures.palette import Palette, faded

Figure = dict[str, Any]
DASHES: Final = ("solid", "dash", "dot", "longdashdot")
WIDTH_PX: Final = 320
HEIGHT_PX: Final = 260
"""Fixed: charts lie in a fold, which has no size while it is closed."""
SPREAD: Final = 0.4
"""How far apart the first and the last line's dots stand at one place, of the distance between places."""


def curves(chart: Chart, palette: Palette) -> Figure:
    """The figure of one chart of evidence.json."""
    axis = {"gridcolor": palette.line, "zeroline": False, "fixedrange": True}
    title = {"standoff": 6, "font": {"size": 12}}
    is_log = chart.is_log and min((x for line in chart.lines for x in line.x), default=0) > 0
    named = {"tickvals": list(range(len(chart.x_labels))), "ticktext": list(chart.x_labels)} if chart.x_labels else {}
    return {
        "data": [trace for i, line in enumerate(chart.lines) for trace in _line(chart, line, i, palette)],
        "layout": {
            "autosize": False,
            "width": WIDTH_PX,
            "height": HEIGHT_PX,
            "margin": {"l": 52, "r": 8, "t": 8, "b": 44},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "font": {"family": "Inter, system-ui, sans-serif", "size": 12, "color": palette.muted},
            "showlegend": len(chart.lines) > 1,
            "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
            "hovermode": "closest",
            "dragmode": False,
            "xaxis": {
                **axis,
                **named,
                "type": "log" if is_log else "linear",
                "title": {**title, "text": chart.x_label},
            },
            "yaxis": {**axis, "title": {**title, "text": chart.y_label}},
        },
    }


def _line(chart: Chart, line: Line, i: int, palette: Palette) -> Iterator[Figure]:
    colour = palette.lines[i % len(palette.lines)]
    points = [
        (x, mean, mean if low is None else low, mean if high is None else high)
        for x, mean, low, high in zip(line.x, line.mean, line.low, line.high, strict=True)
        if mean is not None
    ]
    x, mean, low, high = ([point[i] for point in points] for i in range(4))
    shared = {"type": "scatter", "name": line.label, "legendgroup": line.label}
    if chart.x_labels:
        several = len(chart.lines) > 1
        aside = SPREAD * (i / (len(chart.lines) - 1) - 0.5) if several else 0.0
        yield {
            **shared,
            "mode": "markers",
            "x": [at + aside for at in x],
            "y": mean,
            "marker": {"color": colour, "size": 7},
            "error_y": {
                "type": "data",
                "symmetric": False,
                "array": [end - middle for end, middle in zip(high, mean, strict=True)],
                "arrayminus": [middle - end for end, middle in zip(low, mean, strict=True)],
                "width": 0,
                "thickness": 2,
            },
        }
        return
    yield {
        **shared,
        "mode": "lines",
        "x": [*x, *reversed(x)],
        "y": [*low, *reversed(high)],
        "fill": "toself",
        "fillcolor": faded(colour, 0.15),
        "line": {"width": 0},
        "hoverinfo": "skip",
        "showlegend": False,
    }
    dash = DASHES[i % len(DASHES)]
    yield {**shared, "mode": "lines", "x": x, "y": mean, "line": {"color": colour, "width": 2, "dash": dash}}
