"""Claims read from curves and routing of the full-data runs, on rows whose answer is known."""

from __future__ import annotations

import pytest

from cdsp_core.studies.framework.full_data import by_epoch, claims, pearson
from cdsp_core.studies.framework.study import Row

EMPTY: Row = dict.fromkeys(("step", "layer", "task", "given", "expert"))


def curve_rows(measure: str, value_of_epoch: list[float], model: str) -> list[Row]:
    """Two looks an epoch, the same in three seeds, in the first layer."""
    return [
        {**EMPTY, "seed": seed, "model": model, "kind": "curve", "measure": measure, "value": value, "layer": 0,
         "step": 100 * epoch + half}
        for seed in range(3)
        for epoch, value in enumerate(value_of_epoch)
        for half in (50, 100)
    ]  # fmt: skip


def test_an_epoch_is_the_mean_of_its_looks() -> None:
    rows = curve_rows("rank_overlap", [float(epoch) for epoch in range(1, 11)], "cdsp")
    assert by_epoch(rows, "rank_overlap", 1, 1, model="cdsp") == dict.fromkeys(range(3), 1.0)
    assert by_epoch(rows, "rank_overlap", 4, 7, model="cdsp") == dict.fromkeys(range(3), 5.5)


@pytest.mark.parametrize(("standard", "verdict"), [(0.9, "holds"), (0.5, "fails")])
def test_the_evolutionary_tax_is_the_distance_of_the_first_epoch(standard: float, verdict: str) -> None:
    rows = curve_rows("train_accuracy", [0.7, *[0.9] * 9], "cdsp")
    rows += curve_rows("train_accuracy", [standard, *[0.9] * 9], "standard")
    (tax,) = [claim for claim in claims(rows) if "evolutionary tax: it is behind" in claim.claim]
    assert tax.verdict == verdict


@pytest.mark.parametrize(("second", "alike"), [([0.1, 0.2, 0.7], 1.0), ([0.7, 0.4333333, -0.9], -1.0)])
def test_alike_routing_correlates(second: list[float], alike: float) -> None:
    rows: list[Row] = [
        {**EMPTY, "seed": 0, "model": "cdsp", "kind": "final", "measure": "routing", "value": share, "layer": 0,
         "task": task, "given": "none", "expert": expert}
        for task, shares in (("mnist", [0.1, 0.2, 0.7]), ("kana", second))
        for expert, share in enumerate(shares)
    ]  # fmt: skip
    assert pearson(rows, model="cdsp")[0] == pytest.approx(alike, abs=0.01)


@pytest.mark.parametrize(("left", "verdict"), [(0.02, "holds"), (0.12, "no effect"), (0.4, "fails")])
def test_an_expert_is_abandoned_where_less_than_one_in_eight_comes_to_it(left: float, verdict: str) -> None:
    rows: list[Row] = [
        {**EMPTY, "seed": seed, "model": "standard", "kind": "final", "measure": "routing", "layer": 0,
         "task": "fashion", "given": given, "expert": expert, "value": share + 0.001 * seed}
        for seed in range(3)
        for given, shares in (("own", [0.1, 0.6, 0.3]), ("none", [0.5, left, 0.5 - left]))
        for expert, share in enumerate(shares)
    ]  # fmt: skip
    (abandoned,) = [claim for claim in claims(rows) if "patches of clothing" in claim.claim]
    assert abandoned.verdict == verdict
