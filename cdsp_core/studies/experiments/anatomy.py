"""Takes a trained network apart: which experts it can lose, how flat its minimum is, which links opened again.

What is muted or shaken is as before afterwards, so every measure is of the network that was trained.

Shapes: Q tasks, C classes, L layers, E experts, P partitions, T tokens, K chosen.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cdsp_core.method.layer import CDSPLayer
from cdsp_core.models.mixture import Experts
from cdsp_core.studies.experiments.measuring import measured, one_row, trainer_of
from cdsp_core.studies.framework.study import Row, StudyOptions, Tell
from cdsp_core.training.batches import normalised
from cdsp_core.training.inspection import accuracy_by_class
from cdsp_core.training.trainer import Trainer

CLOSED: Final = 0.1
OPEN: Final = 0.5
"""sigmoid(A) below the one is a closed connection (Eq. 18), above the other an open one"""
SHAKEN_BY: Final = 0.1
"""standard deviation of the noise on a weight, as a share of the root mean square of its tensor"""
SHAKES: Final = 8
SHAKEN_ON: Final = 500
"""training images of each task that the loss is measured on"""
RANDOM_HALVES: Final = 6


def measured_anatomy(config: dict[str, Any], options: StudyOptions, tell: Tell) -> list[Row]:
    """Final rows as `training.py` describes them, and what this module measures. Raises what Trainer raises."""
    trainer = trainer_of(config, options)
    course = Course(trainer)
    final = [row for row in measured(trainer, tell, course) if row["kind"] == "final"]
    return [*final, *course.rows(), *lesions(trainer, favourites(final)), *halves(trainer, final), *shaken(trainer)]


class Course:
    """The conflict penalty and every sigmoid(A) [L, E, P], look by look."""

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer
        self._pictures: list[np.ndarray[Any, Any]] = []
        self._penalty: list[tuple[int, float]] = []

    def see(self) -> None:
        """Take the topology, if a look is due at this step."""
        trainer = self._trainer
        if trainer.cdsp_layers and trainer.step % trainer.config.train.eval_every == 0:
            self._pictures.append(
                torch.stack([layer.topology.connection().detach() for layer in trainer.cdsp_layers]).numpy().copy()
            )

    def keep(self, rows: np.ndarray[Any, Any]) -> None:
        """Take the penalty's mean since the last look."""
        names = self._trainer.log.names
        if "conflict_penalty" in names:
            values = rows[:, names.index("conflict_penalty")]
            self._penalty.append((int(rows[-1, 0]), float(np.nanmean(values.astype(np.float64)))))

    def rows(self) -> list[Row]:
        """The penalty's curve; of each layer the share of entries that closed, and of these the share reopened."""
        found = [one_row("curve", "conflict_penalty", value, step=step) for step, value in self._penalty]
        if not self._pictures:  # a model without A
            return found
        connection_WLEP = np.stack(self._pictures)
        for layer in range(connection_WLEP.shape[1]):
            closed, reopened = closed_and_reopened(connection_WLEP[:, layer])
            found += [
                one_row("final", "closed_once", closed, layer=layer),
                one_row("final", "reopened", reopened, layer=layer),
            ]
        return found


def closed_and_reopened(connection_WEP: np.ndarray[Any, Any]) -> tuple[float, float]:
    """Share of the entries beside the diagonal that were closed at some look, and of these that were open later.

    The second is NaN where none closed.
    """
    _, experts, partitions = connection_WEP.shape
    beside = ~np.eye(experts, dtype=bool) if experts == partitions else np.ones((experts, partitions), dtype=bool)
    entry_WN = connection_WEP[:, beside]
    was_closed_WN = np.logical_or.accumulate(entry_WN < CLOSED, axis=0)
    closed_N, reopened_N = was_closed_WN[-1], (was_closed_WN & (entry_WN > OPEN)).any(axis=0)
    closed = int(closed_N.sum())
    return closed / closed_N.size, int(reopened_N.sum()) / closed if closed else math.nan


def favourites(final: Sequence[Row]) -> dict[tuple[int, str], int]:
    """The expert that takes most of a task's assignments with ID, by layer and task."""
    return {place: max(of, key=of.__getitem__) for place, of in _assignments(final).items()}


def _assignments(final: Sequence[Row]) -> dict[tuple[int, str], dict[int, float]]:
    """Every expert's share of a task's assignments with ID, by layer and task."""
    share: dict[tuple[int, str], dict[int, float]] = {}
    for row in final:
        if row["measure"] == "routing" and row["given"] == "own":
            place = int(row["layer"] or 0), str(row["task"])
            share.setdefault(place, {})[int(row["expert"] or 0)] = float(row["value"] or 0.0)
    return share


