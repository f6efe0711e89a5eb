"""The C gate and the C game against their torch versions, which the other tests hold against plain loops."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cdsp_core import conflict
from cdsp_core.native import why_unavailable
from cdsp_core.native.routing import NativeRoute, native_game
from cdsp_core.router import top_k_gate

pytestmark = pytest.mark.skipif(why_unavailable() is not None, reason="no kernel")


@settings(deadline=None, max_examples=40)
@given(
    tokens=st.integers(1, 40),
    experts=st.integers(2, 20),
    data=st.data(),
    over_all=st.booleans(),
    seed=st.integers(0, 2**31),
)
def test_the_gate_and_its_gradient_are_those_of_torch(
    tokens: int, experts: int, data: st.DataObject, over_all: bool, seed: int
) -> None:
    top_k = data.draw(st.integers(1, experts))
    generator = torch.Generator().manual_seed(seed)
    logits_TE = torch.randn(tokens, experts, generator=generator) * 3
    dgate_TK = torch.randn(tokens, top_k, generator=generator)
    found, wanted = logits_TE.clone().requires_grad_(), logits_TE.clone().requires_grad_()
    gate_TK, expert_TK = NativeRoute.apply(found, top_k, over_all)
    expected_TK, expected_expert_TK = top_k_gate(wanted, top_k, normalise="all" if over_all else "top_k")
    gate_TK.backward(dgate_TK)
    expected_TK.backward(dgate_TK)
    assert torch.equal(expert_TK, expected_expert_TK)
    torch.testing.assert_close(gate_TK, expected_TK, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(found.grad, wanted.grad, atol=1e-6, rtol=1e-5)


def test_equal_logits_choose_the_lower_expert() -> None:
    _, expert_TK = NativeRoute.apply(torch.zeros(3, 5), 2, False)
    assert expert_TK.tolist() == [[0, 1]] * 3


def test_a_logit_that_is_not_a_number_reaches_the_gate_when_it_must_be_chosen() -> None:
    gate_TK, _ = NativeRoute.apply(torch.tensor([[1.0, torch.nan]]), 2, False)
    assert gate_TK.isnan().any()


@settings(deadline=None, max_examples=40)
@given(
    experts=st.integers(2, 10),
    dims=st.integers(4, 40),
    data=st.data(),
    used=st.integers(1, 6),
    seed=st.integers(0, 2**31),
)
def test_the_game_is_that_of_the_dense_form(experts: int, dims: int, data: st.DataObject, used: int, seed: int) -> None:
    rank = data.draw(st.integers(1, dims))
    idle = data.draw(st.integers(0, experts - 1))
    generator = torch.Generator().manual_seed(seed)
    index_Er = torch.stack([torch.randperm(dims, generator=generator)[:rank] for _ in range(experts)])
    gradient_ErN = torch.randn(experts, rank, 6, generator=generator)
    gradient_ErN[idle] = 0.0
    rows = torch.arange(experts)[:, None]
    dense_ERN, mask_ER = torch.zeros(experts, dims, 6), torch.zeros(experts, dims, dtype=torch.bool)
    dense_ERN[rows, index_Er], mask_ER[rows, index_Er] = gradient_ErN, True
    expected_EE = conflict.cosine_matrix(dense_ERN[:, :, :used], mask_ER)
    cosine_EE, overlap_EE, conflict_EE = native_game(gradient_ErN, index_Er, used=used, dims=dims)
    torch.testing.assert_close(cosine_EE, expected_EE, equal_nan=True, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(overlap_EE, conflict.overlap_matrix(mask_ER))
    wanted_EE = conflict.conflict_from_cosine(expected_EE).nan_to_num(0.0)
    torch.testing.assert_close(conflict_EE, wanted_EE, atol=1e-5, rtol=1e-5)
