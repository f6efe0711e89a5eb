"""The whole network: patches, transformer blocks with CDSP layers, mean over tokens, one shared linear head.

Shapes: B images, S tokens an image, D model width, H query heads, G key and value heads, C head width,
Q width of the task embedding, E experts, K chosen.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cdsp_core.config import ModelConfig
from cdsp_core.layer import CDSPLayer


class Attention(nn.Module):
    """Causal grouped-query attention with rotary positions."""

    rotation_cos: Tensor
    rotation_sin: Tensor

    def __init__(self, config: ModelConfig, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.heads, self.kv_heads = config.num_heads, config.num_kv_heads
        self.head_width = config.d_model // config.num_heads
        projected = (config.num_heads + 2 * config.num_kv_heads) * self.head_width
        self.qkv = linear(config.d_model, projected, generator=generator)
        self.out = linear(config.d_model, config.d_model, generator=generator)
        frequency = 10_000.0 ** (-torch.arange(0, self.head_width, 2) / self.head_width)
        angle = torch.arange(config.num_tokens)[:, None] * frequency
        self.register_buffer("rotation_cos", angle.cos(), persistent=False)
        self.register_buffer("rotation_sin", angle.sin(), persistent=False)

    def forward(self, x_BSD: Tensor) -> Tensor:
        heads = self.qkv(x_BSD).unflatten(2, (-1, self.head_width)).transpose(1, 2)
        query, key, value = heads.split((self.heads, self.kv_heads, self.kv_heads), dim=1)
        query, key = self._rotated(query), self._rotated(key)
        shared = self.heads // self.kv_heads
        key, value = key.repeat_interleave(shared, dim=1), value.repeat_interleave(shared, dim=1)
        mixed = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        y_BSD: Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return y_BSD

    def _rotated(self, heads_BHSC: Tensor) -> Tensor:
        first, second = heads_BHSC.chunk(2, dim=-1)
        cos, sin = self.rotation_cos, self.rotation_sin
        return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)


class Block(nn.Module):
    """Pre-norm transformer block whose feed-forward is a CDSP layer."""

    def __init__(self, config: ModelConfig, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.attention_norm = nn.RMSNorm(config.d_model, eps=1e-6)
        self.attention = Attention(config, generator=generator)
        self.layer_norm = nn.RMSNorm(config.d_model, eps=1e-6)
        self.layer = CDSPLayer(config, generator=generator)

    def forward(self, x_BSD: Tensor, task_BQ: Tensor) -> tuple[Tensor, Tensor]:
        x_BSD = x_BSD + self.attention(self.attention_norm(x_BSD))
        y_BSD, expert_TK = self.layer(self.layer_norm(x_BSD), task_BQ)
        return x_BSD + y_BSD, expert_TK


class CDSPModel(nn.Module):
    """The encoder of the authors' program with CDSP layers (method.md section 8; arXiv:2512.20291, section 4)."""

    def __init__(self, config: ModelConfig, *, num_tasks: int = 3, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.config = config
        self.patch_embedding = linear(config.patch_size**2, config.d_model, generator=generator)
        self.task_embedding = nn.Parameter(torch.randn(num_tasks, config.d_task, generator=generator))
        self.blocks = nn.ModuleList(Block(config, generator=generator) for _ in range(config.num_layers))
        self.norm = nn.RMSNorm(config.d_model, eps=1e-6)
        self.head = linear(config.d_model, config.num_classes, generator=generator)

    @property
    def layers(self) -> list[CDSPLayer]:
        """The CDSP layers, first to last."""
        return [block.layer for block in self.blocks]  # type: ignore[misc]

    def forward(self, image_BHW: Tensor, task_B: Tensor, keep_B1: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Class logits and routing.

        Args:
            image_BHW: float images, normalised.
            task_B: int64 task IDs.
            keep_B1: float, 1.0 where the router may see the task ID, 0.0 where it is hidden.

        Returns:
            logits_BC, and per layer the experts chosen for each token, expert_TK with T = B S.
        """
        x_BSD = self.patch_embedding(self._patches(image_BHW))
        task_BQ = self.task_embedding.index_select(0, task_B) * keep_B1
        chosen = []
        for block in self.blocks:
            x_BSD, expert_TK = block(x_BSD, task_BQ)
            chosen.append(expert_TK)
        return self.head(self.norm(x_BSD).mean(1)), chosen

    def _patches(self, image_BHW: Tensor) -> Tensor:
        side = self.config.patch_size
        rows = image_BHW.unflatten(1, (-1, side)).unflatten(3, (-1, side))
        return rows.transpose(2, 3).flatten(3).flatten(1, 2)


def linear(inputs: int, outputs: int, *, generator: torch.Generator | None = None) -> nn.Linear:
    """A linear layer without bias, drawn from `generator`: uniform(-1/sqrt(inputs), 1/sqrt(inputs))."""
    layer = nn.Linear(inputs, outputs, bias=False)
    nn.init.uniform_(layer.weight, -(inputs**-0.5), inputs**-0.5, generator=generator)
    return layer
