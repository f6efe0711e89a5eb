"""What becomes of test images, shown with their task ID, without one, and with a wrong one.

Shapes: B images, C classes, L layers, Q tasks, E experts, K slots for chosen experts, T tokens.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from cdsp_core.model import CDSPModel


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
    model: CDSPModel, image_BHW: Tensor, label_B: Tensor, task_B: Tensor, *, tasks: int, number: int = 0
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
    model: CDSPModel, image_BHW: Tensor, task_B: Tensor, keep_BL: Tensor, *, sides: int
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
