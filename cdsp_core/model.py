"""The whole network: patches, transformer blocks, mean over tokens, one shared linear head.

Shapes: B images, S tokens an image, D model width, C classes, Q width of the task embedding, E experts, K chosen.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cdsp_core.architectures import Layer, MakeLayer, layer_maker
from cdsp_core.attention import Attention, linear
from cdsp_core.config import ModelConfig
from cdsp_core.norm import RMSNorm


class Block(nn.Module):
    """Pre-norm transformer block."""

    def __init__(self, config: ModelConfig, *, make_layer: MakeLayer, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.attention_norm = RMSNorm(config.d_model)
        self.attention = Attention(config, generator=generator)
        self.layer_norm = RMSNorm(config.d_model)
        self.layer = make_layer(config, generator=generator)

    def forward(self, x_BSD: Tensor, task_BQ: Tensor) -> tuple[Tensor, Tensor]:
        x_BSD = x_BSD + self.attention(self.attention_norm(x_BSD))
        y_BSD, expert_TK = self.layer(self.layer_norm(x_BSD), task_BQ)
        return x_BSD + y_BSD, expert_TK


class CDSPModel(nn.Module):
    """The encoder of the authors' program (method.md section 8; arXiv:2512.20291, section 4).

    What every block holds is `config.architecture`, unless `make_layer` makes something else.
    """

    def __init__(
        self,
        config: ModelConfig,
        *,
        num_tasks: int = 3,
        make_layer: MakeLayer | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.config = config
        self.patch_embedding = linear(config.patch_size**2, config.d_model, generator=generator)
        self.task_embedding = nn.Parameter(torch.randn(num_tasks, config.d_task, generator=generator))
        made = make_layer or layer_maker(config)
        self.blocks = nn.ModuleList(
            Block(config, make_layer=made, generator=generator) for _ in range(config.num_layers)
        )
        self.norm = RMSNorm(config.d_model)
        self.head = linear(config.d_model, config.num_classes, generator=generator)

    @property
    def layers(self) -> list[Layer]:
        """The feed-forwards, first to last."""
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
        side, across = self.config.patch_size, self.config.image_size // self.config.patch_size
        cut = image_BHW.view(len(image_BHW), across, side, across, side).transpose(2, 3)
        return cut.reshape(len(image_BHW), across * across, side * side)
