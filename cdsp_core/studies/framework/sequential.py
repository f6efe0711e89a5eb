"""Looking at three, six and ten seeds without deciding by luck: O'Brien and Fleming's bounds.

Whoever looks three times at the 5 % level decides wrongly more often than once in twenty. O'Brien and Fleming's bounds
(Biometrics 35, 1979) ask for |z| >= c / sqrt(share of the seeds), with c such that all looks together err at the
level. A t-statistic is taken for the z of the same p-value. `repeated_probability` is the level at which the bound of
a look would just be met (Jennison and Turnbull, chapter 9), so p-values of different looks can be compared, and
adjusted for how many claims there are.

Under the null, z sqrt(share) is Brownian motion at the shares; its chance to stay inside is integrated look by look
(Armitage, McPherson and Rowe 1969), exactly but for the quadrature.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

LOOKS: Final = (3, 6, 10)
"""numbers of seeds at which a headline claim is judged"""
LEVEL: Final = 0.05
_NODES: Final = 200


def look_of(seeds: int) -> int | None:
    """The last look that so many seeds have passed; None before the first."""
    return max((look for look in LOOKS if look <= seeds), default=None)


def repeated_probability(probability: float, look: int) -> float:
    """What a two-sided p-value found at this look is worth over all looks. NaN stays NaN."""
    from scipy.special import ndtri

    if math.isnan(probability):
        return math.nan
    if probability <= 0.0:
        return 0.0
    shares = [each / LOOKS[-1] for each in LOOKS]
    return crossing_probability(-float(ndtri(probability / 2.0)) * math.sqrt(look / LOOKS[-1]), shares)


@functools.cache
def level_at_look(level: float, look: int) -> float:
    """The p-value that this look must be below for its repeated p-value to be below `level`: the inverse of that."""
    low, high = 0.0, level
    for _ in range(40):
        middle = (low + high) / 2.0
        low, high = (middle, high) if repeated_probability(middle, look) < level else (low, middle)
    return high


@functools.cache
def bounds(level: float = LEVEL) -> dict[int, float]:
    """For every look the two-sided p-value below which it decides, all looks together at `level`."""
    from scipy.special import ndtr

    shares = [look / LOOKS[-1] for look in LOOKS]
    low, high = 0.0, 10.0
    for _ in range(60):
        middle = (low + high) / 2.0
        low, high = (middle, high) if crossing_probability(middle, shares) > level else (low, middle)
    return {look: 2.0 * float(ndtr(-high / math.sqrt(share))) for look, share in zip(LOOKS, shares, strict=True)}


def crossing_probability(distance: float, times: Sequence[float]) -> float:
    """The chance that Brownian motion lies `distance` or more from 0 at one of these increasing times."""
    if distance <= 0.0:
        return 1.0
    node_N, weight_N = _nodes()
    place_N, mass_N = node_N * distance, weight_N * distance
    inside_N = _density(place_N, times[0])
    for before, now in itertools.pairwise(times):
        inside_N = _density(place_N[:, None] - place_N[None, :], now - before) @ (inside_N * mass_N)
    return min(1.0, max(0.0, 1.0 - float(inside_N @ mass_N)))


@functools.cache
def _nodes() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Places and weights of Gauss-Legendre quadrature, made once."""
    node_N, weight_N = np.polynomial.legendre.leggauss(_NODES)
    return node_N, weight_N


def _density(x: np.ndarray[Any, Any], variance: float) -> np.ndarray[Any, Any]:
    density: np.ndarray[Any, Any] = np.exp(-(x**2) / (2.0 * variance)) / math.sqrt(2.0 * math.pi * variance)
    return density
