"""The rungs of the cost ladder: what each leaves out, what it keeps exactly, and that a run goes on from it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from cdsp_core.checkpoint import load_checkpoint, save_checkpoint
from cdsp_core.config import ModelConfig
from cdsp_core.conflict import co_active_pairs, cosine_matrix, dimension_conflict, ladder_error
from cdsp_core.layer import CDSPLayer
from cdsp_core.projection import project, projected_cosine, random_projection
from tests.core.small import CPU, small_config, small_data, small_trainer, state_of, steps

PATHS = ["auto", "dense", "sorted"]


def layer_of(**settings: Any) -> CDSPLayer:
    return CDSPLayer(small_config(**settings).model, generator=torch.Generator().manual_seed(4))


def run_backward(layer: CDSPLayer, *, seed: int = 9) -> Tensor:
    """The layer's output after a backward pass through it."""
    generator = torch.Generator().manual_seed(seed)
    x_BSD = torch.randn(3, 4, 16, generator=generator, requires_grad=True)
    task_BQ = torch.randn(3, 4, generator=generator)
    y_BSD, _ = layer(x_BSD, task_BQ)
    (y_BSD * torch.randn(y_BSD.shape, generator=generator)).sum().backward()
    return y_BSD.detach()  # type: ignore[no-any-return]


def game_of(layer: CDSPLayer) -> list[Tensor]:
    return [value.clone() for value in (layer.cosine_EE, layer.overlap_EE, layer.pressure_EP)]


def same(first: list[Tensor], second: list[Tensor]) -> bool:
    return all(torch.equal(a.nan_to_num(9.0), b.nan_to_num(9.0)) for a, b in zip(first, second, strict=True))


# every m-th step


def test_between_two_measurements_cosines_overlap_and_pressure_are_kept() -> None:
    trainer = small_trainer(conflict_every=3)
    layers = trainer.model.layers
    games = []
    for _ in range(7):
        steps(trainer, 1)
        games.append([value for layer in layers for value in game_of(layer)])
    assert same(games[0], games[1])
    assert same(games[0], games[2])
    assert not same(games[2], games[3])
    assert same(games[3], games[5])
    assert not same(games[5], games[6])


def test_a_measured_step_measures_what_the_exact_game_does() -> None:
    rare, exact = steps(small_trainer(conflict_every=5), 1), steps(small_trainer(), 1)
    for mine, theirs in zip(rare.model.layers, exact.model.layers, strict=True):
        assert same(game_of(mine), game_of(theirs))


@pytest.mark.parametrize("execution", PATHS)
def test_a_step_that_is_not_measured_computes_the_same_and_collects_nothing(execution: str) -> None:
    measured, skipped = layer_of(execution=execution), layer_of(execution=execution, conflict_every=2)
    skipped.begin_step(1)
    assert torch.equal(run_backward(measured), run_backward(skipped))
    assert measured.tap.leaf.grad is not None
    assert skipped.tap.leaf.grad is None
    for mine, theirs in zip(skipped.parameters(), measured.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad, rtol=1e-5, atol=1e-6)
    before = game_of(skipped)
    skipped.record_conflict()
    assert same(before, game_of(skipped))


def test_without_a_measurement_the_dense_path_does_not_tell_experts_apart() -> None:
    counted = []
    for step in (0, 1):
        layer = layer_of(execution="dense", conflict_every=2)
        layer.begin_step(step)
        with FlopCounterMode(display=False) as counter:
            run_backward(layer)
        counted.append(counter.get_total_flops())
    tokens, width, dims, experts = 12, 16, 32, 4
    per_expert, together = (2 * 2 * tokens * dims * width * times for times in (experts, 1))
    assert counted[0] - counted[1] == per_expert - together


# co-active pairs


@given(tokens=st.integers(1, 12), top_k=st.integers(1, 3), seed=st.integers(0, 1000))
def test_two_experts_are_co_active_when_some_token_used_both(tokens: int, top_k: int, seed: int) -> None:
    expert_TK = torch.rand(tokens, 5, generator=torch.Generator().manual_seed(seed)).argsort(1)[:, :top_k]
    expected = [[any(a in row and b in row for row in expert_TK.tolist()) for b in range(5)] for a in range(5)]
    assert co_active_pairs(expert_TK, 5).tolist() == expected


