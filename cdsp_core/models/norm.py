"""RMSNorm with its gradient written out: half the operations that automatic differentiation would run."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from cdsp_core.kernels.signature import with_signature


class RMSNorm(nn.Module):
    """x / sqrt(mean(x^2) + eps) * weight over the last dimension D."""

    def __init__(self, width: int, *, eps: float = 1e-6) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        y, _, _ = _RMSNorm.apply(x, self.weight, self.eps)
        return y  # type: ignore[no-any-return]


@with_signature
class _RMSNorm(torch.autograd.Function):
    """Returns the result and, for the backward pass alone, x at scale 1 and its scale."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, weight_D: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
        square = torch.linalg.vector_norm(x, dim=-1, keepdim=True).square()
        scale = torch.rsqrt(square / x.shape[-1] + eps)
        unit = x * scale
        return unit * weight_D, unit, scale

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, float], output: tuple[Tensor, Tensor, Tensor]) -> None:
        _, unit, scale = output
        ctx.mark_non_differentiable(unit, scale)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(unit, scale, inputs[1])

    @staticmethod
    def backward(ctx: Any, dy: Tensor, _dunit: None, _dscale: None) -> tuple[Tensor | None, ...]:
        unit, scale, weight_D = ctx.saved_tensors
        dy_unit = dy * unit
        along = (dy_unit @ weight_D)[..., None] / unit.shape[-1]
        dx = torch.addcmul(dy * weight_D, unit, along, value=-1) * scale
        return dx, dy_unit.flatten(0, -2).sum(0), None
