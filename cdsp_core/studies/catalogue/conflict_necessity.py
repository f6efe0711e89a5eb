"""Is the conflict needed? The same training with lambda_conflict 0 and 10."""

from __future__ import annotations

from typing import Final

from cdsp_core.studies.experiments.encoder_run import run_training
from cdsp_core.studies.framework.preregistration import OVERLAP, PAPER
from cdsp_core.studies.framework.study import Chart, Claim, Findings, Job, Row, Study, StudyOptions
from cdsp_core.studies.framework.training import (
    EQUAL_WITHIN_POINTS,
    final,
    notes_on_data,
    points,
    sweep,
    table_of,
    training_curve,
)
from cdsp_core.studies.framework.verdicts import difference, judged

LAMBDAS: Final = (0.0, 10.0)
SOURCE: Final = "this project: the paper has no ablation of the conflict"


def jobs(options: StudyOptions) -> list[Job]:
    """Both weights of the conflict; 0 leaves out the regularisers too, which it multiplies."""
    return sweep("lambda", "lambda_conflict", LAMBDAS, options)


def find(rows: list[Row], options: StudyOptions) -> Findings:
    """With conflict minus without, seed by seed."""

    def gain(measure: str, **where: str) -> dict[int, float]:
        off, on = (final(rows, measure, lambda_conflict=value, **where) for value in LAMBDAS)
        return difference(on, off)

    accuracy = [final(rows, "accuracy", given="own", lambda_conflict=value) for value in LAMBDAS]
    claims = [
        judged(
            gain("alpha_sparsity"),
            claim="The topology becomes sparse because of the conflict",
            source=SOURCE,
            what="Alpha sparsity at lambda 10 minus at 0",
            above=0.0,
            equivalence=OVERLAP,
        ),
        _settling(rows),
        judged(
            {seed: -value for seed, value in gain("gradient_interference").items()},
            claim="Conflict lowers the interference of the experts' gradients",
            source=SOURCE,
            what="Mean conflict of overlapping active pairs at lambda 0 minus at 10",
            above=0.0,
            equivalence=0.01,
        ),
        judged(
            gain("isolation", given="own"),
            claim="Conflict drives the tasks' routing apart",
            source=SOURCE,
            what="Isolation of the tasks at lambda 10 minus at 0",
            above=0.0,
            equivalence=OVERLAP,
        ),
        judged(
            points(accuracy[1], accuracy[0]),
            claim="The structure costs less than one point of accuracy",
            source=SOURCE,
            what="Test accuracy with ID at lambda 10 minus at 0 in percentage points",
            above=-EQUAL_WITHIN_POINTS,
        ),
    ]
    measures = {
        "alpha sparsity": ("alpha_sparsity", {}),
        "structural entropy, bits": ("structural_entropy", {}),
        "gradient interference": ("gradient_interference", {}),
        "rank overlap": ("rank_overlap", {}),
        "isolation": ("isolation", {"given": "own"}),
        "accuracy with ID": ("accuracy", {"given": "own"}),
        "without ID": ("accuracy", {"given": "none"}),
    }
    return Findings(
        claims=claims,
        charts=[
            Chart(
                title=title,
                x_label="step",
                y_label=measure.replace("_", " "),
                lines=[
                    training_curve(rows, f"lambda {value:g}", measure, {"lambda_conflict": value}) for value in LAMBDAS
                ],
            )
            for title, measure in (
                ("Alpha sparsity", "alpha_sparsity"),
                ("Gradient interference", "gradient_interference"),
            )
        ],
        tables=[
            table_of(
                "With and without conflict",
                {
                    name: {f"{value:g}": final(rows, measure, lambda_conflict=value, **where) for value in LAMBDAS}
                    for name, (measure, where) in measures.items()
                },
                first="lambda",
            )
        ],
        notes=[
            *notes_on_data(rows, options),
            "Lambda multiplies conflict and regularisers alike, so lambda 0 has neither.",
        ],
    )


def _settling(rows: list[Row]) -> Claim:
    return judged(
        final(rows, "alpha_sparsity", lambda_conflict=10.0),
        claim="Alpha sparsity settles near 0.3 (the paper's Eq. 16)",
        source=f"{PAPER}, Eq. 18",
        what="Share of sigmoid(A) below 0.1, mean of the layers over the last epoch",
        within=(0.2, 0.4),
        published="about 0.3 after some 6,500 steps",
        cause="Eq. 16 presses on A with a constant force that never fades, also when an entry is closed; the "
        "published figure comes from a program that presses only while A > 0.001 (study table has it).",
    )


STUDY: Final = Study(
    name="conflict-necessity",
    title="Is the conflict needed?",
    question="Which of structure, isolation and accuracy go away when gradient conflict no longer shapes the topology?",
    jobs=jobs,
    run=run_training,
    find=find,
    theme="conflict",
)
