"""The rule that turns one value a seed into a verdict."""

from __future__ import annotations

import math

import pytest

from cdsp_core.studies.framework.statistics import holm
from cdsp_core.studies.framework.study import Claim, Row
from cdsp_core.studies.framework.verdicts import adjusted, by_seed, curve, difference, judged, means_table


def claim_of(values: list[float], **rule: object) -> Claim:
    return judged(dict(enumerate(values)), claim="A claim.", what="Gain", **{"source": "memo", "above": 0.0, **rule})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ([1.0, 1.1, 1.2], "holds"),
        ([-1.0, -1.1, -1.2], "fails"),
        ([1.0, 2.0, 3.0], "undecided"),
        ([-1.0, 0.2, 1.0], "undecided"),
        ([0.0, 0.0], "undecided"),
    ],
)
def test_a_claim_holds_only_where_the_whole_interval_lies_on_its_side(values: list[float], verdict: str) -> None:
    assert claim_of(values).verdict == verdict


@pytest.mark.parametrize(
    ("values", "verdict"),
    [([0.98, 1.0, 1.02], "holds"), ([3.0, 3.1], "fails"), ([0.1, 0.11], "fails"), ([0.9, 2.0], "undecided")],
)
def test_a_claim_of_a_range_fails_on_either_side_of_it(values: list[float], verdict: str) -> None:
    assert claim_of(values, above=None, within=(0.8, 1.25)).verdict == verdict


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ([0.2, -0.2, 0.1, 0.0], "no effect"),
        ([0.2, 0.21, 0.22], "no effect"),
        ([-0.2, -0.21, -0.22], "no effect"),
        ([2.0, 2.1, 2.2], "holds"),
        ([-2.0, -2.1, -2.2], "fails"),
        ([0.9, 1.0, 1.1], "holds"),
        ([-3.0, 3.0, 0.0], "undecided"),
    ],
)
def test_a_difference_surely_smaller_than_its_bound_is_none_whatever_its_sign(
    values: list[float], verdict: str
) -> None:
    assert claim_of(values, equivalence=1.0).verdict == verdict


def test_a_headline_claim_is_judged_at_looks_and_not_before_the_first() -> None:
    clear = [5.0 + 0.01 * (-1) ** seed for seed in range(10)]
    found = {seeds: claim_of(clear[:seeds], headline="H0") for seeds in (2, 3, 5, 6, 9, 10)}
    assert {seeds: claim.seeds for seeds, claim in found.items()} == {2: 2, 3: 3, 5: 3, 6: 6, 9: 6, 10: 10}
    assert found[2].verdict == "undecided"
    assert found[10].verdict == "holds"


def test_what_three_seeds_decide_alone_an_early_look_does_not() -> None:
    values = [1.0, 1.1, 1.2]
    assert claim_of(values).verdict == "holds"
    headline = claim_of(values, headline="H0")
    assert headline.verdict == "undecided"
    assert headline.decided_by == 6


def test_adjusting_for_many_claims_takes_back_what_chance_would_give() -> None:
    sure, chance = claim_of([1.0, 1.001, 1.002]), claim_of([1.0, 1.5, 1.6])
    assert (sure.verdict, chance.verdict) == ("holds", "holds")
    found = adjusted([sure, *[chance] * 3], holm)
    assert [claim.verdict for claim in found] == ["holds", *["undecided"] * 3]
    assert found[1].decided_by is not None
    assert all(claim.adjusted is not None and claim.adjusted >= claim.probability for claim in found)


def test_an_undecided_claim_says_how_many_seeds_would_decide_it() -> None:
    assert claim_of([1.0, 2.0, 3.0]).decided_by == 4
    assert claim_of([1.0, 1.1, 1.2]).decided_by is None


def test_who_makes_a_claim_is_read_from_its_source() -> None:
    origins = {source: claim_of([1.0], source=source).origin for source in ("arXiv:1, Eq. 2", "memo", "this project")}
    assert list(origins.values()) == ["paper", "memo", "project"]


def test_a_reason_is_always_said_and_a_cause_only_where_the_claim_does_not_hold() -> None:
    holding, failing = (
        claim_of(values, reason="Beside it.", cause="Because.") for values in ([1.0, 1.1], [-1.0, -1.1])
    )
    assert holding.why.endswith("fails below. Beside it.")
    assert failing.why.endswith("fails below. Beside it. Because.")


def test_one_seed_decides_nothing() -> None:
    assert claim_of([5.0]).verdict == "undecided"


def test_seeds_without_a_value_are_left_out_and_named() -> None:
    claim = claim_of([1.0, math.nan, 1.1])
    assert (claim.value, claim.seeds, claim.verdict) == (1.05, 2, "holds")
    assert claim.measured.endswith("2 seeds; 1 seed without a value.")


def test_a_claim_that_nothing_was_measured_for_is_undecided() -> None:
    claim = claim_of([math.nan])
    assert math.isnan(claim.value)
    assert (claim.verdict, claim.seeds) == ("undecided", 0)


def test_a_rule_has_one_threshold_or_one_range() -> None:
    with pytest.raises(ValueError, match="exactly one of above and within"):
        claim_of([1.0], within=(0.0, 1.0))


def test_rows_are_averaged_by_seed_and_compared_seed_by_seed() -> None:
    rows: list[Row] = [
        {"seed": 0, "model": "a", "loss": 1.0},
        {"seed": 0, "model": "a", "loss": 3.0},
        {"seed": 1, "model": "a", "loss": None},
        {"seed": 0, "model": "b", "loss": 0.5},
    ]
    first, second = by_seed(rows, "loss", model="a"), by_seed(rows, "loss", model="b")
    assert first[0] == 2.0
    assert math.isnan(first[1])
    assert difference(first, second) == {0: 1.5}


def test_a_curve_leaves_out_places_without_a_value() -> None:
    rows: list[Row] = [
        {"seed": seed, "step": step, "loss": loss}
        for seed, step, loss in [(0, 0, 1.0), (1, 0, 3.0), (0, 5, None), (1, 5, math.nan), (1, 10, 4.0), (0, 10, 2.0)]
    ]
    line = curve(rows, "a line", x="step", y="loss")
    assert (line.x, line.mean) == ([0.0, 10.0], [2.0, 3.0])
    assert line.low[0] < 2.0 < line.high[0]


def test_a_table_has_a_line_for_every_kind_of_row() -> None:
    rows: list[Row] = [{"seed": seed, "model": model, "loss": 1.0 + seed} for seed in (0, 2) for model in ("a", "b")]
    table = means_table("Losses", rows, by=("model",), of=("loss",))
    assert table.columns == ("model", "loss")
    assert [line[0] for line in table.rows] == ["a", "b"]
    assert table.rows[0][1].startswith("2.000 [")
