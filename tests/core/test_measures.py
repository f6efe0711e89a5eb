"""Every measure against its closed form and a small example worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cdsp_core.training import measures

UNIFORM = np.full((3, 4), 0.25)
SEPARATE = np.eye(3, 4)


def distributions(tasks: int, experts: int) -> st.SearchStrategy[np.ndarray]:
    weights = arrays(np.float64, (tasks, experts), elements=st.floats(0.01, 1))
    return weights.map(lambda w: w / w.sum(1, keepdims=True))


def test_alpha_sparsity_is_the_share_below_a_tenth() -> None:
    assert measures.alpha_sparsity(np.array([[0.05, 0.1], [0.0999, 0.9]])) == 0.5


def test_structural_entropy_is_one_bit_at_one_half_and_none_when_decided() -> None:
    assert measures.structural_entropy(np.full((3, 3), 0.5)) == pytest.approx(1.0)
    assert measures.structural_entropy(np.array([[0.0, 1.0]])) == pytest.approx(0.0, abs=1e-9)
    quarter = -(0.25 * math.log2(0.25) + 0.75 * math.log2(0.75))
    assert measures.structural_entropy(np.array([[0.25, 0.5]])) == pytest.approx((quarter + 1) / 2)


def test_structural_entropy_in_bits_adds_up_the_entries() -> None:
    assert measures.structural_entropy_bits(np.full((3, 5), 0.5)) == pytest.approx(15.0)
    assert measures.structural_entropy_bits(np.array([[0.0, 1.0]])) == pytest.approx(0.0, abs=1e-9)
    quarter = -(0.25 * math.log2(0.25) + 0.75 * math.log2(0.75))
    assert measures.structural_entropy_bits(np.array([[0.25, 0.5], [0.0, 0.75]])) == pytest.approx(2 * quarter + 1)


@given(
    connection=arrays(np.float32, st.tuples(st.integers(1, 6), st.integers(1, 6)), elements=st.floats(0, 1, width=32))
)
def test_structural_entropy_an_entry_is_the_sum_over_their_number(connection: np.ndarray) -> None:
    total = measures.structural_entropy_bits(connection)
    assert total == pytest.approx(connection.size * measures.structural_entropy(connection))
    assert 0 <= total <= connection.size


@pytest.mark.parametrize(
    ("values", "expected"),
    [([1, 1, 1, 1], 0.0), ([0, 0, 0, 1], 0.75), ([1, 2, 3, 4], 0.25), ([5], 0.0), ([0, 0], 0.0), ([1, 3], 0.25)],
)
def test_gini_of_small_examples(values: list[float], expected: float) -> None:
    assert measures.gini(np.array(values, dtype=float)) == pytest.approx(expected)


@given(values=arrays(np.float64, st.integers(1, 8), elements=st.floats(0.01, 10)))
def test_gini_is_half_the_mean_difference_over_the_mean(values: np.ndarray) -> None:
    difference = np.abs(values[:, None] - values[None, :]).mean()
    assert measures.gini(values) == pytest.approx(difference / (2 * values.mean()), abs=1e-9)
    assert measures.gini(3 * values) == pytest.approx(measures.gini(values))


def test_the_oligarchy_reads_the_diagonal_alone() -> None:
    connection = np.array([[0.9, 0.99, 0.99], [0.1, 0.81, 0.99], [0.1, 0.1, 0.3]])
    assert measures.diagonals_above(connection) == 2
    assert measures.diagonal_gini(connection) == pytest.approx(measures.gini(np.array([0.9, 0.81, 0.3])))


def test_without_a_diagonal_there_is_no_oligarchy() -> None:
    assert math.isnan(measures.diagonal_gini(np.ones((2, 3))))
    assert math.isnan(measures.diagonals_above(np.ones((2, 3))))


def test_an_expert_is_idle_below_one_percent_of_the_traffic() -> None:
    assert measures.idle_experts(np.array([0.0, 0.0099, 0.01, 0.98])) == 2


def test_rank_overlap_is_the_mean_jaccard_overlap() -> None:
    # Rank 4: pairs share 4, 2 and 0 dimensions, so their unions have 4, 6 and 8.
    overlap = np.array([[1.0, 1.0, 0.5], [1.0, 1.0, 0.0], [0.5, 0.0, 1.0]])
    assert measures.rank_overlap(overlap) == pytest.approx((4 / 4 + 2 / 6 + 0 / 8) / 3)


def test_gradient_interference_leaves_out_pairs_without_a_value() -> None:
    nan = math.nan
    assert measures.gradient_interference(np.array([[0.0, 0.5, nan], [0.5, 0.0, 0.1], [nan, 0.1, 0.0]])) == 0.3
    assert math.isnan(measures.gradient_interference(np.full((3, 3), nan)))


def test_isolation_is_none_when_all_tasks_route_alike_and_full_when_they_share_nothing() -> None:
    assert measures.isolation(UNIFORM) == pytest.approx(0.0)
    assert measures.isolation(SEPARATE) == 1.0
    assert measures.isolation(np.array([[0.5, 0.5], [0.2, 0.8]])) == pytest.approx(1 - 0.7)
    assert math.isnan(measures.isolation(UNIFORM[:1]))


def test_specialization_is_none_when_tasks_mix_evenly_and_full_when_every_expert_serves_one() -> None:
    assert measures.specialization(UNIFORM) == pytest.approx(0.0)
    assert measures.specialization(SEPARATE) == pytest.approx(1.0)
    assert math.isnan(measures.specialization(UNIFORM[:1]))


def test_specialization_weighs_experts_by_their_load() -> None:
    # Expert 0 serves both tasks evenly with half of all traffic, experts 1 and 2 serve one task each.
    routing = np.array([[0.5, 0.5, 0.0], [0.5, 0.0, 0.5]])
    assert measures.specialization(routing) == pytest.approx(0.5)


@given(routing=distributions(3, 4))
def test_isolation_and_specialization_lie_between_zero_and_one(routing: np.ndarray) -> None:
    assert -1e-9 <= measures.isolation(routing) <= 1
    assert -1e-9 <= measures.specialization(routing) <= 1 + 1e-9


@given(routing=distributions(3, 4), blind=distributions(3, 4))
def test_routing_consistency_is_the_overlap_task_by_task(routing: np.ndarray, blind: np.ndarray) -> None:
    expected = [sum(min(a, b) for a, b in zip(*rows, strict=True)) for rows in zip(routing, blind, strict=True)]
    assert measures.routing_consistency(routing, blind) == pytest.approx(expected)
    assert measures.routing_consistency(routing, routing) == pytest.approx(1.0)


def test_emergent_clustering_is_positive_when_the_alike_tasks_share_more() -> None:
    routing = np.array([[0.8, 0.2], [0.6, 0.4], [0.0, 1.0]])
    assert measures.emergent_clustering(routing, alike=(0, 1), other=2) == pytest.approx(0.8 - (0.2 + 0.4) / 2)
    assert measures.emergent_clustering(routing, alike=(0, 2), other=1) < 0


def test_cosines_of_random_vectors_meet_their_null() -> None:
    vectors = np.random.default_rng(0).normal(size=(40, 500))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    cosine = vectors @ vectors.T
    assert measures.cosine_null(cosine, np.full((40, 40), 500.0)) == pytest.approx(1.0, abs=0.15)
    assert measures.cosine_null(np.full((3, 3), 0.5), np.full((3, 3), 8.0)) == pytest.approx(2.0)
    assert math.isnan(measures.cosine_null(np.full((3, 3), np.nan), np.ones((3, 3))))


def test_the_published_diagonal_counts_as_an_oligarchy() -> None:
    # arXiv:2512.20291, diagonal of sigmoid(A) at epoch 9.
    connection = np.diag([0.87, 0.50, 0.93, 0.50, 0.61, 0.99, 0.21, 0.98])
    assert measures.diagonals_above(connection) == 4
    assert measures.diagonal_gini(connection) > 0.15
