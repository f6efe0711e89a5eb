"""Study `continual`: Permuted MNIST, one task after the other, and what is forgotten."""

from __future__ import annotations

from collections.abc import Sequence

from cdsp_core.settings.config import RunConfig, to_dict
from cdsp_core.settings.presets import from_dict
from cdsp_core.studies.framework.preregistration import POINT
from cdsp_core.studies.framework.study import Chart, Findings, Job, Row, Study, StudyOptions, Tell
from cdsp_core.studies.framework.training import at_live_sizes
from cdsp_core.studies.framework.verdicts import (
    LAMBDA_0_NOTE,
    by_seed,
    curve,
    difference,
    judged,
    mean_over_seeds,
    means_table,
)

SOURCE = "beyond the experiments of arXiv:2512.20291; its claim that conflict keeps tasks apart, on a stream"
TASKS, SMALLEST_TASKS = 5, 3
STEPS, SMALLEST_STEPS = 600, 250

MODELS = {
    "cdsp": ("live", 10.0),
    "cdsp_lambda_0": ("live", 0.0),
    "standard": ("standard", 0.0),
    "dense": ("dense", 0.0),
}
"""The preset of every model and its lambda_conflict, which only CDSP has."""

LABELS = {
    "cdsp": "CDSP with lambda 10",
    "cdsp_lambda_0": "CDSP with lambda 0",
    "standard": "standard mixture",
    "dense": "dense net",
}


def jobs(options: StudyOptions) -> list[Job]:
    tasks, steps = (SMALLEST_TASKS, SMALLEST_STEPS) if options.smallest else (TASKS, STEPS)
    return [
        Job(
            key=f"{model}-{seed}",
            seed=seed,
            settings={
                "model": model,
                "preset": preset,
                "lambda_conflict": lambda_conflict,
                "tasks": tasks,
                "steps_per_task": steps,
                "config": to_dict(config_of(preset, lambda_conflict, tasks=tasks, steps=steps, seed=seed)),
            },
        )
        for seed in options.seed_range
        for model, (preset, lambda_conflict) in MODELS.items()
    ]


def config_of(preset: str, lambda_conflict: float, *, tasks: int, steps: int, seed: int) -> RunConfig:
    """`live`'s sizes; test images are looked at only when a task ends."""
    return at_live_sizes(
        preset,
        seed=seed,
        steps=tasks * steps,
        eval_every=tasks * steps + 1,
        eval_batch=200 * tasks,
        lambda_conflict=lambda_conflict,
    )


def run(job: Job, options: StudyOptions, tell: Tell) -> list[Row]:
    """Train task after task; after each, look at every task's whole test set."""
    from cdsp_core.studies.experiments import image_tasks, task_overlap
    from cdsp_core.training.batches import BatchStream
    from cdsp_core.training.trainer import Trainer

    tasks, steps = job.settings["tasks"], job.settings["steps_per_task"]
    digits = image_tasks.source("mnist", options)
    data = image_tasks.joined([image_tasks.permuted(digits, task, seed=job.seed) for task in range(tasks)])
    config = from_dict(job.settings["config"])
    trainer = Trainer(config, device=image_tasks.CPU, datasets=data)
    rows: list[Row] = []
    for stage in range(tasks):
        trainer.batches = BatchStream(
            image_tasks.only(data.train, stage),
            batch_size=config.train.batch_size,
            seed=job.seed,
            dropout_per=config.model.task_dropout,
            num_layers=config.model.num_layers,
        )
        for _ in range(steps):
            trainer.train_step()
            tell(trainer.step / trainer.total_steps, f"task {stage + 1} of {tasks}, step {trainer.step}")
        known, blind = trainer.test_accuracy()
        for task, name in enumerate(known):
            row: Row = {"stage": stage, "task": task, "accuracy": known[name], "accuracy_blind": blind[name]}
            rows.append(row)
        if trainer.cdsp_layers:
            trainer.look_at_test_images()
            rows[-1] |= task_overlap.structure(trainer.look.routing_LQE.numpy(), trainer.cdsp_layers)
    return rows


