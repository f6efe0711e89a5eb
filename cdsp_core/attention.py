"""Causal grouped-query attention with rotary positions: the encoder's only mixing between tokens.

Shapes: B images, S tokens, D model width, H query heads, G key and value heads, C head width (D / H).
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cdsp_core.config import ModelConfig


class Attention(nn.Module):
    """Projection to H + 2 G heads, rotation of queries and keys, causal attention, projection back."""

    cos_S1C: Tensor
    sin_S1C: Tensor

    def __init__(self, config: ModelConfig, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.heads, self.kv_heads = config.num_heads, config.num_kv_heads
        self.head_width = config.d_model // config.num_heads
        projected = (config.num_heads + 2 * config.num_kv_heads) * self.head_width
        self.qkv = linear(config.d_model, projected, generator=generator)
        self.out = linear(config.d_model, config.d_model, generator=generator)
        frequency = 10_000.0 ** (-torch.arange(0, self.head_width, 2) / self.head_width)
        angle = torch.arange(config.num_tokens)[:, None, None] * frequency
        self.register_buffer("cos_S1C", torch.cat([angle.cos(), angle.cos()], dim=-1), persistent=False)
        self.register_buffer("sin_S1C", torch.cat([-angle.sin(), angle.sin()], dim=-1), persistent=False)

    def forward(self, x_BSD: Tensor) -> Tensor:
        rotated = (self.heads + self.kv_heads) * self.head_width
        qk, value = self.qkv(x_BSD).split((rotated, self.kv_heads * self.head_width), dim=2)
        batch, tokens, width = x_BSD.shape
        qk_BSHC = _Rotation.apply(qk.view(batch, tokens, -1, self.head_width), self.cos_S1C, self.sin_S1C)
        query, key = qk_BSHC.transpose(1, 2).split((self.heads, self.kv_heads), dim=1)
        value = value.view(batch, tokens, -1, self.head_width).transpose(1, 2)
        mixed = F.scaled_dot_product_attention(query, key, value, is_causal=True, enable_gqa=True)
        y_BSD: Tensor = self.out(mixed.transpose(1, 2).reshape(batch, tokens, width))
        return y_BSD


class _Rotation(torch.autograd.Function):
    """Rotary positions: (a, b) to (a cos - b sin, b cos + a sin); the gradient is the rotation back."""

    @staticmethod
    def forward(ctx: Any, heads_BSHC: Tensor, cos_S1C: Tensor, sin_S1C: Tensor) -> Tensor:
        ctx.save_for_backward(cos_S1C, sin_S1C)
        return _rotated(heads_BSHC, cos_S1C, sin_S1C)

    @staticmethod
    def backward(ctx: Any, dheads_BSHC: Tensor) -> tuple[Tensor | None, ...]:
        cos_S1C, sin_S1C = ctx.saved_tensors
        return _rotated(dheads_BSHC, cos_S1C, -sin_S1C), None, None


def _rotated(heads_BSHC: Tensor, cos_S1C: Tensor, sin_S1C: Tensor) -> Tensor:
    swapped = heads_BSHC.roll(heads_BSHC.shape[-1] // 2, dims=-1)
    return torch.addcmul(heads_BSHC * cos_S1C, swapped, sin_S1C)


def linear(inputs: int, outputs: int, *, generator: torch.Generator | None = None) -> nn.Linear:
    """A linear layer without bias, drawn from `generator`: uniform(-1/sqrt(inputs), 1/sqrt(inputs))."""
    layer = nn.Linear(inputs, outputs, bias=False)
    nn.init.uniform_(layer.weight, -(inputs**-0.5), inputs**-0.5, generator=generator)
    return layer
