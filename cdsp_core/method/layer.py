"""The CDSP-MoE layer: router, topology and shared backbone together, and the record of last step's conflict.

What that record costs follows from four settings (the cost ladder, method of arXiv:2512.20291, section 3.6):
`conflict_every` measures every m-th step and keeps cosines, overlap and pressure in between; on the other steps each
expert's gradient is not told apart at all, which on the dense path is most of the backward pass of the layer.
`conflict_pairs` leaves out pairs that no token used together, `conflict_projection` compares random projections
(`projection.py`). By default nothing is left out.

Shapes: B samples, S tokens a sample, T = B S, D model width, Q width of the task embedding, E experts, K chosen,
R backbone dimensions, P partitions, r rank quota, N = 2 D. Under the block-sparse backbone dimensions are finer and
N is smaller; see `block_sparse.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from cdsp_core.kernels.execution import Execution
from cdsp_core.kernels.experts import experts_on_cpu
from cdsp_core.kernels.game import native_game
from cdsp_core.method import conflict
from cdsp_core.method.backbone import Backbone, sorted_experts
from cdsp_core.method.block_sparse import BlockSparseBackbone
from cdsp_core.method.gradient_tap import GradientTap
from cdsp_core.method.router import Router
from cdsp_core.method.topology import Subspaces, Topology, scatter_to_dimensions
from cdsp_core.settings.model import ModelConfig

DRAWN = ("permuted", "noise")
"""settings of `pressure` that deal or draw anew at every measured step"""


class CDSPLayer(nn.Module):
    """A feed-forward layer whose experts are subspaces of one backbone (arXiv:2512.20291, section 3).

    While training, `tap` collects dL/d(expert weights) in the backward pass; `record_conflict` turns it into the
    cosines and the pressure on A that the next step's loss uses.
    """

    cosine_EE: Tensor
    overlap_EE: Tensor
    pressure_EP: Tensor
    pressure_key: Tensor
    """int64 scalar, only where `pressure` is dealt or drawn: a function of the seed and the layer"""

    def __init__(self, config: ModelConfig, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.config = config
        # Without sorting, the block-sparse backbone computes every expert for every token.
        no_identity = config.backbone == "block_sparse" and config.execution == "auto"
        self._execution = Execution("sorted" if no_identity else config.execution)
        self.topology = Topology(config, generator=generator)
        self.router = Router(config, generator=generator)
        backbone = Backbone if config.backbone == "low_rank" else BlockSparseBackbone
        self.backbone = backbone(config, generator=generator)
        self.tap = GradientTap(config, seed=generator.initial_seed() if generator else 0)
        experts = config.num_experts
        self.register_buffer("cosine_EE", torch.full((experts, experts), torch.nan))
        self.register_buffer("overlap_EE", torch.zeros(experts, experts))
        self.register_buffer("pressure_EP", torch.zeros(experts, config.num_partitions))
        if config.pressure in DRAWN:
            self.register_buffer("pressure_key", _key_from(generator))  # kept in checkpoints, so a resumed run deals on
        self.measuring = True
        """whether the coming training step's conflict is measured"""
        self._used: tuple[Subspaces, Tensor] | None = None

    def begin_step(self, step: int) -> None:
        """Say which training step comes next, counted from 0; with `conflict_every` m, every m-th one is measured."""
        self.measuring = step % self.config.conflict_every == 0

    def forward(self, x_BSD: Tensor, task_BQ: Tensor) -> tuple[Tensor, Tensor]:
        """Layer output y_BSD and the experts chosen for every token, expert_TK."""
        gate_TK, expert_TK = self.router(x_BSD, task_BQ)
        subspaces = self.topology.subspaces()
        strength_E = self.topology.strength(subspaces)
        x_TD = x_BSD.flatten(0, 1)
        routed = (x_TD, gate_TK, expert_TK, strength_E)
        gathered_ErN = self.tapped(self.backbone.gather(subspaces), subspaces, expert_TK)
        if self.topology.by_force:
            gathered_ErN = gathered_ErN * subspaces.held()[:, :, None]
        match self.path(x_TD.device):
            case "dense":
                y_TD = self.backbone.dense(*routed, gathered_ErN, subspaces, tapped=self._tapping)
            case "native":
                y_TD = experts_on_cpu(*routed, self.backbone.expert_weights(gathered_ErN, subspaces))
            case _:
                y_TD = sorted_experts(*routed, self.backbone.expert_weights(gathered_ErN, subspaces))
        return y_TD.view_as(x_BSD), expert_TK

    def tapped(self, gathered_ErN: Tensor, subspaces: Subspaces, expert_TK: Tensor) -> Tensor:
        """The gathered weights, with the tap on them where their gradient is to be measured."""
        if not self._tapping:
            return gathered_ErN
        self._used = (subspaces, expert_TK)
        return self.tap(gathered_ErN, subspaces.index_Er)  # type: ignore[no-any-return]

    @property
    def _tapping(self) -> bool:
        return self.measuring and torch.is_grad_enabled()

    @torch.no_grad()
    def record_conflict(self) -> None:
        """Between backward pass and update: keep cosines and pressure for the next step, and empty the tap.

        A step that is not measured leaves them as they are. Raises ValueError when there was no backward pass since
        the last call.
        """
        if not self.measuring:
            return
        collected, (subspaces, expert_TK) = self._collected()
        cosine_EE, overlap_EE, pressure_EP = self.game(collected, subspaces, expert_TK)
        self.cosine_EE.copy_(cosine_EE)
        self.overlap_EE.copy_(overlap_EE)
        self.pressure_EP.copy_(pressure_EP)
        self.tap.empty()

    def game(self, collected: Tensor, subspaces: Subspaces, expert_TK: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """cosine_EE, overlap_EE and pressure_EP of gradients that a tap has collected; changes nothing."""
        config = self.config
        pairs_EE = conflict.co_active_pairs(expert_TK, config.num_experts) if config.conflict_pairs != "all" else None
        paper = config.has_diagonal and self.topology.block > 1 and not self._own_rules
        if paper and self.path(collected.device) == "native":
            return self._play_native(collected, subspaces, pairs_EE)
        return self._play_game(collected, subspaces, pairs_EE)

    @property
    def used(self) -> tuple[Subspaces, Tensor]:
        """The subspaces and the experts of every token in the last forward pass that was tapped."""
        assert self._used is not None, "a gradient comes from a forward pass"
        return self._used

    def expert_gradient(self) -> Tensor:
        """The backbone's gradient attributed to each expert, [E, R, N], zero outside its subspace.

        The first half of a dimension's entries belongs to U, the other to V; summed over experts they are the
        ordinary gradients of U and V. Raises ValueError when there was no backward pass since the last
        `record_conflict`, and where gradients are kept as projections only.
        """
        if self.tap.columns:
            raise ValueError(f"expert_gradient needs conflict_projection 0. Found {self.tap.columns}.")
        collected, (subspaces, _) = self._collected()
        return scatter_to_dimensions(collected, subspaces)

    def compile_game(self) -> None:
        """Fuse `record_conflict`'s maths with torch.compile."""
        self._play_game = torch.compile(self._play_game)  # type: ignore[method-assign]

    def _collected(self) -> tuple[Tensor, tuple[Subspaces, Tensor]]:
        """What the tap has collected, and the subspaces and choices of the forward pass it belongs to."""
        return self.tap.collected, self.used

    def _play_game(
        self, collected: Tensor, subspaces: Subspaces, pairs_EE: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The lagged gradient game (Eq. 13-16): cosine_EE and overlap_EE for people, pressure_EP for the next step."""
        overlap_EE = conflict.overlap_matrix(subspaces.mask_ER, self.topology.rank if self.topology.by_force else None)
        gradient_ERN = scatter_to_dimensions(collected, subspaces)[:, :, : self.tap.compared]
        cosine_EE = conflict.cosine_matrix(gradient_ERN, subspaces.mask_ER)
        if pairs_EE is not None:
            cosine_EE = cosine_EE.masked_fill(~pairs_EE, torch.nan)
        if self.topology.block == 1:
            return cosine_EE, overlap_EE, self._pressure_on_dimensions(gradient_ERN, pairs_EE)
        return cosine_EE, overlap_EE, self._pressure(cosine_EE, subspaces.mask_ER)

    def _pressure(self, cosine_EE: Tensor, mask_ER: Tensor) -> Tensor:
        """The next step's pressure on A, [E, P], by the settings `pressure` and `pressure_on`."""
        config = self.config
        key = self.pressure_key if config.pressure in DRAWN else None
        conflict_EE = conflict.pressing_conflict(cosine_EE, kind=config.pressure, key=key)
        if config.pressure_on == "weaker":
            return conflict.pressure_on_weaker(conflict_EE, mask_ER, self.topology.topology_logits)
        if config.pressure_on == "shared":
            return conflict.pressure_on_shared(conflict_EE, mask_ER, config.num_partitions)
        return conflict.pressure_on_partitions(conflict_EE, mask_ER, config.num_partitions)

    def _pressure_on_dimensions(self, gradient_ERN: Tensor, pairs_EE: Tensor | None) -> Tensor:
        """The same where every dimension has a logit, and a conflict, of its own."""
        weaker_in_ER = self.topology.topology_logits if self.config.pressure_on == "weaker" else None
        pressure_ER = conflict.dimension_conflict(gradient_ERN, pairs_EE, weaker_in_ER)
        return pressure_ER * 0.0 if self.config.pressure == "absent" else pressure_ER

    @property
    def _own_rules(self) -> bool:
        """Whether some setting departs from the game that the C of a CPU knows."""
        config = self.config
        return config.pressure != "true" or config.pressure_on != "entry" or self.topology.by_force

    def _play_native(
        self, gradient_ErN: Tensor, subspaces: Subspaces, pairs_EE: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The same on the CPU where A has a partition for every expert, without an array over all dimensions."""
        return native_game(gradient_ErN, subspaces.index_Er, pairs_EE, used=self.tap.compared, dims=self.topology.dims)

    def path(self, device: torch.device) -> str:
        """How this layer is computed there: `dense`, `sorted` or `native`."""
        return self._execution.path(device)

    def path_note(self, device: torch.device) -> str | None:
        """Why the native path is not taken where it would be, for people; None when there is nothing to say."""
        return self._execution.note(device)


def _key_from(generator: torch.Generator | None) -> Tensor:
    """A key by where the generator stands, which differs from layer to layer and seed to seed, without moving it."""
    copy = torch.Generator()
    copy.set_state(generator.get_state() if generator else torch.get_rng_state())
    return torch.randint(2**62, (), generator=copy)


class PenaltyWeights(Protocol):
    """What the penalty's terms are multiplied by: `Controls`, or the same of a run among many, as tensors."""

    @property
    def lambda_conflict(self) -> float | Tensor: ...
    @property
    def l1(self) -> float | Tensor: ...
    @property
    def binarize(self) -> float | Tensor: ...


def structure_penalty(layers: Sequence[CDSPLayer], controls: PenaltyWeights) -> tuple[Tensor, list[Tensor]]:
    """What the layers add to the task loss, lambda times conflict penalty and regularisers (Eq. 16), a scalar.

    Also its three terms before any weight, each summed over the layers: conflict, l1, binarize.
    """
    topology_LEP = torch.stack([layer.topology.logits() for layer in layers])
    pressure_LEP = torch.stack([layer.pressure_EP for layer in layers])
    config = layers[0].config
    penalty = conflict.topology_penalty(topology_LEP, pressure_LEP, kind=config.penalty, floor=config.penalty_floor)
    if config.penalty_scale == "experts_over_partitions":
        penalty = penalty * (config.num_experts / config.num_partitions)
    l1, binarize = conflict.regularisers(topology_LEP)
    weighted = controls.lambda_conflict * (penalty + controls.l1 * l1 + controls.binarize * binarize)
    return weighted, [penalty, l1, binarize]
