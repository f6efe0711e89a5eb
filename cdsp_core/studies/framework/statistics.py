"""Means over seeds and how sure they are: Student's t, and a sign test beside it.

Every interval here is a two-sided 95 % Student-t interval of a mean unless it says otherwise, so it covers what its
name says where values are about normal, also over three seeds. For paired comparisons give the differences seed by
seed. scipy is loaded where it is needed, since the process of the page lists studies without it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

CONFIDENCE: Final = 0.95
MOST_SEEDS: Final = 1000
"""Where more seeds than this would be needed, nobody will run them."""


def interval(values: Sequence[float], *, confidence: float = CONFIDENCE) -> tuple[float, float, float]:
    """Mean of one value a seed, and the ends of its two-sided Student-t interval: (mean, low, high).

    One value gives no interval: its ends are NaN. The order of the values does not matter.
    Raises ValueError without values, or for one that is not finite.
    """
    from scipy.special import stdtrit

    mean, error = _mean_and_error(values)
    if len(values) == 1:
        return mean, math.nan, math.nan
    reach = error * float(stdtrit(len(values) - 1, (1.0 + confidence) / 2.0))
    return mean, mean - reach, mean + reach


def t_probability(values: Sequence[float], bound: float) -> float:
    """Two-sided p-value of Student's t-test that the mean is `bound`; NaN for a single value.

    It is below 5 % exactly where the 95 % interval leaves `bound` out. Values without any spread are sure: 0, or 1
    where they are `bound`.
    """
    from scipy.special import stdtr

    mean, error = _mean_and_error(values)
    if len(values) == 1:
        return math.nan
    if error == 0.0:
        return 1.0 if mean == bound else 0.0
    return 2.0 * float(stdtr(len(values) - 1, -abs(mean - bound) / error))


def sign_probability(values: Sequence[float], bound: float) -> float | None:
    """Two-sided p-value of the sign test that as many values lie above `bound` as below; values at it do not count.

    None with fewer than six: even if all lie on one side, that happens by chance more often than 5 %.
    """
    from scipy.special import bdtr

    above = sum(value > bound for value in values)
    below = sum(value < bound for value in values)
    if above + below < 6:
        return None
    return min(1.0, 2.0 * float(bdtr(min(above, below), above + below, 0.5)))


def seeds_to_decide(
    values: Sequence[float], *, bound: float, equivalence: float | None, level: float = 1.0 - CONFIDENCE
) -> int | None:
    """How many seeds decide at the mean and spread that these show: the interval then leaves `bound` out, or lies
    within `equivalence` of it.

    None where that takes more than 1,000, or fewer than two values are known.
    """
    from scipy.special import stdtrit

    mean, error = _mean_and_error(values)
    if len(values) < 2:
        return None
    deviation = error * math.sqrt(len(values))
    distance = abs(mean - bound)
    room = max(distance, (equivalence or 0.0) - distance)
    if room <= 0.0:
        return None
    for seeds in range(max(2, len(values)), MOST_SEEDS + 1):
        if deviation / math.sqrt(seeds) * float(stdtrit(seeds - 1, 1.0 - level / 2.0)) < room:
            return seeds
    return None


def holm(probabilities: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values, in the order given: the chance of any false decision in the list stays below 5 %
    where those below 5 % are taken. One that is NaN counts as 1.
    """
    found = [1.0 if math.isnan(p) else p for p in probabilities]
    adjusted, highest = [1.0] * len(found), 0.0
    for rank, at in enumerate(sorted(range(len(found)), key=found.__getitem__)):
        highest = max(highest, min(1.0, (len(found) - rank) * found[at]))
        adjusted[at] = highest
    return adjusted


def benjamini_hochberg(probabilities: Sequence[float]) -> list[float]:
    """Benjamini and Hochberg's adjusted p-values, in the order given: of the decisions below 5 % at most 5 % are
    expected to be false. One that is NaN counts as 1.
    """
    found = [1.0 if math.isnan(p) else p for p in probabilities]
    adjusted, lowest = [1.0] * len(found), 1.0
    for rank, at in reversed(list(enumerate(sorted(range(len(found)), key=found.__getitem__), 1))):
        lowest = min(lowest, found[at] * len(found) / rank)
        adjusted[at] = lowest
    return adjusted


def estimate(values: Sequence[float], *, digits: int = 3) -> str:
    """`mean [low, high]` of one value a seed; only the mean where there is one seed, a dash where there is none.

    A whole number that every seed has, a count of weights say, is told as it is.
    """
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return "–"
    mean, low, high = interval(finite)
    if low == high and mean.is_integer():
        return f"{mean:,.0f}"
    return f"{mean:.{digits}f}" if math.isnan(low) else f"{mean:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def _mean_and_error(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard error; 0 for the error of a single value or of equal ones."""
    if not len(values):
        raise ValueError("interval needs at least one value. Found none.")
    if not all(math.isfinite(value) for value in values):
        raise ValueError(f"interval needs finite values. Found {list(values)}.")
    value_S = np.sort(np.asarray(values, dtype=np.float64))
    if value_S[0] == value_S[-1]:
        return float(value_S[0]), 0.0
    return float(value_S.mean()), float(value_S.std(ddof=1) / math.sqrt(len(value_S)))
