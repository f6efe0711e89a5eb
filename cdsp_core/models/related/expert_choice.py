"""Expert choice routing: experts choose tokens (Zhou et al. 2022, arXiv:2202.09368).

Shapes: B samples, S tokens a sample, T = B S, D model width, Q width of the task embedding, E experts, C tokens an
expert takes.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cdsp_core.kernels.execution import AlwaysDense
from cdsp_core.method.router import Router
from cdsp_core.models.mixture import Experts
from cdsp_core.settings.model import ModelConfig


class ExpertChoice(AlwaysDense, nn.Module):
    """Every expert takes the C = T K / E tokens that score highest for it; the load is even by construction.

    A token gets between none and E experts, so expert_TK is [T, E] with -1 where an expert did not take the token.
    Which experts a token gets depends on the other tokens of the batch.
    """

    def __init__(self, config: ModelConfig, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.config = config
        self.router = Router(config, generator=generator)
        width = config.d_base // config.num_experts
        self.experts = Experts(config, experts=config.num_experts, width=width, generator=generator)

    def forward(self, x_BSD: Tensor, task_BQ: Tensor) -> tuple[Tensor, Tensor]:
        """Layer output y_BSD and the experts that took each token."""
        score_TE = torch.softmax(self.router.logits(x_BSD, task_BQ).flatten(0, 1), dim=1)
        taken_TE = chosen_tokens(score_TE, self.capacity(len(score_TE)))
        y_TD = self.experts.all_of_them(x_BSD.flatten(0, 1), score_TE * taken_TE)
        expert_E = torch.arange(score_TE.shape[1], device=x_BSD.device)
        return y_TD.view_as(x_BSD), torch.where(taken_TE, expert_E, -1)

    def capacity(self, tokens: int) -> int:
        """C, the tokens every expert takes: floor(T K / E), at least one."""
        return max(1, tokens * self.config.top_k // self.config.num_experts)


def chosen_tokens(score_TE: Tensor, capacity: int) -> Tensor:
    """bool [T, E]: the `capacity` tokens with the highest score of every expert."""
    token_CE = torch.topk(score_TE.detach(), capacity, dim=0).indices
    return torch.zeros_like(score_TE, dtype=torch.bool).scatter(0, token_CE, True)
