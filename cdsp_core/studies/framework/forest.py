"""The headline claims as a forest plot, and the whole report as a PDF with every chart."""

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Sequence
from typing import Any, Final

from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure

from cdsp_core.studies.framework.charts import INK, drawn, style, svg_of
from cdsp_core.studies.framework.study import Chart, Claim, Verdict

COLOUR: Final[dict[Verdict, str]] = {
    "holds": "#2a9d8f",
    "fails": "#d9534a",
    "no effect": "#3f83d6",
    "undecided": "#8a94a0",
}
WIDTH: Final = 62


def forest_svg(claims: Sequence[tuple[Claim, str]]) -> bytes:
    """Claims, each with its form in words, as SVG."""
    with style():
        return svg_of(forest(claims))


def forest(claims: Sequence[tuple[Claim, str]]) -> Figure:
    """One row a claim: estimate, 95 % interval, bound, zone of no effect, published figure, seeds and form.

    Points of accuracy and overlaps have an axis each.
    """
    panels = {
        "percentage points": [row for row in claims if "percentage points" in row[0].measured],
        "overlap, share or clustering": [row for row in claims if "percentage points" not in row[0].measured],
    }
    panels = {label: rows for label, rows in panels.items() if rows}
    figure = Figure(figsize=(11.0, 1.2 + 0.62 * len(claims)), layout="constrained")
    heights = [len(rows) for rows in panels.values()]
    all_axes = figure.subplots(len(panels), 1, height_ratios=heights, squeeze=False)[:, 0]
    for axes, (label, rows) in zip(all_axes, panels.items(), strict=True):
        for place, (claim, form) in enumerate(rows):
            _row(axes, place, claim, form)
        axes.set_yticks(range(len(rows)), [_name(claim) for claim, _ in rows], fontsize=8)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.set_xlabel(label)
        axes.grid(visible=False, axis="y")
    for verdict, colour in COLOUR.items():
        all_axes[0].plot([], [], "o", color=colour, label=verdict)
    all_axes[0].plot([], [], "D", color=INK, markerfacecolor="none", label="published")
    all_axes[0].plot([], [], "|", color=INK, markersize=12, label="bound")
    figure.legend(loc="outside upper center", ncols=6)
    return figure


def _row(axes: Any, place: int, claim: Claim, form: str) -> None:
    low, high = claim.bound
    for end in (low, high):
        if math.isfinite(end):
            axes.plot([end], [place], "|", color=INK, markersize=16, markeredgewidth=1.5)
    if claim.equivalence is not None:
        axes.fill_betweenx(
            (place - 0.3, place + 0.3), low - claim.equivalence, low + claim.equivalence, color=INK, alpha=0.15
        )
    if claim.published_value is not None:
        axes.plot([claim.published_value], [place], "D", color=INK, markerfacecolor="none", markersize=7)
    said = "not measured yet"
    if math.isfinite(claim.value):
        colour = COLOUR[claim.verdict]
        if math.isfinite(claim.interval[0]):
            axes.plot(claim.interval, [place, place], color=colour, linewidth=2)
        axes.plot([claim.value], [place], "o", color=colour)
        said = f"{claim.verdict}, n = {claim.seeds}, {form}"
    axes.annotate(
        said, (1.01, place), xycoords=("axes fraction", "data"), va="center", fontsize=8, annotation_clip=False
    )


def _name(claim: Claim) -> str:
    return textwrap.fill(f"{claim.headline or ''} {claim.claim}".strip(), WIDTH)


def pdf(headline: Sequence[tuple[Claim, str]], page: Sequence[str], studies: Sequence[Any]) -> bytes:
    """A report: the first page's sentences, the forest plot, then every study with its claims and charts.

    `studies` are `evidence.Evidence`. The same results give the same bytes.
    """
    buffer = io.BytesIO()
    with style(), PdfPages(buffer, metadata={"CreationDate": None, "ModDate": None, "Producer": None}) as pages:
        for figure in _text_pages("What holds of CDSP-MoE", page):
            pages.savefig(figure)
        pages.savefig(forest(headline))
        for each in studies:
            lines = [f"{each.study.question} {each.form}."]
            lines += [f"{claim.verdict.upper()}  {claim.claim} {claim.measured}" for claim in each.findings.claims]
            lines += [f"CHECK, {claim.verdict}  {claim.claim} {claim.measured}" for claim in each.findings.checks]
            lines += list(each.findings.notes)
            for figure in _text_pages(each.title, lines):
                pages.savefig(figure)
            charts: Sequence[Chart] = each.findings.charts
            for chart in charts:
                pages.savefig(drawn(chart))
    return buffer.getvalue()


def _text_pages(title: str, paragraphs: Sequence[str]) -> list[Figure]:
    """A4 pages of plain text; a page is broken between lines."""
    lines = [line for paragraph in paragraphs for line in [*textwrap.wrap(paragraph, 105), ""]]
    pages = []
    for start in range(0, max(len(lines), 1), 58):
        figure = Figure(figsize=(8.27, 11.69))
        figure.text(0.08, 0.95, title if start == 0 else f"{title}, continued", fontsize=13, color="black", va="top")
        body = "\n".join(lines[start : start + 58]).replace("$", r"\$")
        figure.text(0.08, 0.92, body, fontsize=8, color="black", va="top", linespacing=1.4)
        pages.append(figure)
    return pages
