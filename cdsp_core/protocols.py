"""What becomes of test images when they come with their own task ID, with none, or with a wrong one.

Blind inference gives no ID, deceptive inference a wrong one (arXiv:2512.20291, section 4). Every image is shown with
every ID and without, in one forward pass, and all protocols are read from the same arrays.

Shapes: L layers, Q tasks, E experts, K slots for chosen experts, G = Q + 1 what is given: the ID of task 0, 1, ...,
and at last none.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from cdsp_core.batches import TestSet
from cdsp_core.looks import routing_shares, shown_apart
from cdsp_core.model import CDSPModel


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
    model: CDSPModel, image_BHW: Tensor, label_B: Tensor, task_B: Tensor, *, tasks: int, experts: int
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


def show_whole_test_set(model: CDSPModel, test: TestSet, *, tasks: int, experts: int) -> Shown:
    """The same over every test image, averaged over looks by their number of images."""
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
