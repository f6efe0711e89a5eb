"""Charts of a report as SVG, the same bytes for the same numbers, readable on a light page and on a dark one."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Final

import matplotlib as mpl
from matplotlib.figure import Figure

from cdsp_core.studies.framework.study import Chart, Line

INK: Final = "#7b8794"
"""Grey with a contrast of about 4 against white and against near-black: the background stays transparent."""
COLOURS: Final = ("#3f83d6", "#d9822b", "#2a9d8f", "#a06ee1", "#d9534a", "#8a8f2c", "#c95fa4", "#6b7f94")

_STYLE: Final[Any] = {
    "svg.hashsalt": "cdsp",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": INK,
    "grid.alpha": 0.25,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 9,
}


def svg(chart: Chart) -> bytes:
    """The chart as SVG."""
    with style():
        return svg_of(drawn(chart))


def drawn(chart: Chart) -> Figure:
    """Lines with a band over seeds, or dots with intervals when the chart names its places."""
    figure = Figure(figsize=(7.2, 3.4), layout="constrained")
    axes = figure.add_subplot()
    (_places if chart.x_labels else _lines)(axes, chart)
    axes.set(title=chart.title, xlabel=chart.x_label, ylabel=chart.y_label)
    if len(chart.lines) > 1:
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def svg_of(figure: Figure) -> bytes:
    """A figure as SVG, the same bytes each time, without a background."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    return buffer.getvalue()


def style() -> AbstractContextManager[None]:
    """Within it figures look alike."""
    return mpl.rc_context(_STYLE)


def _lines(axes: Any, chart: Chart) -> None:
    axes.set_xscale(chart.x_scale)
    for number, line in enumerate(chart.lines):
        colour = COLOURS[number % len(COLOURS)]
        axes.plot(line.x, line.mean, color=colour, label=line.label, marker="o" if len(line.x) < 9 else None)
        axes.fill_between(line.x, line.low, line.high, color=colour, alpha=0.2, linewidth=0)


def _places(axes: Any, chart: Chart) -> None:
    """Dots rather than bars: the axis need not begin at 0, so a difference of a point in the nineties can be seen."""
    apart = 0.6 / max(len(chart.lines), 1)
    for number, line in enumerate(chart.lines):
        place = [x + (number - (len(chart.lines) - 1) / 2) * apart for x in line.x]
        colour = COLOURS[number % len(COLOURS)]
        axes.errorbar(place, line.mean, _reach(line), fmt="o", color=colour, capsize=3, label=line.label)
    axes.set_xticks(range(len(chart.x_labels)), chart.x_labels)
    axes.set_xlim(-0.5, len(chart.x_labels) - 0.5)
    axes.grid(visible=False, axis="x")


def _reach(line: Line) -> list[Sequence[float]]:
    """How far the interval reaches below and above the mean; nowhere when one seed gave none."""
    below = [mean - low for mean, low in zip(line.mean, line.low, strict=True)]
    above = [high - mean for mean, high in zip(line.mean, line.high, strict=True)]
    return [[reach if reach > 0 else 0.0 for reach in reaches] for reaches in (below, above)]
