"""The whole network: patches, transformer blocks, mean over tokens, one shared linear head.

Shapes: B images, S tokens an image, D model width, C classes, Q width of the task embedding, E experts, K chosen,
L layers, or 1 where all layers share something.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cdsp_core.models.attention import Attention, linear
from cdsp_core.models.norm import RMSNorm
from cdsp_core.models.registry import Layer, MakeLayer, layer_maker
from cdsp_core.settings.config import ModelConfig


class Block(nn.Module):
    """Pre-norm transformer block."""

    def __init__(self, config: ModelConfig, *, make_layer: MakeLayer, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.attention_norm = RMSNorm(config.d_model)
        self.attention = Attention(config, generator=generator)
        self.ffn_norm = RMSNorm(config.d_model)
        self.feed_forward = make_layer(config, generator=generator)

    def forward(self, x_BSD: Tensor, task_BQ: Tensor) -> tuple[Tensor, Tensor]:
        x_BSD = x_BSD + self.attention(self.attention_norm(x_BSD))
        y_BSD, expert_TK = self.feed_forward(self.ffn_norm(x_BSD), task_BQ)
        return x_BSD + y_BSD, expert_TK


class PatchTransformer(nn.Module):
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
        embeddings = config.num_layers if config.task_embedding == "layer" else 1
        self.task_embedding = nn.Parameter(torch.randn(num_tasks, embeddings * config.d_task, generator=generator))
        made = make_layer or layer_maker(config)
        self.blocks = nn.ModuleList(
            Block(config, make_layer=made, generator=generator) for _ in range(config.num_layers)
        )
        self.norm = RMSNorm(config.d_model)
        self.head = linear(config.d_model, config.num_classes, generator=generator)
        if config.encoder_init == "release":
            self._start_as_released(generator)

    @property
    def layers(self) -> list[Layer]:
        """The feed-forwards, first to last."""
        return [block.feed_forward for block in self.blocks]  # type: ignore[misc]

    def _start_as_released(self, generator: torch.Generator | None) -> None:
        """Give the patch embedding a bias and draw both ends of the network as the authors' program does.

        Its head keeps the normal(0, 1) of a token embedding that it was tied to before patches took its place.
        """
        inputs = self.config.patch_size**2
        nn.init.xavier_normal_(self.patch_embedding.weight, generator=generator)
        bias_D = torch.empty(self.config.d_model).uniform_(-(inputs**-0.5), inputs**-0.5, generator=generator)
        self.patch_embedding.bias = nn.Parameter(bias_D)
        nn.init.normal_(self.head.weight, generator=generator)

    def forward(self, image_BHW: Tensor, task_B: Tensor, keep_BL: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Class logits and routing.

        Args:
            image_BHW: float images, normalised.
            task_B: int64 task IDs.
            keep_BL: float, 1.0 where a layer's router may see the task ID, 0.0 where it is hidden.

        Returns:
            logits_BC, and per layer the experts chosen for each token, expert_TK with T = B S.
        """
        x_BSD = self.patch_embedding(self._patches(image_BHW))
        task_BLQ = self.task_embedding.index_select(0, task_B).unflatten(1, (-1, self.config.d_task))
        shown_BLQ = (task_BLQ * keep_BL[:, :, None]).expand(-1, len(self.blocks), -1)
        chosen = []
        for block, shown_BQ in zip(self.blocks, shown_BLQ.unbind(1), strict=True):
            x_BSD, expert_TK = block(x_BSD, shown_BQ)
            chosen.append(expert_TK)
        return self.head(self.norm(x_BSD).mean(1)), chosen

    def _patches(self, image_BHW: Tensor) -> Tensor:
        side, across = self.config.patch_size, self.config.image_size // self.config.patch_size
        cut = image_BHW.view(len(image_BHW), across, side, across, side).transpose(2, 3)
        return cut.reshape(len(image_BHW), across * across, side * side)
