"""Study `beneficial-sharing`: pairs of tasks that should share against pairs that should not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cdsp_core.settings.config import RunConfig, to_dict
from cdsp_core.settings.presets import from_dict
from cdsp_core.studies.framework.preregistration import OVERLAP, POINT
from cdsp_core.studies.framework.statistics import estimate
from cdsp_core.studies.framework.study import Findings, Job, Row, Study, StudyOptions, Table, Tell
from cdsp_core.studies.framework.training import at_live_sizes
from cdsp_core.studies.framework.verdicts import LAMBDA_0_NOTE, by_seed, difference, judged, mean_over_seeds

if TYPE_CHECKING:
    from cdsp_core.studies.experiments.image_tasks import ImageTask

SOURCE = "arXiv:2512.20291, section 3.6: conflict prunes, what does not conflict stays shared"
STEPS, SMALLEST_STEPS = 1500, 400
LAMBDA = 10.0
DEGREES = 15.0
BATCH = 64
METHOD_RATES: Mapping[str, Any] = {"lr_base": 5e-3, "lr_ratio": 10.0}
"""The method's own; at the slower ones of `live` nothing is decoupled yet when the smallest form ends."""
KEPT_WITHIN = 0.05
"""How much of the overlap the game may take before sharing counts as lost; set before measuring."""

PAIRS: dict[str, tuple[str, ...]] = {
    "halves": ("half-0", "half-1"),
    "turned": ("mnist", "turned"),
    "fashion": ("mnist", "fashion"),
    "opposed": ("mnist", "opposed"),
}
ALIKE = ("halves", "turned")
UNLIKE = ("fashion", "opposed")
PAIR_TEXTS = {
    "halves": "two halves of MNIST as two tasks",
    "turned": f"MNIST, and MNIST turned by {DEGREES:g} degrees",
    "fashion": "MNIST and Fashion-MNIST",
    "opposed": "MNIST, and MNIST with label 9 - y",
}


def jobs(options: StudyOptions) -> list[Job]:
    steps = SMALLEST_STEPS if options.smallest else STEPS
    alone = sorted({task for name in (ALIKE if options.smallest else PAIRS) for task in PAIRS[name]})

    trained = [(name, pair, weight) for name, pair in PAIRS.items() for weight in (LAMBDA, 0.0)]
    trained += [(f"alone-{task}", (task,), LAMBDA) for task in alone]
    return [
        Job(
            key=f"{name}-lambda-{weight:g}-{seed}",
            seed=seed,
            settings={
                "name": name,
                "tasks": list(tasks),
                "lambda_conflict": weight,
                "steps": steps,
                "config": to_dict(config_of(len(tasks), weight, steps=steps, seed=seed)),
            },
        )
        for seed in options.seed_range
        for name, tasks, weight in trained
    ]


def config_of(tasks: int, lambda_conflict: float, *, steps: int, seed: int) -> RunConfig:
    """`live`'s sizes at the method's rates, with as many images a step of a task whether it is alone or not."""
    return at_live_sizes(
        seed=seed,
        steps=steps,
        batch_size=BATCH * tasks // 2,
        eval_every=steps + 1,
        eval_batch=500 * tasks,
        lambda_conflict=lambda_conflict,
        **METHOD_RATES,
    )


