"""DSelect-k: a gate that is continuous and, in the end, sparse (Hazimeh et al. 2021, arXiv:2106.03760).

Shapes: B samples, S tokens a sample, T = B S, D model width, Q width of the task embedding, E experts (a power of two),
K single-expert selectors, M = log2 E bits.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import torch
from torch import Tensor, nn

from cdsp_core.kernels.execution import AlwaysDense
from cdsp_core.method.router import Router
from cdsp_core.models.mixture import Experts
from cdsp_core.settings.model import ModelConfig

GAMMA: Final = 1.0
"""width of the smooth-step function, the source program's default"""
LOG_FLOOR: Final = 1e-6


class DSelectK(AlwaysDense, nn.Module):
    """K selectors, each a product of M smooth steps over the bits of an expert's number; per example (section 3.2).

    All experts take part until the steps saturate, so all are computed; expert_TK names the expert that each
    selector weighs most. The regulariser is the entropy of the selectors, weighted by `load_balance` (section 3.1).

    The task is always concatenated, as `task_fusion` concat does: mixed would normalise the bits and shares of all
    selectors together, and a selector of the source depends on its own weights only.

    Deviation: the selectors read the router's features, LayerNorm(x) and task vector, instead of the raw input.
    """

    auxiliary_name = "entropy_penalty"
    bit_ME: Tensor

    def __init__(self, config: ModelConfig, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.config = config
        experts, selectors = config.num_experts, config.top_k
        bits = (experts - 1).bit_length()
        beside = replace(config, task_fusion="concat")
        self.router = Router(beside, outputs=selectors * (bits + 1), generator=generator)
        # The source program starts near one half everywhere: a step that begins saturated has no gradient.
        self.router.weight.data[:, : selectors * bits].uniform_(-GAMMA / 100, GAMMA / 100, generator=generator)
        self.experts = Experts(config, experts=experts, width=config.d_base // experts, generator=generator)
        place_M1 = torch.arange(bits)[:, None]
        self.register_buffer("bit_ME", torch.arange(experts) >> place_M1 & 1 == 1, persistent=False)

    def forward(self, x_BSD: Tensor, task_BQ: Tensor) -> tuple[Tensor, Tensor]:
        """Layer output y_BSD and the expert that each selector weighs most, expert_TK."""
        logits_TO = self.router.logits(x_BSD, task_BQ).flatten(0, 1)
        selectors = self.config.top_k
        bits_TKM = logits_TO[:, :-selectors].unflatten(1, (selectors, -1))
        self._selector_TKE = select(smooth_step(bits_TKM), self.bit_ME)
        share_TK = torch.softmax(logits_TO[:, -selectors:], dim=1)
        gate_TE = (share_TK[:, :, None] * self._selector_TKE).sum(1)
        y_TD = self.experts.all_of_them(x_BSD.flatten(0, 1), gate_TE)
        return y_TD.view_as(x_BSD), self._selector_TKE.detach().argmax(2)

    def auxiliary_loss(self) -> Tensor:
        """Entropy of the selectors of the last forward pass, summed over the K and averaged over tokens, weighted."""
        selector_TKE = self._selector_TKE
        entropy_TK = -(selector_TKE * torch.log(selector_TKE + LOG_FLOOR)).sum(2)
        return self.config.load_balance * entropy_TK.sum(1).mean()


def smooth_step(value: Tensor) -> Tensor:
    """0 below -gamma / 2, 1 above gamma / 2, a cubic in between with slope 0 at both ends (Eq. 4)."""
    inside = value.clamp(-GAMMA / 2, GAMMA / 2)
    return -2 / GAMMA**3 * inside**3 + 3 / (2 * GAMMA) * inside + 0.5


def select(step_TKM: Tensor, bit_ME: Tensor) -> Tensor:
    """Weight of every expert in every selector, [T, K, E]: over its bits, the product of step or 1 - step (Eq. 5)."""
    factor_TKME = torch.where(bit_ME, step_TKM[..., None], 1 - step_TKM[..., None])
    return factor_TKME.prod(2)
