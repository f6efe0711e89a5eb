"""Rows taken and put, for one matrix and for many."""

from __future__ import annotations

import torch
from torch.func import vmap

from cdsp_core.method.rows import put_rows, take_rows


def drawn() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(3, 6, 4, generator=generator), torch.randint(0, 6, (3, 9), generator=generator)


def test_many_matrices_give_what_each_gives_with_its_gradient() -> None:
    matrix_GRN, index_GM = drawn()
    matrix_GRN.requires_grad_()
    together = vmap(take_rows)(matrix_GRN, index_GM)
    alone = torch.stack([matrix[index] for matrix, index in zip(matrix_GRN, index_GM, strict=True)])
    assert torch.equal(together, alone)
    weight = torch.arange(together.numel()).view_as(together) / 7.0
    ours, theirs = (torch.autograd.grad((out * weight).sum(), matrix_GRN)[0] for out in (together, alone))
    torch.testing.assert_close(ours, theirs)


def test_one_matrix_is_shared_by_many_indices_and_one_index_by_many_matrices() -> None:
    matrix_GRN, index_GM = drawn()
    shared = vmap(take_rows, in_dims=(None, 0))(matrix_GRN[0], index_GM)
    assert torch.equal(shared, torch.stack([matrix_GRN[0][index] for index in index_GM]))
    same = vmap(take_rows, in_dims=(0, None))(matrix_GRN, index_GM[0])
    assert torch.equal(same, matrix_GRN[:, index_GM[0]])


def test_rows_put_into_one_place_are_added_up_for_many_too() -> None:
    _, index_GM = drawn()
    row_GMN = torch.ones(3, 9, 4, requires_grad=True)
    put = vmap(lambda row, index: put_rows(row, index, rows=6))(row_GMN, index_GM)
    expected = torch.stack([torch.bincount(index, minlength=6) for index in index_GM])
    assert torch.equal(put, expected[:, :, None].expand(-1, -1, 4).to(torch.float32))
    put.sum().backward()
    assert row_GMN.grad is not None
    assert torch.equal(row_GMN.grad, torch.ones(3, 9, 4))
