"""Task dropout: how often must the task ID be hidden for the network to do without it?"""

from __future__ import annotations

from typing import Final

from cdsp_core.studies.experiments.encoder_run import run_training
from cdsp_core.studies.framework.preregistration import OVERLAP, PAPER, POINT
from cdsp_core.studies.framework.study import Findings, Job, Row, Study, StudyOptions
from cdsp_core.studies.framework.training import (
    EQUAL_WITHIN_POINTS,
    bars,
    column,
    final,
    gap,
    notes_on_data,
    points,
    sweep,
    table_of,
)
from cdsp_core.studies.framework.verdicts import difference, judged

DROPS: Final = (0.0, 0.1, 0.5, 0.9)
SOURCE: Final = f"{PAPER}, Eq. 10-12"


def jobs(options: StudyOptions) -> list[Job]:
    """Every share of hidden IDs."""
    return sweep("p-drop", "p_drop", DROPS, options)


def find(rows: list[Row], options: StudyOptions) -> Findings:
    """What hiding the ID gains without it and costs with it."""
    own = {drop: final(rows, "accuracy", given="own", p_drop=drop) for drop in DROPS}
    blind = {drop: final(rows, "accuracy", given="none", p_drop=drop) for drop in DROPS}
    consistency = {drop: final(rows, "routing_consistency", p_drop=drop) for drop in DROPS}
    gaps = {drop: gap(rows, p_drop=drop) for drop in DROPS}
    claims = [
        judged(
            points(blind[0.5], blind[0.0]),
            claim="Hiding the ID half of the time makes blind inference better",
            source=SOURCE,
            what="Test accuracy without ID at p_drop 0.5 minus at 0 in percentage points",
            above=0.0,
            equivalence=POINT,
        ),
        judged(
            difference(gaps[0.0], gaps[0.9]),
            claim="The more often the ID is hidden, the smaller is the gap without it",
            source=SOURCE,
            what="Gap between accuracy with and without ID at p_drop 0 minus at 0.9 in percentage points",
            above=0.0,
            equivalence=POINT,
        ),
        judged(
            points(own[0.5], own[0.0]),
            claim="Hiding the ID half of the time costs less than one point of accuracy with ID",
            source=SOURCE,
            what="Test accuracy with ID at p_drop 0.5 minus at 0 in percentage points",
            above=-EQUAL_WITHIN_POINTS,
        ),
        judged(
            difference(consistency[0.5], consistency[0.0]),
            claim="Hiding the ID makes the routing the same with and without it",
            source=SOURCE,
            what="Routing consistency at p_drop 0.5 minus at 0",
            above=0.0,
            equivalence=OVERLAP,
        ),
    ]
    accuracy = {
        "with ID": column(DROPS, lambda drop: own[drop]),
        "without ID": column(DROPS, lambda drop: blind[drop]),
        "with a wrong ID": column(DROPS, lambda drop: final(rows, "accuracy_deceptive", p_drop=drop)),
    }
    columns = {
        **accuracy,
        "gap without ID, points": column(DROPS, lambda drop: gaps[drop]),
        "routing consistency": column(DROPS, lambda drop: consistency[drop]),
    }
    return Findings(
        claims=claims,
        charts=[bars("Test accuracy by p_drop", "accuracy", accuracy)],
        tables=[table_of("By p_drop", columns, first="p_drop")],
        notes=notes_on_data(rows, options),
    )


STUDY: Final = Study(
    name="p-drop",
    title="Task dropout",
    question="How often must the task ID be hidden while learning: never, 10 %, half or 90 % of the time?",
    jobs=jobs,
    run=run_training,
    find=find,
    theme="without ID",
)
