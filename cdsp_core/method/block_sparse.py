"""The second backbone: full matrices shared by all experts, of which each expert holds blocks.

W1 is [D, R] and W2 [R, D]. The width D is cut into a parts and the R columns into b = P / a groups, so W1 is a grid of
a x b blocks of D/a rows and R/b columns, and W2, transposed, the same grid. Partition p of A stands for the block pair
(i, j), i = p // b, j = p % b: W1[part i, group j] and W2[group j, part i]. a is the largest divisor of P up to
sqrt(P) that also divides D and leaves a b that divides R (`ModelConfig.width_parts`). With a = 1 a block pair is whole
columns of W1 and rows of W2, and this backbone is the low-rank one.

An expert holds the blocks with the largest logits, up to the rank quota counted in weights: as many weights as r
dimensions of the low-rank backbone have, r 2D. The last block is taken in part, its first columns, as a partition's
first dimensions are there. With M_e the mask of what it holds,

    y_e = gamma_e * silu(x (W1 * M_e)) (W2 * M_e^T),    gamma_e = mean of sigmoid(A) over the weights it holds.

Unlike the low-rank case silu sees a sum over the held parts of the width, which differs from expert to expert, so no
one feed-forward of width R serves all experts.

Everything else is the low-rank code, on a finer dimension: held dimension (i, d), number i R + d in the order of the
partitions, is column d of W1 in part i with row d of W2 in the same part. It has N = 2 D/a weights. There are a R
of them, an expert holds a r, a partition owns aR/P in a row. So `topology.py`, `conflict.py`, strength, penalty and
frames apply as they stand: an expert's gradient is dL/d(W1 * M_e, W2 * M_e) counting only what flowed through expert e,
two experts' cosine is taken over the weights that both hold, and the sum over experts is the ordinary gradient.

Shapes: T tokens, D model width, R backbone dimensions, E experts, K chosen, P partitions, a width parts, b column
groups, r held dimensions an expert (a times the rank quota), N weights of one.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cdsp_core.method.backbone import gates_of_all
from cdsp_core.method.topology import Subspaces, scatter_to_dimensions
from cdsp_core.settings.model import ModelConfig


class BlockSparseBackbone(nn.Module):
    """W1 [D, R] and W2 [R, D], shared by all experts, orthogonal at the start as U and V are."""

    def __init__(self, config: ModelConfig, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.parts = config.width_parts
        self.w1_DR = nn.Parameter(torch.empty(config.d_model, config.d_base))
        self.w2_RD = nn.Parameter(torch.empty(config.d_base, config.d_model))
        nn.init.orthogonal_(self.w1_DR, generator=generator)
        nn.init.orthogonal_(self.w2_RD, generator=generator)

    def gather(self, subspaces: Subspaces) -> Tensor:
        """The weights every expert holds, [E, r, N]: a column of W1 in one part of the width beside the row of W2."""
        index_Er = subspaces.index_Er
        return self._rows().index_select(0, index_Er.flatten()).view(*index_Er.shape, -1)

    def expert_weights(self, gathered_ErN: Tensor, subspaces: Subspaces) -> Tensor:
        """(W1 * M_e) transposed beside W2 * M_e, [E, R, 2 D]: what the sorted paths multiply tokens with."""
        held = scatter_to_dimensions(gathered_ErN, subspaces)
        experts, dims, entries = held.shape
        by_part = held.view(experts, self.parts, dims // self.parts, 2, entries // 2)
        return by_part.permute(0, 2, 3, 1, 4).reshape(experts, dims // self.parts, self.parts * entries)

    def dense(
        self,
        x_TD: Tensor,
        gate_TK: Tensor,
        expert_TK: Tensor,
        strength_E: Tensor,
        gathered_ErN: Tensor,
        subspaces: Subspaces,
        *,
        tapped: bool,
    ) -> Tensor:
        """Every expert for every token, then weighted: E / K times the work of the sorted paths, and no sorting."""
        w1_ERD, w2_ERD = self.expert_weights(gathered_ErN, subspaces).split(x_TD.shape[1], dim=2)
        weight_TE = gates_of_all(gate_TK, expert_TK, len(strength_E)) * strength_E
        hidden_ETR = F.silu(x_TD @ w1_ERD.transpose(1, 2)) * weight_TE.T[:, :, None]
        y_ETD: Tensor = hidden_ETR @ w2_ERD
        return y_ETD.sum(0)

    def _rows(self) -> Tensor:
        """The weights of all held dimensions in the order of the partitions, [a R, N]."""
        width, dims = self.w1_DR.shape
        w1 = self.w1_DR.view(self.parts, width // self.parts, dims).transpose(1, 2)
        w2 = self.w2_RD.view(dims, self.parts, width // self.parts).transpose(0, 1)
        return torch.cat([w1, w2], dim=2).flatten(0, 1)
