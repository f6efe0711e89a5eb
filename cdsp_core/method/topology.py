"""Which backbone dimensions each expert holds: partitions, topology logits, force and subspaces.

Shapes: E experts, P partitions, R backbone dimensions, B = R / P dimensions a partition, r rank quota.
Under the block-sparse backbone a "dimension" is one in one part of the width (`block_sparse.py`): a R of them for a
parts, of which an expert holds a r; everything here is the same.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from cdsp_core.method.rows import put_rows
from cdsp_core.settings.model import ModelConfig


class Subspaces(NamedTuple):
    """The subspaces S_e at one moment. Without gradient: choosing dimensions is not differentiable."""

    index_Er: Tensor
    """int64 [E, r]: the dimensions of each expert, strongest partition first."""
    count_EP: Tensor
    """int64 [E, P]: how many of the expert's dimensions lie in each partition: r together, or fewer by force."""
    mask_ER: Tensor
    """bool [E, R]: True where the expert holds the dimension."""

    def held(self) -> Tensor:
        """bool [E, r]: True where the expert holds that dimension of `index_Er`; False only under rank_rule force."""
        return self.mask_ER.gather(1, self.index_Er)


class Topology(nn.Module):
    """The learnable topology matrix A and what follows from it (arXiv:2512.20291, Eq. 2-6)."""

    def __init__(self, config: ModelConfig, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.num_partitions = config.num_partitions
        self.dims = config.held_dims
        self.block = self.dims // config.num_partitions
        self.rank = config.held_rank
        self.by_force = config.rank_rule == "force"
        self.topology_logits = nn.Parameter(initial_topology_logits(config, generator=generator))
        self.sharing: float | Tensor = 0.0
        """The control of this name: what is added to every entry of A wherever its value counts.

        The same addend for all changes no order, so subspaces stay as they are; strength, penalty, regularisers and
        what is measured of sigmoid(A) change.
        """

    def logits(self) -> Tensor:
        """A with the sharing offset, [E, P]; A itself while the offset is 0."""
        plain = isinstance(self.sharing, float) and self.sharing == 0.0
        return self.topology_logits if plain else self.topology_logits + self.sharing

    def connection(self) -> Tensor:
        """sigmoid(A), [E, P], in (0, 1)."""
        return torch.sigmoid(self.logits())

    def subspaces(self) -> Subspaces:
        """The r dimensions with the largest force for every expert; ties go to the lowest dimension index."""
        logits_EP = self.topology_logits.detach()
        return select_subspaces(logits_EP, rank=self.rank, block=self.block, by_force=self.by_force)

    def strength(self, subspaces: Subspaces) -> Tensor:
        """gamma_e, [E]: mean force over the subspace. The only path by which the task loss reaches A (Eq. 9)."""
        count_EP = subspaces.count_EP.to(self.topology_logits.dtype)
        share_EP = count_EP / (count_EP.sum(1, keepdim=True) if self.by_force else self.rank)
        return (self.connection() * share_EP).sum(1)


def initial_topology_logits(config: ModelConfig, *, generator: torch.Generator | None = None) -> Tensor:
    """A before the first step, [E, P]: `max_entropy` (Eq. 3) or `self_biased` (the authors' program)."""
    noise = torch.randn(config.num_experts, config.num_partitions, generator=generator) * 0.02
    if config.topology_init == "max_entropy":
        return noise
    return (0.1 + noise).fill_diagonal_(1.0)


def select_subspaces(topology_logits: Tensor, *, rank: int, block: int, by_force: bool = False) -> Subspaces:
    """Top-r dimensions by force (Eq. 5). Never waits for the device.

    `by_force` is ours (docs/method.md, section 11): of these the expert holds only partitions with sigmoid(A) > 0.5,
    and its strongest one whatever its logit, since an expert that holds nothing has no gradient to come back by.
    What it does not hold stays in `index_Er`, so that no shape depends on A.

    Force is constant inside a partition, so choosing dimensions is choosing partitions in order of their
    logit, whole ones first and the lowest dimensions of the last one.

    Deviation: partitions are compared by logit, not by sigmoid. The order is the same, but float32 sigmoids
    of large logits tie, and sigmoid differs in the last bit between devices; logits do neither.
    """
    partitions = topology_logits.shape[1]
    order_EP = torch.sort(topology_logits, dim=1, descending=True, stable=True).indices
    position_EP = torch.zeros_like(order_EP).scatter(
        1, order_EP, torch.arange(partitions, device=order_EP.device).expand_as(order_EP)
    )
    count_EP = (rank - position_EP * block).clamp(0, block)
    if by_force:
        count_EP = count_EP * ((topology_logits > 0) | (position_EP == 0))
    offset_B = torch.arange(block, device=order_EP.device)
    whole_or_part = -(-rank // block)
    index_Er = (order_EP[:, :whole_or_part, None] * block + offset_B).flatten(1)[:, :rank]
    mask_ER = (offset_B < count_EP[:, :, None]).flatten(1)
    return Subspaces(index_Er=index_Er, count_EP=count_EP, mask_ER=mask_ER)


def scatter_to_dimensions(compact_ErN: Tensor, subspaces: Subspaces) -> Tensor:
    """Rows of each expert's subspace put to their dimensions, [E, R, N], zero elsewhere."""
    experts, dims = subspaces.mask_ER.shape
    first_E1 = torch.arange(experts, device=compact_ErN.device)[:, None] * dims
    dense = put_rows(compact_ErN.flatten(0, 1), (subspaces.index_Er + first_E1).flatten(), rows=experts * dims)
    return dense.view(experts, dims, -1)
