"""Causal grouped-query attention with rotary positions: the encoder's only mixing between tokens.

Shapes: B images, S tokens, D model width, H query heads, G key and value heads, C head width (D / H),
F = (H + 2 G) C.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cdsp_core.kernels.attention import attend
from cdsp_core.kernels.execution import Execution
from cdsp_core.settings.model import ModelConfig


class Attention(nn.Module):
    """Projection to H + 2 G heads, rotation of queries and keys, causal attention, projection back."""

    cos_S1C: Tensor
    sin_S1C: Tensor

    def __init__(self, config: ModelConfig, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self._execution = Execution("dense" if config.execution == "dense" else "auto")
        self.heads, self.kv_heads = config.num_heads, config.num_kv_heads
        self.head_width = config.d_model // config.num_heads
        projected = (config.num_heads + 2 * config.num_kv_heads) * self.head_width
        self.qkv = linear(config.d_model, projected, generator=generator)
        self.out = linear(config.d_model, config.d_model, generator=generator)
        cos_S1C, sin_S1C = rotary_tables(config.num_tokens, self.head_width)
        self.register_buffer("cos_S1C", cos_S1C, persistent=False)
        self.register_buffer("sin_S1C", sin_S1C, persistent=False)

    def forward(self, x_BSD: Tensor) -> Tensor:
        qkv_BSF = self.qkv(x_BSD)
        native = self._execution.native(qkv_BSF)
        mixed_BSD = attend(qkv_BSF, self.cos_S1C, self.sin_S1C, self.heads, self.kv_heads, native=native)
        y_BSD: Tensor = self.out(mixed_BSD)
        return y_BSD


def rotary_tables(tokens: int, head_width: int) -> tuple[Tensor, Tensor]:
    """Rotary tables cos_S1C and sin_S1C: factors of a head and of its swapped halves; the first half of sin is -sin.

    The pair (c, c + C/2) at position s is turned by s * 10000 ** (-2 c / C).
    """
    frequency = 10_000.0 ** (-torch.arange(0, head_width, 2) / head_width)
    angle = torch.arange(tokens)[:, None, None] * frequency
    return torch.cat([angle.cos(), angle.cos()], dim=-1), torch.cat([-angle.sin(), angle.sin()], dim=-1)


def linear(inputs: int, outputs: int, *, generator: torch.Generator | None = None) -> nn.Linear:
    """A linear layer without bias, drawn from `generator`: uniform(-1/sqrt(inputs), 1/sqrt(inputs))."""
    layer = nn.Linear(inputs, outputs, bias=False)
    nn.init.uniform_(layer.weight, -(inputs**-0.5), inputs**-0.5, generator=generator)
    return layer
