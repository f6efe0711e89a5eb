"""Elements of an SVG file, written out."""

from __future__ import annotations

from html import escape


def svg_text(
    x: float, y: float, text: str, *, anchor: str = "middle", size: int = 13, bold: bool = False, fill: str = ""
) -> str:
    """Words at a place; `anchor` says which end of them, or their middle, stands there."""
    weight = ' font-weight="650"' if bold else ""
    coloured = f' fill="{fill}"' if fill else ""
    return (
        f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" font-size="{size}"{weight}{coloured}>{escape(text)}</text>'
    )
