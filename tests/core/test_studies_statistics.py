"""Student's t, the sign test and adjusted p-values, against figures of textbooks and against simulation."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdsp_core.studies.framework.statistics import (
    benjamini_hochberg,
    estimate,
    holm,
    interval,
    seeds_to_decide,
    sign_probability,
    t_probability,
)

values = st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=12)
probabilities = st.lists(st.floats(0.0, 1.0), min_size=1, max_size=20)


@given(values)
def test_the_interval_lies_evenly_about_the_mean(found: list[float]) -> None:
    mean, low, high = interval(found)
    assert mean == pytest.approx(np.mean(found), abs=1e-9)
    assert low <= mean <= high
    assert high - mean == pytest.approx(mean - low, abs=1e-6)


@given(values, st.randoms())
def test_the_order_of_seeds_does_not_matter(found: list[float], random: object) -> None:
    shuffled = sorted(found, key=lambda _: random.random())  # type: ignore[attr-defined]
    assert interval(shuffled) == interval(found)


@pytest.mark.parametrize(("seeds", "quantile"), [(2, 12.706), (3, 4.303), (6, 2.571), (10, 2.262)])
def test_the_reach_is_the_tabled_quantile_times_the_standard_error(seeds: int, quantile: float) -> None:
    found = [float(number) for number in range(seeds)]
    mean, _, high = interval(found)
    assert (high - mean) / (np.std(found, ddof=1) / math.sqrt(seeds)) == pytest.approx(quantile, abs=1e-3)


@pytest.mark.parametrize("seeds", [3, 10])
def test_ninety_five_of_a_hundred_intervals_hold_the_true_mean_also_over_three_seeds(seeds: int) -> None:
    drawn = np.random.default_rng(1).normal(3.0, 1.0, size=(2000, seeds))
    held = [low <= 3.0 <= high for _, low, high in map(interval, drawn)]
    assert 0.935 <= np.mean(held) <= 0.965


def test_equal_values_have_an_interval_without_width() -> None:
    assert interval([2.0, 2.0, 2.0]) == (2.0, 2.0, 2.0)


def test_one_seed_gives_a_mean_and_no_interval() -> None:
    mean, low, high = interval([2.0])
    assert mean == 2.0
    assert math.isnan(low)
    assert math.isnan(high)
    assert math.isnan(t_probability([2.0], 0.0))


@pytest.mark.parametrize(("found", "words"), [([], "at least one value"), ([1.0, math.nan], "finite values")])
def test_what_has_no_mean_is_refused(found: list[float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        interval(found)


@given(values, st.floats(-1e3, 1e3))
def test_a_bound_is_surprising_at_five_percent_exactly_where_the_interval_leaves_it_out(
    found: list[float], bound: float
) -> None:
    _, low, high = interval(found)
    if min(abs(bound - low), abs(bound - high)) > 1e-6:
        assert (t_probability(found, bound) < 0.05) == (not low <= bound <= high)


def test_the_t_test_agrees_with_a_worked_example() -> None:
    assert t_probability([1.0, 2.0, 3.0], 0.0) == pytest.approx(0.0741799, abs=1e-6)


def test_values_without_spread_are_sure() -> None:
    assert (t_probability([1.0, 1.0], 0.0), t_probability([1.0, 1.0], 1.0)) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("found", "probability"),
    [([1.0] * 5, None), ([1.0] * 6, 2 / 64), ([1.0] * 9 + [-1.0], 22 / 1024), ([1.0] * 6 + [0.0], 2 / 64)],
)
def test_the_sign_test_counts_sides_and_says_nothing_below_six(found: list[float], probability: float | None) -> None:
    assert sign_probability(found, 0.0) == (probability if probability is None else pytest.approx(probability))


def test_as_many_seeds_as_would_decide_at_this_spread_decide() -> None:
    found = [0.5, -0.2, 0.9, 0.1]
    needed = seeds_to_decide(found, bound=0.0, equivalence=None)
    assert needed is not None
    mean, deviation = np.mean(found), np.std(found, ddof=1)
    for seeds, decided in ((needed, True), (needed - 1, False)):
        spread = np.linspace(-1.0, 1.0, seeds)
        like = mean + spread / spread.std(ddof=1) * deviation
        assert (interval(list(like))[1] > 0.0) is decided


def test_a_bound_of_equivalence_can_be_the_nearer_way_to_a_decision() -> None:
    found = [0.2, -0.2, 0.1, -0.09]
    assert seeds_to_decide(found, bound=0.0, equivalence=None) is None
    assert seeds_to_decide(found, bound=0.0, equivalence=1.0) == 4


def test_holm_and_benjamini_hochberg_agree_with_worked_examples() -> None:
    found = [0.01, 0.04, 0.03, 0.005]
    assert holm(found) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert benjamini_hochberg(found) == pytest.approx([0.02, 0.04, 0.04, 0.02])
    assert holm([math.nan, 0.01]) == pytest.approx([1.0, 0.02])


@given(probabilities)
def test_adjusting_raises_p_values_and_keeps_their_order(found: list[float]) -> None:
    for adjust in (holm, benjamini_hochberg):
        adjusted = adjust(found)
        assert all(p - 1e-12 <= q <= 1.0 for p, q in zip(found, adjusted, strict=True))
        order = sorted(range(len(found)), key=found.__getitem__)
        assert all(adjusted[a] <= adjusted[b] + 1e-12 for a, b in itertools.pairwise(order))


@pytest.mark.parametrize(
    ("values", "text"), [([], "–"), ([math.nan], "–"), ([0.5], "0.500"), ([95936.0] * 3, "95,936")]
)
def test_what_has_no_interval_is_written_without_one(values: list[float], text: str) -> None:
    assert estimate(values) == text
