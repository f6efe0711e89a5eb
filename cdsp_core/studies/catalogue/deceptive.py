"""Deceptive inference: every image is shown with every wrong task ID."""

from __future__ import annotations

from typing import Final

from cdsp_core.studies.experiments.encoder_run import run_training
from cdsp_core.studies.framework.preregistration import OVERLAP, POINT
from cdsp_core.studies.framework.study import Findings, Job, Row, Study, StudyOptions
from cdsp_core.studies.framework.training import (
    bars,
    base_config,
    final,
    notes_on_data,
    points,
    table_of,
    tasks_in,
    training_job,
)
from cdsp_core.studies.framework.verdicts import difference, judged

ALLOWED_LOSS_POINTS: Final = 5.0
SOURCE: Final = "this project: the paper has no such protocol"


def jobs(options: StudyOptions) -> list[Job]:
    """CDSP-MoE, and the standard mixture, from which the ID is hidden as often while it learns.

    In the smallest form it always sees the right ID: the stored rows were made so.
    """
    told: dict[str, float] = {"p_drop": 0.0} if options.smallest else {}
    return [
        training_job(
            model,
            base_config(options, architecture=model, seed=seed, **(told if model == "standard" else {})),
            options,
            model=model,
        )
        for seed in options.seed_range
        for model in ("cdsp", "standard")
    ]


def find(rows: list[Row], options: StudyOptions) -> Findings:
    """What a wrong ID costs, and whether tokens follow it."""
    own = {model: final(rows, "accuracy", given="own", model=model) for model in ("cdsp", "standard")}
    wrong = {model: final(rows, "accuracy_deceptive", model=model) for model in ("cdsp", "standard")}
    change = {model: points(wrong[model], own[model]) for model in own}
    claims = [
        judged(
            change["cdsp"],
            claim="A wrong task ID costs CDSP-MoE less than five points of accuracy",
            source=SOURCE,
            what="Test accuracy with a wrong minus with the right ID in percentage points, mean of tasks and wrong IDs",
            above=-ALLOWED_LOSS_POINTS,
            published=None,
            reason="No figure is published; the threshold was fixed before measuring.",
        ),
        judged(
            difference(change["cdsp"], change["standard"]),
            claim="A wrong task ID costs CDSP-MoE less than a standard mixture"
            + ("" if options.smallest else " with the same task dropout (the paper's rules)."),
            source=SOURCE,
            what="The standard mixture's loss minus CDSP-MoE's in percentage points",
            above=0.0,
            equivalence=POINT,
            published=None,
            reason="The standard mixture never met a hidden ID while it learnt; CDSP-MoE did half of the time."
            if options.smallest
            else "",
        ),
        judged(
            final(rows, "deceptive_routing_margin", model="cdsp"),
            claim="Tokens go by what the image shows, not by the ID that is claimed",
            source=SOURCE,
            what="Overlap of the routing under a wrong ID with the image's own task, minus that with the claimed task",
            above=0.0,
            equivalence=OVERLAP,
            published=None,
        ),
    ]
    tasks = tasks_in(rows)
    names = {"cdsp": "CDSP-MoE", "standard": "standard MoE"}
    given = {"right ID": own, "wrong ID": wrong}
    return Findings(
        claims=claims,
        charts=[
            bars(
                "Test accuracy with the right and with a wrong task ID",
                "accuracy",
                {label: {names[model]: values[model] for model in names} for label, values in given.items()},
            )
        ],
        tables=[
            table_of(
                f"{name}: accuracy by what is shown (lines) and which ID is given (columns)",
                {
                    ("none" if claimed == "none" else f"ID of {claimed}"): {
                        task: final(
                            rows, "accuracy", model=model, task=task, given="own" if claimed == task else claimed
                        )
                        for task in tasks
                    }
                    for claimed in (*tasks, "none")
                },
                first="task",
            )
            for model, name in names.items()
        ],
        notes=notes_on_data(rows, options),
    )


STUDY: Final = Study(
    name="deceptive",
    title="Deceptive inference",
    question="What happens when CDSP-MoE is given the wrong task ID?",
    jobs=jobs,
    run=run_training,
    find=find,
    theme="without ID",
)
