"""The shared backbone and the two ways to compute the experts on it. Both are exact and equal.

dense   one feed-forward of width R with coefficients (method: y = (silu(x U) * coeff) V). No data-dependent
        shape anywhere, so it runs on an accelerator without waiting for it.
sorted  tokens sorted by expert, each group multiplied with its expert's gathered subspace. Cost follows K r.

Both take the gathered expert weights as an input of their own, so that the gradient of that input is, exactly,
the backbone's gradient attributed to each expert (arXiv:2512.20291, section 3.6). Their sum is the ordinary
gradient of U and V. Where nobody asks for each expert's share, `plain_dense_experts` gives U and V their gradient at
once, at the cost of an ordinary feed-forward instead of one that grows with E.

Shapes: T tokens, D model width, R backbone dimensions, E experts, K chosen, r rank quota, M = T K assignments,
N = 2 D: a dimension's row of U^T followed by its row of V.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cdsp_core.kernels.grouped import grouped_mm
from cdsp_core.kernels.signature import with_signature
from cdsp_core.method.rows import take_rows
from cdsp_core.method.topology import Subspaces
from cdsp_core.settings.model import ModelConfig


class Backbone(nn.Module):
    """U [D, R] and V [R, D], shared by all experts, orthogonal at the start (Eq. 1)."""

    def __init__(self, config: ModelConfig, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.u_DR = nn.Parameter(torch.empty(config.d_model, config.d_base))
        self.v_RD = nn.Parameter(torch.empty(config.d_base, config.d_model))
        nn.init.orthogonal_(self.u_DR, generator=generator)
        nn.init.orthogonal_(self.v_RD, generator=generator)

    def gather(self, subspaces: Subspaces) -> Tensor:
        """The weights of every expert, [E, r, N]: U[:, S_e] transposed beside V[S_e, :]."""
        weight_RN = torch.cat([self.u_DR.T, self.v_RD], dim=1)
        index_Er = subspaces.index_Er
        return take_rows(weight_RN, index_Er.flatten()).view(*index_Er.shape, -1)

    def expert_weights(self, gathered_ErN: Tensor, subspaces: Subspaces) -> Tensor:
        """What the sorted paths multiply tokens with, [E, r, N]: the gathered weights themselves."""
        return gathered_ErN

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
        """The layer's output without sorting; `tapped` when somebody wants the gradient of `gathered_ErN`."""
        if not tapped:
            return plain_dense_experts(x_TD, gate_TK, expert_TK, strength_E, self, subspaces)
        return dense_experts(x_TD, gate_TK, expert_TK, strength_E, gathered_ErN, self, subspaces)


def dense_experts(
    x_TD: Tensor,
    gate_TK: Tensor,
    expert_TK: Tensor,
    strength_E: Tensor,
    expert_weight_ErN: Tensor,
    backbone: Backbone,
    subspaces: Subspaces,
) -> Tensor:
    """sum over the token's experts of gate * gamma * silu(x U_S) V_S, [T, D], by the dense identity (Eq. 7-9)."""
    weight_TE = gates_of_all(gate_TK, expert_TK, len(strength_E)) * strength_E
    mask_ER = subspaces.mask_ER.to(x_TD.dtype)
    weights = (expert_weight_ErN, backbone.u_DR, backbone.v_RD)
    y_TD, _ = _DenseExperts.apply(x_TD, weight_TE, *weights, mask_ER, subspaces.index_Er)
    return y_TD  # type: ignore[no-any-return]


def plain_dense_experts(
    x_TD: Tensor,
    gate_TK: Tensor,
    expert_TK: Tensor,
    strength_E: Tensor,
    backbone: Backbone,
    subspaces: Subspaces,
) -> Tensor:
    """The same output as `dense_experts`; the gradient reaches U and V without being told apart by expert."""
    weight_TE = gates_of_all(gate_TK, expert_TK, len(strength_E)) * strength_E
    coeff_TR = weight_TE @ subspaces.mask_ER.to(x_TD.dtype)
    return (F.silu(x_TD @ backbone.u_DR) * coeff_TR) @ backbone.v_RD


def gates_of_all(gate_TK: Tensor, expert_TK: Tensor, experts: int) -> Tensor:
    """The gate of every expert, [T, E], 0 for those a token did not choose."""
    return gate_TK.new_zeros(len(gate_TK), experts).scatter(1, expert_TK, gate_TK)


