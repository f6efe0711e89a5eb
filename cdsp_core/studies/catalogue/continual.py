"""Study `continual`: Permuted MNIST, one task after the other, and what is forgotten."""

from __future__ import annotations

from collections.abc import Sequence

from cdsp_core.settings.config import RunConfig, to_dict
from cdsp_core.settings.presets import from_dict
from cdsp_core.studies.framework.preregistration import POINT
from cdsp_core.studies.framework.study import Chart, Claim, Findings, Job, Row, Study, StudyOptions, Tell
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
OURS = "this project: beyond the experiments of arXiv:2512.20291"
TASKS, SMALLEST_TASKS = 5, 3
STEPS, SMALLEST_STEPS = 600, 250

MODELS = {
    "cdsp": ("live", 10.0),
    "cdsp_lambda_0": ("live", 0.0),
    "standard": ("standard", 0.0),
    "dense": ("dense", 0.0),
    "cdsp_memory": ("live", 10.0),
    "cdsp_replay": ("live", 10.0),
    "dense_replay": ("dense", 0.0),
    "dense_ewc_100": ("dense", 0.0),
    "dense_ewc_1000": ("dense", 0.0),
    "dense_ewc_10000": ("dense", 0.0),
}
"""The preset of every model and its lambda_conflict, which only CDSP has."""
MEMORY, REPLAY, EWC = "conflict memory", "replay", "EWC"
AIDS: dict[str, tuple[str, float]] = {
    "cdsp_memory": (MEMORY, 0.0),
    "cdsp_replay": (REPLAY, 0.0),
    "dense_replay": (REPLAY, 0.0),
    "dense_ewc_100": (EWC, 100.0),
    "dense_ewc_1000": (EWC, 1000.0),
    "dense_ewc_10000": (EWC, 10000.0),
}
"""What a model has against forgetting, and EWC's strength; no one strength is chosen, so each is a model."""

LABELS = {
    "cdsp": "CDSP with lambda 10",
    "cdsp_lambda_0": "CDSP with lambda 0",
    "standard": "standard mixture",
    "dense": "dense net",
    "cdsp_memory": "CDSP with conflict memory",
    "cdsp_replay": "CDSP with replay",
    "dense_replay": "dense net with replay",
    "dense_ewc_100": "dense net with EWC, strength 100",
    "dense_ewc_1000": "dense net with EWC, strength 1,000",
    "dense_ewc_10000": "dense net with EWC, strength 10,000",
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
                **_aid(model),
                "config": to_dict(config_of(preset, lambda_conflict, tasks=tasks, steps=steps, seed=seed)),
            },
        )
        for seed in options.seed_range
        for model, (preset, lambda_conflict) in MODELS.items()
    ]


def _aid(model: str) -> dict[str, str | float]:
    """Settings of the models that have something against forgetting; the others keep those that they had before."""
    aid, strength = AIDS.get(model, ("", 0.0))
    return {"aid": aid, "strength": strength} if aid else {}


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
    from cdsp_core.studies.experiments import image_tasks, streams, task_overlap

    aid = job.settings.get("aid")
    tasks, steps = job.settings["tasks"], job.settings["steps_per_task"]
    digits = image_tasks.source("mnist", options)
    data = image_tasks.joined([image_tasks.permuted(digits, task, seed=job.seed) for task in range(tasks)])
    config = from_dict(job.settings["config"])
    trainer = streams.StreamTrainer(config, device=image_tasks.CPU, datasets=data)
    if aid == MEMORY:
        trainer.memory = streams.ConflictMemory(seed=job.seed)
    kept = None
    rows: list[Row] = []
    for stage in range(tasks):
        learnt = image_tasks.only(data.train, stage)
        batches = streams.Replay(
            learnt,
            batch_size=config.train.batch_size,
            seed=job.seed,
            dropout_per=config.model.task_dropout,
            num_layers=config.model.num_layers,
        )
        batches.kept, batches.seed = kept, job.seed
        trainer.batches = batches
        for _ in range(steps):
            trainer.train_step()
            tell(trainer.step / trainer.total_steps, f"task {stage + 1} of {tasks}, step {trainer.step}")
        if aid == REPLAY:
            kept = streams.with_kept(kept, learnt, seed=job.seed, task=stage)
        elif aid == EWC:
            strength = job.settings["strength"]
            trainer.anchors += (streams.anchor(trainer, learnt, strength=strength, seed=job.seed, task=stage),)
        elif trainer.memory is not None:
            trainer.memory.end_task()
        known, blind = trainer.test_accuracy()
        for task, name in enumerate(known):
            row: Row = {"stage": stage, "task": task, "accuracy": known[name], "accuracy_blind": blind[name]}
            rows.append(row)
        if trainer.cdsp_layers:
            trainer.look_at_test_images()
            rows[-1] |= task_overlap.structure(trainer.look.routing_LQE.numpy(), trainer.cdsp_layers)
    return rows


