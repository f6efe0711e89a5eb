"""Colours of a map: sigma(A) as the pictures of the Lab have it, and the ground of a cell by its measure."""

from __future__ import annotations

import base64
import itertools
import struct
import zlib
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Final

import numpy as np

from cdsp_core.wire import sigma_colours
from cdsp_core.wire.frames import Array

Rgb = tuple[int, int, int]
Stops = Sequence[tuple[float, str]]

SIGMA: Final[dict[str, Stops]] = {
    theme: tuple(zip(sigma_colours.STOPS, colours, strict=True)) for theme, colours in sigma_colours.SIGMA.items()
}
GROUND: Final[dict[str, Stops]] = {
    "light": ((0, "#f3f5f1"), (0.5, "#b5d3c4"), (1, "#6fae95")),
    "dark": ((0, "#1b2228"), (0.5, "#2c5a50"), (1, "#57b497")),
}
SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
SQUARE: Final = 5
"""pixels of an entry of sigma(A) in a thumbnail, beside one of gap"""
MOST_COLOURS: Final = 255
"""of a picture, beside the gap"""
MOST_KEPT: Final = 4096
"""thumbnails, which a map of many squares shows again whenever one of them changes"""


def colour(stops: Stops, share: float) -> str:
    """The colour at a share from 0 to 1, as #rrggbb."""
    red, green, blue = _between(stops, share)
    return f"#{red:02x}{green:02x}{blue:02x}"


def ink_on(ground: str) -> str:
    """Black or white, whichever reads better on a colour."""
    return "#000000" if 1.05 / (_luminance(ground) + 0.05) < (_luminance(ground) + 0.05) / 0.05 else "#ffffff"


def thumbnail(picture: Array, theme: str) -> str:
    """sigma(A) of one layer in 255ths, [experts, blocks] uint8, as the address of a small PNG."""
    experts, blocks = picture.shape
    return _thumbnail(picture.tobytes(), experts, blocks, theme)


@lru_cache(MOST_KEPT)
def _thumbnail(entries: bytes, experts: int, blocks: int, theme: str) -> str:
    """A palette of the colours that are there, after the gap, which is transparent: most pictures have few."""
    shown = np.minimum(np.frombuffer(entries, np.uint8), MOST_COLOURS - 1)
    levels, numbers = np.unique(shown, return_inverse=True)
    palette = b"\0\0\0" + b"".join(_colours(theme)[level] for level in levels)
    pixels = np.zeros((experts, SQUARE + 1, blocks, SQUARE + 1), np.uint8)
    pixels[:, :SQUARE, :, :SQUARE] = numbers.reshape(experts, 1, blocks, 1) + 1
    height, width = experts * (SQUARE + 1), blocks * (SQUARE + 1)
    lines = np.pad(pixels.reshape(height, width), ((0, 0), (1, 0)))  # a line of a PNG begins with its filter: none
    head = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    parts = ((b"IHDR", head), (b"PLTE", palette), (b"tRNS", b"\0"), (b"IDAT", zlib.compress(lines.tobytes())))
    content = b"".join(_chunk(*part) for part in (*parts, (b"IEND", b"")))
    return f"data:image/png;base64,{base64.b64encode(SIGNATURE + content).decode()}"


@cache
def _colours(theme: str) -> list[bytes]:
    """Of every level of sigma(A) in 255ths."""
    return [bytes(_between(SIGMA[theme], level / 255)) for level in range(256)]


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _between(stops: Stops, share: float) -> Rgb:
    share = min(max(share, 0.0), 1.0)
    for (low, first), (high, second) in itertools.pairwise(stops):
        if share <= high:
            part = (share - low) / (high - low)
            red, green, blue = (round(a + part * (b - a)) for a, b in zip(_rgb(first), _rgb(second), strict=True))
            return red, green, blue
    return _rgb(stops[-1][1])


def _rgb(text: str) -> Rgb:
    red, green, blue = (int(text[i : i + 2], 16) for i in (1, 3, 5))
    return red, green, blue


def _luminance(text: str) -> float:
    parts = [value / 255 for value in _rgb(text)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