@pytest.mark.parametrize("execution", PATHS)
@pytest.mark.parametrize("partitions", [4, 8, 32])
def test_a_pair_that_no_token_used_together_has_no_value_and_puts_on_no_pressure(
    execution: str, partitions: int
) -> None:
    sizes = {"execution": execution, "num_partitions": partitions, "top_k": 1}
    exact, thrifty = layer_of(**sizes), layer_of(**sizes, conflict_pairs="co_active")
    for layer in (exact, thrifty):
        run_backward(layer)
        layer.record_conflict()
    off = ~torch.eye(4, dtype=torch.bool)
    assert exact.cosine_EE[off].isfinite().any()
    assert exact.pressure_EP.any()
    assert thrifty.cosine_EE[off].isnan().all()
    assert not thrifty.pressure_EP.any()
    torch.testing.assert_close(thrifty.cosine_EE.diagonal(), exact.cosine_EE.diagonal(), equal_nan=True)


@pytest.mark.parametrize("execution", PATHS)
def test_the_pairs_that_count_have_their_exact_values(execution: str) -> None:
    sizes = {"execution": execution, "num_experts": 8, "num_partitions": 8}
    exact, thrifty = layer_of(**sizes), layer_of(**sizes, conflict_pairs="co_active")
    for layer in (exact, thrifty):
        run_backward(layer)
        layer.record_conflict()
    kept = thrifty.cosine_EE.isfinite()
    assert 8 < kept.sum() < exact.cosine_EE.isfinite().sum()
    assert torch.equal(thrifty.cosine_EE[kept], exact.cosine_EE[kept])
    assert torch.equal(thrifty.pressure_EP[kept], exact.pressure_EP[kept])


def test_dimension_conflict_leaves_out_the_pairs_that_do_not_count() -> None:
    gradient_ERN = torch.tensor([1.0, -2.0, -3.0])[:, None, None]
    pairs_EE = torch.tensor([[True, True, False], [True, True, True], [False, True, True]])
    assert dimension_conflict(gradient_ERN).flatten().tolist() == [2.0, 1.0, 1.0]
    assert dimension_conflict(gradient_ERN, pairs_EE).flatten().tolist() == [1.0, 1.0, 0.0]


# random projection

DIMS, ENTRIES, RANK = 12, 6, 8