def find(rows: Sequence[Row], options: StudyOptions) -> Findings:
    there = [model for model in MODELS if any(row["model"] == model for row in rows)]
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
            + ", ".join(f"{LABELS[model]} {mean_over_seeds(final[model]):.1f}" for model in there)
            + ".",
        )
    )
    claims += _against_methods_for_streams(forgetting, final)
    return Findings(
        claims=claims,
        charts=[
            Chart(
                title="Accuracy on the first task as later ones are learnt, task ID given",
                x_label="tasks learnt after it",
                y_label="test accuracy",
                lines=[curve(rows, LABELS[model], x="stage", y="accuracy", model=model, task=0) for model in there],
            ),
            Chart(
                title="Overlap of the backbone dimensions that the tasks use",
                x_label="tasks learnt after the first",
                y_label="dimension overlap",
                lines=[
                    curve(rows, LABELS[model], x="stage", y="dimension_overlap", model=model)
                    for model in ("cdsp", "cdsp_lambda_0", "cdsp_memory")
                    if model in there
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
            "Replay keeps 200 images of every task that is over; half of each later batch are such. EWC holds "
            "the weights by the exact diagonal Fisher information of 200 images a task. Conflict memory is ours "
            "(docs/method.md, section 11): the game compares with sketches of past tasks' gradients too.",
            *(
                []
                if len(there) == len(MODELS)
                else [f"Not measured here: {', '.join(LABELS[model] for model in MODELS if model not in there)}."]
            ),
        ],
    )


def _against_methods_for_streams(
    forgetting: dict[str, dict[int, float]], final: dict[str, dict[int, float]]
) -> list[Claim]:
    """Against what is made for streams, and what conflict memory gains."""
    others = ("dense_replay", "dense_ewc_100", "dense_ewc_1000", "dense_ewc_10000")
    accuracy = [
        judged(
            difference(final[ours], final[other]),
            claim=f"{name} ends the stream with a higher mean accuracy than a method for streams ({LABELS[other]}).",
            source=SOURCE if ours == "cdsp" else OURS,
            what="Final mean accuracy of CDSP minus that of the other, in percentage points",
            above=0.0,
            equivalence=POINT,
            reason=_final_text(final, ours, other),
        )
        for ours, name in (("cdsp", "CDSP"), ("cdsp_memory", "CDSP with conflict memory"))
        for other in others
    ]
    memory = judged(
        difference(forgetting["cdsp"], forgetting["cdsp_memory"]),
        claim="Conflict memory makes CDSP forget less.",
        source=OURS,
        what="Forgetting without conflict memory minus with it, percentage points, mean of the tasks before the last",
        above=0.0,
        equivalence=POINT,
    )
    cost = judged(
        difference(final["cdsp_memory"], final["cdsp"]),
        claim="Conflict memory ends the stream with a higher mean accuracy than CDSP without it.",
        source=OURS,
        what="Final mean accuracy with conflict memory minus without it, in percentage points",
        above=0.0,
        equivalence=POINT,
    )
    replay = judged(
        difference(final["cdsp_replay"], final["dense_replay"]),
        claim="With replay in both, CDSP ends the stream with a higher mean accuracy than a dense net.",
        source=SOURCE,
        what="Final mean accuracy of CDSP minus that of the dense net, in percentage points",
        above=0.0,
        equivalence=POINT,
    )
    return [memory, cost, replay, *accuracy]


def _final_text(final: dict[str, dict[int, float]], ours: str, other: str) -> str:
    return f"{LABELS[ours]} {mean_over_seeds(final[ours]):.1f}, {LABELS[other]} {mean_over_seeds(final[other]):.1f}."


def forgotten(rows: Sequence[Row], model: str) -> dict[int, float]:
    """Forgetting by seed, in points of accuracy: mean over the tasks before the last one."""
    last = max(int(row["stage"] or 0) for row in rows)
    per_task = []
    for task in range(last):
        learnt = by_seed(rows, "accuracy", model=model, stage=task, task=task)
        at_end = by_seed(rows, "accuracy", model=model, stage=last, task=task)
        per_task.append(difference(learnt, at_end))
    return {seed: 100.0 * sum(task[seed] for task in per_task) / last for seed in per_task[0]} if per_task else {}


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
    question="Does CDSP forget less than a dense net, a standard mixture, and methods made for streams?",
    jobs=jobs,
    run=run,
    find=find,
    theme="beyond images",
    data=lambda options: f"Permuted MNIST, made from {'the full' if options.data == 'full' else 'the embedded'} MNIST.",
)
