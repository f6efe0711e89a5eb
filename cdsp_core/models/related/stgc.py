"""Token gradient conflict: tokens whose gradient opposes their expert's are pushed away from it (STGC).

Yang et al. 2024, "Solving Token Gradient Conflict in Mixture-of-Experts for Large Vision-Language Model",
arXiv:2406.19905.

Shapes: B samples, S tokens a sample, T = B S, D model width, Q width of the task embedding, E experts, K chosen,
H hidden width of an expert, N = 2 D.
"""

from __future__ import annotations

from typing import Any, Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cdsp_core.kernels.execution import AlwaysDense
from cdsp_core.method.router import Router, top_k_gate
from cdsp_core.models.mixture import Experts, load_balance
from cdsp_core.settings.model import ModelConfig

THRESHOLD: Final = 0.0
"""a token conflicts with its expert when the cosine of their gradients is below this"""


class StgcMixture(AlwaysDense, nn.Module):
    """The standard mixture plus the conflict elimination loss, at the step whose gradients show the conflict.

    A token's gradient is that of the loss with respect to the weights of one of its experts, through this token
    alone; the expert's is the mean over its tokens. Where their cosine is below the threshold, the loss adds
    -log softmax(-z)_e for the router's logits z and the current expert e, averaged over conflicting pairs (Eq. 8):
    it lowers z_e. Its gradient is known only in the backward pass and enters there; under aggregation pcgrad, which
    has a backward pass for every task, a token is compared with the tokens of its task.

    Deviation: token gradients are exact, of both weight matrices; the source approximates them to save memory.
    Deviation: the threshold is 0 and both of the router's losses have the weight `load_balance`, since our copy of the
    source does not give its values.
    Deviation: the conflict elimination loss acts by its gradient and is not part of the reported loss.
    """

    auxiliary_name = "load_balance_penalty"

    def __init__(self, config: ModelConfig, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.config = config
        self.router = Router(config, generator=generator)
        width = config.d_base // config.num_experts
        self.experts = Experts(config, experts=config.num_experts, width=width, generator=generator)

    def forward(self, x_BSD: Tensor, task_BQ: Tensor) -> tuple[Tensor, Tensor]:
        """Layer output y_BSD and the experts chosen for every token, expert_TK."""
        logits_TE = self.router.logits(x_BSD, task_BQ).flatten(0, 1)
        gate_TK, expert_TK = top_k_gate(logits_TE, self.config.top_k, normalise=self.config.gate_softmax)
        self._routed = logits_TE, expert_TK
        gate_TE = torch.zeros_like(logits_TE).scatter(1, expert_TK, gate_TK)
        y_TD: Tensor = _ConflictingExperts.apply(
            x_BSD.flatten(0, 1), gate_TE, logits_TE, self.experts.weight_EHN, self.config.load_balance
        )
        return y_TD.view_as(x_BSD), expert_TK

    def auxiliary_loss(self) -> Tensor:
        """The load-balance loss of the last forward pass, weighted."""
        logits_TE, expert_TK = self._routed
        return self.config.load_balance * load_balance(torch.softmax(logits_TE, dim=1), expert_TK)


class _ConflictingExperts(torch.autograd.Function):
    """sum over experts of gate * silu(x U) V, whose backward pass also pushes conflicting tokens' logits."""

    @staticmethod
    def forward(
        ctx: Any, x_TD: Tensor, gate_TE: Tensor, logits_TE: Tensor, weight_EHN: Tensor, elimination: float
    ) -> Tensor:
        u_MD, v_MD = weight_EHN.flatten(0, 1).split(x_TD.shape[1], dim=1)
        pre_TEH = (x_TD @ u_MD.T).unflatten(1, weight_EHN.shape[:2])
        ctx.save_for_backward(x_TD, gate_TE, logits_TE, weight_EHN, pre_TEH)
        ctx.elimination = elimination
        y_TD: Tensor = (F.silu(pre_TEH) * gate_TE[:, :, None]).flatten(1) @ v_MD
        return y_TD

    @staticmethod
    def backward(ctx: Any, dy_TD: Tensor) -> tuple[Tensor | None, ...]:
        x_TD, gate_TE, logits_TE, weight_EHN, pre_TEH = ctx.saved_tensors
        u_MD, v_MD = weight_EHN.flatten(0, 1).split(x_TD.shape[1], dim=1)
        active_TEH = F.silu(pre_TEH)
        dhidden_TEH = (dy_TD @ v_MD.T).view_as(pre_TEH)
        # Through one token the gradient of U is slope (x) x, that of V is hidden (x) dy.
        slope_TM = (torch.ops.aten.silu_backward(dhidden_TEH, pre_TEH) * gate_TE[:, :, None]).flatten(1)
        hidden_TM = (active_TEH * gate_TE[:, :, None]).flatten(1)
        du_MD, dv_MD = slope_TM.T @ x_TD, hidden_TM.T @ dy_TD
        cosine_TE = token_cosine(slope_TM, x_TD, du_MD, hidden_TM, dy_TD, dv_MD, experts=len(weight_EHN))
        dlogits_TE = ctx.elimination * elimination_gradient(logits_TE, cosine_TE < THRESHOLD)
        dweight_EHN = torch.cat([du_MD, dv_MD], dim=1).view_as(weight_EHN)
        return slope_TM @ u_MD, (dhidden_TEH * active_TEH).sum(2), dlogits_TE, dweight_EHN, None


def token_cosine(
    slope_TM: Tensor, x_TD: Tensor, du_MD: Tensor, hidden_TM: Tensor, dy_TD: Tensor, dv_MD: Tensor, *, experts: int
) -> Tensor:
    """Cosine of each token's gradient and the sum over all tokens, for every expert's weights, [T, E].

    The token's gradient is the outer products slope (x) x and hidden (x) dy, M = E H rows of them. NaN where a token
    has no gradient for an expert, as for the experts it did not choose.
    """

    def per_expert(value: Tensor) -> Tensor:
        summed: Tensor = value.unflatten(-1, (experts, -1)).sum(-1)
        return summed

    dot_TE = per_expert(slope_TM * (x_TD @ du_MD.T) + hidden_TM * (dy_TD @ dv_MD.T))
    of_u_TE = per_expert(slope_TM.square()) * x_TD.square().sum(1, keepdim=True)
    of_v_TE = per_expert(hidden_TM.square()) * dy_TD.square().sum(1, keepdim=True)
    mean_E = per_expert(du_MD.square().sum(1) + dv_MD.square().sum(1))
    cosine_TE: Tensor = dot_TE * (of_u_TE + of_v_TE).rsqrt() * mean_E.rsqrt()
    return cosine_TE


def elimination_gradient(logits_TE: Tensor, conflicting_TE: Tensor) -> Tensor:
    """Gradient of the mean of -log softmax(-z)_e over the conflicting pairs, with respect to z; 0 without any."""
    flag_TE = conflicting_TE.to(logits_TE.dtype)
    pull_TE = flag_TE - flag_TE.sum(1, keepdim=True) * torch.softmax(-logits_TE, dim=1)
    gradient_TE: Tensor = pull_TE / flag_TE.sum().clamp_min(1.0)
    return gradient_TE
