"""The film of a map as one SVG file that moves by itself, wherever pictures are shown: a style, no script."""

from __future__ import annotations

from html import escape
from typing import Final

from cdsp_core import __version__
from frontend.figures.palette import palette_of
from frontend.figures.svg import svg_text
from frontend.maps.data import View, field_label, value_text
from frontend.maps.film import MapFilm
from frontend.maps.story import seeds_text, sentence

PITCH: Final = 84
SIDE: Final = 76
"""of the longer side of sigma(A)"""
LEFT: Final = 72
TOP: Final = 92
FOOT: Final = 56
LEAST_WIDTH: Final = 560
LINE: Final = 24
SECONDS: Final = 8
MOVES: Final = 75
"""percent of the time in which it moves; then the last moment stays"""


def map_film_svg(view: View, film: MapFilm, *, theme: str, layer: int) -> str:
    """The file's content; empty where the map has no film."""
    if not film.steps:
        return ""
    palette = palette_of(theme)
    across, down = view.axes
    columns, rows = len(across["values"]), len(down["values"])
    width, height = max(LEAST_WIDTH, LEFT + PITCH * columns + 16), TOP + PITCH * rows + FOOT
    bottom = TOP + PITCH * rows
    last = len(film.steps) - 1
    about = f"preset {view.body['preset']}, layer {layer + 1}, {seeds_text(view)}. Topology Lab {__version__}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'font-family="Inter, system-ui, sans-serif" font-size="13" fill="{palette.ink}">',
        f"<title>{escape(view.body['name'])}</title>",
        _style(last),
        f'<rect width="{width}" height="{height}" fill="{palette.panel}"/>',
        svg_text(16, 28, sentence(view), anchor="start", size=15, bold=True),
        svg_text(16, 50, about, anchor="start", size=12, fill=palette.muted),
        _steps(film, width),
        *(svg_text(LEFT + PITCH * n + SIDE / 2, bottom + 14, value_text(v)) for n, v in enumerate(across["values"])),
        *(
            svg_text(LEFT - 12, TOP + PITCH * n + SIDE / 2 + 4, value_text(v), anchor="end")
            for n, v in enumerate(down["values"])
        ),
        svg_text(LEFT + PITCH * columns / 2, bottom + 38, field_label(across["field"])),
        svg_text(16, TOP - 12, field_label(down["field"]), anchor="start"),
    ]
    for square in view.squares:
        strip, picture = film.strip(square, layer, theme), square.picture(layer)
        if not strip or picture is None:
            continue
        experts, blocks = picture.shape
        scale = SIDE / max(experts, blocks)
        wide, high = scale * blocks, scale * experts
        x, y = LEFT + PITCH * square.x + (SIDE - wide) / 2, TOP + PITCH * square.y + (SIDE - high) / 2
        column = f'width="{wide:g}" height="{high * len(film.steps):g}" preserveAspectRatio="none"'
        parts.append(
            f'<svg x="{x:g}" y="{y:g}" width="{wide:g}" height="{high:g}"><image href="{strip}" {column}/></svg>'
        )
    return "\n".join([*parts, "</svg>"])


def _style(last: int) -> str:
    """What moves: every column of moments by its own height, in as many steps as there are moments after the first."""
    share = 100 * last / (last + 1)
    return (
        "<style>image,.steps{"
        f"transform-box:fill-box;animation:film {SECONDS}s infinite;animation-timing-function:steps({max(1, last)},end)"
        "}image{image-rendering:pixelated}"
        f"@keyframes film{{{MOVES}%,100%{{transform:translateY(-{share:.4f}%)}}}}"
        f"@media(prefers-reduced-motion:reduce){{image,.steps{{animation:none;transform:translateY(-{share:.4f}%)}}}}"
        "</style>"
    )


def _steps(film: MapFilm, width: int) -> str:
    """The step of the moment that is shown; the empty box makes the column as high as its lines together."""
    lines = "".join(
        svg_text(160, LINE * n + 16, f"step {step:,}", anchor="end", bold=True) for n, step in enumerate(film.steps)
    )
    box = f'<rect width="160" height="{LINE * len(film.steps)}" fill="none"/>'
    return f'<svg x="{width - 176}" y="{TOP - 32}" width="160" height="{LINE}"><g class="steps">{box}{lines}</g></svg>'
