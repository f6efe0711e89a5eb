"""A map as one SVG file: squares over the colour of a measure, both margins with bands, axes and scale."""

from __future__ import annotations

import math
from collections.abc import Iterator
from html import escape
from statistics import fmean
from typing import Final

from frontend.figures.map_colours import GROUND, SIGMA, colour, ink_on
from frontend.figures.palette import palette_of
from frontend.figures.svg import svg_text
from frontend.maps.data import Square, View, field_label, measured_text, short_text, value_text
from frontend.maps.story import sentence

PITCH: Final = 98
SIDE: Final = 92
PICTURE: Final = 64
LEFT: Final = 84
TOP: Final = 148
MARGIN: Final = 80
"""how far a margin's line reaches"""


def map_svg(view: View, *, theme: str, layer: int) -> str:
    """The file's content."""
    palette = palette_of(theme)
    across, down = view.axes
    columns, rows = len(across["values"]), len(down["values"])
    width, height = LEFT + PITCH * columns + MARGIN + 48, TOP + PITCH * rows + 104
    ground = {"light": "#ffffff", "dark": palette.panel}[theme]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'font-family="Inter, system-ui, sans-serif" font-size="13" fill="{palette.ink}">',
        f"<title>{escape(view.body['name'])}</title>",
        f'<rect width="{width}" height="{height}" fill="{ground}"/>',
        svg_text(16, 28, sentence(view), anchor="start", size=16, bold=True),
        *(part for square in view.squares for part in _square(view, square, theme, layer)),
        *_axes(view),
        *_margin(view, 0, palette.accent, palette.ink),
        *_margin(view, 1, palette.accent, palette.ink),
        *_scale(view, theme, TOP + PITCH * rows + 72),
        "</svg>",
    ]
    return "\n".join(parts)


def _square(view: View, square: Square, theme: str, layer: int) -> Iterator[str]:
    x, y = LEFT + PITCH * square.x, TOP + PITCH * square.y
    values = square.values(view.measure)
    if not values:
        look = f'fill="none" stroke="{palette_of(theme).muted}" stroke-dasharray="3 3"'
        yield f'<rect x="{x}" y="{y}" width="{SIDE}" height="{SIDE}" rx="8" {look}/>'
    else:
        ground = colour(GROUND[theme], view.share(fmean(values)))
        yield f'<rect x="{x}" y="{y}" width="{SIDE}" height="{SIDE}" rx="8" fill="{ground}"/>'
        text = short_text(fmean(values), view.about["unit"])
        yield svg_text(x + SIDE / 2, y + SIDE - 7, text, bold=True, fill=ink_on(ground))
    picture = square.picture(layer)
    if picture is None:
        return
    experts, blocks = picture.shape
    side = PICTURE / max(experts, blocks)
    left, top = x + (SIDE - side * blocks) / 2, y + 6 + (PICTURE - side * experts) / 2
    for row, line in enumerate(picture.tolist()):
        for column, value in enumerate(line):
            fill = colour(SIGMA[theme], value / 255)
            at = f'x="{left + side * column:.2f}" y="{top + side * row:.2f}"'
            yield f'<rect {at} width="{side * 0.9:.2f}" height="{side * 0.9:.2f}" fill="{fill}"/>'


def _axes(view: View) -> Iterator[str]:
    across, down = view.axes
    bottom = TOP + PITCH * len(down["values"])
    for at, value in enumerate(across["values"]):
        yield svg_text(LEFT + PITCH * at + SIDE / 2, bottom + 14, value_text(value))
    for at, value in enumerate(down["values"]):
        yield svg_text(LEFT - 12, TOP + PITCH * at + SIDE / 2 + 4, value_text(value), anchor="end")
    yield svg_text(LEFT + PITCH * len(across["values"]) / 2, bottom + 36, field_label(across["field"]))
    yield svg_text(16, TOP - 12, field_label(down["field"]), anchor="start")


def _margin(view: View, axis: int, accent: str, ink: str) -> Iterator[str]:
    """The line of the means, a band from the lowest to the highest run, and the ends of its scale."""
    margin, unit = view.margin(axis), view.about["unit"]
    far = LEFT + PITCH * len(view.axes[0]["values"]) + 8

    def point(at: int, value: float) -> str:
        along, across = PITCH * at + SIDE / 2, MARGIN * view.share(value)
        x, y = (LEFT + along, TOP - 12 - across) if axis == 0 else (far + across, TOP + along)
        return f"{x:.1f},{y:.1f}"

    known = [at for at, mean in enumerate(margin.mean) if math.isfinite(mean)]
    if not known:
        return
    band = [point(at, margin.low[at]) for at in known] + [point(at, margin.high[at]) for at in reversed(known)]
    yield f'<polygon points="{" ".join(band)}" fill="{accent}" fill-opacity="0.18" stroke="none"/>'
    line = " ".join(point(at, margin.mean[at]) for at in known)
    yield f'<polyline points="{line}" fill="none" stroke="{ink}" stroke-width="1.5"/>'
    for at in known:
        x, y = point(at, margin.mean[at]).split(",")
        yield f'<circle cx="{x}" cy="{y}" r="3.5" fill="{ink}"/>'
    ends = ((view.bottom, 0.0), (view.top, 1.0))
    for value, share in ends:
        if axis == 0:
            yield svg_text(LEFT - 12, TOP - 8 - MARGIN * share, measured_text(value, unit), anchor="end", size=12)
        else:
            bottom = TOP + PITCH * len(view.axes[1]["values"]) + 14
            yield svg_text(far + MARGIN * share, bottom, measured_text(value, unit), size=12)


def _scale(view: View, theme: str, y: float) -> Iterator[str]:
    about = view.about
    yield svg_text(LEFT, y + 10, f"ground: {about['label'].lower()}", anchor="start")
    for step in range(20):
        fill = colour(GROUND[theme], step / 19)
        yield f'<rect x="{LEFT + 200 + 6 * step}" y="{y}" width="6" height="12" fill="{fill}"/>'
    yield svg_text(LEFT + 192, y + 10, measured_text(view.bottom, about["unit"]), anchor="end")
    yield svg_text(LEFT + 328, y + 10, measured_text(view.top, about["unit"]), anchor="start")
