"""Models to compare with, of the same parameter count: a mixture with or without task ID, and a dense net.

Shapes: B samples, S tokens, T = B S, D model width, Q width of the task embedding, E experts, K chosen,
W hidden width.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cdsp_core.kernels.execution import AlwaysDense
from cdsp_core.method.router import Router, top_k_gate
from cdsp_core.models.attention import linear
from cdsp_core.models.mixture import Experts, load_balance
from cdsp_core.settings.model import ModelConfig


class StandardMixture(nn.Module):
    """E experts of width R / E, a top-K gate and the load-balance loss (Shazeer et al. 2017, arXiv:1701.06538).

    With `sees_task` False the router never sees a task ID: the paper's pure blind mixture.
    """

    auxiliary_name = "load_balance_penalty"

    def __init__(
        self, config: ModelConfig, *, sees_task: bool = True, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        self.config = config
        self._sees_task = sees_task
        self.router = Router(config, generator=generator)
        width = config.d_base // config.num_experts
        self.experts = Experts(config, experts=config.num_experts, width=width, generator=generator)
        self.path, self.path_note = self.experts.path, self.experts.path_note

    def forward(self, x_BSD: Tensor, task_BQ: Tensor) -> tuple[Tensor, Tensor]:
        """Layer output y_BSD and the experts chosen for every token, expert_TK."""
        logits_BSE = self.router.logits(x_BSD, task_BQ if self._sees_task else torch.zeros_like(task_BQ))
        logits_TE = logits_BSE.flatten(0, 1)
        gate_TK, expert_TK = top_k_gate(logits_TE, self.config.top_k, normalise=self.config.gate_softmax)
        self._routed = logits_TE, expert_TK
        return self.experts(x_BSD.flatten(0, 1), gate_TK, expert_TK).view_as(x_BSD), expert_TK

    def auxiliary_loss(self) -> Tensor:
        """The load-balance loss of the last forward pass, weighted."""
        logits_TE, expert_TK = self._routed
        return self.config.load_balance * load_balance(torch.softmax(logits_TE, dim=1), expert_TK)


class PlainFeedForward(AlwaysDense, nn.Module):
    """silu(x W1) W2 with hidden width W. Routes nothing: the experts it returns are none, [T, 0]."""

    def __init__(self, config: ModelConfig, *, width: int, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.up = linear(config.d_model, width, generator=generator)
        self.down = linear(width, config.d_model, generator=generator)

    def forward(self, x_BSD: Tensor, _task_BQ: Tensor) -> tuple[Tensor, Tensor]:
        nobody_T0 = torch.empty(x_BSD.shape[0] * x_BSD.shape[1], 0, dtype=torch.int64, device=x_BSD.device)
        return self.down(F.silu(self.up(x_BSD))), nobody_T0
