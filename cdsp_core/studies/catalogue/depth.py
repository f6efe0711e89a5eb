"""Depth: how experts overlap layer by layer, in networks of 2, 4 and 6 blocks."""

from __future__ import annotations

from typing import Any, Final

from cdsp_core.studies.experiments.encoder_run import run_training
from cdsp_core.studies.framework.preregistration import OVERLAP, PAPER
from cdsp_core.studies.framework.study import Chart, Findings, Job, Row, Study, StudyOptions
from cdsp_core.studies.framework.training import (
    EQUAL_WITHIN_POINTS,
    column,
    final,
    notes_on_data,
    points,
    sweep,
    table_of,
)
from cdsp_core.studies.framework.verdicts import curve, difference, judged

DEPTHS: Final = (2, 4, 6)
SOURCE: Final = f"{PAPER}, overlap per layer; deeper models than its own"


def jobs(options: StudyOptions) -> list[Job]:
    """Every depth."""
    return sweep("layers", "num_layers", DEPTHS, options)


def find(rows: list[Row], options: StudyOptions) -> Findings:
    """Last layer against first, and the deepest network against the paper's."""
    deepest = DEPTHS[-1]

    def last_minus_first(measure: str, **where: Any) -> dict[int, float]:
        last, first = (final(rows, measure, num_layers=deepest, layer=layer, **where) for layer in (deepest - 1, 0))
        return difference(last, first)

    accuracy = {depth: final(rows, "accuracy", given="own", num_layers=depth) for depth in DEPTHS}
    claims = [
        judged(
            {seed: -value for seed, value in last_minus_first("rank_overlap").items()},
            claim="Experts of the last layer share fewer dimensions than those of the first (6 blocks)",
            source=SOURCE,
            what="Mean Jaccard overlap of the subspaces in the first layer minus in the last",
            above=0.0,
            equivalence=OVERLAP,
        ),
        judged(
            last_minus_first("isolation", given="own"),
            claim="Tasks are further apart in the last layer's routing than in the first's (6 blocks)",
            source=SOURCE,
            what="Isolation of the tasks in the last layer minus in the first",
            above=0.0,
            equivalence=OVERLAP,
        ),
        judged(
            points(accuracy[deepest], accuracy[2]),
            claim="Six blocks train as well as two: less than one point of accuracy is lost",
            source=SOURCE,
            what="Test accuracy with ID with 6 blocks minus with 2 in percentage points",
            above=-EQUAL_WITHIN_POINTS,
        ),
        judged(
            final(rows, "alpha_sparsity", num_layers=deepest),
            claim="Structure forms in deeper networks too (6 blocks)",
            source=SOURCE,
            what="Alpha sparsity, mean of all layers over the last epoch; it begins at 0",
            above=0.1,
            reason="A third of the published 0.3 counts as structure.",
        ),
    ]
    charts = [
        Chart(
            title=f"{title}, layer by layer",
            x_label="layer",
            y_label=title.lower(),
            lines=[
                curve(rows, f"{depth} blocks", x="layer", y="value", kind="final", num_layers=depth, **which)
                for depth in DEPTHS
            ],
        )
        for title, which in (
            ("Rank overlap", {"measure": "rank_overlap"}),
            ("Isolation", {"measure": "isolation", "given": "own"}),
        )
    ]
    columns = {
        "accuracy with ID": column(DEPTHS, lambda depth: accuracy[depth]),
        "without ID": column(DEPTHS, lambda depth: final(rows, "accuracy", given="none", num_layers=depth)),
        "alpha sparsity": column(DEPTHS, lambda depth: final(rows, "alpha_sparsity", num_layers=depth)),
        "rank overlap": column(DEPTHS, lambda depth: final(rows, "rank_overlap", num_layers=depth)),
        "gradient interference": column(DEPTHS, lambda depth: final(rows, "gradient_interference", num_layers=depth)),
    }
    return Findings(
        claims=claims,
        charts=charts,
        tables=[table_of("By number of blocks, mean of the layers", columns, first="blocks")],
        notes=notes_on_data(rows, options),
    )


STUDY: Final = Study(
    name="depth",
    title="Depth",
    question="Do experts come to hold different dimensions in every layer, also in deeper networks?",
    jobs=jobs,
    run=run_training,
    find=find,
    theme="rates and depth",
)
