"""The C router and the C game against their torch versions, which the other tests hold against plain loops."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from cdsp_core.kernels.game import native_game
from cdsp_core.kernels.native import why_unavailable
from cdsp_core.method import conflict
from cdsp_core.method.router import Router
from tests.core.small import small_config

pytestmark = pytest.mark.skipif(why_unavailable() is not None, reason="no kernel")


def router_of(
    *,
    experts: int,
    top_k: int,
    over_all: bool = False,
    together: bool = False,
    mix: float | None = None,
    seed: int = 0,
) -> Router:
    config = small_config(
        num_experts=experts,
        num_partitions=1,
        top_k=top_k,
        gate_softmax="all" if over_all else "top_k",
        router_norm="all" if together else "token",
        task_fusion="concat" if mix is None else "mixed",
        task_mix=mix or 0.0,
    )
    generator = torch.Generator().manual_seed(seed)
    router = Router(config.model, generator=generator)
    for parameter in router.parameters():
        parameter.data += 0.3 * torch.randn(parameter.shape, generator=generator)
    return router


def with_gradients(
    router: Router, x_BSD: Tensor, task_BQ: Tensor, dgate_TK: Tensor, *, native: bool
) -> dict[str, Tensor]:
    """What the router gives, and the gradients of its input and parameters; `native` False in float64 torch."""
    router = copy.deepcopy(router) if native else copy.deepcopy(router).double()
    dtype = router.weight.dtype
    x_BSD, task_BQ = x_BSD.to(dtype, copy=True).requires_grad_(), task_BQ.to(dtype, copy=True).requires_grad_()
    gate_TK, expert_TK = router(x_BSD, task_BQ)
    gate_TK.backward(dgate_TK.to(dtype))
    gradients = {"x": x_BSD.grad, "task": task_BQ.grad, **{n: p.grad for n, p in router.named_parameters()}}
    return {
        "gate": gate_TK.detach().float(),
        "expert": expert_TK,
        **{n: g.float() for n, g in gradients.items() if g is not None},
    }


@settings(deadline=None, max_examples=60)
@given(
    samples=st.integers(1, 9),
    tokens=st.sampled_from([1, 3, 16, 150]),
    experts=st.integers(2, 20),
    data=st.data(),
    over_all=st.booleans(),
    together=st.booleans(),
    mix=st.none() | st.sampled_from([0.0, 0.2, 0.7, 1.0]),
    threads=st.integers(1, 3),
    seed=st.integers(0, 2**31),
)
def test_the_router_and_all_its_gradients_are_those_of_torch(
    samples: int,
    tokens: int,
    experts: int,
    data: st.DataObject,
    over_all: bool,
    together: bool,
    mix: float | None,
    threads: int,
    seed: int,
) -> None:
    top_k = data.draw(st.integers(1, experts))
    router = router_of(experts=experts, top_k=top_k, over_all=over_all, together=together, mix=mix, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    x_BSD = 2 * torch.randn(samples, tokens, 16, generator=generator) + 1
    task_BQ = torch.randn(samples, 4, generator=generator)
    task_BQ[::2] = 0.0  # hidden
    dgate_TK = torch.randn(samples * tokens, top_k, generator=generator)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        found = with_gradients(router, x_BSD, task_BQ, dgate_TK, native=True)
        wanted = with_gradients(router, x_BSD, task_BQ, dgate_TK, native=False)
    finally:
        torch.set_num_threads(before)
    logits_TE = router.logits(x_BSD, task_BQ).flatten(0, 1).detach()
    nearest = logits_TE.sort(1).values.diff(dim=1).min()
    assume(nearest > 1e-4)  # nearer ones may change places by rounding
    assert torch.equal(found["expert"], wanted["expert"])
    for name, tensor in wanted.items():
        torch.testing.assert_close(found[name], tensor, atol=2e-4, rtol=2e-4, msg=lambda text, name=name: name + text)


def test_equal_logits_choose_the_lower_expert() -> None:
    router = router_of(experts=5, top_k=2)
    router.weight.data.zero_()
    router.bias.data.zero_()
    _, expert_TK = router(torch.randn(1, 3, 16), torch.zeros(1, 4))
    assert expert_TK.tolist() == [[0, 1]] * 3


def test_an_input_that_is_not_a_number_reaches_the_gate() -> None:
    router = router_of(experts=4, top_k=2)
    gate_TK, _ = router(torch.full((1, 2, 16), torch.nan), torch.zeros(1, 4))
    assert gate_TK.isnan().any()


def test_the_same_input_gives_the_same_gradients_bit_for_bit() -> None:
    router = router_of(experts=8, top_k=2)
    x_BSD, task_BQ, dgate_TK = torch.randn(9, 16, 16), torch.randn(9, 4), torch.randn(144, 2)
    first, second = (with_gradients(router, x_BSD, task_BQ, dgate_TK, native=True) for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


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
