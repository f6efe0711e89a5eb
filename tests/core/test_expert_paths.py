"""Every way to compute the layer equals the plain loop: outputs, gradients, and the gradient of each expert."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from cdsp_core.kernels import grouped
from cdsp_core.kernels.experts import experts_on_cpu
from cdsp_core.kernels.native import why_unavailable
from cdsp_core.method import backbone as backbone_module
from cdsp_core.method.backbone import Backbone, dense_experts, sorted_experts
from cdsp_core.method.topology import Topology
from cdsp_core.settings.model import ModelConfig
from tests.core.oracle import LayerOutcome, layer_by_loops

RELATIVE_ERROR = 1e-5


@dataclass(frozen=True, kw_only=True)
class Case:
    """One layer's sizes, weights and input."""

    config: ModelConfig
    x_TD: Tensor
    gate_TK: Tensor
    expert_TK: Tensor
    logits_EP: Tensor
    dy_TD: Tensor


def make_case(
    *,
    experts: int,
    partitions: int,
    block: int,
    top_k: int,
    tokens: int,
    rank_rule: str,
    used: int,
    ties: bool,
    seed: int,
) -> Case:
    generator = torch.Generator().manual_seed(seed)
    config = ModelConfig(
        image_size=8,
        patch_size=4,
        d_model=8,
        d_base=partitions * block,
        num_heads=2,
        num_kv_heads=1,
        num_experts=experts,
        num_partitions=partitions,
        top_k=top_k,
        rank_rule="sqrt" if rank_rule == "sqrt" else "linear",
    )
    logits_EP = torch.randn(experts, partitions, generator=generator)
    scores_TE = torch.rand(tokens, used, generator=generator)
    return Case(
        config=config,
        x_TD=torch.randn(tokens, config.d_model, generator=generator),
        gate_TK=torch.rand(tokens, top_k, generator=generator) + 0.1,
        expert_TK=scores_TE.argsort(1)[:, :top_k] + (experts - used),
        logits_EP=logits_EP.round() if ties else logits_EP,
        dy_TD=torch.randn(tokens, config.d_model, generator=generator),
    )


@st.composite
def cases(draw: st.DrawFn) -> Case:
    experts = draw(st.integers(2, 6))
    partitions, block = draw(st.sampled_from([(experts, 4), (experts, 3), (2, 8), (4, 8), (24, 1), (1, 16)]))
    if partitions * block < max(8, experts):
        partitions, block = experts, 8
    top_k = draw(st.integers(1, experts))
    return make_case(
        experts=experts,
        partitions=partitions,
        block=block,
        top_k=top_k,
        tokens=draw(st.integers(1, 12)),
        rank_rule=draw(st.sampled_from(["sqrt", "linear"])),
        used=draw(st.integers(top_k, experts)),
        ties=draw(st.booleans()),
        seed=draw(st.integers(0, 10_000)),
    )


def outcome(case: Case, path: str) -> tuple[LayerOutcome, Backbone]:
    """The layer computed by one path of the code under test, and the backbone it was computed on."""
    generator = torch.Generator().manual_seed(1)
    backbone = Backbone(case.config, generator=generator)
    topology = Topology(case.config, generator=generator)
    topology.topology_logits.data.copy_(case.logits_EP)
    x_TD, gate_TK = case.x_TD.clone().requires_grad_(), case.gate_TK.clone().requires_grad_()
    subspaces = topology.subspaces()
    gathered = backbone.gather(subspaces)
    tap = torch.zeros_like(gathered).requires_grad_()
    routed = (x_TD, gate_TK, case.expert_TK, topology.strength(subspaces), gathered + tap)
    y_TD = PATHS[path](*routed) if path != "dense" else dense_experts(*routed, backbone, subspaces)
    (y_TD * case.dy_TD).sum().backward()
    dexpert_ERN = torch.zeros(case.config.num_experts, case.config.d_base, 2 * case.config.d_model)
    for expert, dims in enumerate(subspaces.index_Er.tolist()):
        dexpert_ERN[expert, dims] = gradient(tap)[expert]
    found = LayerOutcome(
        y_TD=y_TD.detach(),
        dx_TD=gradient(x_TD),
        dgate_TK=gradient(gate_TK),
        dlogits_EP=gradient(topology.topology_logits),
        du_DR=gradient(backbone.u_DR),
        dv_RD=gradient(backbone.v_RD),
        dexpert_ERN=dexpert_ERN,
    )
    return found, backbone


def gradient(leaf: Tensor) -> Tensor:
    assert leaf.grad is not None
    return leaf.grad


class PaddedBlocks(torch.autograd.Function):
    """The accelerator's kernels of the grouped product, on the CPU."""

    @staticmethod
    def forward(ctx: Any, rows_MA: Tensor, weight_EAB: Tensor, count_E: Tensor) -> Tensor:
        ctx.save_for_backward(rows_MA, weight_EAB, count_E)
        out_MB: Tensor = grouped._grouped_mm_blocks(rows_MA, weight_EAB, count_E)
        return out_MB

    @staticmethod
    def backward(ctx: Any, dout_MB: Tensor) -> tuple[Tensor | None, ...]:
        rows_MA, weight_EAB, count_E = ctx.saved_tensors
        drows = grouped._grouped_mm_blocks(dout_MB, weight_EAB.transpose(1, 2), count_E)
        return drows, grouped._grouped_outer_blocks(rows_MA, dout_MB, count_E), None