def run(job: Job, options: StudyOptions, tell: Tell) -> list[Row]:
    """Train on the pair, or on one task alone with as many of its images a step. Returns one row a task."""
    from cdsp_core.studies.experiments import image_tasks, task_overlap
    from cdsp_core.training.trainer import Trainer

    names, steps = job.settings["tasks"], job.settings["steps"]
    data = image_tasks.joined([_task(name, options) for name in names])
    trainer = Trainer(from_dict(job.settings["config"]), device=image_tasks.CPU, datasets=data)
    interference: list[float] = []
    for step in range(1, steps + 1):
        trainer.train_step()
        if (
            step > steps // 2
            and step % 10 == 0
            and (value := task_overlap.interference(trainer.cdsp_layers)) is not None
        ):
            interference.append(value)
        tell(step / steps, f"{job.settings['name']}: step {step}")
    known, blind = trainer.test_accuracy()
    shared: Row = {}
    if len(names) > 1:
        trainer.look_at_test_images()
        look, layers = trainer.look, trainer.cdsp_layers
        shared = task_overlap.structure(look.routing_LQE.numpy(), layers)
        without_id = task_overlap.structure(look.routing_blind_LQE.numpy(), layers)
        shared |= {f"{name}_blind": without_id[name] for name in ("routing_overlap", "dimension_overlap")}
        shared["gradient_interference"] = sum(interference) / len(interference) if interference else None
    return [
        {"task": task, "accuracy": known[name], "accuracy_blind": blind[name], **shared}
        for task, name in zip(names, known, strict=True)
    ]


def _task(name: str, options: StudyOptions) -> ImageTask:
    from cdsp_core.studies.experiments import image_tasks

    if name == "fashion":
        return image_tasks.source("fashion", options)
    digits = image_tasks.source("mnist", options)
    match name.split("-"):
        case ["half", number]:
            return image_tasks.half(digits, int(number))
        case ["turned"]:
            return image_tasks.turned(digits, degrees=DEGREES)
        case ["opposed"]:
            return image_tasks.opposed(digits)
    return digits


def find(rows: Sequence[Row], options: StudyOptions) -> Findings:
    def over(names: Sequence[str], column: str, lambda_conflict: float = LAMBDA) -> dict[int, float]:
        return _mean_of([by_seed(rows, column, name=name, lambda_conflict=lambda_conflict) for name in names])

    alone = {
        name: _mean_of([by_seed(rows, "accuracy", name=f"alone-{task}") for task in pair])
        for name, pair in PAIRS.items()
    }
    dimensions = "share of the backbone's use in common"
    claims = [
        judged(
            difference(over(ALIKE, "dimension_overlap"), over(UNLIKE, "dimension_overlap")),
            claim="Tasks that should share use more of the backbone in common than tasks that should not.",
            source=SOURCE,
            what=f"Alike pairs minus unlike pairs, {dimensions}, task ID given",
            above=0.0,
            equivalence=OVERLAP,
            reason=_each(rows, "dimension_overlap"),
        ),
        judged(
            difference(over(["halves"], "dimension_overlap"), over(["opposed"], "dimension_overlap")),
            claim="One task under two IDs uses more of the backbone in common than two opposite tasks.",
            source=SOURCE,
            what=f"Halves minus opposed, {dimensions}, task ID given",
            above=0.0,
            equivalence=OVERLAP,
            cause="Without ID the halves' routing is "
            f"{mean_over_seeds(over(['halves'], 'routing_overlap_blind')):.2f} alike, with it "
            f"{mean_over_seeds(over(['halves'], 'routing_overlap')):.2f}: random task embeddings set two IDs apart, "
            "and no term of the loss brings them together.",
        ),
        judged(
            difference(over(ALIKE, "routing_overlap_blind"), over(["fashion"], "routing_overlap_blind")),
            claim="Without task ID, tasks that should share are routed to the same experts more than others are.",
            source=SOURCE,
            what="Alike pairs minus MNIST and Fashion-MNIST, overlap of routing without task ID",
            above=0.0,
            equivalence=OVERLAP,
            reason=_each(rows, "routing_overlap_blind")
            + " The opposed pair has the same images for both tasks, is necessarily routed alike and left out here.",
        ),
        judged(
            difference(over(UNLIKE, "gradient_interference", 0.0), over(ALIKE, "gradient_interference", 0.0)),
            claim="Experts conflict more on tasks that should not share than on tasks that should.",
            source=SOURCE,
            what="Unlike pairs minus alike pairs, mean conflict in the second half of training, lambda 0",
            above=0.0,
            equivalence=0.01,
            reason=_each(rows, "gradient_interference", 0.0),
        ),
        judged(
            difference(over(ALIKE, "dimension_overlap"), over(ALIKE, "dimension_overlap", 0.0)),
            claim="The conflict penalty leaves beneficial sharing as it is.",
            source=SOURCE,
            what=f"Alike pairs, lambda 10 minus lambda 0, {dimensions}",
            above=-KEPT_WITHIN,
            reason=_each(rows, "dimension_overlap", 0.0),
        ),
        judged(
            difference(over(UNLIKE, "dimension_overlap", 0.0), over(UNLIKE, "dimension_overlap")),
            claim="The conflict penalty moves tasks that should not share to different backbone dimensions.",
            source=SOURCE,
            what=f"Unlike pairs, lambda 0 minus lambda 10, {dimensions}",
            above=0.0,
            equivalence=OVERLAP,
        ),
        judged(
            _points(difference(over(UNLIKE, "accuracy"), over(UNLIKE, "accuracy", 0.0))),
            claim="The conflict penalty raises the accuracy on tasks that should not share.",
            source=SOURCE,
            what="Test accuracy with lambda 10 minus with lambda 0, points, unlike pairs, task ID given",
            above=0.0,
            equivalence=POINT,
            reason=f"{_each(rows, 'accuracy')} {_each(rows, 'accuracy', 0.0)}",
        ),
        judged(
            _points(difference(over(ALIKE, "accuracy"), _mean_of([alone[name] for name in ALIKE]))),
            claim="Tasks that should share are learnt better together than each alone.",
            source=SOURCE,
            what="Test accuracy together minus alone, points, alike pairs",
            above=0.0,
            equivalence=POINT,
        ),
    ]
    return Findings(
        claims=claims,
        tables=[_table(rows, alone)],
        notes=[
            "Alike pairs: " + "; ".join(PAIR_TEXTS[name] for name in ALIKE) + ". "
            "Unlike pairs: " + "; ".join(PAIR_TEXTS[name] for name in UNLIKE) + ".",
            "A task alone sees as many of its images a step as it does in a pair, with the whole model to itself.",
            "Overlaps are means over the layers.",
            "The halves are one task: learnt together it simply sees twice the images, so gaining is expected there.",
            LAMBDA_0_NOTE,
        ],
    )


