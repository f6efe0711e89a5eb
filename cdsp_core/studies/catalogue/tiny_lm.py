"""Study `tiny-lm`: a small language model of bytes on Python code and English prose."""

from __future__ import annotations

import platform
from collections.abc import Sequence

from cdsp_core.settings.config import to_dict
from cdsp_core.studies.experiments.sizes import text_config
from cdsp_core.studies.framework.preregistration import OVERLAP
from cdsp_core.studies.framework.study import Chart, Findings, Job, Line, Row, Study, StudyOptions, Tell
from cdsp_core.studies.framework.verdicts import (
    LAMBDA_0_NOTE,
    by_seed,
    curve,
    difference,
    judged,
    mean_over_seeds,
    means_table,
)

SOURCE = "beyond the experiments of arXiv:2512.20291; its claim that experts separate tasks by content, on text"
STEPS, SMALLEST_STEPS = 6000, 600
"""The whole form has ten times the budget of the smallest, which is too short for a language model."""
LAMBDA = 10.0
APART_ABOVE = 0.5
MODELS = {
    "cdsp": ("cdsp", LAMBDA),
    "cdsp_lambda_0": ("cdsp", 0.0),
    "dense": ("dense", 0.0),
    "standard": ("standard", 0.0),
}
MEASURES = ("bits_code", "bits_prose", "isolation", "specialization", "dimension_overlap")
LABELS = {
    "cdsp": "CDSP, lambda 10",
    "cdsp_lambda_0": "CDSP, lambda 0",
    "dense": "dense net",
    "standard": "standard mixture, kind hidden as often",
}


def jobs(options: StudyOptions) -> list[Job]:
    steps = SMALLEST_STEPS if options.smallest else STEPS
    return [
        Job(
            key=f"{model}-{seed}",
            seed=seed,
            settings={
                "model": model,
                "architecture": architecture,
                "lambda_conflict": weight,
                "steps": steps,
                "config": to_dict(text_config(architecture, weight)),
            },
        )
        for seed in options.seed_range
        for model, (architecture, weight) in MODELS.items()
    ]


