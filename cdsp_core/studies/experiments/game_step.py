"""One update with the conflict game, for models that are not the image encoder (arXiv:2512.20291, Algorithm 1).

`trainer.py` does the same for the encoder and its frames. A model without a CDSP layer takes the same update
without the game, so that what it is compared with differs in nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from cdsp_core.method.layer import CDSPLayer, structure_penalty
from cdsp_core.settings.config import Controls
from cdsp_core.training.adamw import AdamW


class GameStep:
    """AdamW at two speeds: the weights at lr_base, every layer's A at lr_ratio times that and without weight decay."""

    def __init__(
        self,
        model: nn.Module,
        layers: Sequence[CDSPLayer],
        controls: Controls,
        *,
        weight_decay: float = 0.01,
        grad_clip: float = 1.0,
    ) -> None:
        self.layers = layers
        self.controls = controls
        self.grad_clip = grad_clip
        topology = [layer.topology.topology_logits for layer in layers]
        weights = [p for p in model.parameters() if not any(p is a for a in topology)]
        groups = [{"params": weights, "lr": controls.lr_base, "weight_decay": weight_decay}]
        if topology:
            groups.append({"params": topology, "lr": controls.lr_ratio * controls.lr_base, "weight_decay": 0.0})
        self.optimizer = AdamW(groups)
        self.step = 0
        """updates made"""

    def update(self, task_loss: Tensor) -> None:
        """Add last step's conflict to this step's task loss, go back, record the conflict, and update."""
        self.optimizer.zero_grad(set_to_none=True)
        (task_loss + self.structure_loss() if self.layers else task_loss).backward()
        for group in self.optimizer.param_groups:
            torch.nn.utils.clip_grad_norm_(group["params"], self.grad_clip)
        for layer in self.layers:
            layer.record_conflict()
        self.optimizer.step()
        self.step += 1
        for layer in self.layers:
            layer.begin_step(self.step)

    def structure_loss(self) -> Tensor:
        """lambda times the conflict penalty and the regularisers, over all layers; a scalar."""
        return structure_penalty(self.layers, self.controls)[0]
