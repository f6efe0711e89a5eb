"""A recorded run's film as one small PNG: pictures of sigma(A) side by side, a pixel a link; the page enlarges it."""

from __future__ import annotations

import struct
import zlib
from typing import Final

import numpy as np

from cdsp_core.wire.recording import Recording
from cdsp_core.wire.sigma_colours import sigma_scale

Colours = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]

GAP: Final = 1
"""transparent columns between two pictures"""
MAX_PICTURES: Final = 14


def film_strip(recording: Recording, *, layer: int, pictures: int, theme: str, until: int | None = None) -> bytes:
    """So many pictures, evenly on the film's axis, the first and the last among them; b"" for a model without A.

    `until`: the last step that may be shown.
    """
    layers = recording.connection.shape[1]
    if not layers:
        return b""
    places = _places(recording, pictures, until)
    tiles = [_scale(theme)[recording.connection[place, min(layer, layers - 1)]] for place in places]
    clear = np.zeros((tiles[0].shape[0], GAP, 4), dtype=np.uint8)
    parts = [part for tile in tiles for part in (tile, clear)][:-1]
    return _png(np.concatenate(parts, axis=1))


def shown_steps(recording: Recording, pictures: int, until: int | None = None) -> list[int]:
    """The steps of the pictures of a strip."""
    return [int(recording.steps[place]) for place in _places(recording, pictures, until)]


def _places(recording: Recording, pictures: int, until: int | None) -> list[int]:
    """Which pictures of a recording a strip shows; the first of all, at least."""
    kept = len(recording.steps)
    if until is not None:
        kept = max(1, int(np.searchsorted(recording.steps, until, side="right")))
    return [int(place) for place in np.unique(np.round(np.linspace(0, kept - 1, min(pictures, kept))).astype(int))]


def _scale(theme: str) -> Colours:
    """RGBA of every 255th of sigma(A) [256, 4]."""
    return np.column_stack([sigma_scale(theme), np.full(256, 255, dtype=np.uint8)])


def _png(pixels_hwc: Colours) -> bytes:
    """An image of RGBA pixels [height, width, 4]."""
    height, width = pixels_hwc.shape[:2]
    rows = b"".join(b"\0" + row.tobytes() for row in pixels_hwc)
    head = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
