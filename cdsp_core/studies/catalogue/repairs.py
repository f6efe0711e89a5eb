"""What would make it work: repairs of ours for the blind gap and for pruning, and controls that they need."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from cdsp_core.studies.experiments.encoder_run import run_training
from cdsp_core.studies.framework.study import Claim, Findings, Job, Row, Study, StudyOptions
from cdsp_core.studies.framework.training import (
    bars,
    base_config,
    final,
    gap,
    notes_on_data,
    points,
    table_of,
    training_job,
)
from cdsp_core.studies.framework.verdicts import difference, judged

SOURCE: Final = "this project"
BLIND_COST_POINTS: Final = 1.22
"""What never seeing an ID costs in the paper's table."""
POINT: Final = 1.0
OVERLAP: Final = 0.05
EVERYWHERE: Final[dict[str, Any]] = {"clip_scope": "apart", "p_drop": 0.5}
"""As in study headline, so that the two share their rows."""
INFERRED: Final[dict[str, Any]] = {"hidden_task": "inferred", "inference_weight": 1.0}
FORCE: Final[dict[str, Any]] = {"rank_rule": "force", "pressure_on": "weaker"}
ARMS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "cdsp": ("CDSP-MoE", {"lambda_conflict": 10.0}),
    "standard": ("standard MoE, same task dropout", {"architecture": "standard"}),
    "blind": ("blind MoE", {"architecture": "blind"}),
    "inferred": ("CDSP-MoE, task inferred", {"lambda_conflict": 10.0, **INFERRED}),
    "standard_inferred": ("standard MoE, task inferred", {"architecture": "standard", **INFERRED}),
    "blind_inferred": ("never with ID, task inferred", {"architecture": "standard", "p_drop": 1.0, **INFERRED}),
    "distilled": ("CDSP-MoE, routing distilled, weight 1", {"lambda_conflict": 10.0, "route_distillation": 1.0}),
    "distilled_10": ("CDSP-MoE, routing distilled, weight 10", {"lambda_conflict": 10.0, "route_distillation": 10.0}),
    "force": ("rank by force", {"lambda_conflict": 10.0, **FORCE}),
    "force_floor": ("rank by force, penalty with a floor", {"lambda_conflict": 10.0, **FORCE, "penalty_floor": -3.0}),
    "standard_active": ("standard MoE, 192 of 256 units a token", {"architecture": "standard", "top_k": 6}),
    "joint_clip": ("CDSP-MoE, weights and A clipped together", {"lambda_conflict": 10.0, "clip_scope": "all"}),
    "joint_clip_lambda_0": ("the same without conflict", {"lambda_conflict": 0.0, "clip_scope": "all"}),
    "lambda_0": ("CDSP-MoE without conflict", {"lambda_conflict": 0.0}),
}
"""Names, and where each differs from the paper's rules.

A token passes through 180 of 256 hidden units in CDSP-MoE. Six of a mixture's eight experts are 192 of 256: the
nearest number of its experts that is not in CDSP-MoE's favour, at the same number of parameters.
"""


def jobs(options: StudyOptions) -> list[Job]:
    """Every arm under the paper's rules."""
    return [
        training_job(
            f"paper-{arm}",
            base_config(options, seed=seed, **{**EVERYWHERE, **settings}),
            options,
            rules="paper",
            arm=arm,
        )
        for seed in options.seed_range
        for arm, (_, settings) in ARMS.items()
    ]


def find(rows: list[Row], options: StudyOptions) -> Findings:
    """What each repair gains, and what it costs."""
    given = {"with ID": "own", "without ID": "none"}
    accuracy = {
        how: {name: final(rows, "accuracy", given=which, arm=arm) for arm, (name, _) in ARMS.items()}
        for how, which in given.items()
    }
    costs = {name: gap(rows, arm=arm) for arm, (name, _) in ARMS.items()}
    return Findings(
        claims=[*_blind_gap(rows), *_pruning(rows), *_controls(rows)],
        charts=[bars("Test accuracy", "accuracy", accuracy)],
        tables=[table_of("Accuracy, and what hiding the ID costs in points", {**accuracy, "cost": costs}, first="arm")],
        notes=notes_on_data(rows, options),
    )


