"""The task read off a layer's tokens, for the router where the task ID is hidden. Ours, not the paper's.

Shapes: B samples, S tokens a sample, D model width, Q tasks, F features of a token, H hidden units.
"""

from __future__ import annotations

from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FEATURES: Final = 16
HIDDEN: Final = 32


class TaskReader(nn.Module):
    """Task logits of a sample: F features of every token, silu(x W1) for x at mean 0 and spread 1, then an MLP on all.

    It sees what the router sees and no ID, and where in the image it is: on validation images a mean over the tokens
    told the tasks apart in 96 of 100 cases and left a gap of two points (docs/method.md, section 11).
    """

    def __init__(self, *, width: int, tokens: int, tasks: int, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.feature_DF = nn.Parameter(_uniform(width, FEATURES, generator=generator))
        self.hidden_IH = nn.Parameter(_uniform(tokens * FEATURES, HIDDEN, generator=generator))
        self.hidden_bias_H = nn.Parameter(torch.zeros(HIDDEN))
        self.task_HQ = nn.Parameter(_uniform(HIDDEN, tasks, generator=generator))
        self.task_bias_Q = nn.Parameter(torch.zeros(tasks))

    def forward(self, x_BSD: Tensor) -> Tensor:
        """Task logits [B, Q]."""
        feature_BI = F.silu(F.layer_norm(x_BSD, x_BSD.shape[-1:]) @ self.feature_DF).flatten(1)
        hidden_BH = F.silu(feature_BI @ self.hidden_IH + self.hidden_bias_H)
        return hidden_BH @ self.task_HQ + self.task_bias_Q


def _uniform(inputs: int, outputs: int, *, generator: torch.Generator | None) -> Tensor:
    return torch.empty(inputs, outputs).uniform_(-(inputs**-0.5), inputs**-0.5, generator=generator)