def gradients(seed: int, experts: int = 4) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients on subspaces of 8 of 12 dimensions: compact, dense, and the mask."""
    generator = torch.Generator().manual_seed(seed)
    index_Er = torch.rand(experts, DIMS, generator=generator).argsort(1)[:, :RANK]
    compact_ErN = torch.randn(experts, RANK, ENTRIES, generator=generator)
    dense_ERN = torch.zeros(experts, DIMS, ENTRIES)
    for expert, dims in enumerate(index_Er.tolist()):
        dense_ERN[expert, dims] = compact_ErN[expert]
    return compact_ErN, dense_ERN, index_Er


def test_projected_products_are_unbiased_with_the_variance_that_is_promised() -> None:
    compact_ErN, dense_ERN, index_Er = gradients(0)
    flat = dense_ERN.flatten(1)
    exact_EE = flat @ flat.T
    columns, draws = 8, 4000
    estimates = []
    for seed in range(draws):
        signs = random_projection(dims=DIMS, entries=ENTRIES, columns=columns, seed=seed)
        projected_Es = project(compact_ErN, index_Er, signs)
        estimates.append(projected_Es @ projected_Es.T)
    estimate = torch.stack(estimates)
    square_E = exact_EE.diagonal()
    bound_EE = 9 * square_E[:, None] * square_E[None, :] / columns
    assert bool((estimate.var(0) < bound_EE).all())
    standard_error_EE = estimate.std(0) / math.sqrt(draws)
    assert bool(((estimate.mean(0) - exact_EE).abs() < 4 * standard_error_EE).all())


def test_more_columns_bring_the_cosines_closer_to_the_exact_ones() -> None:
    errors = []
    for columns in (8, 64, 512, 4096):
        total = 0.0
        for seed in range(20):
            compact_ErN, dense_ERN, index_Er = gradients(seed)
            mask_ER = dense_ERN.any(2)
            signs = random_projection(dims=DIMS, entries=ENTRIES, columns=columns, seed=seed)
            projected_Es = project(compact_ErN, index_Er, signs)
            found = projected_cosine(projected_Es, dense_ERN.square().sum(2), mask_ER)
            total += float(ladder_error(found, cosine_matrix(dense_ERN, mask_ER)))
        errors.append(total / 20)
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < errors[0] / 10


def test_a_projection_leaves_the_missing_values_and_the_diagonal_exact() -> None:
    compact_ErN, dense_ERN, index_Er = gradients(3)
    compact_ErN[1], dense_ERN[1] = 0.0, 0.0
    mask_ER = torch.zeros(4, DIMS, dtype=torch.bool).scatter_(1, index_Er, True)
    signs = random_projection(dims=DIMS, entries=ENTRIES, columns=4, seed=0)
    found = projected_cosine(project(compact_ErN, index_Er, signs), dense_ERN.square().sum(2), mask_ER)
    exact = cosine_matrix(dense_ERN, mask_ER)
    assert torch.equal(found.isnan(), exact.isnan())
    assert found.diagonal().nan_to_num(9.0).tolist() == [1.0, 9.0, 1.0, 1.0]


@pytest.mark.parametrize("execution", PATHS)
@pytest.mark.parametrize("conflict_over", ["uv", "u"])
def test_the_layers_projected_game_is_the_projection_of_its_gradients(execution: str, conflict_over: str) -> None:
    sizes = {"execution": execution, "conflict_over": conflict_over}
    whole, folded = layer_of(**sizes), layer_of(**sizes, conflict_projection=4096)
    for layer in (whole, folded):
        run_backward(layer)
        layer.record_conflict()
    for mine, theirs in zip(folded.parameters(), whole.parameters(), strict=True):
        assert mine.grad is not None
        assert theirs.grad is not None
        assert torch.equal(mine.grad, theirs.grad)
    assert torch.equal(folded.overlap_EE, whole.overlap_EE)
    assert torch.equal(folded.cosine_EE.isnan(), whole.cosine_EE.isnan())
    assert 0 < ladder_error(folded.cosine_EE, whole.cosine_EE) < 0.05


def test_a_projection_keeps_s_and_r_numbers_an_expert() -> None:
    layer = layer_of(conflict_projection=5)
    run_backward(layer)
    assert layer.tap.collected.shape == (4, 5 + 16)
    assert layer_of().tap.leaf.shape == (4, 16, 32)
    with pytest.raises(
        ValueError, match=r"^expert_gradient needs conflict_projection 0, which keeps gradients whole\."
    ):
        layer.expert_gradient()


def test_a_projection_changes_no_initial_weight() -> None:
    plain, folded = small_trainer(), small_trainer(conflict_projection=16)
    assert same(list(plain.model.parameters()), list(folded.model.parameters()))


def test_the_signs_follow_from_the_seed() -> None:
    first, second = (small_trainer(conflict_projection=8, seed=seed).model.layers[1].tap for seed in (1, 1))
    other = small_trainer(conflict_projection=8, seed=2).model.layers[1].tap
    assert torch.equal(first.entry_Ns, second.entry_Ns)
    assert not torch.equal(first.entry_Ns, other.entry_Ns)
    assert set(first.entry_Ns.unique().tolist()) == {-1.0, 1.0}


def test_dimensions_with_logits_of_their_own_cannot_be_projected() -> None:
    with pytest.raises(
        ValueError, match=r"^conflict_projection must be 0 where every dimension has a logit of its own"
    ):
        ModelConfig(num_partitions=256, conflict_projection=64)


# all of them


def test_the_error_of_a_rung_is_the_mean_over_the_pairs_with_both_values() -> None:
    exact = torch.tensor([[1.0, 0.5, math.nan], [0.5, 1.0, -0.5], [math.nan, -0.5, 1.0]])
    found = torch.tensor([[0.0, 0.3, 0.7], [0.3, 0.0, -0.1], [0.7, -0.1, 0.0]])
    assert ladder_error(found, exact) == pytest.approx((0.2 + 0.4) / 2)
    assert ladder_error(torch.full((3, 3), math.nan), exact).isnan()


RUNGS: list[dict[str, Any]] = [
    {"conflict_every": 3},
    {"conflict_pairs": "co_active"},
    {"conflict_projection": 8},
    {"conflict_every": 2, "conflict_pairs": "co_active", "conflict_projection": 16, "num_partitions": 8},
    {"conflict_every": 3, "execution": "dense"},
]


@pytest.mark.parametrize("settings", RUNGS)
@pytest.mark.parametrize("before", [3, 4, 5])
def test_a_run_resumes_from_any_step_without_a_changed_bit(
    tmp_path: Path, settings: dict[str, Any], before: int
) -> None:
    straight = steps(small_trainer(**settings), before + 5)
    save_checkpoint(steps(small_trainer(**settings), before), tmp_path, "a")
    resumed = steps(load_checkpoint(tmp_path, "a", device=CPU, datasets=small_data()), 5)
    assert same(list(state_of(straight).values()), list(state_of(resumed).values()))
