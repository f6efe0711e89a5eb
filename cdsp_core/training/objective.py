"""What a model adds to the task loss, and what the terms of the loss are called."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from cdsp_core.method.layer import CDSPLayer, PenaltyWeights, structure_penalty
from cdsp_core.models.registry import WithAuxiliaryLoss
from cdsp_core.models.transformer import PatchTransformer

TOPOLOGY_TERMS: Final = ("conflict_penalty", "l1_penalty", "binarize_penalty")


def loss_terms(model: PatchTransformer) -> tuple[str, ...]:
    """The names of the terms, the task loss and those of `added_loss`, in order."""
    return (
        "task_loss",
        *(TOPOLOGY_TERMS if _topologies(model) else ()),
        *dict.fromkeys(layer.auxiliary_name for layer in _auxiliaries(model)),
        *model.guidance_names,
    )


def added_loss(model: PatchTransformer, controls: PenaltyWeights, task_B: Tensor) -> tuple[Tensor | None, list[Tensor]]:
    """What layers and the router's aids add to the task loss of the last forward pass, weighted; None for nothing.

    Also its terms as they are told.
    """
    penalty, terms = _of_layers(model, controls)
    if not model.guidance_names:
        return penalty, terms
    guidance, guidance_terms = model.guidance_loss(task_B)
    return guidance if penalty is None else penalty + guidance, [*terms, *guidance_terms]


def _of_layers(model: PatchTransformer, controls: PenaltyWeights) -> tuple[Tensor | None, list[Tensor]]:
    topologies, auxiliaries = _topologies(model), _auxiliaries(model)
    if topologies:
        return structure_penalty(topologies, controls)
    if auxiliaries:
        auxiliary = torch.stack([layer.auxiliary_loss() for layer in auxiliaries]).sum()
        return auxiliary, [auxiliary]
    return None, []


def _topologies(model: PatchTransformer) -> list[CDSPLayer]:
    return [layer for layer in model.layers if isinstance(layer, CDSPLayer)]


def _auxiliaries(model: PatchTransformer) -> list[WithAuxiliaryLoss]:
    return [layer for layer in model.layers if isinstance(layer, WithAuxiliaryLoss)]