def find(rows: Sequence[Row], options: StudyOptions) -> Findings:
    forgetting = {model: forgotten(rows, model) for model in MODELS}
    unit = "points of accuracy, mean over the tasks before the last"
    claims = [
        judged(
            difference(forgetting[other], forgetting["cdsp"]),
            claim=claim,
            source=SOURCE,
            what=f"Forgetting, {LABELS[other]} minus CDSP with lambda 10, {unit}",
            above=0.0,
            equivalence=POINT,
            reason=_forgetting_text(forgetting, other),
        )
        for other, claim in (
            ("dense", "CDSP forgets less than a dense net of the same parameter count."),
            ("standard", "CDSP forgets less than a standard mixture of the same parameter count."),
            ("cdsp_lambda_0", "The conflict game is what keeps CDSP from forgetting."),
        )
    ]
    final = {model: final_accuracy(rows, model) for model in MODELS}
    claims.append(
        judged(
            difference(final["cdsp"], final["dense"]),
            claim="CDSP ends the stream with a higher mean accuracy over all tasks than a dense net.",
            source=SOURCE,
            what="Final mean accuracy of CDSP minus that of the dense net, in points",
            above=0.0,
            equivalence=POINT,
            reason="At the end: "
            + ", ".join(f"{LABELS[model]} {mean_over_seeds(final[model]):.1f}" for model in MODELS)
            + ".",
        )
    )
    return Findings(
        claims=claims,
        charts=[
            Chart(
                title="Accuracy on the first task as later ones are learnt, task ID given",
                x_label="tasks learnt after it",
                y_label="test accuracy",
                lines=[
                    curve(rows, label, x="stage", y="accuracy", model=model, task=0) for model, label in LABELS.items()
                ],
            ),
            Chart(
                title="Overlap of the backbone dimensions that the tasks use",
                x_label="tasks learnt after the first",
                y_label="dimension overlap",
                lines=[
                    curve(rows, LABELS[model], x="stage", y="dimension_overlap", model=model)
                    for model in ("cdsp", "cdsp_lambda_0")
                ],
            ),
        ],
        tables=[
            means_table(
                "Accuracy by task as the stream goes on, means over seeds",
                rows,
                by=("model", "stage", "task"),
                of=("accuracy", "accuracy_blind"),
            )
        ],
        notes=[
            "Tasks are MNIST with its pixels in a fixed random order, drawn anew for every seed; the first task keeps "
            "the order. All share one head of ten classes. Test accuracy with task ID, over all test images.",
            "Forgetting of a task is its accuracy right after it was learnt minus its accuracy at the end.",
            "The game sees only the conflicts inside a batch, and a batch here holds one task: the gradients of a task "
            "that is over are nowhere compared, so the method as stated has no term against forgetting it.",
            LAMBDA_0_NOTE,
            "CDSP and the standard mixture are given each task's ID, the dense net has no use for it. A model that "
            "learns less also has less to forget: compare the accuracies.",
            "Trained at `live`'s sizes with weights at 0.003 and A at 5 times that.",
            "No model keeps old images or protects weights; methods made for streams are not compared.",
        ],
    )


def forgotten(rows: Sequence[Row], model: str) -> dict[int, float]:
    """Forgetting by seed, in points of accuracy: mean over the tasks before the last one."""
    last = max(int(row["stage"] or 0) for row in rows)
    per_task = []
    for task in range(last):
        learnt = by_seed(rows, "accuracy", model=model, stage=task, task=task)
        at_end = by_seed(rows, "accuracy", model=model, stage=last, task=task)
        per_task.append(difference(learnt, at_end))
    return {seed: 100.0 * sum(task[seed] for task in per_task) / last for seed in per_task[0]}


def final_accuracy(rows: Sequence[Row], model: str) -> dict[int, float]:
    """Mean accuracy over all tasks at the end, by seed, in points."""
    last = max(int(row["stage"] or 0) for row in rows)
    return {seed: 100.0 * value for seed, value in by_seed(rows, "accuracy", model=model, stage=last).items()}


def _forgetting_text(forgetting: dict[str, dict[int, float]], other: str) -> str:
    ours, theirs = mean_over_seeds(forgetting["cdsp"]), mean_over_seeds(forgetting[other])
    return f"CDSP loses {ours:.1f} points, {LABELS[other]} {theirs:.1f}."


STUDY = Study(
    name="continual",
    title="Permuted MNIST, one task after the other",
    question="Does CDSP forget less than a dense net and a standard mixture of the same parameter count?",
    jobs=jobs,
    run=run,
    find=find,
    theme="beyond images",
    data=lambda options: f"Permuted MNIST, made from {'the full' if options.data == 'full' else 'the embedded'} MNIST.",
)
