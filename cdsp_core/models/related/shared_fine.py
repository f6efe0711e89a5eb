"""Shared and fine-grained experts (DeepSeekMoE: Dai et al. 2024, arXiv:2401.06066, section 3).

Shapes: B samples, S tokens a sample, T = B S, D model width, Q width of the task embedding, F fine-grained experts
among which tokens are routed, K of them chosen.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cdsp_core.method.router import Router, top_k_gate
from cdsp_core.models.mixture import Experts, load_balance
from cdsp_core.settings.model import FINE_GRAINS, SHARED_EXPERTS, ModelConfig


class SharedFineMixture(nn.Module):
    """Each of E experts is cut into m fine ones; K_s of the m E are always on, m K - K_s of the others are chosen.

    m is 4 and K_s is 1, as in the source's validation (section 4.1.3). The gate is the softmax affinity over all
    routed experts, not normalised again (Eq. 9-11); the balance loss is the expert-level one (Eq. 12-14).
    """

    auxiliary_name = "load_balance_penalty"

    def __init__(self, config: ModelConfig, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.config = config
        self.chosen = FINE_GRAINS * config.top_k - SHARED_EXPERTS
        width = config.d_base // config.own_experts
        self.router = Router(config, outputs=config.routed_experts, generator=generator)
        self.shared = Experts(config, experts=SHARED_EXPERTS, width=width, generator=generator)
        self.experts = Experts(config, experts=config.routed_experts, width=width, generator=generator)
        self.path, self.path_note = self.experts.path, self.experts.path_note

    def forward(self, x_BSD: Tensor, task_BQ: Tensor) -> tuple[Tensor, Tensor]:
        """Layer output y_BSD and the fine-grained experts chosen for every token, expert_TK."""
        logits_TF = self.router.logits(x_BSD, task_BQ).flatten(0, 1)
        gate_TK, expert_TK = top_k_gate(logits_TF, self.chosen, normalise="all")
        self._routed = logits_TF, expert_TK
        x_TD = x_BSD.flatten(0, 1)
        y_TD = self.experts(x_TD, gate_TK, expert_TK) + self.shared.all_of_them(x_TD, x_TD.new_ones(len(x_TD), 1))
        return y_TD.view_as(x_BSD), expert_TK

    def auxiliary_loss(self) -> Tensor:
        """The load-balance loss of the last forward pass over the routed experts, weighted."""
        logits_TF, expert_TK = self._routed
        return self.config.load_balance * load_balance(torch.softmax(logits_TF, dim=1), expert_TK)
