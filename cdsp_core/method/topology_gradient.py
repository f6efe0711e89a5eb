"""What the penalties push A with: the gradients of the loss's terms on A in closed form, without a backward pass.

Shapes: E experts, P partitions, L layers, K the three terms of `TERMS`.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from cdsp_core.method.layer import PenaltyWeights
from cdsp_core.settings.model import ModelConfig

TERMS: Final = ("conflict", "l1", "binarize")
"""the terms of `structure_penalty`, in the order of `penalty_gradients`; the rest of A's gradient is the task loss's"""


@torch.no_grad()
def penalty_gradients(
    topology_logits_LEP: Tensor, pressure_LEP: Tensor, config: ModelConfig, controls: PenaltyWeights
) -> Tensor:
    """Gradients on A of the weighted terms of `structure_penalty`, [K, L, E, P], before clipping.

    `topology_logits_LEP` is A with the sharing offset, which is no term of its own: it moves the point at which the
    others are taken. `pressure_LEP` is last step's. Each equals the gradient that a backward pass of that term alone
    gives, 0 included where the function has a kink (Eq. 16 and its variants; `conflict.topology_penalty`).
    """
    connection_LEP = torch.sigmoid(topology_logits_LEP)
    slope_LEP = connection_LEP * (1.0 - connection_LEP)
    entries = topology_logits_LEP.shape[-2] * topology_logits_LEP.shape[-1]
    conflict_LEP = _conflict_gradient(topology_logits_LEP, pressure_LEP, slope_LEP, config)
    l1_LEP = controls.l1 * topology_logits_LEP.sign() / entries
    binarize_LEP = controls.binarize * slope_LEP * (1.0 - 2.0 * connection_LEP) / entries
    return controls.lambda_conflict * torch.stack([conflict_LEP, l1_LEP, binarize_LEP])


def _conflict_gradient(
    topology_logits_LEP: Tensor, pressure_LEP: Tensor, slope_LEP: Tensor, config: ModelConfig
) -> Tensor:
    scale = config.num_experts / config.num_partitions if config.penalty_scale == "experts_over_partitions" else 1.0
    if config.penalty_floor:
        floor = config.penalty_floor
        return scale * pressure_LEP * torch.relu(topology_logits_LEP - floor) / -floor
    if config.penalty == "sigmoid":
        return scale * pressure_LEP * slope_LEP
    if config.penalty == "logit_while_positive":
        return scale * pressure_LEP * (topology_logits_LEP > 0.001)
    return scale * pressure_LEP
