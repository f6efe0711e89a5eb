"""The whole network: patches, transformer blocks, mean over tokens, one shared linear head.

Shapes: B images, S tokens an image, D model width, C classes, Q width of the task embedding, E experts, K chosen,
L layers, or 1 where all layers share something.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cdsp_core.method.router import Router
from cdsp_core.method.rows import take_rows
from cdsp_core.method.task_reader import TaskReader
from cdsp_core.models.attention import Attention, linear
from cdsp_core.models.norm import RMSNorm
from cdsp_core.models.registry import Layer, MakeLayer, layer_maker
from cdsp_core.settings.model import ModelConfig


class Block(nn.Module):
    """Pre-norm transformer block."""

    def __init__(self, config: ModelConfig, *, make_layer: MakeLayer, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.attention_norm = RMSNorm(config.d_model)
        self.attention = Attention(config, generator=generator)
        self.ffn_norm = RMSNorm(config.d_model)
        self.feed_forward = make_layer(config, generator=generator)

    def forward(self, x_BSD: Tensor, task_BQ: Tensor) -> tuple[Tensor, Tensor]:
        return self.feed(self.attend(x_BSD), task_BQ)

    def attend(self, x_BSD: Tensor) -> Tensor:
        """The first half of the block."""
        return x_BSD + self.attention(self.attention_norm(x_BSD))  # type: ignore[no-any-return]

    def feed(self, x_BSD: Tensor, task_BQ: Tensor) -> tuple[Tensor, Tensor]:
        """The second half, the only one that sees the task."""
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
        self.readers = nn.ModuleList()
        """one for every block that has something to infer; drawn last, so that all else starts as without them"""
        if config.hidden_task == "inferred":
            sizes = {"width": config.d_model, "tokens": config.num_tokens, "tasks": num_tasks}
            self.readers.extend(TaskReader(**sizes, generator=generator) for _ in range(config.num_layers))
        self._read_BQ: list[Tensor] = []

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
        task_BLQ = take_rows(self.task_embedding, task_B).unflatten(1, (-1, self.config.d_task))
        shown_BLQ = (task_BLQ * keep_BL[:, :, None]).expand(-1, len(self.blocks), -1)
        chosen = []
        self._read_BQ = []
        blocks: list[Block] = list(self.blocks)  # type: ignore[arg-type]
        for number, block in enumerate(blocks):
            x_BSD = block.attend(x_BSD)
            shown_BQ = shown_BLQ[:, number]
            if self.readers:
                shown_BQ = shown_BQ + self._inferred(number, x_BSD, keep_BL)
            x_BSD, expert_TK = block.feed(x_BSD, shown_BQ)
            chosen.append(expert_TK)
        return self.head(self.norm(x_BSD).mean(1)), chosen

    @property
    def guidance_names(self) -> tuple[str, ...]:
        """The terms of `guidance_loss`; none under the paper's rules."""
        distils = self.config.route_distillation > 0 and any(self._routers())
        return (*(("task_inference_loss",) if self.readers else ()), *(("distillation_loss",) if distils else ()))

    def guidance_loss(self, task_B: Tensor) -> tuple[Tensor, list[Tensor]]:
        """What the router's aids add to the loss of the last forward pass, weighted, a scalar; and its terms before.

        Ours (docs/method.md, section 11): the readers' cross-entropy on the known tasks, and the KL that teaches the
        routing without ID what the routing with ID does. Both are means over the layers.
        """
        terms, weights = [], []
        if self.readers:
            terms.append(torch.stack([F.cross_entropy(read_BQ, task_B) for read_BQ in self._read_BQ]).mean())
            weights.append(self.config.inference_weight)
        if "distillation_loss" in self.guidance_names:
            terms.append(torch.stack([router.distillation_loss() for router in self._routers()]).mean())
            weights.append(self.config.route_distillation)
        weighted = torch.stack([weight * term for weight, term in zip(weights, terms, strict=True)]).sum()
        return weighted, terms

    def _inferred(self, number: int, x_BSD: Tensor, keep_BL: Tensor) -> Tensor:
        """The inferred task vector of every sample whose ID is hidden from this block, zero for the others."""
        read_BQ = self.readers[number](x_BSD)
        self._read_BQ.append(read_BQ)
        vector_BQ: Tensor = torch.softmax(read_BQ.detach(), dim=1) @ self.task_embedding
        vector_BLQ = vector_BQ.unflatten(1, (-1, self.config.d_task)).expand(-1, len(self.blocks), -1)
        hidden_BL = (1.0 - keep_BL).expand(-1, len(self.blocks))
        inferred_BQ: Tensor = vector_BLQ[:, number] * hidden_BL[:, number, None]
        return inferred_BQ

    def _routers(self) -> list[Router]:
        return [router for layer in self.layers if isinstance(router := getattr(layer, "router", None), Router)]

    def _patches(self, image_BHW: Tensor) -> Tensor:
        side, across = self.config.patch_size, self.config.image_size // self.config.patch_size
        cut = image_BHW.view(len(image_BHW), across, side, across, side).transpose(2, 3)
        return cut.reshape(len(image_BHW), across * across, side * side)
