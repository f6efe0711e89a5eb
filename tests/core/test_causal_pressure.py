"""The causal test of conflict: what presses on A is the conflict, or something of its size that knows no pairs."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from cdsp_core.method.conflict import conflict_from_cosine, pressing_conflict, uniform_of
from cdsp_core.settings.model import ModelConfig
from cdsp_core.training.checkpoint import load_checkpoint, save_checkpoint
from cdsp_core.training.trainer import Trainer
from tests.core.small import CPU, small_config, small_data, small_trainer, state_of, steps

DRAWN = ("permuted", "noise")


def cosines(experts: int, seed: int) -> Tensor:
    """Symmetric, with a third of the pairs without a value."""
    generator = torch.Generator().manual_seed(seed)
    cosine_EE = torch.rand(experts, experts, generator=generator) * 2 - 1
    cosine_EE = torch.where(torch.rand(experts, experts, generator=generator) < 0.33, torch.nan, cosine_EE)
    upper_EE = torch.triu(cosine_EE, diagonal=1)
    return (upper_EE + upper_EE.T).fill_diagonal_(1.0)


def pairs(matrix_EE: Tensor) -> list[float]:
    return [float(matrix_EE[a, b]) for a in range(len(matrix_EE)) for b in range(a)]


def values(matrix_EE: Tensor) -> list[float]:
    return [value for value in pairs(matrix_EE) if not math.isnan(value)]


def key(seed: int) -> Tensor:
    return torch.tensor(seed, dtype=torch.int64)


@given(experts=st.integers(2, 9), seed=st.integers(0, 10_000))
def test_a_dealt_pressure_has_the_conflicts_values_on_the_pairs_that_have_one(experts: int, seed: int) -> None:
    cosine_EE = cosines(experts, seed)
    dealt_EE = pressing_conflict(cosine_EE, kind="permuted", key=key(seed))
    conflict_EE = conflict_from_cosine(cosine_EE)
    assert torch.equal(dealt_EE.isnan(), conflict_EE.isnan())
    assert torch.equal(dealt_EE.nan_to_num(-1.0), dealt_EE.T.nan_to_num(-1.0))
    assert not dealt_EE.diagonal().any()
    assert sorted(values(dealt_EE)) == sorted(values(conflict_EE))


@given(experts=st.integers(2, 9), seed=st.integers(0, 10_000))
def test_noise_has_the_conflicts_sum_on_the_same_pairs(experts: int, seed: int) -> None:
    cosine_EE = cosines(experts, seed)
    noise_EE = pressing_conflict(cosine_EE, kind="noise", key=key(seed))
    conflict_EE = conflict_from_cosine(cosine_EE)
    assert torch.equal(noise_EE.isnan(), conflict_EE.isnan())
    assert torch.equal(noise_EE.nan_to_num(-1.0), noise_EE.T.nan_to_num(-1.0))
    assert min(values(noise_EE), default=0.0) >= 0.0
    assert sum(values(noise_EE)) == pytest.approx(sum(values(conflict_EE)), rel=1e-5)


@given(experts=st.integers(2, 9), seed=st.integers(0, 10_000))
def test_a_flipped_pressure_presses_where_gradients_agree_and_an_absent_one_nowhere(experts: int, seed: int) -> None:
    cosine_EE = cosines(experts, seed)
    flipped = pairs(pressing_conflict(cosine_EE, kind="flipped"))
    for found, cosine in zip(flipped, pairs(cosine_EE), strict=True):
        assert math.isnan(found) if math.isnan(cosine) else found == max(cosine, 0.0)
    assert not any(values(pressing_conflict(cosine_EE, kind="absent")))


def test_every_pair_is_dealt_every_value_equally_often() -> None:
    cosine_EE = -torch.tensor([[0.0, 0.1, 0.2], [0.1, 0.0, 0.3], [0.2, 0.3, 0.0]])
    counts = torch.zeros(3, 3)
    for number in range(1500):
        dealt = pressing_conflict(cosine_EE, kind="permuted", key=key(number))
        for pair, value in enumerate((dealt[0, 1], dealt[0, 2], dealt[1, 2])):
            counts[pair, round(float(value) * 10) - 1] += 1
    assert counts.sum() == 4500
    assert (counts - 500).abs().max() < 5 * 500**0.5


def test_any_change_of_the_cosines_and_any_other_key_deals_anew() -> None:
    cosine_EE = cosines(8, 1).nan_to_num(0.5)
    moved_EE = cosine_EE.clone()
    moved_EE[0, 1] += 1e-6
    moved_EE[1, 0] += 1e-6
    same, again, moved, other = (
        torch.tensor(pairs(pressing_conflict(matrix, kind="noise", key=key(number))))
        for matrix, number in ((cosine_EE, 3), (cosine_EE, 3), (moved_EE, 3), (cosine_EE, 4))
    )
    assert torch.equal(same, again)
    assert not torch.allclose(same, moved, atol=1e-3)
    assert not torch.allclose(same, other, atol=1e-3)


def test_draws_are_uniform_and_do_not_follow_each_other() -> None:
    drawn = uniform_of(key(7), 40_000)
    assert float(drawn.min()) >= 0.0
    assert float(drawn.max()) < 1.0
    assert float(drawn.mean()) == pytest.approx(0.5, abs=0.01)
    assert float(drawn.var()) == pytest.approx(1 / 12, abs=0.003)
    both = torch.stack([drawn[:-1], drawn[1:]])
    assert abs(float(torch.corrcoef(both)[0, 1])) < 0.02


@pytest.mark.parametrize("kind", ["true", "permuted", "noise", "flipped", "absent"])
def test_many_matrices_at_once_are_pressed_as_each_alone(kind: str) -> None:
    cosine_XEE = torch.stack([cosines(6, seed) for seed in range(5)])
    key_X = torch.arange(5)
    press: Callable[[Tensor, Tensor], Tensor] = lambda cosine, own: pressing_conflict(cosine, kind=kind, key=own)  # noqa: E731
    together = torch.func.vmap(press)(cosine_XEE, key_X)
    alone = torch.stack([press(cosine, own) for cosine, own in zip(cosine_XEE, key_X, strict=True)])
    torch.testing.assert_close(together, alone, equal_nan=True)


@pytest.mark.parametrize("kind", ["true", "permuted", "noise", "flipped", "absent"])
def test_runs_that_differ_in_the_pressure_start_alike_and_say_the_same_of_their_cosines(kind: str) -> None:
    plain, other = steps(small_trainer(), 1), steps(small_trainer(pressure=kind), 1)
    for mine, theirs in zip(plain.cdsp_layers, other.cdsp_layers, strict=True):
        assert torch.equal(mine.topology.topology_logits, theirs.topology.topology_logits)
        torch.testing.assert_close(mine.cosine_EE, theirs.cosine_EE, equal_nan=True)
        own = theirs.pressure_key if kind in DRAWN else None
        expected = pressing_conflict(theirs.cosine_EE, kind=kind, key=own).nan_to_num(0.0)
        torch.testing.assert_close(theirs.pressure_EP, expected)


@pytest.mark.parametrize("kind", DRAWN)
def test_layers_and_seeds_deal_differently(kind: str) -> None:
    keys = {
        int(layer.pressure_key) for seed in range(3) for layer in small_trainer(pressure=kind, seed=seed).cdsp_layers
    }
    assert len(keys) == 6


@pytest.mark.parametrize("kind", DRAWN)
def test_a_resumed_run_deals_on_bit_for_bit(kind: str, tmp_path: object) -> None:
    from pathlib import Path

    assert isinstance(tmp_path, Path)
    straight = steps(small_trainer(pressure=kind), 6)
    save_checkpoint(steps(small_trainer(pressure=kind), 3), tmp_path, "half")
    resumed = steps(load_checkpoint(tmp_path, "half", device=CPU, datasets=small_data()), 3)
    for name, value in state_of(straight).items():
        assert torch.equal(value.nan_to_num(9.0), state_of(resumed)[name].nan_to_num(9.0)), name


def test_where_dimensions_have_logits_of_their_own_pairs_cannot_be_dealt() -> None:
    with pytest.raises(ValueError, match="pressure must be true or absent where every dimension has a logit"):
        ModelConfig(num_partitions=256, pressure="permuted")
    trainer = Trainer(small_config(num_partitions=32, pressure="absent"), device=CPU, datasets=small_data())
    assert not any(layer.pressure_EP.any() for layer in steps(trainer, 2).cdsp_layers)
