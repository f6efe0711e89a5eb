"""The network's sizes and choices, their defaults and bounds, and what follows from them. Imports no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from cdsp_core.settings.fields import bounded, check_fields, described, must_divide

MAX_FRAME_BYTES = 1_000_000
MAX_GRADIENT_BYTES = 131_072
"""of what a frame tells of A's gradient: two layers of 64 x 64"""
FINE_GRAINS = 4
"""Fine-grained experts that architecture shared_fine cuts one expert into, as DeepSeekMoE's validation does."""
SHARED_EXPERTS = 1
"""How many of them are always on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelConfig:
    """Sizes and choices of the network. Fixed for the life of a run."""

    architecture: Literal["cdsp", "standard", "blind", "dense", "expert_choice", "shared_fine", "dselect_k", "stgc"] = (
        described(
            "cdsp",
            "what every block holds: CDSP; of the same parameter count a standard mixture, a blind one or a dense net; "
            "or a related method: expert choice, shared and fine-grained experts, DSelect-k, STGC",
        )
    )
    load_balance: float = bounded(
        0.01,
        0.0,
        10.0,
        "weight of the router's losses: load balance, DSelect-k's entropy, STGC's conflict; none for CDSP",
    )
    image_size: int = bounded(28, 8, 64, "side of the square input image, in pixels")
    patch_size: int = bounded(7, 1, 64, "side of one square patch, in pixels; one patch is one token")
    num_classes: int = bounded(10, 2, 1000, "outputs of the shared linear head")
    d_model: int = bounded(64, 8, 1024, "model width D")
    d_base: int = bounded(256, 8, 4096, "dimensions R of the shared backbone")
    d_task: int = bounded(16, 1, 256, "width of the task embedding")
    num_layers: int = bounded(2, 1, 8, "transformer blocks L, each with one CDSP layer")
    num_heads: int = bounded(4, 1, 64, "query heads")
    num_kv_heads: int = bounded(2, 1, 64, "key and value heads")
    num_experts: int = bounded(8, 2, 128, "logical experts E")
    num_partitions: int = bounded(8, 1, 4096, "blocks P the backbone is cut into; P = E is the paper")
    backbone: Literal["low_rank", "block_sparse"] = described(
        "low_rank",
        "what experts share: U and V, of which each holds dimensions; or full matrices, of which each holds blocks",
    )
    top_k: int = bounded(2, 1, 128, "experts K chosen per token")
    rank_rule: Literal["sqrt", "linear", "force"] = described(
        "sqrt",
        "rank quota r: floor(R / sqrt(E)) (Eq. 6), or R // E (the paper's table); ours: force, at most Eq. 6's r and "
        "of those only what sigmoid(A) > 0.5 holds",
    )
    topology_init: Literal["max_entropy", "self_biased"] = described(
        "max_entropy", "initial A: normal(0, 0.02) (Eq. 3), or 1.0 on the diagonal and 0.1 elsewhere (release)"
    )
    gate_softmax: Literal["top_k", "all"] = described(
        "top_k", "softmax over the chosen K logits, or over all E before choosing (paper's wording)"
    )
    task_fusion: Literal["concat", "mixed"] = described(
        "concat",
        "how the task reaches the router: beside the token (Eq. 10), or as a normalised bias mixed into the logits",
    )
    task_mix: float = bounded(0.5, 0.0, 1.0, "share of the task's bias in the router's logits under task_fusion mixed")
    router_norm: Literal["token", "all"] = described(
        "token", "LayerNorm per token, or over tokens and features together (release)"
    )
    task_dropout: Literal["sample", "batch", "layer"] = described(
        "sample", "draw the task dropout once per sample, once per batch, or once per batch in every layer (release)"
    )
    task_embedding: Literal["shared", "layer"] = described(
        "shared", "one task embedding for all layers, or one for every layer (release)"
    )
    encoder_init: Literal["plain", "release"] = described(
        "plain",
        "patch embedding and head uniform, without a bias; or as in the release: Xavier with a bias, head normal(0, 1)",
    )
    conflict_over: Literal["uv", "u"] = described("uv", "gradients compared: of U and V, or of U only (release)")
    conflict_every: int = bounded(1, 1, 10_000, "steps between two measurements of the conflict; 1 is the paper")
    conflict_pairs: Literal["all", "co_active"] = described(
        "all", "pairs whose conflict counts: all, or only those that some token of the batch used together"
    )
    conflict_projection: int = bounded(
        0, 0, 4096, "columns each dimension's gradient is randomly projected to before the cosines; 0 compares it whole"
    )
    penalty: Literal["logit", "logit_while_positive", "sigmoid"] = described(
        "logit", "what the conflict multiplies: A (Eq. 16), A while above 0.001 (release), sigmoid(A) (white paper)"
    )
    penalty_floor: float = bounded(
        0.0,
        -20.0,
        0.0,
        "ours: logit at which penalty logit presses no more, so that conflict alone has a fixed point there; 0: none",
    )
    penalty_scale: Literal["one", "experts_over_partitions"] = described(
        "one", "ours: weight of the penalty beside lambda: 1, or E / P, for an A of more entries than pairs of experts"
    )
    pressure: Literal["true", "permuted", "noise", "flipped", "absent"] = described(
        "true",
        "ours, a causal test: press by the conflict, by the same values dealt anew among the pairs, by noise of equal "
        "sum, by agreement instead of conflict, or not at all",
    )
    pressure_on: Literal["entry", "shared", "weaker"] = described(
        "entry",
        "where a pair's conflict presses: on A_ef (Eq. 16, needs P = E); ours: on the partitions both hold, of both, "
        "or of the one with the smaller logit there. entry means shared where P is not E",
    )
    hidden_task: Literal["zero", "inferred"] = described(
        "zero",
        "what the router gets in place of a hidden task ID: zeros (Eq. 11); ours: the mix of the task embeddings that "
        "a small reader of the layer's tokens infers",
    )
    inference_weight: float = bounded(
        0.1, 0.0, 10.0, "ours: weight of the reader's cross-entropy on the known tasks under hidden_task inferred"
    )
    route_distillation: float = bounded(
        0.0,
        0.0,
        100.0,
        "ours: weight of KL(routing with ID, held fixed || routing of the same tokens without), mean of the tokens",
    )
    execution: Literal["auto", "dense", "sorted"] = described(
        "auto", "how the layer is computed; the results are equal, auto takes the faster one"
    )

    @property
    def rank(self) -> int:
        """Rank quota r: how many backbone dimensions one expert holds (Eq. 6); at most, under rank_rule force."""
        if self.rank_rule == "linear":
            return self.d_base // self.num_experts
        return int(self.d_base / math.sqrt(self.num_experts))

    @property
    def width_parts(self) -> int:
        """Parts the width is cut into by the grid of blocks (`block_sparse.py`); 1 for the low-rank backbone."""
        if self.backbone == "low_rank":
            return 1
        across = range(math.isqrt(self.num_partitions), 0, -1)
        return next(parts for parts in across if self._has_grid(parts))

    def _has_grid(self, parts: int) -> bool:
        columns, rest = divmod(self.num_partitions, parts)
        return not rest and not self.d_model % parts and not self.d_base % columns

    @property
    def held_dims(self) -> int:
        """How many dimensions experts can hold: R, each one in every part of the width."""
        return self.d_base * self.width_parts

    @property
    def compared_entries(self) -> int:
        """Entries of one dimension's gradient that cosines compare: of U and V, or of U only."""
        entries = 2 * self.d_model // self.width_parts
        return entries if self.conflict_over == "uv" else entries // 2

    @property
    def held_rank(self) -> int:
        """How many of them one expert holds: as many weights as r whole dimensions have."""
        return self.rank * self.width_parts

    @property
    def num_tokens(self) -> int:
        """Tokens per image."""
        return (self.image_size // self.patch_size) ** 2

    @property
    def has_diagonal(self) -> bool:
        """Whether A has a diagonal, that is whether expert e has a partition of its own."""
        return self.num_partitions == self.num_experts

    @property
    def has_topology(self) -> bool:
        """Whether the layers have a topology matrix A; without one there is no backbone, no rank and no conflict."""
        return self.architecture == "cdsp"

    @property
    def own_experts(self) -> int:
        """How many experts with weights of their own share the width R; 1 for a dense net. Not for CDSP."""
        return {"dense": 1, "shared_fine": FINE_GRAINS * self.num_experts}.get(self.architecture, self.num_experts)

    @property
    def routed_experts(self) -> int:
        """Experts among which tokens are routed, as frames show them; 0 for a dense net."""
        routed = {"dense": 0, "shared_fine": self.own_experts - SHARED_EXPERTS}
        return routed.get(self.architecture, self.num_experts)

    @property
    def tokens_compete(self) -> bool:
        """Whether the experts a token gets depend on the other tokens of the batch."""
        return self.architecture == "expert_choice"

    def __post_init__(self) -> None:
        check_fields(self)
        if not self.has_topology:
            self._check_own_experts()
        must_divide("image_size", self.image_size, "patch_size", self.patch_size)
        must_divide("d_base", self.d_base, "num_partitions", self.num_partitions)
        must_divide("d_model", self.d_model, "num_heads", self.num_heads)
        must_divide("num_heads", self.num_heads, "num_kv_heads", self.num_kv_heads)
        if (self.d_model // self.num_heads) % 2:
            raise ValueError(
                f"d_model / num_heads must be even for rotary positions. Found {self.d_model} / {self.num_heads}."
            )
        if self.top_k > self.num_experts:
            raise ValueError(f"top_k must be at most num_experts. Found {self.top_k} and {self.num_experts}.")
        if self.rank < 1:
            raise ValueError(
                f"d_base must leave every expert a dimension. Found {self.d_base} for {self.num_experts} experts."
            )
        if self.topology_init == "self_biased" and not self.has_diagonal:
            raise ValueError(
                "topology_init self_biased needs num_partitions equal to num_experts. "
                f"Found {self.num_partitions} and {self.num_experts}."
            )
        if self.penalty_floor and self.penalty != "logit":
            raise ValueError(
                f"penalty_floor needs penalty logit, the only one that has no bound. Found {self.penalty}."
            )
        if self.pressure not in ("true", "absent") and self.num_partitions == self.held_dims:
            raise ValueError(
                "pressure must be true or absent where every dimension has a logit of its own, "
                f"whose conflict is not that of a pair. Found {self.pressure}."
            )
        if self.frame_bytes() > MAX_FRAME_BYTES:
            raise ValueError(
                f"num_layers, num_experts and num_partitions must give frames of at most {MAX_FRAME_BYTES} bytes. "
                f"Found {self.frame_bytes()}."
            )

    def _check_own_experts(self) -> None:
        grains = f"{FINE_GRAINS} x " if self.architecture == "shared_fine" else ""
        if self.d_base % self.own_experts:
            raise ValueError(
                f"d_base must be divisible by {grains}num_experts under architecture {self.architecture}. "
                f"Found {self.d_base} and {grains}{self.num_experts}."
            )
        if self.architecture == "dselect_k" and self.num_experts & (self.num_experts - 1):
            raise ValueError(
                f"num_experts must be a power of two under architecture dselect_k. Found {self.num_experts}."
            )

    def frame_bytes(self) -> int:
        """Upper estimate of one frame in bytes: its arrays, the names before them, and room for some 150 steps."""
        return self._without_gradient() + (self._gradient_bytes if self.tells_gradient else 0)

    @property
    def tells_gradient(self) -> bool:
        """Whether frames tell what the optimiser was given for A: where A is small, and a frame has room for it."""
        size = self._gradient_bytes
        return self.has_topology and size <= MAX_GRADIENT_BYTES and self._without_gradient() + size <= MAX_FRAME_BYTES

    @property
    def _gradient_bytes(self) -> int:
        return 16 * self.num_layers * self.num_experts * self.num_partitions

    def _without_gradient(self) -> int:
        pairs = 3 * self.num_experts**2
        topology = 2 * self.num_experts * self.num_partitions
        per_expert = 32 * max(self.num_experts, self.routed_experts)
        layer = 4 * (pairs + topology + per_expert) + self.num_experts * -(-self.held_dims // 8)
        return self.num_layers * layer + 8192 + 65_536
