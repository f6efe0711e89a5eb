"""One task after another: a trainer for streams, and what methods made for streams add to it.

Replay keeps some images of every task that is over and fills half of each later batch with them. EWC (Kirkpatrick et
al. 2017, arXiv:1612.00796) holds each weight where it was, as strongly as the past tasks' likelihood needs it. Conflict
memory is ours (docs/method.md, section 11): the game also compares with what past tasks' experts were pulled to.

Shapes: B images a batch, E experts, R backbone dimensions, N entries of a dimension, s columns of a sketch, W weights.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from cdsp_core.data.datasets import TaskData
from cdsp_core.method.layer import CDSPLayer
from cdsp_core.method.projection import random_signs
from cdsp_core.training.batches import Batch, BatchStream, normalised, stream_generator
from cdsp_core.training.trainer import Trainer

KEPT_IMAGES = 200
"""of every task that is over"""
FISHER_IMAGES = 200
"""of a task, for its diagonal Fisher information"""
COLUMNS = 8
"""of a sketch, for each dimension of the backbone"""


class StreamTrainer(Trainer):
    """A trainer whose loss also holds weights where past tasks need them, and that shows the experts' gradients."""

    anchors: tuple[Anchor, ...] = ()
    memory: ConflictMemory | None = None

    def _penalty(self, batch: Batch) -> tuple[Tensor | None, list[Tensor]]:
        """What the trainer adds to the task loss, and EWC's term; this has no line in the log."""
        penalty, terms = super()._penalty(batch)
        for anchor in self.anchors:
            held = anchor.loss(self.parameters[0])
            penalty = held if penalty is None else penalty + held
        return penalty, terms

    def _clip(self) -> Tensor:
        """Clip; between the backward pass and the game, so that the experts' gradients are still there."""
        if self.memory is not None:
            self.memory.see(self.cdsp_layers)
        return super()._clip()

    def train_step(self) -> None:
        super().train_step()
        if self.memory is not None:
            self.memory.press(self.cdsp_layers)


@dataclass(frozen=True, kw_only=True, slots=True)
class Anchor:
    """Where a task left the weights, and how sharply its likelihood falls beside it."""

    strength: float
    value_W: Tensor
    fisher_W: Tensor

    def loss(self, weight_W: Tensor) -> Tensor:
        """strength / 2 * sum of F (w - w*)^2, a scalar."""
        return 0.5 * self.strength * (self.fisher_W * (weight_W - self.value_W).square()).sum()


def anchor(trainer: Trainer, data: TaskData, *, strength: float, seed: int, task: int) -> Anchor:
    """EWC's term of the task that has just ended: the exact diagonal Fisher information of some of its images.

    Labels are drawn from the model itself and gradients taken image by image, as the information is defined; the
    gradients of a mean over images would be another thing. The ID is given.
    """
    generator = stream_generator(seed, "order", 1_000 + task)
    chosen = torch.randperm(len(data.labels_N), generator=generator)[:FISHER_IMAGES]
    flat = trainer.parameters[0]
    fisher_W = torch.zeros_like(flat.data)
    told = torch.ones(1, 1)
    for number in chosen.tolist():
        trainer.optimizer.zero_grad(set_to_none=False)
        image_1HW = normalised(data.images_NHW[number : number + 1])
        logits_1C, _ = trainer.model(image_1HW, data.task_N[number : number + 1], told)
        label_1 = torch.multinomial(torch.softmax(logits_1C.detach(), 1), 1, generator=generator)[:, 0]
        F.cross_entropy(logits_1C, label_1).backward()
        assert flat.grad is not None
        fisher_W += flat.grad.square()
    trainer.optimizer.zero_grad(set_to_none=False)
    return Anchor(strength=strength, value_W=flat.data.clone(), fisher_W=fisher_W / len(chosen))


class Replay(BatchStream):
    """A stream of one task whose batches are to one half images of the tasks before; of the first task whole."""

    kept: TaskData | None = None
    seed: int = 0

    def batch(self, step: int) -> Batch:
        """The batch of that step; its second half is of kept images, drawn anew every step."""
        batch = super().batch(step)
        if self.kept is None:
            return batch
        half = len(batch.label_B) // 2
        generator = stream_generator(self.seed, "order", 100_000 + step)
        index = torch.randint(0, len(self.kept.labels_N), (len(batch.label_B) - half,), generator=generator)
        return replace(
            batch,
            image_BHW=torch.cat([batch.image_BHW[:half], normalised(self.kept.images_NHW[index])]),
            label_B=torch.cat([batch.label_B[:half], self.kept.labels_N[index]]),
            task_B=torch.cat([batch.task_B[:half], self.kept.task_N[index]]),
        )


