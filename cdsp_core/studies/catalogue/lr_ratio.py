"""Two speeds: how much faster than the weights must the topology learn?"""

from __future__ import annotations

from typing import Final

from cdsp_core.studies.experiments.encoder_run import run_training
from cdsp_core.studies.framework.preregistration import OVERLAP, PAPER
from cdsp_core.studies.framework.study import Chart, Findings, Job, Row, Study, StudyOptions
from cdsp_core.studies.framework.training import (
    EQUAL_WITHIN_POINTS,
    column,
    final,
    gap,
    notes_on_data,
    points,
    sweep,
    table_of,
    training_curve,
)
from cdsp_core.studies.framework.verdicts import difference, judged

RATIOS: Final = (1.0, 5.0, 10.0, 20.0)
SOURCE: Final = f"{PAPER}, section 3.7"


def jobs(options: StudyOptions) -> list[Job]:
    """Every ratio; the weights learn at the same rate in all."""
    return sweep("ratio", "lr_ratio", RATIOS, options)


def find(rows: list[Row], options: StudyOptions) -> Findings:
    """The paper's ratio, 10, against 1: structure, accuracy, and the gap without ID."""
    accuracy = {ratio: final(rows, "accuracy", given="own", lr_ratio=ratio) for ratio in RATIOS}
    entropy = {ratio: final(rows, "structural_entropy", lr_ratio=ratio) for ratio in RATIOS}
    claims = [
        judged(
            difference(entropy[1.0], entropy[10.0]),
            claim="A topology that learns ten times faster than the weights becomes more decided than one as fast",
            source=SOURCE,
            what="Structural entropy at ratio 1 minus at 10, bits an entry of sigmoid(A), last epoch",
            above=0.0,
            equivalence=OVERLAP,
        ),
        judged(
            points(accuracy[10.0], accuracy[1.0]),
            claim="Ratio 10 costs less than one point of accuracy against ratio 1",
            source=SOURCE,
            what="Test accuracy with ID at ratio 10 minus at 1 in percentage points",
            above=-EQUAL_WITHIN_POINTS,
        ),
        judged(
            points(accuracy[10.0], accuracy[20.0]),
            claim="A still faster topology is no more accurate: ratio 20 gains less than one point over 10",
            source=SOURCE,
            what="Test accuracy with ID at ratio 10 minus at 20 in percentage points",
            above=-EQUAL_WITHIN_POINTS,
        ),
    ]
    columns = {
        "accuracy with ID": column(RATIOS, lambda ratio: accuracy[ratio]),
        "gap without ID, points": column(RATIOS, lambda ratio: gap(rows, lr_ratio=ratio)),
        "alpha sparsity": column(RATIOS, lambda ratio: final(rows, "alpha_sparsity", lr_ratio=ratio)),
        "structural entropy, bits": column(RATIOS, lambda ratio: entropy[ratio]),
        "Gini of the diagonal": column(RATIOS, lambda ratio: final(rows, "diagonal_gini", lr_ratio=ratio)),
        "isolation": column(RATIOS, lambda ratio: final(rows, "isolation", given="own", lr_ratio=ratio)),
    }
    return Findings(
        claims=claims,
        charts=[
            Chart(
                title=title,
                x_label="step",
                y_label=label,
                lines=[training_curve(rows, f"ratio {ratio:g}", measure, {"lr_ratio": ratio}) for ratio in RATIOS],
            )
            for title, label, measure in (
                ("Structural entropy by learning-rate ratio", "bits", "structural_entropy"),
                ("Task loss by learning-rate ratio", "loss", "task_loss"),
            )
        ],
        tables=[table_of("By learning-rate ratio", columns, first="ratio")],
        notes=notes_on_data(rows, options),
    )


STUDY: Final = Study(
    name="lr-ratio",
    title="Two speeds",
    question="How much faster than the weights must the topology learn: 1, 5, 10 or 20 times?",
    jobs=jobs,
    run=run_training,
    find=find,
    theme="rates and depth",
)
