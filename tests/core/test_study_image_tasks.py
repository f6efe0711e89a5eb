"""Studies `continual` and `beneficial-sharing`: tasks made from MNIST, and what is found in their rows."""

from __future__ import annotations

import pytest
import torch

from cdsp_core.studies.catalogue import beneficial_sharing, continual
from cdsp_core.studies.experiments import image_tasks, task_overlap
from cdsp_core.studies.experiments.image_tasks import ImageTask
from cdsp_core.studies.framework.study import Job, Row, StudyOptions
from tests.core.small import small_trainer, steps
from tests.core.study_rows import SEEDS, rows_of, tell_nobody, verdicts

ONE = StudyOptions(seeds=1, smallest=True)


@pytest.fixture(scope="module")
def digits() -> ImageTask:
    return image_tasks.source("mnist", ONE)


def test_a_permutation_keeps_every_images_pixels_and_labels_and_is_one_order_for_all(digits: ImageTask) -> None:
    task = image_tasks.permuted(digits, 1, seed=0)
    before, after = digits.train.image_NHW.flatten(1), task.train.image_NHW.flatten(1)
    assert torch.equal(task.train.label_N, digits.train.label_N)
    assert torch.equal(before.sort(dim=1).values[:50], after.sort(dim=1).values[:50])
    assert not torch.equal(before, after)
    numbered = ImageTask(
        task=digits.task,
        train=image_tasks.Part(torch.arange(16, dtype=torch.uint8).view(1, 4, 4).repeat(2, 1, 1), torch.zeros(2)),
        test=image_tasks.Part(torch.arange(16, dtype=torch.uint8).view(1, 4, 4), torch.zeros(1)),
    )
    order = image_tasks.permuted(numbered, 2, seed=3)
    assert torch.equal(order.train.image_NHW[0], order.test.image_NHW[0])
    assert not torch.equal(order.train.image_NHW, image_tasks.permuted(numbered, 3, seed=3).train.image_NHW)
    assert torch.equal(image_tasks.permuted(numbered, 0, seed=3).train.image_NHW, numbered.train.image_NHW)


def test_turning_keeps_labels_and_ink_and_a_quarter_turn_is_exact(digits: ImageTask) -> None:
    few = ImageTask(task=digits.task, train=image_tasks.Part(*(t[:5] for t in digits.train)), test=digits.test)
    quarter = image_tasks.turned(few, degrees=90.0).train.image_NHW
    assert any(torch.equal(quarter, few.train.image_NHW.rot90(k, (1, 2))) for k in (1, 3))
    slight = image_tasks.turned(few, degrees=15.0).train.image_NHW
    ink = slight.to(torch.float32).sum() / few.train.image_NHW.to(torch.float32).sum()
    assert ink == pytest.approx(1.0, abs=0.05)


def test_halves_share_no_image_and_hold_all(digits: ImageTask) -> None:
    halves = [image_tasks.half(digits, number) for number in (0, 1)]
    assert sum(len(half.train.label_N) for half in halves) == len(digits.train.label_N)
    assert torch.equal(halves[1].train.image_NHW[0], digits.train.image_NHW[1])


def test_opposed_labels_never_agree(digits: ImageTask) -> None:
    opposed = image_tasks.opposed(digits)
    assert torch.equal(opposed.train.image_NHW, digits.train.image_NHW)
    assert not (opposed.train.label_N == digits.train.label_N).any()


def test_joined_tasks_keep_their_numbers_alone(digits: ImageTask) -> None:
    data = image_tasks.joined([digits, image_tasks.opposed(digits)])
    alone = image_tasks.only(data.train, 1)
    assert [task.name for task in alone.tasks] == ["mnist", "opposed"]
    assert alone.task_N.unique().tolist() == [1]
    assert torch.equal(alone.labels_N, 9 - digits.train.label_N)


def test_overlap_counts_dimensions_behind_experts_of_other_names() -> None:
    trainer = steps(small_trainer(), 1)
    layers = trainer.cdsp_layers[:1]
    apart = torch.eye(4)[None, :2].numpy()
    with torch.no_grad():
        logits = layers[0].topology.topology_logits
        logits[1] = logits[0]
    found = task_overlap.structure(apart, layers)
    assert (found["routing_overlap"], found["dimension_overlap"]) == (0.0, 1.0)
    with torch.no_grad():
        logits[:2] = torch.tensor([[3.0, 2.0, 1.0, 0.0], [0.0, 1.0, 2.0, 3.0]])
    assert task_overlap.structure(apart, layers)["dimension_overlap"] == 0.0


