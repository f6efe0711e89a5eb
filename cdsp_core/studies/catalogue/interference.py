"""Study `interference`: two tasks on the same inputs that want opposite outputs (the method's demo)."""

from __future__ import annotations

from collections.abc import Sequence

from cdsp_core.settings.config import to_dict
from cdsp_core.studies.experiments.sizes import opposite_tasks_config
from cdsp_core.studies.framework.preregistration import OVERLAP
from cdsp_core.studies.framework.study import Chart, Findings, Job, Row, Study, StudyOptions, Tell
from cdsp_core.studies.framework.verdicts import (
    LAMBDA_0_NOTE,
    by_seed,
    curve,
    difference,
    judged,
    mean_over_seeds,
    means_table,
)

SOURCE = "arXiv:2512.20291, section 3.6, and the interference demo"
STEPS, SMALLEST_STEPS = 4000, 2000
LAMBDA = 10.0

MODELS = {
    "id": {"mlp": 0.0, "mlp_told": 0.0, "cdsp": LAMBDA, "cdsp_lambda_0": 0.0},
    "content": {"mlp": 0.0, "cdsp": LAMBDA, "cdsp_lambda_0": 0.0},
}
"""Per variant the models and their lambda_conflict; an MLP has no game."""

LABELS = {
    "mlp": "shared MLP",
    "mlp_told": "shared MLP, told the task",
    "cdsp": "CDSP, lambda 10",
    "cdsp_lambda_0": "CDSP, lambda 0",
}


def jobs(options: StudyOptions) -> list[Job]:
    steps = SMALLEST_STEPS if options.smallest else STEPS
    return [
        Job(
            key=f"{variant}-{model}-{seed}",
            seed=seed,
            settings={
                "variant": variant,
                "model": model,
                "lambda_conflict": lambda_conflict,
                "steps": steps,
                "config": to_dict(opposite_tasks_config(lambda_conflict)),
            },
        )
        for seed in options.seed_range
        for variant, models in MODELS.items()
        for model, lambda_conflict in models.items()
    ]


