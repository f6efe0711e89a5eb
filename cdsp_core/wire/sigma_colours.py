"""Colours of sigma(A), light and dark: those of the page's style sheet, for pictures that are made elsewhere."""

from __future__ import annotations

from typing import Final

import numpy as np

from cdsp_core.wire.frames import Array

STOPS: Final = (0.0, 0.4, 0.5, 0.6, 1.0)
"""sigma(A) at the colours of tokens.css"""
SIGMA: Final = {
    "light": ("#eef1f6", "#acbbd6", "#b8b7b4", "#d4aa76", "#a84e02"),
    "dark": ("#1e2530", "#435983", "#6f6e6b", "#a37a46", "#ffb866"),
}


def sigma_scale(theme: str) -> Array:
    """RGB of every 255th of sigma(A), uint8 [256, 3]."""
    stops = np.array([[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in SIGMA[theme]], dtype=float)
    at = np.arange(256) / 255
    scale: Array = np.rint(np.column_stack([np.interp(at, STOPS, stops[:, channel]) for channel in range(3)]))
    return scale.astype(np.uint8)
