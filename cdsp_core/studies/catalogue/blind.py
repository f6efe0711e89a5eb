"""Blind inference: the network classifies without a task ID after it learnt with the ID hidden half of the time."""

from __future__ import annotations

from typing import Final

from cdsp_core.studies.experiments.encoder_run import run_training
from cdsp_core.studies.framework.preregistration import PAPER, POINT
from cdsp_core.studies.framework.study import Chart, Findings, Job, Row, Study, StudyOptions
from cdsp_core.studies.framework.training import (
    bars,
    base_config,
    final,
    gap,
    notes_on_data,
    points,
    table_of,
    tasks_in,
    training_curve,
    training_job,
)
from cdsp_core.studies.framework.verdicts import judged

UNTRAINED_MARGIN: Final = 0.08
BLIND_COST_POINTS: Final = 1.22
"""What never seeing an ID costs in the paper's table: 95.14 % (standard mixture) minus 93.92 % (blind mixture)."""


def jobs(options: StudyOptions) -> list[Job]:
    """CDSP-MoE, and the mixture that never sees an ID."""
    return [
        training_job(model, base_config(options, architecture=model, seed=seed), options, model=model)
        for seed in options.seed_range
        for model in ("cdsp", "blind")
    ]


def find(rows: list[Row], options: StudyOptions) -> Findings:
    """The gap between accuracy with and without ID, and whether the routing stays."""
    blind_accuracy = {model: final(rows, "accuracy", given="none", model=model) for model in ("cdsp", "blind")}
    claims = [
        judged(
            {seed: -value for seed, value in gap(rows, model="cdsp").items()},
            claim="Without task ID CDSP-MoE is about as accurate as with it",
            source=f"{PAPER}, blind inference",
            what="Test accuracy without minus with ID in percentage points, mean of the tasks",
            above=-BLIND_COST_POINTS,
            published=None,
            reason="The threshold is what never seeing an ID costs in the paper's table. Two tasks that share ten "
            "labels cannot be told apart by their labels alone, so a part of the gap is not the routing's.",
        ),
        judged(
            points(blind_accuracy["cdsp"], blind_accuracy["blind"]),
            claim="Without task ID it classifies better than a mixture that never saw one",
            source=f"{PAPER}, table of accuracies",
            what="CDSP-MoE minus blind mixture, percentage points of test accuracy without ID",
            above=0.0,
            equivalence=POINT,
            published="94.54 % against 93.92 %, but training accuracy, and CDSP-MoE's with IDs",
        ),
        judged(
            final(rows, "blind_routing_margin", model="cdsp"),
            claim="Without task ID a task's tokens go where they go with it",
            source=f"{PAPER}, routing consistency",
            what="Overlap of a task's routing without ID with its own routing with ID, minus that with other tasks'",
            above=UNTRAINED_MARGIN,
            reason="The threshold is the largest that eight untrained networks have; their mean is 0.04.",
            published=None,
        ),
    ]
    tasks = tasks_in(rows)
    accuracy = {
        label: {task: final(rows, "accuracy", given=given, task=task, model="cdsp") for task in tasks}
        for label, given in (("with ID", "own"), ("without ID", "none"))
    }
    consistency = {task: final(rows, "routing_consistency", task=task, model="cdsp") for task in tasks}
    return Findings(
        claims=claims,
        charts=[
            bars("CDSP-MoE: test accuracy with and without task ID", "accuracy", accuracy),
            Chart(
                title="CDSP-MoE: test accuracy while it learns",
                x_label="step",
                y_label="accuracy",
                lines=[
                    training_curve(rows, "with ID", "test_accuracy", {"model": "cdsp"}),
                    training_curve(rows, "without ID", "test_accuracy_blind", {"model": "cdsp"}),
                ],
            ),
        ],
        tables=[
            table_of("CDSP-MoE per task", {**accuracy, "routing consistency": consistency}, first="task"),
        ],
        notes=notes_on_data(rows, options),
    )


STUDY: Final = Study(
    name="blind",
    title="Blind inference",
    question="Does CDSP-MoE need the task ID, once it has learnt with the ID hidden half of the time?",
    jobs=jobs,
    run=run_training,
    find=find,
    theme="without ID",
)
