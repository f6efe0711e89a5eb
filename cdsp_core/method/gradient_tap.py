"""Where the backward pass leaves each expert's gradient: whole, or folded by random signs (`projection.py`).

Shapes: E experts, r rank quota, R backbone dimensions, N entries of a dimension, s columns of the projection.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from cdsp_core.method.projection import fold, random_signs
from cdsp_core.settings.model import ModelConfig


class GradientTap(nn.Module):
    """Stands on the gathered expert weights and collects their gradient.

    Between backward pass and `empty` it keeps [E, r, N], or [E, r, s] where the config asks for a projection: then each
    layer's gradient is folded while the backward pass is still under way and need not lie there for all layers.
    """

    leaf: Tensor
    """Zeros that the loss hangs on; its gradient is what the tap has collected."""
    sign_RN: Tensor
    """int8; only where gradients are folded"""

    def __init__(self, config: ModelConfig, *, seed: int) -> None:
        super().__init__()
        entries = 2 * config.d_model // config.width_parts
        self.used = config.compared_entries
        """entries of a gradient's row that are compared"""
        self.columns = config.conflict_projection
        """s, 0 for whole gradients"""
        if self.columns:
            signs = random_signs(dims=config.held_dims, entries=self.used, seed=seed)
            self.register_buffer("sign_RN", signs, persistent=False)
        leaf = torch.zeros(config.num_experts, config.held_rank, self.columns or entries, requires_grad=True)
        self.register_buffer("leaf", leaf, persistent=False)

    def forward(self, weight_ErN: Tensor, index_Er: Tensor) -> Tensor:
        """The same weights, with the tap on them; their rows belong to the dimensions index_Er."""
        if not self.columns:
            return weight_ErN + self.leaf
        tapped: Tensor = _FoldGradient.apply(weight_ErN, self.leaf, index_Er, self.sign_RN)
        return tapped

    @property
    def collected(self) -> Tensor:
        """What the backward pass has left, [E, r, N] or [E, r, s].

        Raises ValueError when there was no backward pass since it was last emptied.
        """
        if self.leaf.grad is None:
            raise ValueError("the conflict needs a backward pass since it was last recorded. Found none.")
        return self.leaf.grad

    @property
    def compared(self) -> int:
        """How many of the collected entries of a row are compared, from the first on."""
        return self.columns or self.used

    def empty(self) -> None:
        """Forget what was collected."""
        self.leaf.grad = None

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> GradientTap:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        # A moved buffer is the result of an operation; the leaf must stay one to collect gradients.
        self.leaf = self.leaf.detach().requires_grad_()
        return self


class _FoldGradient(torch.autograd.Function):
    """The weights as they are; in the backward pass the leaf gets their gradient, folded."""

    @staticmethod
    def forward(ctx: Any, weight_ErN: Tensor, leaf_Ers: Tensor, index_Er: Tensor, sign_RN: Tensor) -> Tensor:
        ctx.save_for_backward(index_Er, sign_RN)
        ctx.columns = leaf_Ers.shape[2]
        return weight_ErN.view_as(weight_ErN)

    @staticmethod
    def backward(ctx: Any, dweight_ErN: Tensor) -> tuple[Tensor | None, ...]:
        index_Er, sign_RN = ctx.saved_tensors
        compared = dweight_ErN[:, :, : sign_RN.shape[1]]
        return dweight_ErN, fold(compared, index_Er, sign_RN, ctx.columns), None, None
