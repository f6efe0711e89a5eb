"""Causal grouped-query attention with rotary positions: the encoder's only mixing between tokens.

Shapes: B images, S tokens, D model width, H query heads, G key and value heads, C head width (D / H),
F = (H + 2 G) C.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cdsp_core.kernels.native import why_unavailable
from cdsp_core.kernels.native.attention import native_attention
from cdsp_core.settings.config import ModelConfig


class Attention(nn.Module):
    """Projection to H + 2 G heads, rotation of queries and keys, causal attention, projection back."""

    cos_S1C: Tensor
    sin_S1C: Tensor

    def __init__(self, config: ModelConfig, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self._native = why_unavailable() is None
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
        if self._native and qkv_BSF.is_cpu and qkv_BSF.dtype == torch.float32:
            mixed_BSD = native_attention(qkv_BSF, self.cos_S1C, self.sin_S1C, self.heads, self.kv_heads)
        else:
            mixed_BSD = self._attend(qkv_BSF)
        y_BSD: Tensor = self.out(mixed_BSD)
        return y_BSD

    def _attend(self, qkv_BSF: Tensor) -> Tensor:
        """What `native_attention` does, by torch's operations."""
        rotated = (self.heads + self.kv_heads) * self.head_width
        qk, value = qkv_BSF.split((rotated, self.kv_heads * self.head_width), dim=2)
        batch, tokens, _ = qkv_BSF.shape
        qk_BSHC = _Rotation.apply(qk.view(batch, tokens, -1, self.head_width), self.cos_S1C, self.sin_S1C)
        query, key = qk_BSHC.transpose(1, 2).split((self.heads, self.kv_heads), dim=1)
        value = value.view(batch, tokens, -1, self.head_width).transpose(1, 2)
        mixed = F.scaled_dot_product_attention(query, key, value, is_causal=True, enable_gqa=True)
        return mixed.transpose(1, 2).flatten(2)


def rotary_tables(tokens: int, head_width: int) -> tuple[Tensor, Tensor]:
    """What a head is multiplied by, and what its swapped halves are: cos_S1C and sin_S1C, whose first half is -sin.

    The pair (c, c + C/2) at position s is turned by s * 10000 ** (-2 c / C).
    """
    frequency = 10_000.0 ** (-torch.arange(0, head_width, 2) / head_width)
    angle = torch.arange(tokens)[:, None, None] * frequency
    return torch.cat([angle.cos(), angle.cos()], dim=-1), torch.cat([-angle.sin(), angle.sin()], dim=-1)


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
