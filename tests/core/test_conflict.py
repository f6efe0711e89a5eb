"""Cosines and conflict of expert gradients: what they are, and when they have no value."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from cdsp_core.method.conflict import (
    conflict_from_cosine,
    conflict_matrix,
    cosine_matrix,
    dimension_conflict,
    overlap_matrix,
)
from tests.core.oracle import cosine_by_loops, dimension_conflict_by_loops

TINY: dict[str, Any] = {"rtol": 0.0, "atol": 2e-5}


@st.composite
def gradients(draw: st.DrawFn) -> tuple[Tensor, Tensor]:
    """Gradients of some experts, zero outside their subspaces, and the subspaces; some experts may be idle."""
    experts, dims, entries = draw(st.integers(2, 6)), draw(st.integers(1, 8)), draw(st.integers(1, 5))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 10_000)))
    mask_ER = torch.rand(experts, dims, generator=generator) < draw(st.sampled_from([0.2, 0.5, 1.0]))
    active_E = torch.rand(experts, generator=generator) < draw(st.sampled_from([0.5, 1.0]))
    gradient_ERN = torch.randn(experts, dims, entries, generator=generator)
    return gradient_ERN * mask_ER[:, :, None] * active_E[:, None, None], mask_ER


def of_rows(*rows: list[float]) -> tuple[Tensor, Tensor]:
    """One entry per dimension; a dimension is held where its entry is not zero."""
    gradient_ERN = torch.tensor(rows)[:, :, None]
    return gradient_ERN, gradient_ERN[:, :, 0] != 0


@given(case=gradients())
def test_cosine_equals_the_plain_loop(case: tuple[Tensor, Tensor]) -> None:
    expected = torch.tensor(cosine_by_loops(*case), dtype=torch.float32)
    torch.testing.assert_close(cosine_matrix(*case), expected, equal_nan=True, **TINY)


@given(case=gradients())
def test_conflict_is_symmetric_between_zero_and_one_with_a_zero_diagonal(case: tuple[Tensor, Tensor]) -> None:
    conflict_EE = conflict_matrix(*case)
    torch.testing.assert_close(conflict_EE, conflict_EE.T, equal_nan=True, rtol=0.0, atol=1e-6)
    values = conflict_EE[conflict_EE.isfinite()]
    assert bool(((values >= 0) & (values <= 1)).all())
    assert not conflict_EE.diagonal().any()


@given(case=gradients(), exponent=st.floats(-6, 6), expert=st.integers(0, 1))
def test_conflict_does_not_depend_on_how_large_a_gradient_is(
    case: tuple[Tensor, Tensor], exponent: float, expert: int
) -> None:
    gradient_ERN, mask_ER = case
    scaled = gradient_ERN.clone()
    scaled[expert] *= 10.0**exponent
    torch.testing.assert_close(
        conflict_matrix(scaled, mask_ER), conflict_matrix(gradient_ERN, mask_ER), equal_nan=True, **TINY
    )


@given(case=gradients(), seed=st.integers(0, 1000))
def test_conflict_does_not_depend_on_the_order_of_experts_or_dimensions(case: tuple[Tensor, Tensor], seed: int) -> None:
    gradient_ERN, mask_ER = case
    generator = torch.Generator().manual_seed(seed)
    experts = torch.randperm(gradient_ERN.shape[0], generator=generator)
    dims = torch.randperm(gradient_ERN.shape[1], generator=generator)
    shuffled = conflict_matrix(gradient_ERN[experts][:, dims], mask_ER[experts][:, dims])
    torch.testing.assert_close(
        shuffled, conflict_matrix(gradient_ERN, mask_ER)[experts][:, experts], equal_nan=True, **TINY
    )


def test_disjoint_subspaces_have_no_conflict_value() -> None:
    conflict_EE = conflict_matrix(*of_rows([1.0, 2.0, 0.0, 0.0], [0.0, 0.0, -1.0, 3.0]))
    assert math.isnan(conflict_EE[0, 1])
    assert math.isnan(conflict_EE[1, 0])


def test_an_expert_without_tokens_has_no_conflict_value() -> None:
    gradient_ERN = torch.tensor([[1.0, 2.0], [0.0, 0.0], [-1.0, 1.0]])[:, :, None]
    conflict_EE = conflict_matrix(gradient_ERN, torch.ones(3, 2, dtype=torch.bool))
    assert conflict_EE.isnan().tolist() == [[False, True, False], [True, False, True], [False, True, False]]


def test_an_expert_without_gradient_on_the_shared_dimensions_has_no_conflict_value() -> None:
    gradient_ERN = torch.tensor([[0.0, 5.0, 0.0], [1.0, 0.0, 1.0]])[:, :, None]
    mask_ER = torch.tensor([[True, True, False], [True, False, True]])
    assert math.isnan(conflict_matrix(gradient_ERN, mask_ER)[0, 1])


def test_equal_gradients_do_not_conflict_and_opposite_ones_conflict_fully() -> None:
    conflict_EE = conflict_matrix(*of_rows([1.0, -2.0], [3.0, -6.0], [-1.0, 2.0]))
    torch.testing.assert_close(conflict_EE, torch.tensor([[0.0, 0.0, 1.0], [0.0, 0.0, 1.0], [1.0, 1.0, 0.0]]))


def test_orthogonal_gradients_have_the_value_zero() -> None:
    assert conflict_matrix(*of_rows([1.0, 1.0], [1.0, -1.0]))[0, 1] == 0


def test_only_shared_dimensions_count() -> None:
    # On the shared dimension they are opposite; their own dimensions would make them nearly orthogonal.
    conflict_EE = conflict_matrix(*of_rows([1.0, 100.0, 0.0], [-1.0, 0.0, 100.0]))
    assert conflict_EE[0, 1] == pytest.approx(1.0)


def test_u_and_v_together_are_compared_as_one_vector() -> None:
    # Dimension with entries (u, v): u agree, v oppose twice as strongly.
    both = torch.tensor([[[1.0, 2.0]], [[1.0, -2.0]]])
    held = torch.ones(2, 1, dtype=torch.bool)
    assert cosine_matrix(both, held)[0, 1] == pytest.approx((1 - 4) / 5)
    assert cosine_matrix(both[:, :, :1], held)[0, 1] == pytest.approx(1.0)


def test_conflict_keeps_the_missing_values_of_the_cosine() -> None:
    cosine = torch.tensor([[1.0, math.nan, -0.25], [math.nan, math.nan, math.nan], [-0.25, math.nan, 1.0]])
    expected = torch.tensor([[0.0, math.nan, 0.25], [math.nan, 0.0, math.nan], [0.25, math.nan, 0.0]])
    torch.testing.assert_close(conflict_from_cosine(cosine), expected, equal_nan=True)


@given(case=gradients())
def test_dimension_conflict_equals_the_plain_loop(case: tuple[Tensor, Tensor]) -> None:
    expected = torch.tensor(dimension_conflict_by_loops(case[0]), dtype=torch.float32)
    torch.testing.assert_close(dimension_conflict(case[0]), expected, **TINY)


def test_dimension_conflict_counts_every_expert_met_there() -> None:
    gradient_ERN, _ = of_rows([1.0, 1.0], [-2.0, 0.0], [-3.0, 1.0])
    assert dimension_conflict(gradient_ERN).tolist() == [[2.0, 0.0], [1.0, 0.0], [1.0, 0.0]]


@given(case=gradients())
def test_dimension_conflict_is_zero_where_an_expert_holds_nothing(case: tuple[Tensor, Tensor]) -> None:
    gradient_ERN, mask_ER = case
    assert not dimension_conflict(gradient_ERN)[~mask_ER].any()


def test_overlap_is_shared_dimensions_over_the_rank() -> None:
    mask_ER = torch.tensor([[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1]]).bool()
    assert overlap_matrix(mask_ER).tolist() == [[1.0, 0.5, 0.0], [0.5, 1.0, 0.5], [0.0, 0.5, 1.0]]
