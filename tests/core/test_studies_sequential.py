"""Looks at three, six and ten seeds err together as often as one look would."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from cdsp_core.studies.framework.sequential import (
    LEVEL,
    LOOKS,
    bounds,
    crossing_probability,
    look_of,
    repeated_probability,
)
from cdsp_core.studies.framework.statistics import t_probability


@pytest.mark.parametrize(("looks", "constant"), [(1, 1.960), (2, 1.977), (3, 2.004), (5, 2.040)])
def test_even_looks_have_the_published_constants(looks: int, constant: float) -> None:
    """Jennison and Turnbull, Group Sequential Methods (2000), table 2.3, alpha 0.05."""
    shares = [number / looks for number in range(1, looks + 1)]
    assert crossing_probability(constant, shares) == pytest.approx(0.05, abs=3e-4)


def test_bounds_grow_laxer_from_look_to_look_and_the_last_is_nearly_the_level() -> None:
    found = [bounds()[look] for look in LOOKS]
    assert found == sorted(found)
    assert found[0] < 0.001
    assert 0.04 < found[-1] < LEVEL


def test_three_looks_at_nothing_decide_in_five_of_a_hundred_studies_at_most() -> None:
    drawn = np.random.default_rng(3).normal(size=(4000, LOOKS[-1]))
    wrong = [any(t_probability(row[:look], 0.0) < bounds()[look] for look in LOOKS) for row in drawn]
    assert 0.03 <= np.mean(wrong) <= 0.06


def test_a_repeated_p_value_is_the_level_where_the_bound_of_its_look_is_just_met() -> None:
    for look, level in itertools.product(LOOKS, (0.01, 0.05, 0.2)):
        assert repeated_probability(bounds(level)[look], look) == pytest.approx(level, rel=1e-6)


def test_the_same_p_value_is_worth_less_at_an_earlier_look() -> None:
    found = [repeated_probability(0.001, look) for look in LOOKS]
    assert found == sorted(found, reverse=True)
    assert repeated_probability(0.0, 3) == 0.0
    assert repeated_probability(1.0, 3) == 1.0
    assert math.isnan(repeated_probability(math.nan, 3))


@pytest.mark.parametrize(("seeds", "look"), [(0, None), (2, None), (3, 3), (5, 3), (6, 6), (9, 6), (10, 10), (64, 10)])
def test_seeds_between_two_looks_are_judged_at_the_earlier_one(seeds: int, look: int | None) -> None:
    assert look_of(seeds) == look
