"""Trains one run without the page and measures it with every protocol, on the whole test set.

Shapes: L layers, Q tasks, G what is given (each task's ID, then none), E experts.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
import torch

from cdsp_core.settings.model import ModelConfig
from cdsp_core.settings.presets import from_dict
from cdsp_core.studies.experiments.on_the_way import OnTheWay
from cdsp_core.studies.framework.study import Row, StudyOptions, Tell
from cdsp_core.training import measures
from cdsp_core.training.evaluation import Shown, show_whole_test_set
from cdsp_core.training.trainer import Trainer

Array = np.ndarray[Any, Any]

CURVES = ("task_loss", "train_accuracy", "test_accuracy", "test_accuracy_blind", "routing_consistency")
"""Scalars whose curves are kept, beside every layer's measures."""


class Watch(Protocol):
    """Goes along with a training; one that only looks changes nothing of it."""

    def see(self) -> None:
        """Called after every step."""

    def keep(self, rows: Array) -> None:
        """Called with the scalars that were taken from the log, look by look."""


def measured_training(config: dict[str, Any], options: StudyOptions, tell: Tell) -> list[Row]:
    """Rows as `training.py` describes them, of a run on the CPU. Raises what Trainer raises."""
    return measured(trainer_of(config, options), tell, None)


def measured_and_watched(config: dict[str, Any], options: StudyOptions, tell: Tell) -> tuple[list[Row], OnTheWay]:
    """The same rows, and what was recorded on the way."""
    trainer = trainer_of(config, options)
    watch = OnTheWay(trainer)
    return measured(trainer, tell, watch), watch


def measured(trainer: Trainer, tell: Tell, watch: Watch | None) -> list[Row]:
    """Train to the end, then measure. Raises what Trainer raises."""
    every, total = trainer.config.train.eval_every, trainer.total_steps
    last_epoch = max(total - trainer.batches.steps_per_epoch, 0)
    rows: list[Row] = []
    scalars: list[Array] = []
    while trainer.step < total:
        trainer.train_step()
        if watch is not None:
            watch.see()
        if trainer.step % every == 0 or trainer.step == total:
            arrays = trainer.arrays()
            if watch is not None:
                watch.keep(arrays["scalars"])
            window = Window(trainer.step, trainer.log.names, arrays)
            rows += window.curve_rows()
            scalars.append(window.scalars)
            tell(trainer.step / total, f"step {trainer.step} of {total}")
    rows += last_epoch_rows(trainer.log.names, np.concatenate(scalars), after=last_epoch)
    rows += mean_of_curves(rows, after=last_epoch)
    rows += connection_rows(arrays, trainer.config.model)
    rows.append(parameter_row(sum(p.numel() for p in trainer.model.parameters())))
    return rows + _looked_at(trainer)


def measured_untrained(config: dict[str, Any], options: StudyOptions) -> list[Row]:
    """What the protocols say of the network before its first step: the null of every measure of routing."""
    return _looked_at(trainer_of(config, options))


def trainer_of(config: dict[str, Any], options: StudyOptions) -> Trainer:
    """The run's trainer on the CPU, before its first step."""
    return Trainer(from_dict(config), device=torch.device("cpu"), data_root=options.data_root)


def _looked_at(trainer: Trainer) -> list[Row]:
    experts = int(trainer.describe()["experts"])
    shown = show_whole_test_set(trainer.model, trainer.test, tasks=len(trainer.tasks), experts=experts)
    return list(protocol_rows(shown, [task.name for task in trainer.tasks]))


class Window:
    """The scalars since the last look, and the layers at its end."""

    def __init__(self, step: int, names: tuple[str, ...], arrays: dict[str, Array]) -> None:
        self.step, self.names, self.scalars = step, names, arrays["scalars"]

    def curve_rows(self) -> list[Row]:
        """Means over the window; what is measured once a window has its one value."""
        rows = []
        for column, name in enumerate(self.names):
            measure, _, task = name.partition("/")
            value = _mean(self.scalars[:, column])
            if measure in CURVES and math.isfinite(value):
                rows.append(one_row("curve", measure, value, step=self.step, task=task or None))
            elif measure.startswith("layer") and math.isfinite(value):
                layer = int(measure.removeprefix("layer"))
                rows.append(one_row("curve", task, value, step=self.step, layer=layer))
        return rows


def last_epoch_rows(names: tuple[str, ...], scalars: Array, *, after: int) -> list[Row]:
    """Task loss and training accuracy per task, averaged over the steps of the last epoch, as the paper does."""
    last = scalars[scalars[:, 0] > after]
    rows = [one_row("final", "train_loss", _mean(last[:, names.index("task_loss")]))]
    for column, name in enumerate(names):
        measure, _, task = name.partition("/")
        if measure == "train_accuracy":
            rows.append(one_row("final", measure, _mean(last[:, column]), task=task))
    return rows