def with_kept(kept: TaskData | None, data: TaskData, *, seed: int, task: int) -> TaskData:
    """What is kept, and some images of the task that has just ended."""
    order = torch.randperm(len(data.labels_N), generator=stream_generator(seed, "order", 2_000 + task))[:KEPT_IMAGES]
    parts = [(data.images_NHW[order], data.labels_N[order], data.task_N[order])]
    if kept is not None:
        parts.insert(0, (kept.images_NHW, kept.labels_N, kept.task_N))
    images_NHW, labels_N, task_N = (torch.cat(list(part)) for part in zip(*parts, strict=True))
    return TaskData(tasks=data.tasks, images_NHW=images_NHW, labels_N=labels_N, task_N=task_N)


@dataclass(kw_only=True)
class ConflictMemory:
    """Sketches of what each past task pulled every expert's weights to; of every layer [E, R, s].

    A newcomer e whose gradient opposes what expert f was pulled to by a past task, over the dimensions that e holds now
    and f was pulled in then, is pressed out of f's partition: A_ef carries the mean over past tasks of relu(-cosine),
    beside Eq. 16's pressure. f, who was there first, is not pressed.
    """

    seed: int
    past: list[list[Tensor]] = field(default_factory=list)
    """task, then layer"""
    _sums: list[Tensor] = field(default_factory=list)
    _now: list[Tensor] = field(default_factory=list)
    _masks: list[Tensor] = field(default_factory=list)
    _signs: dict[int, Tensor] = field(default_factory=dict)
    _steps: int = 0

    @torch.no_grad()
    def see(self, layers: list[CDSPLayer]) -> None:
        """Take the sketches of this step's attributed gradients, after the backward pass and before the game."""
        gradients = [layer.expert_gradient() for layer in layers]
        self._now = [self._sketch(gradient_ERN, number) for number, gradient_ERN in enumerate(gradients)]
        self._masks = [layer.used[0].mask_ER for layer in layers]
        self._sums = [a + b for a, b in zip(self._sums, self._now, strict=True)] if self._sums else self._now
        self._steps += 1

    def end_task(self) -> None:
        """Keep the mean of the task's sketches, and begin anew."""
        self.past.append([sum_ERs / self._steps for sum_ERs in self._sums])
        self._sums, self._steps = [], 0

    @torch.no_grad()
    def press(self, layers: list[CDSPLayer]) -> None:
        """Add to the next step's pressure, after the game has set it."""
        for number, layer in enumerate(layers):
            for of_task in self.past:
                conflict_EE = past_conflict(self._now[number], self._masks[number], of_task[number])
                layer.pressure_EP += conflict_EE / len(self.past)

    def _sketch(self, gradient_ERN: Tensor, layer: int) -> Tensor:
        experts, dims, entries = gradient_ERN.shape
        if layer not in self._signs:
            self._signs[layer] = random_signs(dims=dims, entries=entries, seed=self.seed * 1_000 + layer)
        return (gradient_ERN * self._signs[layer]).view(experts, dims, COLUMNS, entries // COLUMNS).sum(3)


def past_conflict(now_ERs: Tensor, mask_ER: Tensor, past_ERs: Tensor) -> Tensor:
    """relu(-cosine) of every expert's sketch now with every expert's of a past task, [E, E]; 0 without a value.

    Over the dimensions that the first holds now and the second was pulled in then; the diagonal is 0, since no block
    of A tells an expert from itself.
    """
    held_ER, was_ER = mask_ER.to(now_ERs.dtype), (past_ERs != 0.0).any(2).to(now_ERs.dtype)
    dot_EE = torch.einsum("ers,frs->ef", now_ERs, past_ERs)
    now_EE = now_ERs.square().sum(2) @ was_ER.T
    past_EE = held_ER @ past_ERs.square().sum(2).T
    size_EE = (now_EE * past_EE).sqrt()
    conflict_EE = torch.where(size_EE > 0.0, torch.relu(-dot_EE / size_EE.clamp_min(1e-30)), 0.0)
    return conflict_EE.fill_diagonal_(0.0)
