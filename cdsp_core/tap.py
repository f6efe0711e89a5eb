"""Where the backward pass leaves each expert's gradient: whole, or folded by random signs (`projection.py`).

Shapes: E experts, r rank quota, R backbone dimensions, N entries of a dimension, s columns of the projection.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from cdsp_core.config import ModelConfig
from cdsp_core.projection import Projection, project, random_projection


class GradientTap(nn.Module):
    """Stands on the gathered expert weights and collects their gradient; one backward pass between two `take`.

    Between backward pass and `take` it keeps E r N numbers, or E (s + r) where the config asks for a projection:
    then each layer's gradient is folded while the backward pass is still under way and can be freed at once.
    """

    leaf: Tensor
    """Zeros that the loss hangs on; its gradient is what the tap has collected."""
    entry_Ns: Tensor
    dimension_Rs: Tensor

    def __init__(self, config: ModelConfig, *, seed: int) -> None:
        super().__init__()
        entries = 2 * config.d_model // config.width_parts
        self.compared = entries if config.conflict_over == "uv" else entries // 2
        self.columns = config.conflict_projection
        experts, rank = config.num_experts, config.held_rank
        if self.columns:
            signs = random_projection(dims=config.held_dims, entries=self.compared, columns=self.columns, seed=seed)
            self.register_buffer("entry_Ns", signs.entry_Ns, persistent=False)
            self.register_buffer("dimension_Rs", signs.dimension_Rs, persistent=False)
        shape = (experts, self.columns + rank) if self.columns else (experts, rank, entries)
        self.register_buffer("leaf", torch.zeros(shape, requires_grad=True), persistent=False)

    def forward(self, weight_ErN: Tensor, index_Er: Tensor) -> Tensor:
        """The same weights, with the tap on them; their rows belong to the dimensions index_Er."""
        if not self.columns:
            return weight_ErN + self.leaf
        tapped: Tensor = _FoldGradient.apply(
            weight_ErN, self.leaf, index_Er, self.entry_Ns, self.dimension_Rs, self.compared
        )
        return tapped

    @property
    def collected(self) -> Tensor:
        """What the backward pass has left: [E, r, N], or [E, s + r], the projection and then the rows' squared norms.

        Raises ValueError when there was no backward pass since it was last emptied.
        """
        if self.leaf.grad is None:
            raise ValueError("the conflict needs a backward pass since it was last recorded. Found none.")
        return self.leaf.grad

    def empty(self) -> None:
        """Forget what was collected."""
        self.leaf.grad = None

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> GradientTap:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        # A moved buffer is the result of an operation; the leaf must stay one to collect gradients.
        self.leaf = self.leaf.detach().requires_grad_()
        return self


class _FoldGradient(torch.autograd.Function):
    """The weights as they are; in the backward pass the leaf gets their gradient's projection and squared norms."""

    @staticmethod
    def forward(
        ctx: Any, weight_ErN: Tensor, _leaf: Tensor, index_Er: Tensor, entry_Ns: Tensor, dimension_Rs: Tensor, used: int
    ) -> Tensor:
        ctx.save_for_backward(index_Er, entry_Ns, dimension_Rs)
        ctx.used = used
        return weight_ErN.view_as(weight_ErN)

    @staticmethod
    def backward(ctx: Any, dweight_ErN: Tensor) -> tuple[Tensor | None, ...]:
        index_Er, entry_Ns, dimension_Rs = ctx.saved_tensors
        compared = dweight_ErN[:, :, : ctx.used]
        projected_Es = project(compared, index_Er, Projection(entry_Ns=entry_Ns, dimension_Rs=dimension_Rs))
        collected = torch.cat([projected_Es, compared.square().sum(2)], dim=1)
        return dweight_ErN, collected, None, None, None, None
