"""Models to compare with. So far: a plain feed-forward in place of the CDSP layer, the floor of its cost.

Shapes: B samples, S tokens, T = B S, D model width, Q width of the task embedding, W hidden width.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cdsp_core.attention import linear
from cdsp_core.config import ModelConfig
from cdsp_core.model import MakeLayer


class PlainFeedForward(nn.Module):
    """silu(x W1) W2 with hidden width W. Routes nothing: the experts it returns are none, [T, 0]."""

    def __init__(self, config: ModelConfig, *, width: int, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.up = linear(config.d_model, width, generator=generator)
        self.down = linear(width, config.d_model, generator=generator)

    def forward(self, x_BSD: Tensor, _task_BQ: Tensor) -> tuple[Tensor, Tensor]:
        nobody_T0 = torch.empty(x_BSD.shape[0] * x_BSD.shape[1], 0, dtype=torch.int64, device=x_BSD.device)
        return self.down(F.silu(self.up(x_BSD))), nobody_T0


def plain_feed_forward(width: int) -> MakeLayer:
    """For `CDSPModel(make_layer=...)`: the same transformer with a plain feed-forward of this width."""

    def make(config: ModelConfig, *, generator: torch.Generator | None) -> nn.Module:
        return PlainFeedForward(config, width=width, generator=generator)

    return make
