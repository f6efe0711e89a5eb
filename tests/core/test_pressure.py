"""From conflict to a force on A: where the pressure lands, and which way each term of the loss pulls."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from cdsp_core.method.conflict import pressure_on_partitions, regularisers, topology_penalty


def random_conflict(experts: int, seed: int) -> Tensor:
    conflict_EE = torch.rand(experts, experts, generator=torch.Generator().manual_seed(seed))
    return (conflict_EE + conflict_EE.T).fill_diagonal_(0.0) / 2


def random_subspaces(experts: int, dims: int, rank: int, seed: int) -> Tensor:
    order = torch.rand(experts, dims, generator=torch.Generator().manual_seed(seed)).argsort(1)
    return torch.zeros(experts, dims, dtype=torch.bool).scatter_(1, order[:, :rank], True)


def gradient_on(logits_EP: Tensor, pressure_EP: Tensor, kind: str) -> Tensor:
    leaf = logits_EP.clone().requires_grad_()
    topology_penalty(leaf, pressure_EP, kind=kind).backward()
    assert leaf.grad is not None
    return leaf.grad


def test_with_a_partition_for_every_expert_the_pressure_is_the_conflict_itself() -> None:
    conflict_EE = random_conflict(4, 0)
    assert torch.equal(pressure_on_partitions(conflict_EE, random_subspaces(4, 8, 4, 0), 4), conflict_EE)


def test_a_pair_without_a_value_puts_no_pressure_anywhere() -> None:
    conflict_EE = torch.tensor([[0.0, math.nan], [math.nan, 0.0]])
    mask_ER = torch.ones(2, 8, dtype=torch.bool)
    for partitions in (1, 2, 4, 8):
        assert not pressure_on_partitions(conflict_EE, mask_ER, partitions).any()


def test_pressure_lands_on_the_partitions_that_both_hold_in_proportion() -> None:
    # Four dimensions in two partitions; both experts hold dimensions 1, 2 and 3, so a third lies in the first one.
    mask_ER = torch.tensor([[True, True, True, True], [False, True, True, True], [True, False, False, False]])
    conflict_EE = torch.tensor([[0.0, 0.6, 0.0], [0.6, 0.0, 0.0], [0.0, 0.0, 0.0]])
    expected = torch.tensor([[0.2, 0.4], [0.2, 0.4], [0.0, 0.0]])
    torch.testing.assert_close(pressure_on_partitions(conflict_EE, mask_ER, 2), expected)


@given(
    experts=st.integers(2, 6),
    partitions=st.sampled_from([1, 2, 3, 4, 6, 12]),
    rank=st.integers(1, 12),
    seed=st.integers(0, 1000),
)
def test_spreading_over_partitions_loses_no_pressure(experts: int, partitions: int, rank: int, seed: int) -> None:
    mask_ER = random_subspaces(experts, 12, rank, seed)
    shared_EE = mask_ER.float() @ mask_ER.float().T
    conflict_EE = random_conflict(experts, seed).masked_fill(shared_EE == 0, math.nan)
    pressure_EP = pressure_on_partitions(conflict_EE, mask_ER, partitions)
    torch.testing.assert_close(pressure_EP.sum(1), conflict_EE.nan_to_num(0.0).sum(1), rtol=1e-5, atol=1e-6)
    if partitions != experts:
        assert not pressure_EP[mask_ER.view(experts, partitions, -1).sum(2) == 0].any()


LOGITS = torch.tensor([[2.0, -1.0], [0.0, 0.5]])
PRESSURE = torch.tensor([[0.0, 0.25], [0.5, 1.0]])


def test_pressure_on_the_logit_is_constant_whatever_the_logit() -> None:
    assert torch.equal(gradient_on(LOGITS, PRESSURE, "logit"), PRESSURE)
    assert topology_penalty(LOGITS, PRESSURE, kind="logit") == -0.25 + 0.5


def test_pressure_while_positive_stops_at_small_logits() -> None:
    assert gradient_on(LOGITS, PRESSURE, "logit_while_positive").tolist() == [[0.0, 0.0], [0.0, 1.0]]
    edge = torch.tensor([[0.0009, 0.0011]])
    assert gradient_on(edge, torch.ones(1, 2), "logit_while_positive").tolist() == [[0.0, 1.0]]


def test_pressure_on_the_sigmoid_fades_where_it_is_saturated() -> None:
    connection = torch.sigmoid(LOGITS)
    expected = PRESSURE * connection * (1 - connection)
    torch.testing.assert_close(gradient_on(LOGITS, PRESSURE, "sigmoid"), expected)
    assert topology_penalty(LOGITS, PRESSURE, kind="sigmoid") == pytest.approx(float((connection * PRESSURE).sum()))


@pytest.mark.parametrize("kind", ["logit", "logit_while_positive", "sigmoid"])
def test_every_penalty_pushes_the_connection_down(kind: str) -> None:
    logits_EP = torch.rand(3, 3) + 0.1
    pressure_EP = torch.rand(3, 3) + 0.1
    assert (gradient_on(logits_EP, pressure_EP, kind) > 0).all()


def test_l1_pulls_every_logit_to_zero_with_the_same_force() -> None:
    logits = torch.tensor([[2.0, -3.0], [0.0, 0.5]], requires_grad=True)
    l1, _ = regularisers(logits)
    (gradient,) = torch.autograd.grad(l1, logits)
    assert l1.item() == pytest.approx(5.5 / 4)
    assert gradient.tolist() == [[0.25, -0.25], [0.0, 0.25]]


def test_binarisation_pushes_away_from_one_half() -> None:
    logits = torch.tensor([[1.0, -1.0], [0.0, 0.3]], requires_grad=True)
    _, binarize = regularisers(logits)
    (gradient,) = torch.autograd.grad(binarize, logits)
    p = torch.sigmoid(logits).detach()
    assert binarize.item() == pytest.approx(float((p * (1 - p)).mean()))
    torch.testing.assert_close(gradient, p * (1 - p) * (1 - 2 * p) / 4)
    assert gradient[0, 0] < 0 < gradient[0, 1]
