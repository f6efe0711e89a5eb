"""`routing.c` and `game.c` as torch operations.

Shapes: T tokens, E experts, K chosen, r rank quota, N entries a gradient row, R backbone dimensions.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from cdsp_core.native import bound


class NativeRoute(torch.autograd.Function):
    """gate_TK and expert_TK of logits_TE; `over_all` takes the softmax over all experts before choosing."""

    @staticmethod
    def forward(ctx: Any, logits_TE: Tensor, top_k: int, over_all: bool) -> tuple[Tensor, Tensor]:
        logits_TE = logits_TE.contiguous()
        tokens, experts = logits_TE.shape
        gate_TK = logits_TE.new_empty(tokens, top_k)
        expert_TK = torch.empty(tokens, top_k, dtype=torch.int64)
        bound("cdsp_route", "pllli" + "pp")(
            logits_TE.data_ptr(), tokens, experts, top_k, over_all, gate_TK.data_ptr(), expert_TK.data_ptr()
        )
        ctx.save_for_backward(logits_TE, gate_TK, expert_TK)
        ctx.over_all = over_all
        ctx.mark_non_differentiable(expert_TK)
        return gate_TK, expert_TK

    @staticmethod
    def backward(ctx: Any, dgate_TK: Tensor, _dexpert_TK: Tensor) -> tuple[Tensor | None, ...]:
        logits_TE, gate_TK, expert_TK = ctx.saved_tensors
        dgate_TK = dgate_TK.contiguous()
        tokens, experts = logits_TE.shape
        dlogits_TE = torch.empty_like(logits_TE)
        bound("cdsp_route_backward", "pppp" + "llli" + "p")(
            *(tensor.data_ptr() for tensor in (dgate_TK, gate_TK, expert_TK, logits_TE)),
            *(tokens, experts, gate_TK.shape[1], ctx.over_all),
            dlogits_TE.data_ptr(),
        )
        return dlogits_TE, None, None


def native_game(gradient_ErN: Tensor, index_Er: Tensor, *, used: int, dims: int) -> tuple[Tensor, Tensor, Tensor]:
    """cosine_EE, overlap_EE and conflict_EE, as `conflict.py` defines them, with 0 for a conflict without value."""
    gradient_ErN, index_Er = gradient_ErN.contiguous(), index_Er.contiguous()
    experts, rank, width = gradient_ErN.shape
    cosine_EE, overlap_EE, conflict_EE = (gradient_ErN.new_empty(experts, experts) for _ in range(3))
    bound("cdsp_game", "pp" + "lllll" + "ppp")(
        *(gradient_ErN.data_ptr(), index_Er.data_ptr()),
        *(experts, rank, width, used, dims),
        *(tensor.data_ptr() for tensor in (cosine_EE, overlap_EE, conflict_EE)),
    )
    return cosine_EE, overlap_EE, conflict_EE