def run(job: Job, options: StudyOptions, tell: Tell) -> list[Row]:
    from cdsp_core.studies.experiments import opposite_tasks

    steps = job.settings["steps"]
    settings = {name: job.settings[name] for name in ("variant", "model", "lambda_conflict", "steps")}
    rows = opposite_tasks.train(**settings, seed=job.seed, every=max(steps // 20, 1), tell=tell)
    return [{**row, "final": row["step"] == steps} for row in rows]


def find(rows: Sequence[Row], options: StudyOptions) -> Findings:
    def final(variant: str, model: str, column: str) -> dict[int, float]:
        return by_seed(rows, column, variant=variant, model=model, final=True)

    def advantage(variant: str, other: str, column: str = "loss") -> dict[int, float]:
        return difference(final(variant, other, column), final(variant, "cdsp", column))

    loss = "in units of the targets' variance (1 is what predicting zero gives)"
    checks = [
        judged(
            advantage("id", "mlp"),
            claim="CDSP learns two opposite tasks that a shared MLP of the same size cannot learn.",
            source=SOURCE,
            what=f"Error of the shared MLP minus that of CDSP, {loss}",
            above=0.0,
            equivalence=0.01,
            reason="The MLP is not told the task, so zero is the best it can say: this shows what knowing the task is "
            "worth, not what the game is worth.",
        ),
    ]
    claims = [
        judged(
            advantage("id", "mlp_told"),
            claim="CDSP learns two opposite tasks better than a shared MLP of the same size that is told the task.",
            source=SOURCE,
            what=f"Error of the MLP that is told the task minus that of CDSP, {loss}",
            above=0.0,
            equivalence=0.01,
        ),
        judged(
            advantage("content", "mlp"),
            claim="CDSP learns two opposite tasks, told apart by content alone, better than a shared MLP of its size.",
            source=SOURCE,
            what=f"Error of the shared MLP minus that of CDSP, task readable from the input, {loss}",
            above=0.0,
            equivalence=0.01,
        ),
    ]
    for variant, known in (("id", "by ID"), ("content", "by content")):
        claims += [
            judged(
                advantage(variant, "cdsp_lambda_0", "dimension_overlap"),
                claim=f"The conflict penalty moves opposite tasks, known {known}, to different backbone dimensions.",
                source=SOURCE,
                what="Overlap of the backbone dimensions that the tasks use, lambda 0 minus lambda 10",
                above=0.0,
                equivalence=OVERLAP,
                reason=_shared_text(rows, variant),
            ),
            judged(
                advantage(variant, "cdsp_lambda_0"),
                claim=f"The conflict penalty lowers the error on opposite tasks known {known}.",
                source=SOURCE,
                what=f"Error with lambda 0 minus error with lambda 10, {loss}",
                above=0.0,
                equivalence=0.01,
            ),
        ]
    return Findings(
        claims=claims,
        checks=checks,
        charts=[
            _chart(rows, "id", "loss", "Error, task known by ID", "mean squared error / variance"),
            _chart(rows, "content", "loss", "Error, task readable from the input", "mean squared error / variance"),
            _chart(rows, "id", "dimension_overlap", "What the tasks share, known by ID", "overlap of dimensions used"),
            _chart(
                rows, "content", "dimension_overlap", "What the tasks share, by content", "overlap of dimensions used"
            ),
            _chart(rows, "id", "task_gradient_cosine", "Cosine of the tasks' gradients, by ID", "cosine"),
        ],
        tables=[
            means_table(
                "At the end, means over seeds",
                [row for row in rows if row["final"]],
                by=("variant", "model"),
                of=(
                    "loss",
                    "task_gradient_cosine",
                    "gradient_interference",
                    "routing_overlap",
                    "dimension_overlap",
                    "rank_overlap",
                ),
            )
        ],
        notes=[
            "Both tasks see the same 64 inputs at every step; f is a fixed random network of two layers, drawn anew "
            "for every seed. Errors are taken on 1,024 inputs never trained on.",
            "Weights learn at 0.003 and A at 5 times that.",
            "All models have the same number of weights, within 1 %, and the same learning rate and steps.",
            "With lambda 0 the topology still learns, by the task loss alone: the difference between the two CDSP runs "
            "is what the game adds, and what both have against the MLPs is the router's doing. " + LAMBDA_0_NOTE,
        ],
    )


def _shared_text(rows: Sequence[Row], variant: str) -> str:
    """What both tasks had in common at start and end, and how alike experts are, with the game and without."""
    parts = []
    for model in ("cdsp", "cdsp_lambda_0"):
        start, end = (
            mean_over_seeds(by_seed(rows, "dimension_overlap", variant=variant, model=model, **where))
            for where in ({"step": 0}, {"final": True})
        )
        alike = mean_over_seeds(by_seed(rows, "rank_overlap", variant=variant, model=model, final=True))
        parts.append(f"{LABELS[model]}, from {start:.2f} to {end:.2f}, two experts' subspaces then {alike:.2f} alike")
    return f"The common share went, with {'; with '.join(parts)} (Jaccard, mean over pairs)."


def _chart(rows: Sequence[Row], variant: str, column: str, title: str, y_label: str) -> Chart:
    lines = [curve(rows, LABELS[model], x="step", y=column, variant=variant, model=model) for model in MODELS[variant]]
    return Chart(title=title, x_label="step", y_label=y_label, lines=[line for line in lines if line.x])


STUDY = Study(
    name="interference",
    title="Two opposite tasks on the same inputs",
    question="Does the layer separate two tasks that want opposite outputs, and is it the conflict game that does it?",
    jobs=jobs,
    run=run,
    find=find,
    theme="conflict",
    data=lambda options: (
        "Drawn from a formula: normal inputs, and the outputs of a fixed random network and their negatives."
    ),
)
