"""Which dimensions an expert holds, and how strongly."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from cdsp_core.method.topology import Topology, initial_topology_logits, select_subspaces
from cdsp_core.settings.model import ModelConfig
from tests.core.oracle import force_of, subspaces_of


def sizes(**changes: Any) -> ModelConfig:
    return ModelConfig(**{"d_base": 24, "num_experts": 4, "num_partitions": 4, "top_k": 1, **changes})


def topology_with(logits_EP: Tensor, **changes: Any) -> Topology:
    topology = Topology(sizes(num_experts=len(logits_EP), num_partitions=logits_EP.shape[1], **changes))
    topology.topology_logits.data.copy_(logits_EP)
    return topology


@st.composite
def logits_with_ties(draw: st.DrawFn) -> tuple[Tensor, int, int]:
    """Logits [E, P], the block size and a rank; whole numbers, so that ties are the rule."""
    experts, partitions, block = draw(st.integers(1, 6)), draw(st.integers(1, 8)), draw(st.integers(1, 6))
    row = st.lists(st.integers(-2, 2), min_size=partitions, max_size=partitions)
    logits = draw(st.lists(row, min_size=experts, max_size=experts))
    return torch.tensor(logits, dtype=torch.float32), block, draw(st.integers(1, partitions * block))


@pytest.mark.parametrize(("rule", "rank"), [("sqrt", 90), ("linear", 32)])
def test_the_two_rank_rules_at_the_papers_sizes(rule: str, rank: int) -> None:
    assert sizes(d_base=256, num_experts=8, num_partitions=8, rank_rule=rule).rank == rank


def test_the_square_root_law_keeps_no_budget_constant() -> None:
    """Neither what a token passes, K r, nor what all experts hold, E r, as the experts become more."""
    rank = {E: sizes(d_base=256, num_experts=E, num_partitions=E, rank_rule="sqrt").rank for E in (8, 64)}
    assert {E: 2 * r for E, r in rank.items()} == {8: 180, 64: 64}
    assert {E: E * r for E, r in rank.items()} == {8: 720, 64: 2048}


@given(case=logits_with_ties())
def test_subspaces_are_the_strongest_dimensions_by_brute_force(case: tuple[Tensor, int, int]) -> None:
    logits_EP, block, rank = case
    found = select_subspaces(logits_EP, rank=rank, block=block)
    assert found.index_Er.tolist() == subspaces_of(logits_EP, logits_EP.shape[1] * block, rank)


@given(case=logits_with_ties())
def test_indices_mask_and_counts_tell_the_same(case: tuple[Tensor, int, int]) -> None:
    logits_EP, block, rank = case
    index_Er, count_EP, mask_ER = select_subspaces(logits_EP, rank=rank, block=block)
    for indices, held in zip(index_Er.tolist(), mask_ER, strict=True):
        assert sorted(indices) == held.nonzero().flatten().tolist()
    assert torch.equal(count_EP, mask_ER.view(*logits_EP.shape, block).sum(2))
    assert (mask_ER.sum(1) == rank).all()


def test_ties_go_to_the_lowest_dimension() -> None:
    index_Er, _, _ = select_subspaces(torch.zeros(2, 3), rank=5, block=4)
    assert index_Er.tolist() == [[0, 1, 2, 3, 4]] * 2


def test_negative_and_positive_zero_are_a_tie() -> None:
    assert select_subspaces(torch.tensor([[-0.0, 0.0]]), rank=1, block=1).index_Er.tolist() == [[0]]


def test_saturated_logits_still_have_an_order() -> None:
    # Both sigmoids are 1.0 in float32.
    assert select_subspaces(torch.tensor([[30.0, 40.0]]), rank=2, block=2).index_Er.tolist() == [[2, 3]]


def test_with_a_partition_for_every_dimension_each_is_chosen_by_its_own_logit() -> None:
    topology = topology_with(
        torch.tensor([[0.0, 3.0, 1.0, 2.0, -1.0, 0.5, 0.4, 0.3]] * 2), d_base=8, rank_rule="linear"
    )
    assert topology.subspaces().index_Er.tolist() == [[1, 3, 2, 5]] * 2


def test_experts_and_partitions_need_not_be_equally_many() -> None:
    config = sizes(num_experts=6, num_partitions=3)
    subspaces = Topology(config).subspaces()
    assert subspaces.index_Er.shape == (6, config.rank)
    assert subspaces.count_EP.shape == (6, 3)
    assert subspaces.mask_ER.shape == (6, 24)


@given(seed=st.integers(0, 1000), partitions=st.sampled_from([1, 2, 4, 8, 24]))
def test_strength_is_the_mean_force_over_the_subspace(seed: int, partitions: int) -> None:
    logits_EP = torch.randn(4, partitions, generator=torch.Generator().manual_seed(seed))
    topology = topology_with(logits_EP)
    subspaces = topology.subspaces()
    force = force_of(logits_EP, 24)
    expected = [sum(force[e][d] for d in dims) / len(dims) for e, dims in enumerate(subspaces.index_Er.tolist())]
    assert topology.strength(subspaces).tolist() == pytest.approx(expected, rel=1e-5)


@given(seed=st.integers(0, 1000), partitions=st.sampled_from([2, 4, 8, 24]))
def test_strength_reaches_a_only_through_the_partitions_held(seed: int, partitions: int) -> None:
    logits_EP = torch.randn(4, partitions, generator=torch.Generator().manual_seed(seed))
    topology = topology_with(logits_EP)
    subspaces = topology.subspaces()
    topology.strength(subspaces).sum().backward()
    slope = topology.connection() * (1 - topology.connection())
    expected = slope * subspaces.mask_ER.view(4, partitions, -1).float().sum(2) / topology.rank
    torch.testing.assert_close(topology.topology_logits.grad, expected.detach())


def test_choosing_dimensions_carries_no_gradient() -> None:
    subspaces = Topology(sizes()).subspaces()
    assert not any(value.requires_grad for value in subspaces)


def test_maximum_entropy_starts_every_connection_near_one_half() -> None:
    logits = initial_topology_logits(sizes(num_partitions=24), generator=torch.Generator().manual_seed(0))
    assert logits.abs().max() < 0.1
    assert logits.std() == pytest.approx(0.02, rel=0.25)


def test_self_biased_starts_with_a_strong_diagonal() -> None:
    logits = initial_topology_logits(sizes(topology_init="self_biased"), generator=torch.Generator().manual_seed(0))
    assert logits.diagonal().tolist() == [1.0] * 4
    off = logits[~torch.eye(4, dtype=torch.bool)]
    assert off.mean() == pytest.approx(0.1, abs=0.03)
    assert off.std() > 0
