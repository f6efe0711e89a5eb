"""Pictures of pages against stored ones: small, and compared so that another machine's edges of letters do not matter.

A stored picture is half as large as the page and has 48 colours, the most common ones and the most different ones. Both
are blurred before they are compared; what counts is a place of 12 by 12 pixels of the page where most of the pixels
differ, so a word that is gone is found and an antialiased edge is not.
"""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from cdsp_core.wire.frames import Array

ROOT: Final = Path(__file__).parents[2]
STORED: Final = Path(__file__).parent / "fixed" / "looks"
FOUND: Final = ROOT / "test-results" / "looks"
RENEW: Final = "CDSP_RENEW_LOOKS"
SCALE: Final = 2
COLOURS: Final = 48
BLUR_PX: Final = 1.2
DIFFERS: Final = 30
"""of 255, in any of the three colours"""
PLACE_PX: Final = 6
MOST_OF_A_PLACE: Final = 0.55


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """A part of the page that is not as it was: left, top, right and bottom in pixels of the page."""

    box: tuple[int, int, int, int]
    share: float
    """of the page's places that differ"""


def small(shot: bytes) -> Image.Image:
    """A screenshot at half its size."""
    return Image.open(io.BytesIO(shot)).convert("RGB").reduce(SCALE)


def in_few_colours(picture: Image.Image) -> Image.Image:
    """A picture as it is stored: each pixel in the nearest of the colours chosen, as it is compared later."""
    half = COLOURS // 2
    counted = picture.getcolors(picture.width * picture.height) or []
    common = [cast(tuple[int, int, int], colour) for _, colour in sorted(counted, reverse=True)[:half]]
    rare = picture.quantize(half, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).getpalette() or []
    chosen = Image.new("P", (1, 1))
    chosen.putpalette([channel for colour in common for channel in colour] + rare[: 3 * half])
    return picture.quantize(palette=chosen, dither=Image.Dither.NONE)


def difference(stored: Image.Image, found: Image.Image) -> Difference | None:
    """Where a picture differs from a stored one, in whose colours both are compared; None where they look the same.

    Sizes that differ are a difference of everything.
    """
    if abs(stored.width - found.width) + abs(stored.height - found.height) > 2:
        return Difference(box=(0, 0, SCALE * found.width, SCALE * found.height), share=1.0)
    size = (min(stored.width, found.width), min(stored.height, found.height))
    same_colours = found.quantize(palette=stored, dither=Image.Dither.NONE)
    a, b = (_blurred(each.crop((0, 0, *size))) for each in (stored, same_colours))
    places = _means(np.abs(a - b).max(axis=2) > DIFFERS)
    rows, columns = np.nonzero(places > MOST_OF_A_PLACE)
    if not len(rows):
        return None
    step = SCALE * PLACE_PX // 2
    left, right = int(columns.min()) * step, (int(columns.max()) + 2) * step
    top, bottom = int(rows.min()) * step, (int(rows.max()) + 2) * step
    return Difference(box=(left, top, right, bottom), share=len(rows) / places.size)


def check(name: str, shot: bytes) -> str | None:
    """What is wrong with the look of a page, in one sentence; None where it is as stored, or was stored anew."""
    path = STORED / f"{name}.png"
    found = small(shot)
    if os.environ.get(RENEW):
        path.parent.mkdir(parents=True, exist_ok=True)
        in_few_colours(found).save(path, optimize=True)
        return None
    if not path.exists():
        return f"There is no stored picture {path.relative_to(ROOT)}. {_HOW}"
    stored = Image.open(path)
    differs = difference(stored, found)
    if differs is None:
        return None
    left, top, right, bottom = differs.box
    aside = FOUND / f"{name}.png"
    aside.parent.mkdir(parents=True, exist_ok=True)
    beside(stored, found, differs).save(aside)
    return (
        f"{name} does not look as in {path.relative_to(ROOT)}: it differs between ({left}, {top}) and "
        f"({right}, {bottom}), in {100 * differs.share:.2f} % of the page. Both lie side by side in "
        f"{aside.relative_to(ROOT)}. {_HOW}"
    )


_HOW: Final = "If the new look is meant, `make looks` stores it."


def beside(stored: Image.Image, found: Image.Image, differs: Difference) -> Image.Image:
    """Stored on the left, found on the right, with the part that differs framed."""
    both = Image.new("RGB", (stored.width + found.width + 8, max(stored.height, found.height)), "magenta")
    both.paste(stored.convert("RGB"), (0, 0))
    both.paste(found.convert("RGB"), (stored.width + 8, 0))
    box = [edge // SCALE for edge in differs.box]
    for shift in (0, stored.width + 8):
        ImageDraw.Draw(both).rectangle((box[0] + shift, box[1], box[2] + shift, box[3]), outline="magenta", width=2)
    return both


def _blurred(picture: Image.Image) -> Array:
    return np.asarray(picture.convert("RGB").filter(ImageFilter.GaussianBlur(BLUR_PX)), dtype=np.int16)


def _means(mask: Array) -> Array:
    """The mean of the mask over every place, which overlap by half: [rows, columns]."""
    half = PLACE_PX // 2
    height, width = (length // half * half for length in mask.shape)
    halves = mask[:height, :width].reshape(height // half, half, width // half, half).mean(axis=(1, 3))
    means: Array = (halves[:-1, :-1] + halves[1:, :-1] + halves[:-1, 1:] + halves[1:, 1:]) / 4
    return means
