"""Clipping and AdamW for many runs at once, each with learning rates and a gradient norm of its own.

Shapes: X runs, W entries of a row of parameters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from cdsp_core.training.adamw import BETAS, EPS


@dataclass(kw_only=True, slots=True)
class Rows:
    """Rows of parameters that share a rule, one a run, and what AdamW remembers of them."""

    value_XW: Tensor
    lr_X: Tensor
    """float64"""
    weight_decay: float
    mean_XW: Tensor
    square_XW: Tensor

    @classmethod
    def of(cls, value_XW: Tensor, *, lr_X: Tensor, weight_decay: float) -> Rows:
        """Rows before the first step."""
        empty = (torch.zeros_like(value_XW, requires_grad=False) for _ in range(2))
        mean_XW, square_XW = empty
        return cls(value_XW=value_XW, lr_X=lr_X, weight_decay=weight_decay, mean_XW=mean_XW, square_XW=square_XW)


def clipped(gradients: list[Tensor], *, limit: float, apart: bool) -> tuple[list[Tensor], Tensor]:
    """The factor for every row of each gradient, [X] each, and every run's norm over all of them before clipping, [X].

    `apart`: each gradient is held to the limit by itself, not together with the others.
    """
    norm_GX = torch.stack([torch.linalg.vector_norm(gradient_XW, dim=1) for gradient_XW in gradients])
    total_X = torch.linalg.vector_norm(norm_GX, dim=0)
    measured_GX = norm_GX if apart else total_X.expand_as(norm_GX)
    return list((limit / (measured_GX + 1e-6)).clamp_max(1.0).unbind()), total_X


@torch.no_grad()
def adamw(rows: Rows, gradient_XW: Tensor, *, factor_X: Tensor, usable_X: Tensor, step: Tensor) -> None:
    """One update (Loshchilov and Hutter, arXiv:1711.05101) by the gradient times its factor.

    Rows that are not usable, bool False, stay as they are for good. `step` counts from 1, float64 on the device.
    """
    lr_X = torch.where(usable_X, rows.lr_X, 0.0)
    by_row = torch.where(usable_X[:, None], gradient_XW * factor_X[:, None], 0.0)
    rows.mean_XW.lerp_(by_row, 1.0 - BETAS[0])
    rows.square_XW.mul_(BETAS[1]).addcmul_(by_row, by_row, value=1.0 - BETAS[1])
    size_X = lr_X / _corrected(BETAS[0], step)
    correction = _corrected(BETAS[1], step).sqrt().to(torch.float32)
    step_XW = rows.mean_XW / (rows.square_XW.sqrt() / correction + EPS)
    rows.value_XW.mul_((1.0 - lr_X * rows.weight_decay).to(torch.float32)[:, None])
    rows.value_XW.addcmul_(step_XW, size_X.to(torch.float32)[:, None], value=-1.0)


def _corrected(beta: float, step: Tensor) -> Tensor:
    """1 - beta ** step: what the mean of so many steps that began with 0 is divided by."""
    return -torch.expm1(step * math.log(beta))
