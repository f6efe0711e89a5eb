"""Bootstrap intervals over seeds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdsp_core.studies.framework.statistics import estimate, interval

values = st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=12)


@given(values)
def test_the_interval_holds_the_mean_and_lies_within_the_values(found: list[float]) -> None:
    mean, low, high = interval(found)
    assert mean == pytest.approx(np.mean(found), abs=1e-9)
    slack = 1e-9 * (1.0 + max(map(abs, found)))
    assert min(found) - slack <= low <= high <= max(found) + slack


@given(values, st.randoms())
def test_the_order_of_seeds_does_not_matter(found: list[float], random: object) -> None:
    shuffled = sorted(found, key=lambda _: random.random())  # type: ignore[attr-defined]
    assert interval(shuffled) == interval(found)


@given(values, st.floats(-100, 100))
def test_a_shift_of_all_values_shifts_the_interval(found: list[float], by: float) -> None:
    moved = interval([value + by for value in found])
    assert moved == pytest.approx([end + by for end in interval(found)], abs=1e-6)


def test_ninety_five_of_a_hundred_intervals_hold_the_true_mean() -> None:
    drawn = np.random.default_rng(1).normal(3.0, 1.0, size=(200, 30))
    held = [low <= 3.0 <= high for _, low, high in (interval(row, resamples=2000) for row in drawn)]
    assert 0.89 <= np.mean(held) <= 0.98


def test_more_seeds_give_a_narrower_interval() -> None:
    drawn = np.random.default_rng(2).normal(size=100)
    _, low, high = interval(drawn[:10])
    _, narrow_low, narrow_high = interval(drawn)
    assert narrow_high - narrow_low < (high - low) / 2


def test_equal_values_have_an_interval_without_width() -> None:
    assert interval([2.0, 2.0, 2.0]) == (2.0, 2.0, 2.0)


def test_one_seed_gives_a_mean_and_no_interval() -> None:
    mean, low, high = interval([2.0])
    assert mean == 2.0
    assert math.isnan(low)
    assert math.isnan(high)


@pytest.mark.parametrize(("found", "words"), [([], "at least one value"), ([1.0, math.nan], "finite values")])
def test_what_has_no_mean_is_refused(found: list[float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        interval(found)


@pytest.mark.parametrize(("values", "text"), [([], "–"), ([math.nan], "–"), ([0.5], "0.500")])
def test_what_has_no_interval_is_written_without_one(values: list[float], text: str) -> None:
    assert estimate(values) == text
