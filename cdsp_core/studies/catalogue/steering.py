"""Controls that steer themselves: does the memo's bandit find a better lambda, or a course of sharing?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from cdsp_core.studies.catalogue.headline import EVERYWHERE
from cdsp_core.studies.framework.preregistration import MEMO, POINT, PROJECT
from cdsp_core.studies.framework.study import Chart, Claim, Findings, Job, Row, Study, StudyOptions, Tell
from cdsp_core.studies.framework.training import (
    bars,
    base_config,
    course_of,
    final,
    gap,
    notes_on_data,
    points,
    table_of,
    training_curve,
    training_job,
)
from cdsp_core.studies.framework.verdicts import judged
from cdsp_core.training.controller import ADDEND, FACTOR

LOOKS: Final[dict[str, Any]] = {"validation_frac": 0.1, "eval_batch": 600}
"""A look is at a fifth of the validation images: two of them go before each move."""
ARMS: Final[dict[str, dict[str, Any]]] = {
    "fixed": {},
    "lambda": {"controller": "lambda_conflict"},
    "lambda_by_lot": {"controller": "lambda_conflict"},
    "sharing": {"controller": "sharing"},
    "sharing_by_lot": {"controller": "sharing"},
}
NAMES: Final = {
    "fixed": "lambda 10, no offset",
    "lambda": "lambda steered",
    "lambda_by_lot": "lambda moved by lot",
    "sharing": "sharing steered",
    "sharing_by_lot": "sharing moved by lot",
}


def jobs(options: StudyOptions) -> list[Job]:
    """Every arm with every seed; all keep a tenth of the training images for the looks."""
    return [_job(arm, seed, options) for seed in options.seed_range for arm in ARMS]


def _job(arm: str, seed: int, options: StudyOptions) -> Job:
    settings = {"seed": seed, "lambda_conflict": 10.0, **EVERYWHERE, **LOOKS, **ARMS[arm]}
    by_lot = arm.endswith("_by_lot")
    return replace(training_job(arm, base_config(options, **settings), options, arm=arm, by_lot=by_lot), shared_as=None)


def run(job: Job, options: StudyOptions, tell: Tell) -> list[Row]:
    """Train while the control moves, then measure. Raises what Trainer raises."""
    from cdsp_core.studies.experiments.steering import measured_and_steered

    return measured_and_steered(job.settings["config"], by_lot=job.settings["by_lot"], options=options, tell=tell)


def find(rows: list[Row], options: StudyOptions) -> Findings:
    """What steering gains over standing still, and over moving as often without a reward."""
    return Findings(
        claims=[*_gains(rows), _high_first(rows)],
        charts=[
            _course(rows, "lambda_conflict", "Lambda", ("lambda", "lambda_by_lot")),
            _course(rows, "sharing", "Offset on A", ("sharing", "sharing_by_lot")),
            bars("Accuracy without ID", "test accuracy", {"without ID": _accuracy(rows, given="none")}),
        ],
        tables=[_table(rows)],
        notes=[
            *notes_on_data(rows, options),
            f"The controller moves every 200 steps: lambda by a factor of {FACTOR}, sharing, an offset on every entry "
            f"of A, by {ADDEND}. Its reward is the change of accuracy without ID on images kept from training; test "
            "images are looked at once, at the end. Moves by lot are as many and as far, each drawn evenly.",
        ],
    )


def _accuracy(rows: Sequence[Row], *, given: str) -> dict[str, dict[int, float]]:
    return {NAMES[arm]: final(rows, "accuracy", arm=arm, given=given) for arm in ARMS}


def _gains(rows: Sequence[Row]) -> list[Claim]:
    accuracy = _accuracy(rows, given="none")
    contrasts = (
        ("lambda", "fixed", "Steered by a bandit lambda gives a higher accuracy without ID than lambda 10", MEMO),
        ("lambda", "lambda_by_lot", "Lambda moved by lot gives less than lambda steered by the bandit", PROJECT),
        ("sharing", "fixed", "Steered by a bandit sharing gives a higher accuracy without ID than none", MEMO),
        ("sharing", "sharing_by_lot", "Sharing moved by lot gives less than sharing steered by the bandit", PROJECT),
    )
    return [
        judged(
            points(accuracy[NAMES[steered]], accuracy[NAMES[other]]),
            claim=claim,
            source=source,
            what=f"{NAMES[steered].capitalize()} minus {NAMES[other]}, test accuracy without ID in percentage points",
            above=0.0,
            equivalence=POINT,
        )
        for steered, other, claim, source in contrasts
    ]


def _high_first(rows: Sequence[Row]) -> Claim:
    return judged(
        {seed: _fall(course) for seed, course in course_of(rows, "sharing", arm="sharing").items()},
        claim="Steered by a bandit sharing is high at first and low later",
        source=MEMO,
        what="Mean offset on A in the first third of the looks minus in the last third",
        above=0.0,
        equivalence=ADDEND,
        theme="structure",
        reason="The bound of no effect is one move. Sharing that comes back when the data drift is not tried.",
    )


def _fall(course: Sequence[tuple[int, float]]) -> float:
    """Mean of the first third of the looks minus mean of the last."""
    third, values = max(len(course) // 3, 1), [value for _, value in course]
    return (sum(values[:third]) - sum(values[-third:])) / third


def _course(rows: Sequence[Row], measure: str, label: str, arms: Sequence[str]) -> Chart:
    lines = [training_curve(rows, NAMES[arm], measure, {"arm": arm}) for arm in arms]
    return Chart(title=f"{label}, steered and by lot", x_label="step", y_label=label.lower(), lines=lines)


def _table(rows: Sequence[Row]) -> Any:
    def last(measure: str) -> dict[str, dict[int, float]]:
        courses = {NAMES[arm]: course_of(rows, measure, arm=arm) for arm in ARMS}
        return {name: {seed: course[-1][1] for seed, course in of.items()} for name, of in courses.items()}

    columns = {
        "accuracy with ID": _accuracy(rows, given="own"),
        "without ID": _accuracy(rows, given="none"),
        "gap, points": {NAMES[arm]: gap(rows, arm=arm) for arm in ARMS},
        "lambda at the end": last("lambda_conflict"),
        "offset on A at the end": last("sharing"),
        "rank overlap": {NAMES[arm]: final(rows, "rank_overlap", arm=arm) for arm in ARMS},
    }
    return table_of("Every arm", columns, first="arm")


STUDY: Final = Study(
    name="steering",
    title="Controls that steer themselves",
    question="Does the memo's bandit find a better lambda, or a better course of sharing, than leaving them alone?",
    jobs=jobs,
    run=run,
    find=find,
    theme="without ID",
)