def _points(rows: Sequence[Row], first: str, second: str, given: str) -> dict[int, float]:
    return points(*(final(rows, "accuracy", given=given, arm=arm) for arm in (first, second)))


def _blind_gap(rows: Sequence[Row]) -> list[Claim]:
    claims = [
        judged(
            {seed: -cost for seed, cost in gap(rows, arm=arm).items()},
            claim=f"Hiding the task ID costs at most 1.22 points ({ARMS[arm][0]})",
            source=SOURCE,
            what="Test accuracy without ID minus with, in percentage points",
            above=-BLIND_COST_POINTS,
            theme="without ID",
        )
        for arm in ("inferred", "standard_inferred", "distilled", "distilled_10")
    ]
    claims += [
        judged(
            _points(rows, arm, "cdsp", "own"),
            claim=f"With ID the repair costs no accuracy ({ARMS[arm][0]})",
            source=SOURCE,
            what="Test accuracy with ID, repaired minus CDSP-MoE, in percentage points",
            above=-POINT,
            theme="without ID",
        )
        for arm in ("inferred", "distilled", "distilled_10")
    ]
    return claims + [
        judged(
            _points(rows, "inferred", other, "none"),
            claim=f"Without ID, CDSP-MoE that infers the task classifies better than {what}",
            source=SOURCE,
            what="Test accuracy without ID in percentage points, first minus second",
            above=0.0,
            equivalence=POINT,
            theme="without ID",
        )
        for other, what in (
            ("blind", "a mixture that never sees an ID"),
            ("standard_inferred", "a standard mixture that infers it too"),
            ("blind_inferred", "a mixture that is never told and infers it too"),
        )
    ]


def _pruning(rows: Sequence[Row]) -> list[Claim]:
    overlap = {arm: final(rows, "rank_overlap", arm=arm) for arm in ("cdsp", "force", "force_floor")}
    return [
        claim
        for arm in ("force", "force_floor")
        for claim in (
            judged(
                difference(overlap["cdsp"], overlap[arm]),
                claim=f"Experts share fewer dimensions than with Eq. 6's fixed rank ({ARMS[arm][0]})",
                source=SOURCE,
                what="Mean Jaccard overlap of the subspaces, fixed rank minus rank by force",
                above=0.0,
                equivalence=OVERLAP,
                theme="structure",
            ),
            judged(
                _points(rows, arm, "cdsp", "own"),
                claim=f"Pruning that prunes costs less than one point ({ARMS[arm][0]})",
                source=SOURCE,
                what="Test accuracy with ID, rank by force minus fixed rank, in percentage points",
                above=-POINT,
                theme="structure",
            ),
        )
    ]


def _controls(rows: Sequence[Row]) -> list[Claim]:
    joint, apart = (
        _points(rows, *pair, "own") for pair in (("joint_clip", "joint_clip_lambda_0"), ("cdsp", "lambda_0"))
    )
    return [
        judged(
            difference(apart, joint),
            claim="Clipping weights and A together makes conflict cost more",
            source=SOURCE,
            what="Lambda 10 minus 0 in points of accuracy with ID, clipped apart minus clipped together",
            above=0.0,
            equivalence=POINT,
            theme="conflict",
        ),
        judged(
            _points(rows, "standard_active", "cdsp", "own"),
            claim="At the same active width a standard mixture is at least as accurate as CDSP-MoE with ID",
            source=SOURCE,
            what="Standard mixture of 192 active units minus CDSP-MoE of 180, points of test accuracy",
            above=0.0,
            equivalence=POINT,
            for_method=False,
            theme="accuracy",
        ),
    ]


STUDY: Final = Study(
    name="repairs",
    title="What would make it work",
    question="Which repairs of ours close the gap without ID, which make pruning prune, and what do they cost?",
    jobs=jobs,
    run=run_training,
    find=find,
    theme="without ID",
)
