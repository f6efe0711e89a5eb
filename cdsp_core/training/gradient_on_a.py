"""What the optimiser was given for A in the last step, and what that is the sum of.

Shapes: L layers, E experts, P partitions, G rows of `GRADIENT_ROWS` (`wire/frames.py`).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from cdsp_core.method.layer import CDSPLayer
from cdsp_core.method.topology_gradient import TERMS, penalty_gradients
from cdsp_core.settings.config import Controls


class GradientOnA:
    """Keeps a copy of A's gradient, of A and of the pressure at every step, and splits it when a frame asks.

    A copy is three small operations on the device and waits for nothing; the closed forms are computed only for a step
    that is looked at.
    """

    def __init__(self, layers: Sequence[CDSPLayer]) -> None:
        self._layers = layers
        self._kept: tuple[Tensor, Tensor, Tensor, Tensor, Controls] | None = None

    @torch.no_grad()
    def keep(self, scale: Tensor, controls: Controls) -> None:
        """Between clipping and update: A, its clipped gradient, the factor of clipping and last step's pressure."""
        gradients = [layer.topology.topology_logits.grad for layer in self._layers]
        gradient_LEP = torch.stack([gradient for gradient in gradients if gradient is not None])
        logits_LEP = torch.stack([layer.topology.logits() for layer in self._layers])
        pressure_LEP = torch.stack([layer.pressure_EP for layer in self._layers])
        self._kept = (gradient_LEP, logits_LEP, pressure_LEP, scale, controls)

    @torch.no_grad()
    def rows(self) -> Tensor:
        """The gradient that the optimiser was given, bit for bit, and the penalties' shares of it, [L, G, E, P].

        What the penalties leave of it is the task loss's, with what else a layer adds to the loss. NaN before the
        first step.
        """
        if self._kept is None:
            topology_logits = self._layers[0].topology.topology_logits
            return topology_logits.new_full((len(self._layers), 1 + len(TERMS), *topology_logits.shape), torch.nan)
        gradient_LEP, logits_LEP, pressure_LEP, scale, controls = self._kept
        terms_KLEP = scale * penalty_gradients(logits_LEP, pressure_LEP, self._layers[0].config, controls)
        return torch.cat([gradient_LEP[None], terms_KLEP]).transpose(0, 1)
