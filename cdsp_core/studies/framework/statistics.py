"""Means over seeds and how sure they are: percentile bootstrap, always with the same draws."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

RESAMPLES: Final = 10_000
CONFIDENCE: Final = 0.95


def interval(values: Sequence[float], *, resamples: int = RESAMPLES) -> tuple[float, float, float]:
    """Mean of one value a seed, and the ends of its 95 % percentile bootstrap interval: (mean, low, high).

    One value gives no interval: its ends are NaN. The order of the values does not matter, and equal values give
    equal intervals on every machine. For paired comparisons give the differences seed by seed.

    A percentile interval over few seeds is too narrow: with two or three it spans little more than the values.
    Raises ValueError without values, or for one that is not finite.
    """
    if not len(values):
        raise ValueError("interval needs at least one value. Found none.")
    if not all(math.isfinite(value) for value in values):
        raise ValueError(f"interval needs finite values. Found {list(values)}.")
    value_S = np.sort(np.asarray(values, dtype=np.float64))
    mean = float(value_S.mean())
    if len(value_S) == 1:
        return mean, math.nan, math.nan
    drawn = np.random.default_rng(0).integers(0, len(value_S), size=(resamples, len(value_S)))
    tail = (1.0 - CONFIDENCE) / 2.0
    low, high = np.quantile(value_S[drawn].mean(axis=1), [tail, 1.0 - tail])
    return mean, float(low), float(high)


def estimate(values: Sequence[float], *, digits: int = 3) -> str:
    """`mean [low, high]` of one value a seed; only the mean where there is one seed, a dash where there is none."""
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return "–"
    mean, low, high = interval(finite)
    return f"{mean:.{digits}f}" if math.isnan(low) else f"{mean:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"
