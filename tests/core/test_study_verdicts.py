"""The rule that turns one value a seed into a verdict."""

from __future__ import annotations

import math

import pytest

from cdsp_core.studies.framework.study import Claim, Row
from cdsp_core.studies.framework.verdicts import by_seed, curve, difference, judged, means_table


def claim_of(values: list[float], **rule: object) -> Claim:
    return judged(dict(enumerate(values)), claim="A claim.", source="memo", what="Gain", **{"above": 0.0, **rule})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("values", "verdict"),
    [([1.0, 2.0, 3.0], "holds"), ([-1.0, -2.0, -3.0], "fails"), ([-1.0, 0.2, 1.0], "mixed"), ([0.0, 0.0], "mixed")],
)
def test_a_claim_holds_only_where_the_whole_interval_lies_on_its_side(values: list[float], verdict: str) -> None:
    assert claim_of(values).verdict == verdict


@pytest.mark.parametrize(
    ("values", "verdict"),
    [([0.9, 1.0, 1.1], "holds"), ([3.0, 4.0], "fails"), ([0.1, 0.2], "fails"), ([0.9, 2.0], "mixed")],
)
def test_a_claim_of_a_range_fails_on_either_side_of_it(values: list[float], verdict: str) -> None:
    assert claim_of(values, above=None, within=(0.8, 1.25)).verdict == verdict


def test_a_reason_is_always_said_and_a_cause_only_where_the_claim_does_not_hold() -> None:
    holding, failing = (
        claim_of(values, reason="Beside it.", cause="Because.") for values in ([1.0, 2.0], [-1.0, -2.0])
    )
    assert holding.why.endswith("otherwise mixed. Beside it.")
    assert failing.why.endswith("otherwise mixed. Beside it. Because.")


def test_one_seed_decides_nothing() -> None:
    assert claim_of([5.0]).verdict == "undecided"


def test_seeds_without_a_value_are_left_out_and_named() -> None:
    claim = claim_of([1.0, math.nan, 2.0])
    assert (claim.value, claim.seeds, claim.verdict) == (1.5, 2, "holds")
    assert claim.measured.endswith("2 seeds; 1 seed without a value.")


def test_a_claim_that_nothing_was_measured_for_is_mixed() -> None:
    claim = claim_of([math.nan])
    assert math.isnan(claim.value)
    assert (claim.verdict, claim.seeds) == ("mixed", 0)


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
