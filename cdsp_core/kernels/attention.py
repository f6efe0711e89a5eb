"""Rotary positions and causal grouped-query attention of projected heads, in torch or by `native/attention.c`.

Shapes: B images, S tokens, H query heads, G key and value heads, C head width, F = (H + 2 G) C.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from cdsp_core.kernels.native import bound
from cdsp_core.kernels.native.checks import check_readable
from cdsp_core.kernels.signature import with_signature


def attend(qkv_BSF: Tensor, cos_S1C: Tensor, sin_S1C: Tensor, heads: int, kv_heads: int, *, native: bool) -> Tensor:
    """The mixed heads, [B, S, H C].

    Args:
        qkv_BSF: H query heads, G key heads, G value heads, not rotated.
        cos_S1C, sin_S1C: what a head is multiplied by, and what its swapped halves are (the first half is -sin).
        heads, kv_heads: H and G.
        native: compute in C (`Execution.native`).
    """
    if native:
        return native_attention(qkv_BSF, cos_S1C, sin_S1C, heads, kv_heads)
    batch, tokens, features = qkv_BSF.shape
    width = features // (heads + 2 * kv_heads)
    qk, value = qkv_BSF.split(((heads + kv_heads) * width, kv_heads * width), dim=2)
    qk_BSHC = _Rotation.apply(qk.view(batch, tokens, -1, width), cos_S1C, sin_S1C)
    query, key = qk_BSHC.transpose(1, 2).split((heads, kv_heads), dim=1)
    query = query.unflatten(1, (kv_heads, -1)) * width**-0.5
    value = value.view(batch, tokens, -1, width).transpose(1, 2)
    later = torch.full((tokens, tokens), -torch.inf, dtype=query.dtype, device=query.device).triu(1)
    # Written out: of torch's fused kernels none has a batching rule, and none takes groups of heads in float32.
    share = torch.softmax(query @ key[:, :, None].transpose(3, 4) + later, dim=4)
    mixed: Tensor = share @ value[:, :, None]
    return mixed.flatten(1, 2).transpose(1, 2).flatten(2)


@with_signature
class _Rotation(torch.autograd.Function):
    """Rotary positions: (a, b) to (a cos - b sin, b cos + a sin); the gradient is the rotation back."""

    generate_vmap_rule = True

    @staticmethod
    def forward(heads_BSHC: Tensor, cos_S1C: Tensor, sin_S1C: Tensor) -> Tensor:
        return _rotated(heads_BSHC, cos_S1C, sin_S1C)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs[1:])

    @staticmethod
    def backward(ctx: Any, dheads_BSHC: Tensor) -> tuple[Tensor | None, ...]:
        cos_S1C, sin_S1C = ctx.saved_tensors
        return _rotated(dheads_BSHC, cos_S1C, -sin_S1C), None, None


def _rotated(heads_BSHC: Tensor, cos_S1C: Tensor, sin_S1C: Tensor) -> Tensor:
    swapped = heads_BSHC.roll(heads_BSHC.shape[-1] // 2, dims=-1)
    return torch.addcmul(heads_BSHC * cos_S1C, swapped, sin_S1C)


def native_attention(qkv_BSF: Tensor, cos_S1C: Tensor, sin_S1C: Tensor, heads: int, kv_heads: int) -> Tensor:
    """`attend` in C. Raises ValueError unless all are float32 on the CPU and the tables are [S, 1, C]."""
    if torch.compiler.is_compiling():
        mixed: Tensor = _attention(qkv_BSF, cos_S1C, sin_S1C, heads, kv_heads)
    else:
        mixed = _Attention.apply(qkv_BSF, cos_S1C, sin_S1C, heads, kv_heads)
    return mixed


def _forward(qkv_BSF: Tensor, cos_S1C: Tensor, sin_S1C: Tensor, heads: int, kv_heads: int) -> Tensor:
    sizes = _sizes(qkv_BSF, cos_S1C, sin_S1C, heads, kv_heads)
    qkv_BSF, cos_S1C, sin_S1C = qkv_BSF.contiguous(), cos_S1C.contiguous(), sin_S1C.contiguous()
    mixed = _mixed(qkv_BSF, heads, kv_heads)
    bound("cdsp_attention_forward", "pppp" + "lllll" + "i")(
        *(qkv_BSF.data_ptr(), cos_S1C.data_ptr(), sin_S1C.data_ptr(), mixed.data_ptr()),
        *sizes,
        torch.get_num_threads(),
    )
    return mixed


def _backward(dmixed: Tensor, qkv_BSF: Tensor, cos_S1C: Tensor, sin_S1C: Tensor, heads: int, kv_heads: int) -> Tensor:
    check_readable(dmixed)
    sizes = _sizes(qkv_BSF, cos_S1C, sin_S1C, heads, kv_heads)
    dmixed, qkv_BSF, cos_S1C, sin_S1C = (t.contiguous() for t in (dmixed, qkv_BSF, cos_S1C, sin_S1C))
    dqkv_BSF = torch.empty_like(qkv_BSF)
    bound("cdsp_attention_backward", "ppppp" + "lllll" + "i")(
        *(dmixed.data_ptr(), qkv_BSF.data_ptr(), cos_S1C.data_ptr(), sin_S1C.data_ptr(), dqkv_BSF.data_ptr()),
        *sizes,
        torch.get_num_threads(),
    )
    return dqkv_BSF


def _sizes(
    qkv_BSF: Tensor, cos_S1C: Tensor, sin_S1C: Tensor, heads: int, kv_heads: int
) -> tuple[int, int, int, int, int]:
    check_readable(qkv_BSF, cos_S1C, sin_S1C)
    batch, tokens, features = qkv_BSF.shape
    width = features // (heads + 2 * kv_heads)
    if not cos_S1C.shape == sin_S1C.shape == (tokens, 1, width):
        raise ValueError(
            f"cos and sin must be [{tokens}, 1, {width}]. Found {list(cos_S1C.shape)} and {list(sin_S1C.shape)}."
        )
    return batch, tokens, heads, kv_heads, width


def _mixed(qkv_BSF: Tensor, heads: int, kv_heads: int) -> Tensor:
    batch, tokens, features = qkv_BSF.shape
    return qkv_BSF.new_empty(batch, tokens, features // (heads + 2 * kv_heads) * heads)


class _Attention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, qkv_BSF: Tensor, cos_S1C: Tensor, sin_S1C: Tensor, heads: int, kv_heads: int) -> Tensor:
        ctx.save_for_backward(qkv_BSF, cos_S1C, sin_S1C)
        ctx.heads = heads, kv_heads
        return _forward(qkv_BSF, cos_S1C, sin_S1C, heads, kv_heads)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dmixed: Tensor) -> tuple[Tensor | None, ...]:
        return _backward(dmixed, *ctx.saved_tensors, *ctx.heads), None, None, None, None


_attention = torch.library.custom_op("cdsp::native_attention", _forward, mutates_args=())
_attention_backward = torch.library.custom_op("cdsp::native_attention_backward", _backward, mutates_args=())


@_attention.register_fake
def _(qkv_BSF: Tensor, cos_S1C: Tensor, sin_S1C: Tensor, heads: int, kv_heads: int) -> Tensor:
    return _mixed(qkv_BSF, heads, kv_heads)


@_attention_backward.register_fake
def _(dmixed: Tensor, qkv_BSF: Tensor, *_: Any) -> Tensor:
    return qkv_BSF.new_empty(qkv_BSF.shape)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    *tensors, heads, kv_heads = inputs
    ctx.save_for_backward(*tensors)
    ctx.heads = heads, kv_heads


def _compiled_backward(ctx: Any, dmixed: Tensor) -> tuple[Tensor | None, ...]:
    return _attention_backward(dmixed, *ctx.saved_tensors, *ctx.heads), None, None, None, None


_attention.register_autograd(_compiled_backward, setup_context=_keep)
