"""Parts of mixtures whose experts own their weights: the experts, and the load-balance loss.

Nothing here shares weights between experts; `baselines.py` and `related/` put the pieces together.

Shapes: T tokens, D model width, E experts, K chosen, H hidden width of an expert, N = 2 D: a hidden unit's input
weights followed by its output weights.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cdsp_core.kernels.execution import Execution
from cdsp_core.kernels.experts import experts_on_cpu
from cdsp_core.method.backbone import sorted_experts
from cdsp_core.settings.model import ModelConfig


class Experts(nn.Module):
    """E feed-forwards silu(x U) V of hidden width H, kept as one array [E, H, N]."""

    def __init__(
        self, config: ModelConfig, *, experts: int, width: int, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        self._execution = Execution(config.execution)
        u_EHD = _uniform((experts, width, config.d_model), config.d_model, generator)
        v_EHD = _uniform((experts, width, config.d_model), width, generator)
        self.weight_EHN = nn.Parameter(torch.cat([u_EHD, v_EHD], dim=2))

    def forward(self, x_TD: Tensor, gate_TK: Tensor, expert_TK: Tensor) -> Tensor:
        """sum over the token's K experts of gate * silu(x U) V, [T, D]. Every slot must be used."""
        match self.path(x_TD.device):
            case "dense":
                gate_TE = x_TD.new_zeros(len(x_TD), len(self.weight_EHN)).scatter(1, expert_TK, gate_TK)
                return self.all_of_them(x_TD, gate_TE)
            case "native":
                return experts_on_cpu(x_TD, gate_TK, expert_TK, self._ones(), self.weight_EHN)
            case _:
                return sorted_experts(x_TD, gate_TK, expert_TK, self._ones(), self.weight_EHN)

    def all_of_them(self, x_TD: Tensor, gate_TE: Tensor) -> Tensor:
        """Output with a weight for every expert, [T, D], by one feed-forward of width E H; no shape depends on data."""
        experts, width, _ = self.weight_EHN.shape
        u_MD, v_MD = self.weight_EHN.flatten(0, 1).split(x_TD.shape[1], dim=1)
        coeff_TM = gate_TE[:, :, None].expand(-1, experts, width).flatten(1)
        y_TD: Tensor = (F.silu(x_TD @ u_MD.T) * coeff_TM) @ v_MD
        return y_TD

    def path(self, device: torch.device) -> str:
        """Path on that device: `dense`, `sorted` or `native`."""
        return self._execution.path(device)

    def path_note(self, device: torch.device) -> str | None:
        """Reason, for people, why the native path is not taken where it would be; None when there is nothing to say."""
        return self._execution.note(device)

    def _ones(self) -> Tensor:
        return self.weight_EHN.new_ones(len(self.weight_EHN))


def load_balance(probability_TE: Tensor, expert_TK: Tensor) -> Tensor:
    """E * sum over experts of f_e P_e, a scalar: 1 when the load is even, up to E when one expert takes everything.

    f_e is the share of the assignments that went to expert e, P_e the router's mean probability for it. Fedus et al.
    2021 (Switch Transformers, arXiv:2101.03961), Eq. 4-6, without the weight alpha. Their K is 1; with more slots f
    is the sum over slots divided by K, as in DeepSeekMoE (arXiv:2401.06066, Eq. 12-14).
    """
    experts = probability_TE.shape[1]
    expert_E = torch.arange(experts, device=expert_TK.device)
    share_E = (expert_TK[:, :, None] == expert_E).sum((0, 1)) / expert_TK.numel()
    return experts * (share_E * probability_TE.mean(0)).sum()


def _uniform(shape: tuple[int, ...], inputs: int, generator: torch.Generator | None) -> Tensor:
    return torch.empty(shape).uniform_(-(inputs**-0.5), inputs**-0.5, generator=generator)
