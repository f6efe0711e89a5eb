"""A small causal language model of bytes, of the image encoder's blocks, and its training on two kinds of text.

Shapes: B windows, S bytes a window, D model width, Q width of the task embedding, L layers, E experts, K chosen,
T = B S.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cdsp_core.method.layer import CDSPLayer
from cdsp_core.models.attention import linear
from cdsp_core.models.norm import RMSNorm
from cdsp_core.models.registry import WithAuxiliaryLoss, layer_maker
from cdsp_core.models.transformer import Block
from cdsp_core.settings.model import ModelConfig
from cdsp_core.studies.experiments import task_overlap
from cdsp_core.studies.experiments.game_step import GameStep
from cdsp_core.studies.experiments.sizes import BYTES, TEXT_CONTEXT, text_config
from cdsp_core.studies.experiments.text_data import KINDS, Text
from cdsp_core.studies.framework.study import Row, Tell
from cdsp_core.training import measures
from cdsp_core.training.batches import stream_generator

WINDOWS_PER_KIND = 8


class TextModel(nn.Module):
    """Byte embedding, causal blocks, one output layer for both kinds of text; the kind reaches the routers only."""

    def __init__(self, config: ModelConfig, *, generator: torch.Generator) -> None:
        super().__init__()
        self.config = config
        make_layer = layer_maker(config)
        self.byte_embedding = nn.Parameter(torch.randn(BYTES, config.d_model, generator=generator))
        self.kind_embedding = nn.Parameter(torch.randn(len(KINDS), config.d_task, generator=generator))
        self.blocks = nn.ModuleList(
            Block(config, make_layer=make_layer, generator=generator) for _ in range(config.num_layers)
        )
        self.norm = RMSNorm(config.d_model)
        self.head = linear(config.d_model, BYTES, generator=generator)

    @property
    def cdsp_layers(self) -> list[CDSPLayer]:
        """The layers with a topology, first to last; none in a dense model."""
        return [block.feed_forward for block in self.blocks if isinstance(block.feed_forward, CDSPLayer)]

    @property
    def routes(self) -> bool:
        """Whether its layers have experts."""
        return self.config.architecture != "dense"

    def balance(self) -> Tensor | None:
        """What the layers of a mixture add to the loss of the last forward pass; None where nothing is balanced."""
        layers = [block.feed_forward for block in self.blocks if isinstance(block.feed_forward, WithAuxiliaryLoss)]
        return torch.stack([layer.auxiliary_loss() for layer in layers]).sum() if layers else None

    def forward(self, byte_BS: Tensor, kind_B: Tensor, keep_B1: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Logits of the byte after each, [B, S, 256], and per layer the experts chosen for each byte, expert_TK.

        `keep_B1` is 1.0 where the routers may see the kind, 0.0 where it is hidden.
        """
        x_BSD = F.embedding(byte_BS, self.byte_embedding)
        kind_BQ = self.kind_embedding.index_select(0, kind_B) * keep_B1
        chosen = []
        for block in self.blocks:
            x_BSD, expert_TK = block(x_BSD, kind_BQ)
            chosen.append(expert_TK)
        return self.head(self.norm(x_BSD)), chosen


def windows(text_N: np.ndarray, count: int, generator: torch.Generator) -> Tensor:
    """`count` pieces of context and one byte more, from anywhere in the text, int64 [count, S + 1]."""
    length = TEXT_CONTEXT.num_tokens + 1
    first_B1 = torch.randint(0, len(text_N) - length + 1, (count, 1), generator=generator)
    return torch.from_numpy(text_N)[first_B1 + torch.arange(length)].to(torch.int64)


