"""The task read off a layer's tokens, for the router where the task ID is hidden. Ours, not the paper's.

Shapes: B samples, S tokens a sample, D model width, Q tasks.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class TaskReader(nn.Module):
    """Task logits of a sample: W2 applied to the mean over its tokens of silu(x W1), x at mean 0 and spread 1.

    It sees what the router sees and no ID (docs/method.md, section 11).
    """

    def __init__(self, *, width: int, tasks: int, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.weight_DD = nn.Parameter(_uniform(width, width, generator=generator))
        self.weight_DQ = nn.Parameter(_uniform(width, tasks, generator=generator))
        self.bias_Q = nn.Parameter(torch.zeros(tasks))

    def forward(self, x_BSD: Tensor) -> Tensor:
        """Task logits [B, Q]."""
        features_BD = F.silu(F.layer_norm(x_BSD, x_BSD.shape[-1:]) @ self.weight_DD).mean(1)
        return features_BD @ self.weight_DQ + self.bias_Q


def _uniform(inputs: int, outputs: int, *, generator: torch.Generator | None) -> Tensor:
    return torch.empty(inputs, outputs).uniform_(-(inputs**-0.5), inputs**-0.5, generator=generator)