def mean_of_curves(rows: list[Row], *, after: int) -> list[Row]:
    """Every layer's measures, averaged over the looks of the last epoch: one step's conflict alone is mostly noise."""
    found: dict[tuple[Any, Any], list[float]] = {}
    for row in rows:
        if row["kind"] == "curve" and row["layer"] is not None and int(row["step"] or 0) > after:
            found.setdefault((row["measure"], row["layer"]), []).append(float(row["value"] or 0.0))
    routed = ("isolation", "specialization", "emergent_clustering")  # measured on the whole test set instead
    return [
        one_row("final", measure, sum(values) / len(values), layer=layer)
        for (measure, layer), values in found.items()
        if measure not in routed
    ]


def connection_rows(arrays: dict[str, Array], config: ModelConfig) -> list[Row]:
    """The diagonal of sigmoid(A) at the last step."""
    if not config.has_diagonal:
        return []
    return [
        one_row("final", "diagonal", float(value), layer=layer, expert=expert)
        for layer in range(config.num_layers)
        if f"layer{layer}/connection" in arrays
        for expert, value in enumerate(np.diagonal(arrays[f"layer{layer}/connection"]))
    ]


def parameter_row(parameters: int) -> Row:
    """How many numbers the model learns."""
    return one_row("final", "parameters", float(parameters))


def protocol_rows(shown: Shown, tasks: list[str]) -> Iterator[Row]:
    """Accuracies and routing under everything that can be given, and what they say of the layers."""
    given = [*tasks, "none"]
    accuracy_QG, routing_LQGE = shown.accuracy_QG.numpy(), shown.routing_LQGE.numpy()
    for q, task in enumerate(tasks):
        for g, name in enumerate(given):
            yield one_row("final", "accuracy", float(accuracy_QG[q, g]), task=task, given="own" if g == q else name)
        yield one_row("final", "accuracy_deceptive", float(shown.accuracy_deceptive()[q]), task=task)
    if not routing_LQGE.shape[3]:
        return
    for layer, routing_QGE in enumerate(routing_LQGE):
        for q, task in enumerate(tasks):
            for g, name in enumerate(given):
                place: dict[str, Any] = {"layer": layer, "task": task, "given": "own" if g == q else name}
                for expert, share in enumerate(routing_QGE[q, g]):
                    yield one_row("final", "routing", float(share), expert=expert, **place)
        yield from _routing_measures(routing_QGE, tasks, layer)


def _routing_measures(routing_QGE: Array, tasks: list[str], layer: int) -> Iterator[Row]:
    """What one layer's routing says of tasks, with ID and without, and under wrong IDs."""
    own_QE = np.stack([routing_QGE[q, q] for q in range(len(tasks))])
    blind_QE = routing_QGE[:, -1]
    for given, routing_QE in (("own", own_QE), ("none", blind_QE)):
        place: dict[str, Any] = {"layer": layer, "given": given}
        yield one_row("final", "isolation", measures.isolation(routing_QE), **place)
        yield one_row("final", "specialization", measures.specialization(routing_QE), **place)
        clustering = measures.first_two_cluster(routing_QE)
        yield one_row("final", "emergent_clustering", clustering, **place)
    for q, task in enumerate(tasks):
        others = [p for p in range(len(tasks)) if p != q]
        kept = measures.distribution_overlap(own_QE[q], blind_QE[q])
        crossed = float(np.mean([measures.distribution_overlap(own_QE[p], blind_QE[q]) for p in others]))
        yield one_row("final", "routing_consistency", kept, layer=layer, task=task)
        yield one_row("final", "blind_routing_margin", kept - crossed, layer=layer, task=task)
        pulls = []
        for p in others:
            stays = measures.distribution_overlap(routing_QGE[q, p], own_QE[q])
            follows = measures.distribution_overlap(routing_QGE[q, p], own_QE[p])
            pulls.append(stays - follows)
        yield one_row("final", "deceptive_routing_margin", float(np.mean(pulls)), layer=layer, task=task)


def one_row(
    kind: str,
    measure: str,
    value: float,
    *,
    step: int | None = None,
    layer: int | None = None,
    task: str | None = None,
    given: str | None = None,
    expert: int | None = None,
) -> Row:
    """A row as `framework/training.py` describes them, None where nothing applies."""
    return {
        "kind": kind,
        "measure": measure,
        "value": value,
        "step": step,
        "layer": layer,
        "task": task,
        "given": given,
        "expert": expert,
    }


def _mean(values: Array) -> float:
    """Mean of the values that there are; NaN when there is none."""
    finite = values[np.isfinite(values)]
    return float(finite.mean(dtype=np.float64)) if len(finite) else math.nan
