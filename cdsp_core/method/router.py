"""Which experts each token uses. The task ID enters here and nowhere else.

Shapes: B samples, S tokens a sample, T = B S, D model width, Q width of the task embedding, E experts, K chosen.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cdsp_core.kernels.execution import Execution
from cdsp_core.kernels.gate import native_gate
from cdsp_core.settings.model import ModelConfig


class Router(nn.Module):
    """Top-k gate over [LayerNorm(x), task vector] (arXiv:2512.20291, Eq. 10-12).

    It has a logit for every expert, or as many `outputs` as are asked for.
    """

    def __init__(
        self, config: ModelConfig, *, outputs: int | None = None, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        self.top_k = config.top_k
        self.gate_softmax = config.gate_softmax
        self.norm_over_all = config.router_norm == "all"
        self.task_mix = config.task_mix if config.task_fusion == "mixed" else None
        self.norm_weight = nn.Parameter(torch.ones(config.d_model))
        self.norm_bias = nn.Parameter(torch.zeros(config.d_model))
        bound = (config.d_model + config.d_task) ** -0.5
        weight = torch.empty(config.d_model + config.d_task, outputs or config.num_experts)
        self.weight = nn.Parameter(weight.uniform_(-bound, bound, generator=generator))
        self.bias = nn.Parameter(torch.zeros(outputs or config.num_experts))
        self._execution = Execution(config.execution)
        self._distils = config.route_distillation > 0
        self._gap: Tensor | None = None

    def forward(self, x_BSD: Tensor, task_BQ: Tensor) -> tuple[Tensor, Tensor]:
        """Gate weights and chosen experts.

        Args:
            x_BSD: layer input.
            task_BQ: task vector of each sample, zero where the task ID is hidden.

        Returns:
            gate_TK, float, the weights of the chosen experts, largest first; expert_TK, int64, their indices.
        """
        distilling = self._distils and torch.is_grad_enabled()
        if self._execution.native(x_BSD) and not distilling and not torch.compiler.is_compiling():
            read = (x_BSD, self.norm_weight, self.norm_bias, self.weight, self.bias, task_BQ)
            over_all, together = self.gate_softmax == "all", self.norm_over_all
            return native_gate(*read, top_k=self.top_k, together=together, over_all=over_all, mix=self.task_mix)
        return top_k_gate(self.logits(x_BSD, task_BQ).flatten(0, 1), self.top_k, normalise=self.gate_softmax)

    def logits(self, x_BSD: Tensor, task_BQ: Tensor) -> Tensor:
        """Router logits [B, S, E]: of the token, and of the task, which is the same for all tokens of a sample."""
        width = x_BSD.shape[-1]
        token_BSE = self._normalised(x_BSD) @ self.weight[:width] + self.bias
        task_B1E = (task_BQ @ self.weight[width:])[:, None]
        if self.task_mix is None:
            logits_BSE = token_BSE + task_B1E  # [h, v] W = h W_x + v W_v
        else:
            token_BSE = (1 - self.task_mix) * _standardised(token_BSE)
            logits_BSE = token_BSE + self.task_mix * _standardised(task_B1E)
        if self._distils and torch.is_grad_enabled():
            self._gap = routing_divergence(logits_BSE, token_BSE)
        return logits_BSE

    def distillation_loss(self) -> Tensor:
        """KL of the routing without task vector from that with it, of the last forward pass with gradient, a scalar.

        Ours (docs/method.md, section 11). Raises ValueError unless the config gives it a weight.
        """
        if self._gap is None:
            raise ValueError("distillation_loss needs route_distillation above 0 and a forward pass. Found none.")
        return self._gap

    def _normalised(self, x_BSD: Tensor) -> Tensor:
        if not self.norm_over_all:
            return F.layer_norm(x_BSD, x_BSD.shape[-1:], self.norm_weight, self.norm_bias)
        # Deviation: the release normalises over tokens and features of a sample together.
        return F.layer_norm(x_BSD, x_BSD.shape[-2:]) * self.norm_weight + self.norm_bias


def top_k_gate(logits_TE: Tensor, top_k: int, *, normalise: str) -> tuple[Tensor, Tensor]:
    """The K largest logits as gate_TK and expert_TK; softmax over those K, or over all E before choosing."""
    if normalise == "all":
        gate_TK, expert_TK = torch.topk(torch.softmax(logits_TE, dim=1), top_k, dim=1)
        return gate_TK, expert_TK
    chosen_TK, expert_TK = torch.topk(logits_TE, top_k, dim=1)
    return torch.softmax(chosen_TK, dim=1), expert_TK


def routing_divergence(given_BSE: Tensor, blind_BSE: Tensor) -> Tensor:
    """KL(softmax(given), held fixed || softmax(blind)), mean over tokens, a scalar; 0 for samples without a task."""
    given = torch.log_softmax(given_BSE.detach(), dim=2)
    blind = torch.log_softmax(blind_BSE, dim=2)
    return (given.exp() * (given - blind)).sum(2).mean()


def _standardised(logits: Tensor) -> Tensor:
    """Mean 0 and spread 1 over the experts; a hidden task, all zeros, stays zero."""
    return F.layer_norm(logits, logits.shape[-1:])