def run(job: Job, options: StudyOptions, tell: Tell) -> list[Row]:
    from cdsp_core.studies.experiments import text_data, text_model

    steps = job.settings["steps"]
    rows = text_model.train(
        architecture=job.settings["architecture"],
        lambda_conflict=job.settings["lambda_conflict"],
        texts=text_data.standard_library(),
        seed=job.seed,
        steps=steps,
        every=max(steps // (5 if options.smallest else 20), 1),
        tell=tell,
    )
    about: Row = {"python": platform.python_version()}
    return [{**row, **about, "final": row["step"] == steps} for row in rows]


def find(rows: Sequence[Row], options: StudyOptions) -> Findings:
    def final(model: str, column: str) -> dict[int, float]:
        return by_seed(rows, column, model=model, final=True)

    def start(column: str) -> dict[int, float]:
        return by_seed(rows, column, model="cdsp", step=0)

    isolation = "Isolation (1 minus overlap of the two kinds' routing), kind hidden"
    claims = [
        judged(
            final("cdsp", "isolation_blind"),
            claim="Without the kind the experts separate code from prose: most traffic goes to different ones.",
            source=SOURCE,
            what=f"{isolation}, at the end",
            above=APART_ABOVE,
        ),
        judged(
            difference(final("cdsp", "isolation_blind"), start("isolation_blind")),
            claim="Without the kind code and prose come to be routed further apart than by a random router.",
            source=SOURCE,
            what=f"{isolation}: end minus start",
            above=0.0,
            equivalence=OVERLAP,
            reason=f"From {_mean(start('isolation_blind'))} to {_mean(final('cdsp', 'isolation_blind'))}; with the "
            f"kind given {_mean(final('cdsp', 'isolation'))}. A random router separates a little: the bytes differ.",
        ),
        judged(
            difference(start("dimension_overlap_blind"), final("cdsp", "dimension_overlap_blind")),
            claim="Without the kind code and prose come to use different dimensions of the backbone.",
            source=SOURCE,
            what="Overlap of the backbone dimensions used, kind hidden: start minus end",
            above=0.0,
            equivalence=OVERLAP,
        ),
        judged(
            difference(final("cdsp", "isolation_blind"), final("cdsp_lambda_0", "isolation_blind")),
            claim="It is the conflict game that separates code from prose.",
            source=SOURCE,
            what=f"{isolation}: lambda 10 minus lambda 0",
            above=0.0,
            equivalence=OVERLAP,
            reason=f"Lambda 0 ends at {_mean(final('cdsp_lambda_0', 'isolation_blind'))}.",
        ),
        judged(
            difference(final("cdsp", "routing_consistency"), final("cdsp", "routing_confusion")),
            claim="Text without its kind is routed as its own kind is with it, rather than as the other kind.",
            source=SOURCE,
            what="Overlap of the routing with the kind hidden with that kind's own, minus that with the other kind's",
            above=0.0,
            equivalence=OVERLAP,
            reason=f"Own {_mean(final('cdsp', 'routing_consistency'))}, "
            f"other {_mean(final('cdsp', 'routing_confusion'))}.",
        ),
        judged(
            difference(final("dense", "bits"), final("cdsp", "bits")),
            claim="CDSP models code and prose better than a dense net of the same parameter count.",
            source=SOURCE,
            what="Bits a byte of the dense net minus those of CDSP, kind given, mean of the kinds",
            above=0.0,
            equivalence=0.02,
            reason=_bits_text(rows),
        ),
        judged(
            difference(final("dense", "bits"), final("cdsp", "bits_blind")),
            claim="CDSP models code and prose better than a dense net also without the kind.",
            source=SOURCE,
            what="Bits a byte of the dense net minus those of CDSP, kind hidden, mean of the kinds",
            above=0.0,
            equivalence=0.02,
        ),
        judged(
            difference(final("cdsp_lambda_0", "bits"), final("cdsp", "bits")),
            claim="The conflict game lowers the loss on code and prose.",
            source=SOURCE,
            what="Bits a byte with lambda 0 minus with lambda 10, kind given, mean of the kinds",
            above=0.0,
            equivalence=0.02,
        ),
        judged(
            difference(final("standard", "bits"), final("cdsp", "bits")),
            claim="CDSP models code and prose better than a standard mixture from which the kind is hidden as often.",
            source=SOURCE,
            what="Bits a byte of the standard mixture minus those of CDSP, kind given, mean of the kinds",
            above=0.0,
            equivalence=0.02,
        ),
        judged(
            difference(
                difference(final("standard", "bits_blind"), final("standard", "bits")),
                difference(final("cdsp", "bits_blind"), final("cdsp", "bits")),
            ),
            claim="Hiding the kind costs CDSP less than a standard mixture from which it is hidden as often.",
            source=SOURCE,
            what="Cost of hiding the kind for the standard mixture minus that for CDSP, bits a byte, mean of the kinds",
            above=0.0,
            equivalence=0.02,
        ),
        judged(
            difference(final("cdsp", "isolation_blind"), final("standard", "isolation_blind")),
            claim="Without the kind code and prose are routed further apart in CDSP than in a standard mixture.",
            source=SOURCE,
            what=f"{isolation}: CDSP minus the standard mixture",
            above=0.0,
            equivalence=OVERLAP,
        ),
    ]
    there = [model for model in MODELS if any(row["model"] == model for row in rows)]
    return Findings(
        claims=claims,
        charts=[
            Chart(
                title="Loss on text never trained on, kind given",
                x_label="step",
                y_label="bits a byte",
                lines=_lines(rows, ("bits_code", "bits_prose"), there),
            ),
            Chart(
                title="Isolation of code from prose",
                x_label="step",
                y_label="1 - overlap of routing",
                lines=_lines(rows, ("isolation", "isolation_blind"), ("cdsp", "cdsp_lambda_0")),
            ),
            Chart(
                title="Backbone dimensions that code and prose have in common",
                x_label="step",
                y_label="dimension overlap",
                lines=_lines(rows, ("dimension_overlap", "dimension_overlap_blind"), ("cdsp", "cdsp_lambda_0")),
            ),
        ],
        tables=[
            means_table(
                f"At the end, {side}, means over seeds",
                [row for row in rows if row["final"]],
                by=("model",),
                of=[f"{name}{suffix}" for name in MEASURES],
            )
            for side, suffix in (("kind given", ""), ("kind hidden", "_blind"))
        ],
        notes=[
            "Code: top-level modules of the standard library without docstrings and comments. Prose: their docstrings "
            "without those that quote code. Every eighth module is kept for testing. Bytes, 64 of context.",
            f"Python {', '.join(sorted({str(row['python']) for row in rows if row.get('python')}))} made the text; "
            "another version gives a slightly different text.",
            "The kind is given with every second window in training; it reaches the routers only. The dense net has no "
            "router and is never told. The standard mixture has the load-balance loss.",
            LAMBDA_0_NOTE,
            f"Parameters: {', '.join(f'{LABELS[model]} {_parameters(rows, model):,}' for model in there)}.",
        ],
    )


def _mean(value_of_seed: dict[int, float]) -> str:
    return f"{mean_over_seeds(value_of_seed):.2f}"


def _bits_text(rows: Sequence[Row]) -> str:
    """Bits a byte at the end, per model and kind, with the kind given and hidden."""
    parts = []
    for model, label in LABELS.items():
        if not any(row["model"] == model for row in rows):
            continue
        code, prose, code_blind, prose_blind = (
            _mean(by_seed(rows, column, model=model, final=True))
            for column in ("bits_code", "bits_prose", "bits_code_blind", "bits_prose_blind")
        )
        hidden = "" if model == "dense" else f" (kind hidden {code_blind} and {prose_blind})"
        parts.append(f"{label} {code} on code and {prose} on prose{hidden}")
    return f"At the end: {'; '.join(parts)}."


def _parameters(rows: Sequence[Row], model: str) -> int:
    return next(int(row["parameters"] or 0) for row in rows if row["model"] == model)


def _lines(rows: Sequence[Row], columns: Sequence[str], models: Sequence[str]) -> list[Line]:
    return [
        curve(rows, f"{LABELS[model]}, {column.replace('_', ' ')}", x="step", y=column, model=model)
        for model in models
        for column in columns
    ]


STUDY = Study(
    name="tiny-lm",
    title="A small language model of code and prose",
    question="Do the experts separate code from prose, without being told which is which?",
    jobs=jobs,
    run=run,
    find=find,
    theme="beyond images",
    data=lambda options: "Python's standard library: its code, and its English documentation strings.",
)
