"""`norm.c` as a differentiable torch operation. Shapes: x [..., D], T rows of it."""

from __future__ import annotations

import ctypes
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from cdsp_core.kernels.native import bound
from cdsp_core.kernels.native.checks import check_readable


def native_norm(x: Tensor, weight_D: Tensor, eps: float) -> Tensor:
    """x / sqrt(mean(x^2) + eps) * weight over the last dimension.

    Raises ValueError unless both are float32 on the CPU and the weight has an entry for each of D.
    """
    if torch.compiler.is_compiling():
        y: Tensor = _norm(x, weight_D, eps)[0]
    else:
        y = _Norm.apply(x, weight_D, eps)
    return y


def _forward(x: Tensor, weight_D: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    check_readable(x, weight_D)
    if weight_D.shape != x.shape[-1:]:
        raise ValueError(f"weight must be {list(x.shape[-1:])}. Found {list(weight_D.shape)}.")
    x, weight_D = x.contiguous(), weight_D.contiguous()
    y, scale_T = _outputs(x)
    number = ctypes.c_float(eps)
    bound("cdsp_norm_forward", "ppppp" + "ll" + "i")(
        *(x.data_ptr(), weight_D.data_ptr(), ctypes.addressof(number), y.data_ptr(), scale_T.data_ptr()),
        *(len(scale_T), len(weight_D), torch.get_num_threads()),
    )
    return y, scale_T


def _backward(dy: Tensor, x: Tensor, weight_D: Tensor, scale_T: Tensor) -> tuple[Tensor, Tensor]:
    check_readable(dy, x, weight_D, scale_T)
    dy, x, weight_D = dy.contiguous(), x.contiguous(), weight_D.contiguous()
    dx, dweight_D = torch.empty_like(x), torch.empty_like(weight_D)
    bound("cdsp_norm_backward", "pppppp" + "ll" + "i")(
        *(dy.data_ptr(), x.data_ptr(), weight_D.data_ptr(), scale_T.data_ptr(), dx.data_ptr(), dweight_D.data_ptr()),
        *(len(scale_T), len(weight_D), torch.get_num_threads()),
    )
    return dx, dweight_D


def _outputs(x: Tensor) -> tuple[Tensor, Tensor]:
    return x.new_empty(x.shape), x.new_empty(x.shape[:-1].numel())


class _Norm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight_D: Tensor, eps: float) -> Tensor:
        y, scale_T = _forward(x, weight_D, eps)
        ctx.save_for_backward(x, weight_D, scale_T)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        return *_backward(dy, *ctx.saved_tensors), None


_norm = torch.library.custom_op("cdsp::native_norm", _forward, mutates_args=())
_norm_backward = torch.library.custom_op("cdsp::native_norm_backward", _backward, mutates_args=())


@_norm.register_fake
def _(x: Tensor, weight_D: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    return _outputs(x)


@_norm_backward.register_fake
def _(dy: Tensor, x: Tensor, weight_D: Tensor, scale_T: Tensor) -> tuple[Tensor, Tensor]:
    return x.new_empty(x.shape), weight_D.new_empty(weight_D.shape)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    x, weight_D, _eps = inputs
    ctx.save_for_backward(x, weight_D, output[1])


def _compiled_backward(ctx: Any, dy: Tensor, _unused: Tensor) -> tuple[Tensor | None, ...]:
    return *_norm_backward(dy, *ctx.saved_tensors), None


_norm.register_autograd(_compiled_backward, setup_context=_keep)