def lesions(trainer: Trainer, favourite: dict[tuple[int, str], int]) -> list[Row]:
    """Accuracy with ID that each task loses when one expert is muted, in points; and of each layer the selectivity:
    what muting a task's favourite costs that task minus what it costs the others, mean of the tasks.
    """
    tasks, experts = [task.name for task in trainer.tasks], trainer.config.model.routed_experts
    whole_Q = accuracy_by_task(trainer)
    rows: list[Row] = []
    for layer in range(trainer.config.model.num_layers):
        loss_QE = torch.empty(len(tasks), experts)
        for expert in range(experts):
            muted_LE = torch.zeros(trainer.config.model.num_layers, experts, dtype=torch.bool)
            muted_LE[layer, expert] = True
            with without(trainer, muted_LE):
                loss_QE[:, expert] = 100.0 * (whole_Q - accuracy_by_task(trainer))
        rows += [
            one_row("final", "lesion", float(loss_QE[q, expert]), layer=layer, expert=expert, task=task)
            for q, task in enumerate(tasks)
            for expert in range(experts)
        ]
        own_Q = torch.stack([loss_QE[q, favourite[layer, task]] for q, task in enumerate(tasks)])
        every_Q = torch.stack([loss_QE[:, favourite[layer, task]].sum() for task in tasks])
        others_Q = (every_Q - own_Q) / (len(tasks) - 1)
        rows.append(one_row("final", "selectivity", float((own_Q - others_Q).mean()), layer=layer))
    return rows


def halves(trainer: Trainer, final: Sequence[Row]) -> list[Row]:
    """Points of accuracy with ID, mean of the tasks, lost without half of every layer's experts: those that hold on
    to their own partition least, those with the fewest assignments, and as many at random.
    """
    experts, layers = trainer.config.model.routed_experts, trainer.config.model.num_layers
    whole = float(accuracy_by_task(trainer).mean())

    def lost(muted_LE: Tensor) -> float:
        with without(trainer, muted_LE):
            return 100.0 * (whole - float(accuracy_by_task(trainer).mean()))

    generator = torch.Generator().manual_seed(trainer.config.train.seed)
    drawn = [lost(_lower_half(torch.rand(layers, experts, generator=generator))) for _ in range(RANDOM_HALVES)]
    load_LE = torch.zeros(layers, experts)
    for (layer, _), share in _assignments(final).items():
        for expert, value in share.items():
            load_LE[layer, expert] += value
    rows = [
        one_row("final", "random_half", sum(drawn) / len(drawn)),
        one_row("final", "less_used_half", lost(_lower_half(load_LE))),
    ]
    if trainer.cdsp_layers and trainer.config.model.has_diagonal:
        own_LE = torch.stack([layer.topology.connection().detach().diagonal() for layer in trainer.cdsp_layers])
        rows.append(one_row("final", "marginal_half", lost(_lower_half(own_LE))))
    return rows


@torch.no_grad()
def shaken(trainer: Trainer) -> list[Row]:
    """Training loss with ID, and how much it rises when every weight but A is shaken, mean of some draws."""
    logits = {id(layer.topology.topology_logits) for layer in trainer.cdsp_layers}
    weights = [weight for weight in trainer.model.parameters() if id(weight) not in logits]
    generator = torch.Generator().manual_seed(trainer.config.train.seed)
    loss_of = _loss_on_training_images(trainer)
    still, before = loss_of(), [weight.clone() for weight in weights]
    risen = []
    for _ in range(SHAKES):
        for weight, kept in zip(weights, before, strict=True):
            size = SHAKEN_BY * kept.square().mean().sqrt()
            weight.copy_(kept + size * torch.randn(kept.shape, generator=generator))
        risen.append(loss_of() - still)
    for weight, kept in zip(weights, before, strict=True):
        weight.copy_(kept)
    return [one_row("final", "still_loss", still), one_row("final", "loss_risen", sum(risen) / len(risen))]


def accuracy_by_task(trainer: Trainer) -> Tensor:
    """Accuracy with ID on test images, mean of the classes, [Q]."""
    return accuracy_by_class(trainer).nanmean(1)


@contextmanager
def without(trainer: Trainer, muted_LE: Tensor) -> Iterator[None]:
    """Mute these experts, bool [L, E]: each keeps its tokens and gives nothing for them."""
    hooks = []
    for layer, muted_E in zip(trainer.model.layers, muted_LE, strict=True):
        if isinstance(layer, CDSPLayer):
            hooks.append(layer.router.register_forward_hook(_silenced(muted_E)))
        else:
            experts = layer.get_submodule("experts") if isinstance(layer, nn.Module) else None
            assert isinstance(experts, Experts), "only mixtures have experts to mute"
            hooks.append(experts.register_forward_pre_hook(_unheard(muted_E)))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _silenced(muted_E: Tensor) -> Callable[..., Any]:
    return lambda _router, _inputs, output: (output[0].masked_fill(muted_E[output[1]], 0.0), output[1])


def _unheard(muted_E: Tensor) -> Callable[..., Any]:
    return lambda _experts, inputs: (inputs[0], inputs[1].masked_fill(muted_E[inputs[2]], 0.0), inputs[2])


def _lower_half(value_LE: Tensor) -> Tensor:
    """The half of each row with the least values, bool; among equals the first."""
    order_LE = value_LE.argsort(dim=1, stable=True)
    return torch.zeros_like(value_LE, dtype=torch.bool).scatter(1, order_LE[:, : value_LE.shape[1] // 2], True)


def _loss_on_training_images(trainer: Trainer) -> Callable[[], float]:
    data = trainer.batches.data
    index_N = torch.cat([torch.nonzero(data.task_N == q).flatten()[:SHAKEN_ON] for q in range(len(trainer.tasks))])
    image_NHW, label_N, task_N = normalised(data.images_NHW[index_N]), data.labels_N[index_N], data.task_N[index_N]
    keep_N1 = torch.ones(len(index_N), 1)
    return lambda: float(F.cross_entropy(trainer.model(image_NHW, task_N, keep_N1)[0], label_N))
