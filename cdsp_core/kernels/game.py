"""`native/game.c` on tensors. Shapes: E experts, r rank quota, N entries a gradient row, R backbone dimensions."""

from __future__ import annotations

from torch import Tensor

from cdsp_core.kernels.native import bound


def native_game(
    gradient_ErN: Tensor, index_Er: Tensor, pairs_EE: Tensor | None = None, *, used: int, dims: int
) -> tuple[Tensor, Tensor, Tensor]:
    """cosine_EE, overlap_EE and conflict_EE, as `conflict.py` defines them, with 0 for a conflict without value.

    Only the first `used` entries of a row are compared; with `pairs_EE`, bool, only the pairs that are True there.
    """
    gradient_ErN, index_Er = gradient_ErN.contiguous(), index_Er.contiguous()
    experts, rank, width = gradient_ErN.shape
    cosine_EE, overlap_EE, conflict_EE = (gradient_ErN.new_empty(experts, experts) for _ in range(3))
    bound("cdsp_game", "ppp" + "lllll" + "ppp")(
        *(gradient_ErN.data_ptr(), index_Er.data_ptr(), None if pairs_EE is None else pairs_EE.data_ptr()),
        *(experts, rank, width, used, dims),
        *(tensor.data_ptr() for tensor in (cosine_EE, overlap_EE, conflict_EE)),
    )
    return cosine_EE, overlap_EE, conflict_EE
