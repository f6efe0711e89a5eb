"""Study `interference`: opposite tasks."""

from __future__ import annotations

import pytest
import torch

from cdsp_core.studies.catalogue.interference import STUDY
from cdsp_core.studies.experiments.opposite_tasks import Learner, OppositeTasks
from cdsp_core.studies.experiments.sizes import OPPOSITE_TASKS as MODEL
from cdsp_core.studies.framework.study import Job, Row, StudyOptions
from cdsp_core.training.batches import stream_generator
from tests.core.study_rows import SEEDS, rows_of, smallest_run, verdicts


@pytest.mark.parametrize("variant", ["id", "content"])
def test_the_two_tasks_want_opposite_outputs_for_the_same_inputs(variant: str) -> None:
    inputs = OppositeTasks(variant, width=8, seed=0).inputs(2000, torch.Generator().manual_seed(1))
    first, second = inputs.x_BD.chunk(2)
    torch.testing.assert_close(first[:, 1:], second[:, 1:])
    torch.testing.assert_close(inputs.target_BD[:2000], -inputs.target_BD[2000:])
    assert inputs.target_BD.var(0).sub(1.0).abs().max() < 0.2
    assert torch.equal(first, second) == (variant == "id")
    assert torch.equal(first[:, 0], -second[:, 0])


def test_all_models_have_the_same_number_of_weights() -> None:
    counts = [
        sum(p.numel() for p in Learner(name, told=True, seed=0).parameters()) for name in ("cdsp", "mlp", "mlp_told")
    ]
    assert max(counts) < 1.01 * min(counts)


def test_an_mlp_that_knows_no_task_gives_both_tasks_the_same_output() -> None:
    inputs = OppositeTasks("id", width=MODEL.d_model, seed=0).inputs(4, stream_generator(0, "order"))
    untold, told = (Learner(name, told=True, seed=0) for name in ("mlp", "mlp_told"))
    for learner, same in ((untold, True), (told, False)):
        first, second = learner.model(inputs.x_BD, learner.embedding_2Q[inputs.task_B]).chunk(2)
        assert torch.allclose(first, second, atol=1e-5) == same


def test_a_few_steps_of_every_model_give_rows_of_one_shape() -> None:
    found = smallest_run(STUDY, StudyOptions(seeds=1, smallest=True), steps=4)
    assert len(found) == 7
    for rows in found.values():
        assert [row["step"] for row in rows] == [0, 1, 2, 3, 4]
        assert [row["final"] for row in rows] == [False] * 4 + [True]
        assert rows[-1]["loss"] != rows[0]["loss"]
    assert 0.0 <= float(found["id-cdsp-0"][-1]["dimension_overlap"] or 0.0) <= 1.0


def made(job: Job, error: dict[str, float], overlap: dict[str, float]) -> list[Row]:
    model = job.settings["model"]
    noise = 0.001 * job.seed
    empty: Row = dict.fromkeys(("task_gradient_cosine", "gradient_interference", "routing_overlap", "rank_overlap"))
    found: Row = {"loss": error[model] + noise, "dimension_overlap": overlap.get(model)}
    return [{"step": step, "final": step == 9, **found, **empty} for step in (0, 9)]


def test_claims_follow_errors_and_overlaps() -> None:
    error = {"mlp": 1.0, "mlp_told": 0.01, "cdsp": 0.1, "cdsp_lambda_0": 0.1}
    overlap = {"cdsp": 0.1, "cdsp_lambda_0": 0.5}
    rows = rows_of(STUDY, lambda job: made(job, error, overlap))
    findings = STUDY.find(rows, SEEDS)
    assert verdicts(findings.claims) == ["fails", "holds", "holds", "no effect", "holds", "no effect"]
    assert verdicts(findings.checks) == ["holds"]
    assert len(findings.tables[0].rows) == 7
    assert all(len(line.x) == 2 for chart in findings.charts[:4] for line in chart.lines)
