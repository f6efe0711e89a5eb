"""`native/gate.c`, the whole router, as a differentiable torch operation.

Shapes: B samples, S tokens a sample, T = B S, D model width, Q width of the task vector, E experts, K chosen.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from cdsp_core.kernels.native import bound, pointers
from cdsp_core.kernels.native.checks import check_readable


def native_gate(
    x_BSD: Tensor,
    norm_weight_D: Tensor,
    norm_bias_D: Tensor,
    weight_DQE: Tensor,
    bias_E: Tensor,
    task_BQ: Tensor,
    *,
    top_k: int,
    together: bool,
    over_all: bool,
    mix: float | None,
) -> tuple[Tensor, Tensor]:
    """Weights of the chosen experts, gate_TK, and their indices, expert_TK, as `method/router.py` defines them.

    Args:
        x_BSD: layer input.
        norm_weight_D, norm_bias_D: LayerNorm of the router.
        weight_DQE: [D + Q, E], the token's part above the task's.
        bias_E: bias of the logits.
        task_BQ: task vector of each sample.
        top_k: K.
        together: normalise over the tokens and features of a sample, otherwise over the features of a token.
        over_all: take the softmax over all experts before choosing.
        mix: share at which the task is mixed in; None where it is added.

    Raises ValueError unless all tensors are float32 on the CPU.
    """
    read = (x_BSD, norm_weight_D, norm_bias_D, weight_DQE, bias_E, task_BQ)
    gate_TK, expert_TK = _Gate.apply(*read, top_k, together, over_all, mix)
    return gate_TK, expert_TK


class _Gate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> tuple[Tensor, Tensor]:
        *tensors, top_k, together, over_all, mix = inputs
        check_readable(*tensors)
        x_BSD, norm_weight_D, norm_bias_D, weight_DQE, bias_E, task_BQ = (tensor.contiguous() for tensor in tensors)
        samples, tokens, width = x_BSD.shape
        group, experts = tokens if together else 1, len(bias_E)
        choices = group, over_all, -1.0 if mix is None else mix
        ctx.sizes = (samples, tokens, width, task_BQ.shape[1], experts, top_k, *choices)
        gate_TK = x_BSD.new_empty(samples * tokens, top_k)
        expert_TK = torch.empty(samples * tokens, top_k, dtype=torch.int64)
        logits_TE = x_BSD.new_empty(samples * tokens, experts)
        mean_G, scale_G = x_BSD.new_empty(2, samples * tokens // group)
        row_scale_T = x_BSD.new_empty(0 if mix is None else samples * tokens)
        read = (x_BSD, norm_weight_D, norm_bias_D, weight_DQE, bias_E, task_BQ)
        bound("cdsp_gate_forward", "pppppp" + "lllllllif" + "pppppp" + "i")(
            *pointers(*read),
            *ctx.sizes,
            *pointers(gate_TK, expert_TK, logits_TE, mean_G, scale_G, row_scale_T),
            torch.get_num_threads(),
        )
        ctx.save_for_backward(*read, gate_TK, expert_TK, logits_TE, mean_G, scale_G, row_scale_T)
        ctx.mark_non_differentiable(expert_TK)
        return gate_TK, expert_TK

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dgate_TK: Tensor, _dexpert_TK: Tensor) -> tuple[Tensor | None, ...]:
        x, norm_weight, norm_bias, weight, bias, task, *kept = ctx.saved_tensors
        dgate_TK = dgate_TK.contiguous()
        gradients = [torch.empty_like(tensor) for tensor in (x, norm_weight, norm_bias, weight, bias, task)]
        bound("cdsp_gate_backward", "ppppppppppppp" + "lllllllif" + "pppppp" + "i")(
            *pointers(dgate_TK, x, norm_weight, norm_bias, weight, bias, task, *kept),
            *ctx.sizes,
            *pointers(*gradients),
            torch.get_num_threads(),
        )
        return *gradients, None, None, None, None