def sorted_experts(
    x_TD: Tensor, gate_TK: Tensor, expert_TK: Tensor, strength_E: Tensor, expert_weight_ErN: Tensor
) -> Tensor:
    """The same as `dense_experts`, with tokens sorted by expert and gathered subspaces; torch operations only."""
    top_k = expert_TK.shape[1]
    order_M = torch.sort(expert_TK.flatten(), stable=True).indices
    place_M = torch.empty_like(order_M).scatter_(0, order_M, torch.arange(len(order_M), device=order_M.device))
    count_E = (expert_TK[:, :, None] == torch.arange(len(strength_E), device=x_TD.device)).sum((0, 1))
    u_EDr, v_ErD = expert_weight_ErN.transpose(1, 2).split(x_TD.shape[1], dim=1)
    v_ErD = v_ErD.transpose(1, 2) * strength_E[:, None, None]
    gate_M = _Permute.apply(gate_TK.flatten(), order_M, place_M)
    x_MD = _Dispatch.apply(x_TD, order_M, place_M, top_k, False)
    hidden_Mr = F.silu(grouped_mm(x_MD, u_EDr, count_E)) * gate_M[:, None]
    y_MD = grouped_mm(hidden_Mr, v_ErD, count_E)
    y_TD: Tensor = _Dispatch.apply(y_MD, order_M, place_M, top_k, True)
    return y_TD


@with_signature
class _DenseExperts(torch.autograd.Function):
    """Dense identity. Its only weight gradient is that of the gathered expert weights, which also reaches U and V.

    Returns the output and, for the backward pass alone, x U.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(x_TD: Tensor, weight_TE: Tensor, _expert_weight_ErN: Tensor, u_DR: Tensor, v_RD: Tensor, mask_ER: Tensor, _index_Er: Tensor) -> tuple[Tensor, Tensor]:  # fmt: skip  # noqa: E501
        pre_TR = x_TD @ u_DR
        return (F.silu(pre_TR) * (weight_TE @ mask_ER)) @ v_RD, pre_TR

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, Tensor]) -> None:
        x_TD, weight_TE, _, u_DR, v_RD, mask_ER, index_Er = inputs
        ctx.mark_non_differentiable(output[1])
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(x_TD, weight_TE, u_DR, v_RD, mask_ER, index_Er, output[1])

    @staticmethod
    def backward(ctx: Any, dy_TD: Tensor, _dpre_TR: None) -> tuple[Tensor | None, ...]:
        x_TD, weight_TE, u_DR, v_RD, mask_ER, index_Er, pre_TR = ctx.saved_tensors
        active_TR = F.silu(pre_TR)
        dhidden_TR = dy_TD @ v_RD.T
        slope_TR = torch.ops.aten.silu_backward(dhidden_TR, pre_TR)
        dx_TD = (slope_TR * (weight_TE @ mask_ER)) @ u_DR.T
        dweight_TE = (dhidden_TR * active_TR) @ mask_ER.T
        du_ERD = _per_expert(slope_TR, x_TD, weight_TE)
        dv_ERD = _per_expert(active_TR, dy_TD, weight_TE)
        dweight_ERN = torch.cat([du_ERD, dv_ERD], dim=2)
        dweight_ErN = dweight_ERN.gather(1, index_Er[:, :, None].expand(-1, -1, dweight_ERN.shape[2]))
        return dx_TD, dweight_TE, dweight_ErN, None, None, None, None


def _per_expert(left_TR: Tensor, right_TD: Tensor, weight_TE: Tensor) -> Tensor:
    """sum over tokens of weight_te left_tr right_td, [E, R, D], as one matrix product."""
    weighted_TED = weight_TE[:, :, None] * right_TD[:, None, :]
    return (left_TR.T @ weighted_TED.flatten(1)).view(-1, *weighted_TED.shape[1:]).transpose(0, 1)


class _Dispatch(torch.autograd.Function):
    """x_TD to one row per assignment, sorted by expert, [M, D]; or, `back`, such rows summed to tokens, [T, D].

    Each of the two is the other one's gradient.
    """

    @staticmethod
    def forward(ctx: Any, rows: Tensor, order_M: Tensor, place_M: Tensor, top_k: int, back: bool) -> Tensor:
        ctx.save_for_backward(order_M, place_M)
        ctx.top_k, ctx.back = top_k, back
        return _dispatched(rows, order_M, place_M, top_k, back=back)

    @staticmethod
    def backward(ctx: Any, drows: Tensor) -> tuple[Tensor | None, ...]:
        order_M, place_M = ctx.saved_tensors
        return _dispatched(drows, order_M, place_M, ctx.top_k, back=not ctx.back), None, None, None, None


class _Permute(torch.autograd.Function):
    """A permutation of rows; its gradient is the inverse permutation, not a scatter."""

    @staticmethod
    def forward(ctx: Any, value_M: Tensor, order_M: Tensor, place_M: Tensor) -> Tensor:
        ctx.save_for_backward(place_M)
        return value_M.index_select(0, order_M)

    @staticmethod
    def backward(ctx: Any, dvalue_M: Tensor) -> tuple[Tensor | None, ...]:
        (place_M,) = ctx.saved_tensors
        return dvalue_M.index_select(0, place_M), None, None


def _dispatched(rows: Tensor, order_M: Tensor, place_M: Tensor, top_k: int, *, back: bool) -> Tensor:
    if back:
        return rows.index_select(0, place_M).view(-1, top_k, rows.shape[1]).sum(1)
    return rows.index_select(0, order_M // top_k)
