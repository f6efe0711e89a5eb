"""A run: equal configs give equal runs, and what people change takes effect at the next step and nowhere else."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from cdsp_core.settings.config import RunConfig
from cdsp_core.training.trainer import Trainer
from cdsp_core.wire.frames import LAYER_ARRAYS
from tests.core.small import CPU, small_config, small_data, small_trainer, state_of, steps


def same_bits(first: Trainer, second: Trainer) -> bool:
    mine, theirs = state_of(first), state_of(second)
    return all(torch.equal(mine[name].nan_to_num(9.0), theirs[name].nan_to_num(9.0)) for name in mine)


@pytest.mark.parametrize("execution", ["dense", "auto"])
def test_the_same_seed_gives_the_same_run_bit_for_bit(execution: str) -> None:
    first, second = (steps(small_trainer(execution=execution), 12) for _ in range(2))
    assert same_bits(first, second)
    for mine, theirs in zip(first.arrays().values(), second.arrays().values(), strict=True):
        assert np.array_equal(mine, theirs, equal_nan=mine.dtype != np.uint8)


def test_another_seed_gives_another_run() -> None:
    assert not same_bits(steps(small_trainer(seed=1), 3), steps(small_trainer(seed=2), 3))


def test_looking_at_a_run_does_not_change_it() -> None:
    watched, alone = small_trainer(), small_trainer()
    for _ in range(6):
        steps(watched, 1).arrays()
        watched.look_at_test_images()
    assert same_bits(watched, steps(alone, 6))


def test_p_drop_leaves_the_data_order_and_the_weights_alone() -> None:
    low, high = small_trainer(p_drop=0.1), small_trainer(p_drop=0.9)
    assert same_bits(low, high)
    for step in range(2 * low.batches.steps_per_epoch):
        mine, theirs = low.batches.batch(step), high.batches.batch(step)
        assert torch.equal(mine.image_BHW, theirs.image_BHW)
        assert torch.equal(mine.uniform_BL, theirs.uniform_BL)
    low.apply(replace(low.controls, p_drop=1.0))
    assert torch.equal(low.batches.batch(3).image_BHW, high.batches.batch(3).image_BHW)


def test_task_dropout_per_batch_or_sample_leaves_the_data_order_alone() -> None:
    sample, batch = small_trainer(task_dropout="sample"), small_trainer(task_dropout="batch")
    assert torch.equal(sample.batches.batch(4).image_BHW, batch.batches.batch(4).image_BHW)


def test_an_id_hidden_at_a_low_p_drop_is_hidden_at_a_higher_one() -> None:
    uniform = small_trainer().batches.batch(0).uniform_BL
    assert set(torch.where(uniform < 0.2)[0].tolist()) <= set(torch.where(uniform < 0.6)[0].tolist())


@pytest.mark.parametrize(
    ("control", "value"),
    [
        ("p_drop", 1.0),
        ("lambda_conflict", 90.0),
        ("lr_ratio", 90.0),
        ("lr_base", 0.05),
        ("l1", 0.9),
        ("binarize", 0.9),
        ("sharing", -2.0),
    ],
)
def test_a_control_applies_from_the_next_step_on(control: str, value: float) -> None:
    changed, plain = steps(small_trainer(), 4), steps(small_trainer(), 4)
    changed.apply(replace(changed.controls, **{control: value}))
    assert same_bits(changed, plain)
    steps(changed, 1), steps(plain, 1)
    assert not same_bits(changed, plain)


def test_the_two_speeds_have_their_own_learning_rate_and_only_the_weights_decay() -> None:
    trainer = small_trainer(lr_base=1e-3, lr_ratio=20.0, weight_decay=0.3)
    weights, topology = trainer.optimizer.param_groups
    assert (weights["lr"], weights["weight_decay"]) == (1e-3, 0.3)
    assert (topology["lr"], topology["weight_decay"]) == (pytest.approx(2e-2), 0.0)
    (all_weights,), (all_a,) = weights["params"], topology["params"]
    assert all_a.numel() == 2 * 4 * 4
    assert all_weights.numel() + all_a.numel() == sum(p.numel() for p in trainer.model.parameters())
    trainer.apply(replace(trainer.controls, lr_base=2e-3, lr_ratio=5.0))
    assert weights["lr"] == 2e-3
    assert topology["lr"] == pytest.approx(1e-2)


def test_the_first_step_moves_a_by_ratio_times_the_base_rate_and_decays_nothing_of_it() -> None:
    # Adam's first step has the size of the learning rate; a huge decay of the weights must not reach A.
    trainer = small_trainer(lr_base=1e-3, lr_ratio=10.0, weight_decay=1.0, lambda_conflict=0.0)
    logits = trainer.cdsp_layers[0].topology.topology_logits
    before = logits.detach().clone()
    trainer.train_step()
    moved = (logits.detach() - before).abs()
    assert moved.max().item() == pytest.approx(1e-2, rel=1e-2)
    assert moved.max() <= 1e-2 * 1.001


def test_without_pressure_a_moves_by_the_task_alone_and_with_pressure_it_thins_out() -> None:
    free, pressed = small_trainer(lambda_conflict=0.0, epochs=9), small_trainer(lambda_conflict=50.0, epochs=9)
    off_diagonal = ~torch.eye(4, dtype=torch.bool)
    means = [
        torch.stack([layer.topology.connection()[off_diagonal].mean() for layer in steps(each, 100).cdsp_layers]).mean()
        for each in (free, pressed)
    ]
    assert means[1] < means[0] - 0.02


def clipped(**settings: Any) -> tuple[list[torch.Tensor], list[torch.Tensor], float]:
    """Gradients of weights and of A after clipping at a step under pressure, and the norm before it."""
    trainer = steps(small_trainer(grad_clip=1e-3, **settings), 3)
    trainer._loss(trainer.batches.batch(trainer.step))[0].backward()
    before = torch.stack([gradient_of(p).square().sum() for p in trainer.parameters]).sum().sqrt()
    norm = trainer._clip()
    torch.testing.assert_close(norm, before)
    weights, topology = ([gradient_of(p) for p in group["params"]] for group in trainer.optimizer.param_groups)
    return weights, topology, float(norm)


def gradient_of(parameter: torch.Tensor) -> torch.Tensor:
    assert parameter.grad is not None
    return parameter.grad


def norm_of(gradients: list[torch.Tensor]) -> float:
    return float(torch.stack([gradient.square().sum() for gradient in gradients]).sum().sqrt())


def test_the_gradient_of_all_parameters_is_clipped_together() -> None:
    weights, topology, before = clipped()
    assert before > 1e-3
    assert norm_of([*weights, *topology]) == pytest.approx(1e-3, rel=1e-2)


def test_clipped_apart_weights_and_topology_each_keep_their_own_limit() -> None:
    weights, topology, before = clipped(clip_scope="apart")
    assert before > 1e-3
    assert norm_of(weights) == pytest.approx(1e-3, rel=1e-2)
    assert norm_of(topology) <= 1e-3 * 1.001


def test_training_lowers_the_loss() -> None:
    trainer = steps(small_trainer(epochs=100, lr_base=3e-3), 150)
    task_loss = trainer.arrays()["scalars"][:, trainer.log.names.index("task_loss")]
    assert task_loss[-10:].mean() < 0.5 * task_loss[:10].mean()


def test_a_run_without_a_number_of_steps_ends_with_its_epochs() -> None:
    assert small_trainer(epochs=3).total_steps == 3 * (180 // 12)
    assert small_trainer(epochs=3, steps=7).total_steps == 7


@pytest.mark.parametrize("partitions", [1, 2, 4, 8, 32])
@pytest.mark.parametrize("penalty", ["logit", "logit_while_positive", "sigmoid"])
def test_every_number_of_partitions_trains_under_every_penalty(partitions: int, penalty: str) -> None:
    trainer = steps(small_trainer(num_partitions=partitions, penalty=penalty), 3)
    assert all(value.nan_to_num(0.0).isfinite().all() for value in state_of(trainer).values())


def test_the_releases_choices_train() -> None:
    trainer = small_trainer(
        topology_init="self_biased", router_norm="all", task_dropout="batch", conflict_over="u", gate_softmax="all"
    )
    assert same_bits(steps(trainer, 3), trainer)


def test_a_frame_has_every_array_of_every_layer_with_its_shape() -> None:
    arrays = steps(small_trainer(num_partitions=8), 2).arrays()
    told = (*LAYER_ARRAYS, "topology_gradient")
    assert set(arrays) == {"scalars"} | {f"layer{n}/{name}" for n in (0, 1) for name in told}
    shapes = {name: arrays[f"layer1/{name}"].shape for name in LAYER_ARRAYS}
    assert shapes["topology_logits"] == shapes["connection"] == (4, 8)
    assert shapes["cosine"] == shapes["conflict"] == shapes["overlap"] == (4, 4)
    assert shapes["routing"] == shapes["routing_blind"] == (3, 4)
    assert shapes["load"] == shapes["strength"] == (4,)
    assert shapes["subspace"] == (4, 4)
    assert arrays["layer1/topology_gradient"].shape == (4, 4, 8)


def test_routing_and_load_are_distributions_over_experts() -> None:
    arrays = steps(small_trainer(), 5).arrays()
    for layer in (0, 1):
        for name in ("routing", "routing_blind"):
            assert arrays[f"layer{layer}/{name}"].sum(1) == pytest.approx(1.0, abs=1e-6)
        assert arrays[f"layer{layer}/load"].sum() == pytest.approx(1.0, abs=1e-6)


def test_load_is_the_share_of_the_steps_own_assignments() -> None:
    trainer = small_trainer()
    *_, chosen = trainer._loss(trainer.batches.batch(0))
    counts = [torch.bincount(expert_TK.flatten(), minlength=4) for expert_TK in chosen]
    trainer = steps(small_trainer(), 1)
    for layer, count in enumerate(counts):
        torch.testing.assert_close(trainer.load()[layer], count / count.sum())


def test_the_packed_subspace_unpacks_to_the_experts_dimensions() -> None:
    trainer = steps(small_trainer(), 3)
    arrays = trainer.arrays()
    for number, layer in enumerate(trainer.cdsp_layers):
        unpacked = np.unpackbits(arrays[f"layer{number}/subspace"], axis=1)[:, :32]
        assert np.array_equal(unpacked.astype(bool), layer.topology.subspaces().mask_ER.numpy())


def test_what_does_not_change_is_plain_json() -> None:
    described = json.loads(json.dumps(small_trainer().describe(), allow_nan=False))
    assert [task["name"] for task in described["tasks"]] == ["mnist", "kana", "fashion"]
    assert (described["layers"], described["experts"], described["partitions"], described["dims"]) == (2, 4, 4, 32)
    assert (described["rank"], described["num_tokens"], described["steps_per_epoch"]) == (16, 4, 15)
    assert described["data"] == {"train": 180, "test": 45, "note": "Random pictures."}
    assert described["device"]["kind"] == "cpu"
    assert described["device"]["execution"] in ("native", "sorted")
    assert described["scalar_names"][0] == "step"


def test_a_batch_larger_than_the_data_is_refused_in_one_sentence() -> None:
    with pytest.raises(
        ValueError, match=r"^batch_size must be at most the number of training images, 180. Found 181.$"
    ):
        small_trainer(batch_size=181)


def test_the_given_data_are_used_and_nothing_is_loaded() -> None:
    data = small_data(train=20)
    assert Trainer(small_config(), device=CPU, datasets=data).data is data


def test_the_default_run_is_the_live_preset() -> None:
    assert RunConfig().preset == "live"


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"image_size": 16}, "image_size must be 8, the side of the images in the data. Found 16."),
        ({"num_classes": 5}, "num_classes must be at least 10, the labels in the data. Found 5."),
    ],
)
def test_a_model_that_does_not_fit_the_data_is_refused_in_one_sentence(settings: dict[str, int], sentence: str) -> None:
    with pytest.raises(ValueError) as caught:
        small_trainer(**settings)
    assert str(caught.value) == sentence
