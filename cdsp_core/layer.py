"""The CDSP-MoE layer: router, topology and shared backbone together, and the record of last step's conflict.

Shapes: B samples, S tokens a sample, T = B S, D model width, Q width of the task embedding, E experts, K chosen,
R backbone dimensions, P partitions, r rank quota, N = 2 D.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from cdsp_core import conflict
from cdsp_core.backbone import Backbone, dense_experts, sorted_experts
from cdsp_core.config import ModelConfig
from cdsp_core.execution import Execution
from cdsp_core.native.experts import experts_on_cpu
from cdsp_core.native.game import native_game
from cdsp_core.router import Router
from cdsp_core.topology import Subspaces, Topology, select_subspaces


class CDSPLayer(nn.Module):
    """A feed-forward layer whose experts are subspaces of one backbone (arXiv:2512.20291, section 3).

    While training, `gradient_tap` collects dL/d(expert weights) in the backward pass; `record_conflict` turns it
    into the cosines and the pressure on A that the next step's loss uses.
    """

    gradient_tap_ErN: Tensor
    cosine_EE: Tensor
    overlap_EE: Tensor
    pressure_EP: Tensor

    def __init__(self, config: ModelConfig, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.config = config
        self._execution = Execution(config.execution)
        self.topology = Topology(config, generator=generator)
        self.router = Router(config, generator=generator)
        self.backbone = Backbone(config, generator=generator)
        experts, width = config.num_experts, 2 * config.d_model
        self.register_buffer("cosine_EE", torch.full((experts, experts), torch.nan))
        self.register_buffer("overlap_EE", torch.zeros(experts, experts))
        self.register_buffer("pressure_EP", torch.zeros(experts, config.num_partitions))
        tap = torch.zeros(experts, config.rank, width, requires_grad=True)
        self.register_buffer("gradient_tap_ErN", tap, persistent=False)

    def forward(self, x_BSD: Tensor, task_BQ: Tensor) -> tuple[Tensor, Tensor]:
        """Layer output y_BSD and the experts chosen for every token, expert_TK."""
        gate_TK, expert_TK = self.router(x_BSD, task_BQ)
        subspaces = self.topology.subspaces()
        strength_E = self.topology.strength(subspaces)
        expert_weight_ErN = self.backbone.gather(subspaces) + self.gradient_tap_ErN
        x_TD = x_BSD.flatten(0, 1)
        routed = (x_TD, gate_TK, expert_TK, strength_E, expert_weight_ErN)
        match self.path(x_TD.device):
            case "dense":
                y_TD = dense_experts(*routed, self.backbone, subspaces)
            case "native":
                y_TD = experts_on_cpu(*routed)
            case _:
                y_TD = sorted_experts(*routed)
        return y_TD.view_as(x_BSD), expert_TK

    @torch.no_grad()
    def record_conflict(self) -> None:
        """Between backward pass and update: keep cosines and pressure for the next step, and empty the tap.

        Raises ValueError when there was no backward pass since the last call.
        """
        compact_ErN = self.gradient_tap_ErN.grad
        if compact_ErN is None:
            raise ValueError("record_conflict needs a backward pass since its last call. Found none.")
        play = self._play_native if self.path(compact_ErN.device) == "native" else self._play_game
        cosine_EE, overlap_EE, pressure_EP = play(compact_ErN, self.topology.topology_logits)
        self.cosine_EE.copy_(cosine_EE)
        self.overlap_EE.copy_(overlap_EE)
        self.pressure_EP.copy_(pressure_EP)
        self.gradient_tap_ErN.grad = None

    def expert_gradient(self) -> Tensor:
        """The backbone's gradient attributed to each expert, [E, R, N], zero outside its subspace.

        The first D entries of a dimension belong to U, the others to V; summed over experts they are the ordinary
        gradients of U and V. Raises ValueError when there was no backward pass since the last `record_conflict`.
        """
        compact_ErN = self.gradient_tap_ErN.grad
        if compact_ErN is None:
            raise ValueError("expert_gradient needs a backward pass since the last record_conflict. Found none.")
        return scatter_to_dimensions(compact_ErN, self.topology.subspaces())

    def compile_game(self) -> None:
        """Fuse `record_conflict`'s maths with torch.compile."""
        self._play_game = torch.compile(self._play_game)  # type: ignore[method-assign]

    def _play_game(self, compact_ErN: Tensor, topology_logits: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The lagged gradient game (Eq. 13-16): cosine_EE and overlap_EE for people, pressure_EP for the next step."""
        config = self.config
        subspaces = select_subspaces(topology_logits, rank=config.rank, block=self.topology.block)
        gradient_ERN = scatter_to_dimensions(compact_ErN, subspaces)
        if config.conflict_over == "u":
            gradient_ERN = gradient_ERN[:, :, : config.d_model]
        cosine_EE = conflict.cosine_matrix(gradient_ERN, subspaces.mask_ER)
        overlap_EE = conflict.overlap_matrix(subspaces.mask_ER)
        if config.num_partitions == config.d_base:
            return cosine_EE, overlap_EE, conflict.dimension_conflict(gradient_ERN)
        conflict_EE = conflict.conflict_from_cosine(cosine_EE)
        pressure_EP = conflict.pressure_on_partitions(conflict_EE, subspaces.mask_ER, config.num_partitions)
        return cosine_EE, overlap_EE, pressure_EP

    def _play_native(self, compact_ErN: Tensor, topology_logits: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The same on the CPU; without the array over all dimensions where A has a partition for every expert."""
        config = self.config
        if not config.has_diagonal or config.num_partitions == config.d_base:
            return self._play_game(compact_ErN, topology_logits)
        used = compact_ErN.shape[2] if config.conflict_over == "uv" else config.d_model
        index_Er = select_subspaces(topology_logits, rank=config.rank, block=self.topology.block).index_Er
        return native_game(compact_ErN, index_Er, used=used, dims=config.d_base)

    def path(self, device: torch.device) -> str:
        """How this layer is computed there: `dense`, `sorted` or `native`."""
        return self._execution.path(device)

    def path_note(self, device: torch.device) -> str | None:
        """Why the native path is not taken where it would be, for people; None when there is nothing to say."""
        return self._execution.note(device)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> CDSPLayer:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        # A moved buffer is the result of an operation; the tap must stay a leaf to collect gradients.
        self.gradient_tap_ErN = self.gradient_tap_ErN.detach().requires_grad_()
        return self


def scatter_to_dimensions(compact_ErN: Tensor, subspaces: Subspaces) -> Tensor:
    """Rows of each expert's subspace put to their dimensions, [E, R, N], zero elsewhere."""
    experts, dims = subspaces.mask_ER.shape
    first_E1 = torch.arange(experts, device=compact_ErN.device)[:, None] * dims
    dense = compact_ErN.new_zeros(experts * dims, compact_ErN.shape[2])
    dense.index_copy_(0, (subspaces.index_Er + first_E1).flatten(), compact_ErN.flatten(0, 1))
    return dense.view(experts, dims, -1)
