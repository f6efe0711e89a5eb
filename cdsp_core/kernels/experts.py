"""`native/experts.c` as a differentiable torch operation.

Shapes: T tokens, D model width, E experts, K chosen, M = T K assignments, r rank quota, N = 2 D.
"""

from __future__ import annotations

from typing import Any, Final

import torch
from torch import Tensor

from cdsp_core.kernels.native import bound, pointers

VECTOR: Final = 16


def experts_on_cpu(x_TD: Tensor, gate_TK: Tensor, expert_TK: Tensor, strength_E: Tensor, weight_ErN: Tensor) -> Tensor:
    """y_TD = sum over the token's experts of gate * strength * silu(x U_S) V_S, as `sorted_experts` in backbone.py.

    Raises ValueError unless everything is float32.
    """
    if torch.compiler.is_compiling():
        y_TD: Tensor = native_experts(x_TD, gate_TK, expert_TK, strength_E, weight_ErN)[0]
        return y_TD
    y_TD = _Experts.apply(x_TD, gate_TK, expert_TK, strength_E, weight_ErN)
    return y_TD


class _Experts(torch.autograd.Function):
    """Forward and backward without the custom operation around them, which costs more than a small layer."""

    @staticmethod
    def forward(ctx: Any, *inputs: Tensor) -> Tensor:
        output = _forward(*inputs)
        _keep(ctx, inputs, output)
        return output[0]

    @staticmethod
    def backward(ctx: Any, dy_TD: Tensor) -> tuple[Tensor | None, ...]:
        dx_TD, dgate_TK, dstrength_E, dweight_ErN = _backward(dy_TD, *ctx.saved_tensors)
        return dx_TD, dgate_TK, None, dstrength_E, dweight_ErN


def _forward(
    x_TD: Tensor, gate_TK: Tensor, expert_TK: Tensor, strength_E: Tensor, weight_ErN: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """y_TD, and what the backward pass needs: pre_Mr, order_M, place_M, count_E. Raises ValueError unless float32."""
    for tensor in (x_TD, gate_TK, strength_E, weight_ErN):
        if tensor.dtype != torch.float32:
            raise ValueError(f"The C kernel computes in float32. Found {tensor.dtype}; use execution dense.")
    x_TD, gate_TK, expert_TK = x_TD.contiguous(), gate_TK.contiguous(), expert_TK.contiguous()
    strength_E, weight_ErN = strength_E.contiguous(), weight_ErN.contiguous()
    y_TD, pre_Mr, order_M, place_M, count_E = _outputs(x_TD, expert_TK, weight_ErN)
    scratch = x_TD.new_empty(len(order_M), x_TD.shape[1])
    bound("cdsp_forward", "ppppp" + "llllll" + "pppppp" + "i")(
        *pointers(x_TD, gate_TK, expert_TK, strength_E, weight_ErN),
        *_sizes(x_TD, expert_TK, weight_ErN),
        *pointers(y_TD, pre_Mr, order_M, place_M, count_E, scratch),
        torch.get_num_threads(),
    )
    return y_TD, pre_Mr, order_M, place_M, count_E


def _backward(
    dy_TD: Tensor,
    x_TD: Tensor,
    gate_TK: Tensor,
    strength_E: Tensor,
    weight_ErN: Tensor,
    pre_Mr: Tensor,
    order_M: Tensor,
    place_M: Tensor,
    count_E: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Gradients of x, gate, strength and the expert weights."""
    dy_TD, x_TD, gate_TK = dy_TD.contiguous(), x_TD.contiguous(), gate_TK.contiguous()
    strength_E, weight_ErN = strength_E.contiguous(), weight_ErN.contiguous()
    gradients = _empty_gradients(x_TD, gate_TK, strength_E, weight_ErN)
    scratch = x_TD.new_empty(len(order_M), x_TD.shape[1])
    bound("cdsp_backward", "ppppppppp" + "llllll" + "ppppp" + "i")(
        *pointers(dy_TD, x_TD, gate_TK, strength_E, weight_ErN, pre_Mr, order_M, place_M, count_E),
        *_sizes(x_TD, gate_TK, weight_ErN),
        *pointers(*gradients, scratch),
        torch.get_num_threads(),
    )
    return gradients


def _outputs(x_TD: Tensor, expert_TK: Tensor, weight_ErN: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    experts, rank, _ = weight_ErN.shape
    assignments = expert_TK.numel()
    return (
        torch.empty_like(x_TD),
        x_TD.new_empty(assignments, _padded(rank)),
        expert_TK.new_empty(assignments),
        expert_TK.new_empty(assignments),
        expert_TK.new_empty(experts),
    )


def _empty_gradients(*inputs: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    x_TD, gate_TK, strength_E, weight_ErN = map(torch.empty_like, inputs)
    return x_TD, gate_TK, strength_E, weight_ErN


def _sizes(x_TD: Tensor, per_token_TK: Tensor, weight_ErN: Tensor) -> tuple[int, ...]:
    experts, rank, _ = weight_ErN.shape
    tokens, width = x_TD.shape
    return tokens, per_token_TK.shape[1], experts, width, rank, _padded(rank)


def _padded(rank: int) -> int:
    """The rank rounded up to whole vectors: sgemm is up to 1.6 times quicker at 96 than at 90."""
    return -(-rank // VECTOR) * VECTOR


def _keep(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, ...]) -> None:
    x_TD, gate_TK, _expert_TK, strength_E, weight_ErN = inputs
    ctx.save_for_backward(x_TD, gate_TK, strength_E, weight_ErN, *output[1:])


native_experts = torch.library.custom_op("cdsp::native_experts", _forward, mutates_args=())
native_experts_backward = torch.library.custom_op("cdsp::native_experts_backward", _backward, mutates_args=())


@native_experts.register_fake
def _(
    x_TD: Tensor, gate_TK: Tensor, expert_TK: Tensor, strength_E: Tensor, weight_ErN: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    return _outputs(x_TD, expert_TK, weight_ErN)


@native_experts_backward.register_fake
def _(
    dy_TD: Tensor, x_TD: Tensor, gate_TK: Tensor, strength_E: Tensor, weight_ErN: Tensor, *_: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return _empty_gradients(x_TD, gate_TK, strength_E, weight_ErN)


def _compiled_backward(ctx: Any, dy_TD: Tensor, *_unused: Tensor) -> tuple[Tensor | None, ...]:
    dx_TD, dgate_TK, dstrength_E, dweight_ErN = native_experts_backward(dy_TD, *ctx.saved_tensors)
    return dx_TD, dgate_TK, None, dstrength_E, dweight_ErN


native_experts.register_autograd(_compiled_backward, setup_context=_keep)