def train(
    *,
    architecture: str,
    lambda_conflict: float,
    texts: dict[str, Text],
    seed: int,
    steps: int,
    every: int,
    tell: Tell,
    test_windows: int = 128,
) -> list[Row]:
    """Train on both kinds in equal shares, the kind hidden from half of the windows.

    Returns a row at the start and every `every` steps, measured on `test_windows` windows of each kind.
    """
    config = text_config(architecture, lambda_conflict)
    model, controls = TextModel(config.model, generator=stream_generator(seed, "weights")), config.controls
    game = GameStep(model, model.cdsp_layers, controls)
    order, dropout = stream_generator(seed, "order"), stream_generator(seed, "dropout")
    tested = torch.cat([windows(texts[kind].test_N, test_windows, stream_generator(0, "order")) for kind in KINDS])
    kind_B = torch.arange(len(KINDS)).repeat_interleave(WINDOWS_PER_KIND)
    rows = [{"step": 0, **measured(model, tested)}]
    for step in range(1, steps + 1):
        byte_BS = torch.cat([windows(texts[kind].train_N, WINDOWS_PER_KIND, order) for kind in KINDS])
        keep_B1 = (torch.rand(len(kind_B), 1, generator=dropout) >= controls.p_drop).to(torch.float32)
        logits_BSC, _ = model(byte_BS[:, :-1], kind_B, keep_B1)
        loss = F.cross_entropy(logits_BSC.flatten(0, 1), byte_BS[:, 1:].flatten())
        balance = model.balance()
        game.update(loss if balance is None else loss + balance)
        tell(step / steps, f"{architecture}, lambda {lambda_conflict:g}: step {step}")
        if step % every == 0:
            rows.append({"step": step, **measured(model, tested)})
    return rows


@torch.no_grad()
def measured(model: TextModel, tested: Tensor) -> Row:
    """Bits a byte per kind, and what the kinds share, with the kind given and hidden (`_blind`)."""
    kind_B = torch.arange(len(KINDS)).repeat_interleave(len(tested) // len(KINDS))
    row: Row = {"parameters": sum(p.numel() for p in model.parameters())}
    routing = {}
    for keep, side in ((1.0, ""), (0.0, "_blind")):
        logits_BSC, chosen = model(tested[:, :-1], kind_B, torch.full((len(tested), 1), keep))
        loss_BS = F.cross_entropy(logits_BSC.transpose(1, 2), tested[:, 1:], reduction="none")
        bits = loss_BS.view(len(KINDS), -1).mean(1) / math.log(2.0)
        row |= {f"bits_{kind}{side}": float(bits[number]) for number, kind in enumerate(KINDS)}
        row[f"bits{side}"] = float(bits.mean())
        if not model.routes:
            continue
        routing_LQE = _routing(chosen)
        routing[side] = routing_LQE
        row[f"isolation{side}"] = 1.0 - task_overlap.routing_overlap(routing_LQE)
        row[f"specialization{side}"] = float(np.mean([measures.specialization(of_QE) for of_QE in routing_LQE]))
        if model.cdsp_layers:
            found = task_overlap.structure(routing_LQE, model.cdsp_layers)
            row[f"dimension_overlap{side}"] = found["dimension_overlap"]
            row |= {name: found[name] for name in ("rank_overlap", "gradient_interference", "alpha_sparsity")}
    if routing:
        row |= _kept(routing[""], routing["_blind"])
    return row


def _routing(chosen: list[Tensor]) -> np.ndarray:
    """Each kind's share of assignments to every expert, [L, Q, E]."""
    expert = torch.arange(TEXT_CONTEXT.num_experts)
    shares = [(expert_TK.view(len(KINDS), -1, 1) == expert).to(torch.float32).mean(1).numpy() for expert_TK in chosen]
    return np.stack(shares)


def _kept(told_LQE: np.ndarray, hidden_LQE: np.ndarray) -> Row:
    """Overlap of each kind's hidden routing with its own told routing, and with the other kind's; means."""
    own = np.minimum(told_LQE, hidden_LQE).sum(2).mean()
    other = np.minimum(told_LQE[:, ::-1], hidden_LQE).sum(2).mean()
    return {"routing_consistency": float(own), "routing_confusion": float(other)}
