"""Rows taken from a matrix and put into one, also for a whole batch of matrices at once.

`torch.func.vmap` would take and put rows by an index that differs from matrix to matrix in a loop over the matrices;
these do it in one operation on all of them, laid one below the other.

Shapes: G matrices, R rows of each, M rows taken or put, N columns.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from cdsp_core.kernels.signature import with_signature


def take_rows(matrix_RN: Tensor, index_M: Tensor) -> Tensor:
    """The rows of these numbers, [M, N]; a row may be taken many times."""
    taken: Tensor = _TakeRows.apply(matrix_RN, index_M)
    return taken


def put_rows(row_MN: Tensor, index_M: Tensor, *, rows: int) -> Tensor:
    """A matrix [rows, N] that has these rows in these places and is zero elsewhere; rows of one place are added up."""
    put: Tensor = _PutRows.apply(row_MN, index_M, rows)
    return put


@with_signature
class _TakeRows(torch.autograd.Function):
    @staticmethod
    def forward(matrix_RN: Tensor, index_M: Tensor) -> Tensor:
        return matrix_RN.index_select(0, index_M)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        matrix_RN, index_M = inputs
        ctx.rows = len(matrix_RN)
        ctx.save_for_backward(index_M)

    @staticmethod
    def backward(ctx: Any, drow_MN: Tensor) -> tuple[Tensor, None]:
        (index_M,) = ctx.saved_tensors
        return put_rows(drow_MN, index_M, rows=ctx.rows), None

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, int | None], matrix: Tensor, index: Tensor) -> tuple[Tensor, int]:
        matrix_GRN, index_GM = (
            _with_batch_first(value, dim, info.batch_size) for value, dim in zip((matrix, index), in_dims, strict=True)
        )
        rows = matrix_GRN.shape[1]
        taken = take_rows(matrix_GRN.flatten(0, 1), _below_each_other(index_GM, rows))
        return taken.view(*index_GM.shape, -1), 0


@with_signature
class _PutRows(torch.autograd.Function):
    @staticmethod
    def forward(row_MN: Tensor, index_M: Tensor, rows: int) -> Tensor:
        return row_MN.new_zeros(rows, row_MN.shape[1]).index_add_(0, index_M, row_MN)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, int], output: Tensor) -> None:
        ctx.save_for_backward(inputs[1])

    @staticmethod
    def backward(ctx: Any, dmatrix_RN: Tensor) -> tuple[Tensor, None, None]:
        (index_M,) = ctx.saved_tensors
        return take_rows(dmatrix_RN, index_M), None, None

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int | None, int | None, None], row: Tensor, index: Tensor, rows: int
    ) -> tuple[Tensor, int]:
        row_GMN, index_GM = (
            _with_batch_first(value, dim, info.batch_size) for value, dim in zip((row, index), in_dims[:2], strict=True)
        )
        many = rows * info.batch_size
        put = put_rows(row_GMN.flatten(0, 1), _below_each_other(index_GM, rows), rows=many)
        return put.view(info.batch_size, rows, -1), 0


def _with_batch_first(value: Tensor, dim: int | None, size: int) -> Tensor:
    return value.expand(size, *value.shape) if dim is None else value.movedim(dim, 0)


def _below_each_other(index_GM: Tensor, rows: int) -> Tensor:
    """The numbers of the same rows where the matrices lie one below the other, [G M]."""
    first_G1 = torch.arange(len(index_GM), device=index_GM.device)[:, None] * rows
    return (index_GM + first_G1).flatten()
