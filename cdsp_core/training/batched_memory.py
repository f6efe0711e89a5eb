"""How many runs fit on a device at once.

Counted are float32 numbers of one run, by what dominates: what the layers keep for the backward pass, the per-expert
gradients of the layer under way (the two weighted copies of its tokens for every expert, the gradients over all
dimensions, the tap), and the parameters with their gradient and what AdamW remembers.
"""

from __future__ import annotations

from typing import Final

import torch

from cdsp_core.models.transformer import PatchTransformer
from cdsp_core.settings.config import RunConfig

SPARE: Final = 3.0
"""what an estimate is multiplied by: the trial steps before a graph is recorded, the graph's own pool, pieces unused"""
SHARE: Final = 0.85
"""of a device's memory"""


def bytes_of_one_run(config: RunConfig) -> int:
    """Upper estimate of the device memory of one run in a batch."""
    model, train = config.model, config.train
    tokens = train.batch_size * model.num_tokens
    scores = tokens * model.num_tokens * model.num_heads
    kept_a_layer = tokens * (14 * model.d_model + 4 * model.d_base + 6 * model.num_experts) + 4 * scores
    by_expert = (
        2 * tokens * model.num_experts * model.d_model + 3 * model.num_experts * model.d_base * 2 * model.d_model
    )
    under_way = 5 * tokens * model.d_base + by_expert
    taps = 3 * model.num_layers * model.num_experts * model.held_rank * 2 * model.d_model
    parameters = sum(parameter.numel() for parameter in PatchTransformer(model).parameters())
    images = 2 * train.batch_size * model.image_size**2
    return int(4 * SPARE * (model.num_layers * kept_a_layer + under_way + taps + 8 * parameters + images))


def runs_that_fit(config: RunConfig, device: torch.device, *, at_most: int) -> int:
    """How many runs to train at once there; at least one."""
    if device.type != "cuda":
        return at_most
    memory = SHARE * torch.cuda.get_device_properties(device).total_memory
    return max(1, min(at_most, int(memory / bytes_of_one_run(config))))