def _mean_of(values: Sequence[dict[int, float]]) -> dict[int, float]:
    """Mean of several values seed by seed, over the seeds that all have."""
    seeds = set(values[0]).intersection(*values[1:])
    return {seed: sum(value[seed] for value in values) / len(values) for seed in sorted(seeds)}


def _points(frac: dict[int, float]) -> dict[int, float]:
    """Shares as percentage points."""
    return {seed: 100.0 * value for seed, value in frac.items()}


def _each(rows: Sequence[Row], column: str, lambda_conflict: float = LAMBDA) -> str:
    found = [
        f"{name} {mean_over_seeds(by_seed(rows, column, name=name, lambda_conflict=lambda_conflict)):.2f}"
        for name in PAIRS
    ]
    return f"By pair, lambda {lambda_conflict:g}: {', '.join(found)}."


def _table(rows: Sequence[Row], alone: dict[str, dict[int, float]]) -> Table:
    columns = (
        "dimension_overlap",
        "routing_overlap",
        "routing_overlap_blind",
        "rank_overlap",
        "gradient_interference",
        "accuracy",
        "accuracy_blind",
    )
    lines = []
    for name in PAIRS:
        for weight in (LAMBDA, 0.0):
            of_seed = [by_seed(rows, column, name=name, lambda_conflict=weight) for column in columns]
            cells = [estimate(list(values.values())) for values in (*of_seed, alone[name])]
            lines.append([name, f"{weight:g}", *cells])
    return Table(title="Pairs, means over seeds", columns=["pair", "lambda", *columns, "accuracy alone"], rows=lines)


STUDY = Study(
    name="beneficial-sharing",
    title="Pairs of tasks that should share, and pairs that should not",
    question="Is sharing kept where it helps, and given up where it hurts?",
    jobs=jobs,
    run=run,
    find=find,
    theme="conflict",
)
