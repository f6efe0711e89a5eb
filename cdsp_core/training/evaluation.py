"""Accuracy and routing on test images, given with their own task ID, with none, or with a wrong one.

Blind inference gives no ID, deceptive inference a wrong one (arXiv:2512.20291, section 4, gives the first; the second
is the authors' design document's). A `Look` is quick and taken while training; `show_whole_test_set` shows every image
with every ID and without, and all protocols are read from the same arrays.

Shapes: B images, C classes, L layers, Q tasks, E experts, K slots for chosen experts, T tokens, G = Q + 1 what is
given: the ID of task 0, 1, ..., and at last none.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cdsp_core.models.transformer import PatchTransformer
from cdsp_core.training.batches import TestSet


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """One look at test images, each shown three times. On the model's device."""

    images: int
    accuracy_Q: Tensor
    accuracy_blind_Q: Tensor
    accuracy_deceptive_Q: Tensor
    """under a wrong task's ID; NaN where there is only one task"""
    routing_LQE: Tensor
    """share of the assignments; every distribution sums to 1. Without routing E is 0."""
    routing_blind_LQE: Tensor


@torch.no_grad()
def look_at(
    model: PatchTransformer, image_BHW: Tensor, label_B: Tensor, task_B: Tensor, *, tasks: int, number: int = 0
) -> Look:
    """One look; never waits for the device. The images are in equal shares, task after task.

    `number` counts looks: they take turns with the wrong IDs.
    """
    shown_B1 = torch.ones(len(label_B), 1, device=label_B.device)
    keep = torch.cat([shown_B1, torch.zeros_like(shown_B1), shown_B1])
    wrong_B = (task_B + 1 + number % max(1, tasks - 1)) % tasks
    given = torch.cat([task_B, task_B, wrong_B])
    logits, chosen = shown_apart(model, image_BHW.repeat(3, 1, 1), given, keep, sides=3)
    correct = (logits.argmax(1) == label_B.repeat(3)).to(torch.float32)
    accuracy_3Q = correct.view(3, tasks, -1).mean(2)
    routing_L3QE = routing_shares(chosen, sides=3, tasks=tasks, experts=model.config.routed_experts)
    return Look(
        images=len(label_B),
        accuracy_Q=accuracy_3Q[0],
        accuracy_blind_Q=accuracy_3Q[1],
        accuracy_deceptive_Q=accuracy_3Q[2] if tasks > 1 else torch.full_like(accuracy_3Q[2], torch.nan),
        routing_LQE=routing_L3QE[:, 0],
        routing_blind_LQE=routing_L3QE[:, 1],
    )


def routing_shares(chosen: list[Tensor], *, sides: int, tasks: int, experts: int) -> Tensor:
    """Share of the assignments, [L, sides, Q, E], of images in `sides` equal shares, each task after task."""
    expert_E = torch.arange(experts, device=chosen[0].device)
    counts = torch.stack(
        [(expert_TK.unflatten(0, (sides, tasks, -1))[..., None] == expert_E).sum((2, 3)) for expert_TK in chosen]
    )
    return counts / counts.sum(3, keepdim=True)


def shown_apart(
    model: PatchTransformer, image_BHW: Tensor, task_B: Tensor, keep_BL: Tensor, *, sides: int
) -> tuple[Tensor, list[Tensor]]:
    """The model's outputs for images in `sides` equal shares that must not compete with each other for experts.

    One forward pass, but where tokens compete one for every share.
    """
    if not model.config.tokens_compete:
        logits_BC, chosen = model(image_BHW, task_B, keep_BL)
        return logits_BC, chosen
    inputs = (image_BHW, task_B, keep_BL)
    outputs = [model(*share) for share in zip(*(value.chunk(sides) for value in inputs), strict=True)]
    of_layers = zip(*(routed for _, routed in outputs), strict=True)
    return torch.cat([logits_BC for logits_BC, _ in outputs]), [torch.cat(of_layer) for of_layer in of_layers]