def test_a_short_stream_learns_the_newest_task_and_measures_all() -> None:
    job = next(job for job in continual.jobs(ONE) if job.settings["model"] == "cdsp")
    short = Job(key=job.key, seed=0, settings={**job.settings, "tasks": 2, "steps_per_task": 30})
    rows = continual.STUDY.run(short, ONE, tell_nobody)
    assert [(row["stage"], row["task"]) for row in rows] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    accuracy = [float(row["accuracy"] or 0.0) for row in rows]
    assert accuracy[0] > accuracy[1] + 0.1
    assert accuracy[3] > accuracy[1] + 0.1
    assert "dimension_overlap" in rows[-1]


@pytest.mark.parametrize(
    "model",
    ["cdsp_memory", *(pytest.param(model, marks=pytest.mark.slow) for model in ("dense_replay", "dense_ewc_1000"))],
)
def test_a_short_stream_with_something_against_forgetting_goes_to_its_end(model: str) -> None:
    job = next(job for job in continual.jobs(ONE) if job.settings["model"] == model)
    short = Job(key=job.key, seed=0, settings={**job.settings, "tasks": 2, "steps_per_task": 4})
    rows = continual.STUDY.run(short, ONE, tell_nobody)
    assert [(row["stage"], row["task"]) for row in rows] == [(0, 0), (0, 1), (1, 0), (1, 1)]


DROPS = {"cdsp": 0.1, "cdsp_lambda_0": 0.1, "standard": 0.05, "dense": 0.4}


def made_stream(job: Job) -> list[Row]:
    drop = DROPS.get(job.settings["model"], 0.015 if "memory" in job.settings["model"] else 0.01)
    return [
        {
            "stage": stage,
            "task": task,
            "accuracy": 0.9 - drop * max(stage - task, 0),
            "accuracy_blind": 0.1,
            "dimension_overlap": None,
        }
        for stage in range(3)
        for task in range(3)
    ]


def test_forgetting_is_what_a_task_had_right_after_it_was_learnt_less_what_it_has_at_the_end() -> None:
    rows = rows_of(continual.STUDY, made_stream)
    assert continual.forgotten(rows, "dense") == pytest.approx(dict.fromkeys(range(4), 60.0))
    findings = continual.find(rows, SEEDS)
    assert verdicts(findings.claims)[:4] == ["holds", "fails", "no effect", "holds"]
    memory, cost, replay, *accuracy = verdicts(findings.claims)[4:]
    assert (memory, cost, replay) == ("holds", "holds", "no effect")
    assert accuracy == ["fails"] * 4 + ["no effect"] * 4


def test_rows_of_before_the_methods_for_streams_are_judged_as_they_were() -> None:
    old = [row for row in rows_of(continual.STUDY, made_stream) if row["model"] in DROPS]
    findings = continual.find(old, SEEDS)
    assert verdicts(findings.claims)[:4] == ["holds", "fails", "no effect", "holds"]
    assert {claim.seeds for claim in findings.claims[4:]} == {0}
    assert "Not measured here: CDSP with conflict memory" in findings.notes[-1]


def test_a_short_pair_gives_one_row_a_task_and_a_task_alone_gives_no_overlap() -> None:
    jobs = {job.key: job for job in beneficial_sharing.jobs(ONE)}
    for key, shares in (("opposed-lambda-10-0", True), ("alone-mnist-lambda-10-0", False)):
        short = Job(key=key, seed=0, settings={**jobs[key].settings, "steps": 20})
        rows = beneficial_sharing.STUDY.run(short, ONE, tell_nobody)
        assert [row["task"] for row in rows] == jobs[key].settings["tasks"]
        assert ("dimension_overlap" in rows[0]) == shares
        if shares:
            assert rows[0]["routing_overlap_blind"] == pytest.approx(1.0, abs=0.01)


def made_pair(job: Job) -> list[Row]:
    name, weight = job.settings["name"], job.settings["lambda_conflict"]
    unlike = name in beneficial_sharing.UNLIKE
    overlap = (0.2 if weight else 0.6) if unlike else 0.8
    noise = 0.001 * job.seed
    pair = len(job.settings["tasks"]) > 1
    return [
        {
            "task": task,
            "accuracy": (0.9 if pair else 0.95) + noise,
            "accuracy_blind": 0.8,
            "dimension_overlap": overlap - noise if pair else None,
            "routing_overlap": overlap if pair else None,
            "routing_overlap_blind": overlap if pair else None,
            "rank_overlap": 0.3 if pair else None,
            "gradient_interference": (0.3 if unlike else 0.1) if pair else None,
        }
        for task in job.settings["tasks"]
    ]


def test_claims_of_sharing_follow_the_pairs() -> None:
    findings = beneficial_sharing.find(rows_of(beneficial_sharing.STUDY, made_pair), SEEDS)
    assert verdicts(findings.claims) == ["holds", "holds", "holds", "holds", "holds", "holds", "no effect", "fails"]
    assert len(findings.tables[0].rows) == 8