def sorted_by_padded_blocks(*routed: Tensor) -> Tensor:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backbone_module, "grouped_mm", PaddedBlocks.apply)
        return sorted_experts(*routed)


PATHS: dict[str, Callable[..., Tensor]] = {
    "dense": dense_experts,
    "sorted": sorted_experts,
    "sorted in padded blocks": sorted_by_padded_blocks,
    "native": lambda *routed: experts_on_cpu(*routed),
}
AVAILABLE_PATHS = [
    pytest.param(path, marks=pytest.mark.skipif(path == "native" and why_unavailable() is not None, reason="no kernel"))
    for path in PATHS
]


def assert_equals_the_loop(case: Case, path: str) -> None:
    found, backbone = outcome(case, path)
    expected = layer_by_loops(
        x_TD=case.x_TD,
        gate_TK=case.gate_TK,
        expert_TK=case.expert_TK,
        logits_EP=case.logits_EP,
        u_DR=backbone.u_DR,
        v_RD=backbone.v_RD,
        rank=case.config.rank,
        dy_TD=case.dy_TD,
    )
    for field in fields(LayerOutcome):
        value, wanted = getattr(found, field.name), getattr(expected, field.name)
        error = (value - wanted).abs().max() / wanted.abs().max().clamp_min(1.0)
        assert error <= RELATIVE_ERROR, f"{field.name} by the {path} path is off by {error:.1e}"


@pytest.mark.parametrize("path", AVAILABLE_PATHS)
@given(case=cases())
def test_every_path_equals_the_plain_loop(path: str, case: Case) -> None:
    assert_equals_the_loop(case, path)


SHAPE: dict[str, Any] = {
    "experts": 4,
    "partitions": 4,
    "block": 8,
    "tokens": 9,
    "rank_rule": "sqrt",
    "ties": False,
    "seed": 3,
}


@pytest.mark.parametrize("path", AVAILABLE_PATHS)
def test_all_tokens_may_choose_one_expert(path: str) -> None:
    assert_equals_the_loop(make_case(**SHAPE, top_k=1, used=1), path)


@pytest.mark.parametrize("path", AVAILABLE_PATHS)
def test_every_token_may_choose_every_expert(path: str) -> None:
    assert_equals_the_loop(make_case(**SHAPE, top_k=4, used=4), path)


@pytest.mark.parametrize("path", AVAILABLE_PATHS)
def test_an_expert_may_need_several_chunks_of_tokens(path: str) -> None:
    assert_equals_the_loop(make_case(**{**SHAPE, "tokens": 300}, top_k=2, used=3), path)


@pytest.mark.parametrize("path", AVAILABLE_PATHS)
def test_an_expert_without_tokens_gets_exactly_no_gradient(path: str) -> None:
    case = make_case(**SHAPE, top_k=2, used=3)
    found, _ = outcome(case, path)
    assert 0 not in case.expert_TK
    assert not found.dexpert_ERN[0].any()
    assert found.dexpert_ERN[1:].flatten(1).any(1).all()


@pytest.mark.parametrize("path", AVAILABLE_PATHS)
@given(case=cases())
def test_the_experts_gradients_add_up_to_the_ordinary_gradient_of_u_and_v(path: str, case: Case) -> None:
    found, _ = outcome(case, path)
    ordinary_RN = torch.cat([found.du_DR.T, found.dv_RD], dim=1)
    torch.testing.assert_close(found.dexpert_ERN.sum(0), ordinary_RN, rtol=1e-5, atol=1e-5)


@pytest.mark.skipif(why_unavailable() is not None, reason="no kernel")
def test_the_native_path_gives_the_same_bits_twice() -> None:
    case = make_case(**{**SHAPE, "tokens": 300}, top_k=2, used=4)
    first, second = outcome(case, "native")[0], outcome(case, "native")[0]
    for field in fields(LayerOutcome):
        assert torch.equal(getattr(first, field.name), getattr(second, field.name))


@given(
    counts=st.lists(st.integers(0, 150), min_size=1, max_size=6).filter(any),
    seed=st.integers(0, 1000),
)
def test_padded_blocks_equal_one_product_a_group(counts: list[int], seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(sum(counts), 5, generator=generator)
    other = torch.randn(sum(counts), 3, generator=generator)
    weight = torch.randn(len(counts), 5, 3, generator=generator)
    groups = list(zip(rows.split(counts), other.split(counts), weight, strict=True))
    products = torch.cat([group @ w for group, _, w in groups])
    outers = torch.stack([group.T @ right for group, right, _ in groups])
    for mm, outer in (
        (grouped.grouped_mm, grouped.grouped_outer),
        (grouped._grouped_mm_blocks, grouped._grouped_outer_blocks),
    ):
        torch.testing.assert_close(mm(rows, weight, torch.tensor(counts)), products)
        torch.testing.assert_close(outer(rows, other, torch.tensor(counts)), outers, rtol=1e-5, atol=1e-4)


@given(counts=st.lists(st.integers(0, 200), min_size=1, max_size=8).filter(any))
def test_no_two_rows_share_a_place_in_the_padded_blocks(counts: list[int]) -> None:
    slot_M, expert_of_block = grouped.block_slots(torch.tensor(counts), sum(counts))
    assert len(set(slot_M.tolist())) == sum(counts)
    owner = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    assert torch.equal(expert_of_block[slot_M // grouped.BLOCK_ROWS], owner)
