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

from cdsp_core.method.conflict import co_active_pairs, cosine_matrix, dimension_conflict, ladder_error
from cdsp_core.method.layer import CDSPLayer
from cdsp_core.method.projection import fold, independent_columns, random_signs
from cdsp_core.method.topology import scatter_to_dimensions
from cdsp_core.training.checkpoint import load_checkpoint, save_checkpoint
from cdsp_core.training.telemetry import layer_arrays, layer_measures
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
    layers = trainer.cdsp_layers
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
    for mine, theirs in zip(rare.cdsp_layers, exact.cdsp_layers, strict=True):
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
    coefficients = 2 * tokens * experts * dims
    """which the measuring pass makes once more on its way back"""
    assert counted[0] - counted[1] == per_expert - together + coefficients


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

DIMS, ENTRIES, RANK = 12, 10, 8


def gradients(seed: int, experts: int = 4) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients on subspaces of 8 of 12 dimensions: of the held dimensions, which they are, and the mask."""
    generator = torch.Generator().manual_seed(seed)
    index_Er = torch.rand(experts, DIMS, generator=generator).argsort(1)[:, :RANK]
    mask_ER = torch.zeros(experts, DIMS, dtype=torch.bool).scatter_(1, index_Er, True)
    return torch.randn(experts, RANK, ENTRIES, generator=generator), index_Er, mask_ER


def on_dimensions(compact: Tensor, index_Er: Tensor) -> Tensor:
    dense = torch.zeros(len(compact), DIMS, compact.shape[2])
    for expert, dims in enumerate(index_Er.tolist()):
        dense[expert, dims] = compact[expert]
    return dense


def folded(compact_ErN: Tensor, index_Er: Tensor, columns: int, seed: int) -> Tensor:
    signs = random_signs(dims=DIMS, entries=compact_ErN.shape[2], seed=seed)
    return on_dimensions(fold(compact_ErN, index_Er, signs, columns), index_Er)


@pytest.mark.parametrize("columns", [1, 2, 3, 5])
def test_folded_products_and_norms_are_unbiased_with_the_variance_that_is_promised(columns: int) -> None:
    compact_ErN, index_Er, mask_ER = gradients(0)
    held = mask_ER.float()

    def products(gradient_ERN: Tensor) -> tuple[Tensor, Tensor]:
        """The pairs' dot products, and each expert's squared norm over the dimensions that both hold."""
        flat = gradient_ERN.flatten(1)
        return flat @ flat.T, gradient_ERN.square().sum(2) @ held.T

    exact_ERN = on_dimensions(compact_ErN, index_Er)
    draws = 1500
    found = [products(folded(compact_ErN, index_Er, columns, seed)) for seed in range(draws)]
    for number, exact_EE in enumerate(products(exact_ERN)):
        estimate = torch.stack([each[number] for each in found])
        standard_error_EE = estimate.std(0) / math.sqrt(draws)
        assert bool(((estimate.mean(0) - exact_EE).abs() < 4.5 * standard_error_EE + 1e-4).all())
    bucket = -(-ENTRIES // columns)
    filled = torch.nn.functional.pad(exact_ERN, (0, bucket * columns - ENTRIES)).unflatten(2, (columns, bucket))
    square = filled.square().sum(3).flatten(1)
    variance_EE = torch.stack([each[0] for each in found]).var(0)
    assert bool((variance_EE < 1.2 * 2 * square @ square.T + 1e-6).all())


def test_more_columns_bring_the_cosines_closer_and_as_many_as_entries_make_them_exact() -> None:
    errors = []
    for columns in (1, 2, 5, 10, 16):
        total = 0.0
        for seed in range(30):
            compact_ErN, index_Er, mask_ER = gradients(seed)
            exact_EE = cosine_matrix(on_dimensions(compact_ErN, index_Er), mask_ER)
            total += float(ladder_error(cosine_matrix(folded(compact_ErN, index_Er, columns, seed), mask_ER), exact_EE))
        errors.append(total / 30)
    assert errors[0] > errors[1] > errors[2] > 0.01
    assert errors[3] == pytest.approx(0.0, abs=1e-6)
    assert errors[4] == pytest.approx(0.0, abs=1e-6)


def test_equal_gradients_on_a_common_dimension_fold_alike_whoever_holds_it() -> None:
    row_N = torch.randn(ENTRIES, generator=torch.Generator().manual_seed(1))
    compact_ErN = torch.zeros(2, RANK, ENTRIES)
    index_Er = torch.stack([torch.arange(RANK), torch.arange(DIMS - 1, DIMS - 1 - RANK, -1)])
    compact_ErN[0, 6], compact_ErN[1, 5] = row_N, -row_N  # both are dimension 6
    gradient = folded(compact_ErN, index_Er, 3, seed=0)
    assert torch.equal(gradient[0, 6], -gradient[1, 6])
    assert gradient[0, 6].any()


@pytest.mark.parametrize("execution", PATHS)
@pytest.mark.parametrize(
    "settings",
    [{}, {"conflict_over": "u"}, {"num_partitions": 8}, {"num_partitions": 32}, {"backbone": "block_sparse"}],
)
def test_the_layers_game_is_that_of_its_folded_gradients(execution: str, settings: dict[str, Any]) -> None:
    whole = layer_of(execution=execution, **settings)
    few = layer_of(execution=execution, **settings, conflict_projection=4)
    for layer in (whole, few):
        run_backward(layer)
    for mine, theirs in zip(few.parameters(), whole.parameters(), strict=True):
        assert mine.grad is not None
        assert theirs.grad is not None
        assert torch.equal(mine.grad, theirs.grad)
    subspaces, used = whole.topology.subspaces(), few.tap.used
    expected_Ers = fold(whole.tap.collected[:, :, :used], subspaces.index_Er, few.tap.sign_RN, 4)
    assert torch.equal(few.tap.collected, expected_Ers)
    expected_EE = cosine_matrix(scatter_to_dimensions(expected_Ers, subspaces), subspaces.mask_ER)
    for layer in (whole, few):
        layer.record_conflict()
    assert torch.equal(few.overlap_EE, whole.overlap_EE)
    torch.testing.assert_close(few.cosine_EE, expected_EE, equal_nan=True, rtol=1e-4, atol=1e-5)
    assert torch.equal(few.cosine_EE.isnan(), whole.cosine_EE.isnan())
    assert ladder_error(few.cosine_EE, whole.cosine_EE) > 0


def test_a_folded_row_counts_for_as_many_entries_as_its_full_columns() -> None:
    found = [independent_columns(entries=128, columns=columns) for columns in (1, 2, 8, 64, 128, 4096)]
    assert found == [1, 2, 8, 64, 128, 128]
    # 100 columns for 128 entries are 64 of two entries and 36 empty ones; 3 for 10 are of 4, 4 and 2 entries.
    assert independent_columns(entries=128, columns=100) == 64
    assert independent_columns(entries=10, columns=3) == pytest.approx(100 / 36)


@given(entries=st.integers(1, 300), columns=st.integers(1, 400))
def test_a_folded_row_never_counts_for_more_than_its_columns_or_its_entries(entries: int, columns: int) -> None:
    found = independent_columns(entries=entries, columns=columns)
    assert 1 <= found <= min(entries, columns) + 1e-9
    if entries % columns == 0:
        assert found == columns


@pytest.mark.parametrize("columns", [0, 2, 8, 50, 64])
@pytest.mark.parametrize("settings", [{}, {"conflict_over": "u", "num_partitions": 64}, {"backbone": "block_sparse"}])
def test_the_cosines_of_random_gradients_meet_their_null_on_every_rung(settings: dict[str, Any], columns: int) -> None:
    sizes = {"d_model": 64, "d_base": 64, "num_experts": 16, "num_partitions": 16, **settings}
    generator = torch.Generator().manual_seed(columns)
    found = []
    for draw in range(30):
        config = small_config(**sizes, conflict_projection=columns).model
        layer = CDSPLayer(config, generator=torch.Generator().manual_seed(draw))
        subspaces = layer.topology.subspaces()
        weight_ErN = layer.backbone.gather(subspaces)
        tapped_ErN = layer.tapped(weight_ErN, subspaces, torch.zeros(1, 2, dtype=torch.int64))
        tapped_ErN.backward(torch.randn(weight_ErN.shape, generator=generator))
        layer.record_conflict()
        routing_QE = torch.full((3, 16), 1 / 16)
        found.append(layer_measures(layer_arrays(layer, routing_QE[0], routing_QE, routing_QE), config)["cosine_null"])
    assert sum(found) / len(found) == pytest.approx(1.0, abs=0.12)


def test_a_projection_keeps_s_numbers_a_dimension_and_one_byte_a_sign() -> None:
    layer = layer_of(conflict_projection=5)
    run_backward(layer)
    assert layer.tap.collected.shape == (4, 16, 5)
    assert layer_of().tap.leaf.shape == (4, 16, 32)
    assert layer.tap.sign_RN.nbytes == 32 * 32
    with pytest.raises(ValueError, match=r"^expert_gradient needs conflict_projection 0\. Found 5\.$"):
        layer.expert_gradient()


def test_a_projection_changes_no_initial_weight() -> None:
    plain, few = small_trainer(), small_trainer(conflict_projection=16)
    assert same(list(plain.model.parameters()), list(few.model.parameters()))


def test_the_signs_follow_from_the_seed() -> None:
    first, second = (small_trainer(conflict_projection=8, seed=seed).cdsp_layers[1].tap for seed in (1, 1))
    other = small_trainer(conflict_projection=8, seed=2).cdsp_layers[1].tap
    assert torch.equal(first.sign_RN, second.sign_RN)
    assert not torch.equal(first.sign_RN, other.sign_RN)
    assert set(first.sign_RN.unique().tolist()) == {-1, 1}


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
