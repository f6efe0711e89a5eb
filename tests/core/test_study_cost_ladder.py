"""Study `cost-ladder`: errors against the exact game, memory and time of a pass, and what is concluded from them."""

from __future__ import annotations

import math

import pytest
import torch

from cdsp_core.settings.overrides import with_settings
from cdsp_core.settings.presets import preset
from cdsp_core.studies.catalogue import cost_ladder
from cdsp_core.studies.experiments import ladder_rungs
from cdsp_core.studies.framework.study import Job, Row, StudyOptions
from tests.core.small import small_config
from tests.core.study_rows import SEEDS, rows_of, tell_nobody, verdicts

NAN = math.nan
TINY = {"patch_size": 14, "d_model": 16, "d_base": 32, "num_experts": 4, "num_partitions": 4, "batch_size": 8}


def test_errors_are_means_over_the_pairs_with_a_value() -> None:
    exact = torch.tensor([[1.0, -0.5, NAN], [-0.5, 1.0, 0.3], [NAN, 0.3, 1.0]])
    found = torch.tensor([[1.0, -0.3, 0.9], [-0.3, 1.0, NAN], [0.9, NAN, 1.0]])
    errors = ladder_rungs.Errors()
    errors.add(found, exact)
    row = errors.row()
    assert row["error"] == pytest.approx(0.2)
    assert row["relative_error"] == pytest.approx(0.2 / 0.5)
    assert row["conflict_bias"] == pytest.approx(0.3 - 0.5)
    assert row["pairs_frac"] == pytest.approx(0.5)
    assert row["conflict_frac"] == pytest.approx(1.0)


def test_nothing_is_wrong_at_a_step_that_is_measured_and_more_with_every_step_since() -> None:
    config = with_settings(preset("live"), {**TINY, "eval_every": 50, "eval_batch": 6})
    found = ladder_rungs.errors(config, every=(1, 2, 6), columns=(1, 8, 64), steps=12, tell=tell_nobody)
    assert found["every_1"]["error"] == 0.0
    assert 0.0 < float(found["every_2"]["error"] or 0) < float(found["every_6"]["error"] or 0)
    assert found["projection_64"]["error"] == pytest.approx(0.0, abs=1e-6)
    assert float(found["projection_1"]["error"] or 0) > float(found["projection_8"]["error"] or 0) > 0.001
    assert found["co_active"]["error"] == 0.0
    assert 0.0 <= float(found["co_active"]["conflict_frac"] or 0) <= 1.0


def test_looking_at_projections_does_not_change_the_run() -> None:
    config = with_settings(preset("live"), {**TINY, "eval_every": 50, "eval_batch": 6})
    rows = [
        ladder_rungs.errors(config, every=(3,), columns=columns, steps=8, tell=tell_nobody)["every_3"]
        for columns in ((), (1, 4))
    ]
    assert rows[0] == rows[1]


@pytest.mark.parametrize("execution", cost_ladder.PATHS)
def test_costs_count_what_lies_in_memory_and_compare_with_the_exact_game(execution: str) -> None:
    model = small_config(execution=execution).model
    found = ladder_rungs.costs(model, cost_ladder.RUNGS, seed=0, repeats=1)
    experts, rank, entries = 4, 16, 32
    assert found["exact"]["game_bytes"] == found["every_5"]["game_bytes"] == 4 * experts * rank * entries
    assert found["projection_8"]["game_bytes"] == 4 * experts * rank * 8 + 32 * entries
    exact_ms = float(found["exact"]["pass_ms"] or 0)
    for row in found.values():
        assert float(row["pass_ratio"] or 0) == pytest.approx(float(row["pass_ms"] or 0) / exact_ms)
        assert float(row["pass_ms"] or 0) > 0


def made(job: Job) -> list[Row]:
    """Kept cosines are of use up to 32 experts, projected ones always; a pass on the dense path takes half."""
    kept = 0.5 if job.settings["experts"] < 100 else 1.5
    nothing: Row = {"error": 0.1, "conflict_bias": 0.0, "pairs_frac": 0.8, "conflict_frac": 0.6 + 0.01 * job.seed}
    rows: list[Row] = []
    for rung in cost_ladder.RUNGS:
        if rung != "exact":
            relative = kept if rung.startswith("every") else 0.2
            rows.append({"kind": "error", "rung": rung, **nothing, "relative_error": relative + 0.01 * job.seed})
        for path, ratio in (("auto", 1.2), ("dense", 0.5)):
            cost: Row = {"pass_ms": 1.0, "pass_ratio": ratio + 0.01 * job.seed, "game_bytes": 1000}
            rows.append({"kind": "cost", "rung": rung, "path": path, **cost})
    return rows


def test_the_claims_follow_from_the_rows() -> None:
    found = cost_ladder.find(rows_of(cost_ladder.STUDY, made), SEEDS)
    assert verdicts(found.claims) == ["fails", "fails", "holds"] * len(cost_ladder.EXPERTS)
    assert verdicts(found.checks) == ["holds", "holds", "holds", "holds", "fails", "holds"]
    assert [table.title for table in found.tables] == ["8 experts", "32 experts", "128 experts"]
    for table in found.tables:
        assert len(table.rows) == len(cost_ladder.RUNGS)
        assert all(len(row) == len(table.columns) for row in table.rows)
    assert all(chart.lines for chart in found.charts)


def test_the_smallest_form_has_a_job_for_every_number_of_experts_and_seed() -> None:
    jobs = cost_ladder.jobs(StudyOptions(seeds=2, smallest=True))
    assert [(job.settings["experts"], job.seed) for job in jobs] == [(e, s) for s in (0, 1) for e in (8, 32, 128)]
    assert cost_ladder.config_of(128, 1, SEEDS).model.has_diagonal