@torch.no_grad()
def removal_changes(model: PatchTransformer, image_BHW: Tensor, task_B: Tensor) -> Tensor:
    """Share of the predictions with ID that change when a block's feed-forward is left out, [L], one at a time.

    0 means that the layer could be removed; a penalty without a fixed point can press a layer that far.
    """
    keep_B1 = torch.ones(len(task_B), 1, device=image_BHW.device)
    whole_B = model(image_BHW, task_B, keep_B1)[0].argmax(1)
    changed = []
    for layer in model.layers:
        assert isinstance(layer, nn.Module)
        hook = layer.register_forward_hook(lambda _layer, _inputs, output: (torch.zeros_like(output[0]), output[1]))
        try:
            without_B = model(image_BHW, task_B, keep_B1)[0].argmax(1)
        finally:
            hook.remove()
        changed.append((without_B != whole_B).to(torch.float32).mean())
    return torch.stack(changed)


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """Accuracy and routing of each task's images under everything that can be given. On the model's device."""

    accuracy_QG: Tensor
    routing_LQGE: Tensor
    """share of the assignments; every distribution sums to 1. Without routing E is 0."""

    def accuracy(self) -> Tensor:
        """With the right ID, [Q]."""
        return self.accuracy_QG.diagonal()

    def accuracy_blind(self) -> Tensor:
        """Without ID, [Q]."""
        return self.accuracy_QG[:, -1]

    def accuracy_deceptive(self) -> Tensor:
        """Mean over the wrong IDs, [Q]. NaN with one task."""
        wrong_QQ = self.accuracy_QG[:, :-1]
        return (wrong_QQ.sum(1) - wrong_QQ.diagonal()) / (len(wrong_QQ) - 1)

    def routing(self) -> Tensor:
        """With the right ID, [L, Q, E]."""
        task_Q = torch.arange(len(self.accuracy_QG), device=self.routing_LQGE.device)
        return self.routing_LQGE[:, task_Q, task_Q]

    def routing_blind(self) -> Tensor:
        """Without ID, [L, Q, E]."""
        return self.routing_LQGE[:, :, -1]


@torch.no_grad()
def show_with_every_id(
    model: PatchTransformer, image_BHW: Tensor, label_B: Tensor, task_B: Tensor, *, tasks: int, experts: int
) -> Shown:
    """One forward pass over G times the images, or G where tokens compete for experts; never waits for the device.

    The images are in equal shares, task after task, as `TestSet.look` gives them. `experts` is 0 for a model that
    routes nothing.
    """
    given, images = tasks + 1, len(task_B)
    # Side 0 gives every image its own ID, side s the s-th after it, the last one none: where tokens compete, an image
    # with its own ID meets only such.
    given_id = torch.cat([(task_B + side) % tasks for side in range(given)])
    keep = torch.ones(given * images, 1, device=image_BHW.device)
    keep[tasks * images :] = 0.0
    logits, chosen = shown_apart(model, image_BHW.repeat(given, 1, 1), given_id, keep, sides=given)
    correct = (logits.argmax(1) == label_B.repeat(given)).to(torch.float32)
    task_Q1 = torch.arange(tasks, device=task_B.device)[:, None]
    side_QG = torch.cat([(task_Q1.T - task_Q1) % tasks, torch.full_like(task_Q1, tasks)], dim=1)
    routing_LSQE = routing_shares(chosen, sides=given, tasks=tasks, experts=experts)
    return Shown(
        accuracy_QG=correct.view(given, tasks, -1).mean(2)[side_QG, task_Q1],
        routing_LQGE=routing_LSQE[:, side_QG, task_Q1],
    )


def show_whole_test_set(model: PatchTransformer, test: TestSet, *, tasks: int, experts: int) -> Shown:
    """Accuracy over every test image, averaged over looks by their number of images."""
    shown, weights = [], []
    for number in range(test.looks):
        images = test.look(number)
        shown.append(show_with_every_id(model, *images, tasks=tasks, experts=experts))
        weights.append(len(images[1]))
    weight = torch.tensor(weights, dtype=torch.float32, device=shown[0].accuracy_QG.device) / sum(weights)
    return Shown(
        accuracy_QG=torch.einsum("n,nqg->qg", weight, torch.stack([look.accuracy_QG for look in shown])),
        routing_LQGE=torch.einsum("n,nlqge->lqge", weight, torch.stack([look.routing_LQGE for look in shown])),
    )
