"""Every step's numbers reach a frame exactly once, however often frames are taken."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from cdsp_core.settings.model import ModelConfig
from cdsp_core.training.telemetry import (
    LAYER_SCALARS,
    ScalarLog,
    layer_measures,
    layer_result,
    layer_scalars,
    scalar_names,
)
from tests.core.small import CPU, small_trainer, steps

TERMS = ("task_loss", "conflict_penalty", "l1_penalty", "binarize_penalty")
NAMES = scalar_names(["mnist", "kana"], ModelConfig(num_layers=1), terms=TERMS)


def log_of(capacity: int) -> ScalarLog:
    return ScalarLog(NAMES, device=CPU, capacity=capacity)


def write(log: ScalarLog, step: int) -> None:
    log.write(step, step / 10, torch.full((8,), float(step)))


@pytest.mark.parametrize("taken_every", [1, 3, 7, 20])
def test_taking_frames_loses_no_step_and_repeats_none(taken_every: int) -> None:
    trainer = small_trainer(epochs=9)
    rows = []
    for step in range(1, 21):
        trainer.train_step()
        if step % taken_every == 0:
            rows.append(trainer.arrays()["scalars"])
    rows.append(trainer.arrays()["scalars"])
    assert np.concatenate(rows)[:, 0].tolist() == list(range(1, 21))
    once = steps(small_trainer(epochs=9), 20).arrays()["scalars"]
    every_step = slice(0, NAMES.index("train_accuracy/mnist") + 3)
    assert np.array_equal(np.concatenate(rows)[:, every_step], once[:, every_step], equal_nan=True)


@pytest.mark.parametrize("capacity", [1, 2, 5])
def test_more_steps_than_the_log_holds_lose_nothing(capacity: int) -> None:
    log = log_of(capacity)
    for step in range(1, 12):
        write(log, step)
        if step == 4:
            log.add_look(torch.full((6,), 0.25))
    log._drain()
    rows = np.concatenate(log._taken)
    assert rows[:, 0].tolist() == list(range(1, 12))
    assert rows[:, 2].tolist() == list(range(1, 12))
    looks = rows[:, NAMES.index("test_accuracy/mnist")]
    assert np.flatnonzero(np.isfinite(looks)).tolist() == [3]


def test_nothing_since_the_last_frame_gives_no_rows() -> None:
    trainer = steps(small_trainer(), 2)
    trainer.arrays()
    assert trainer.arrays()["scalars"].shape == (0, len(trainer.log.names))


def test_a_frame_taken_before_is_not_changed_by_later_steps() -> None:
    trainer = steps(small_trainer(), 2)
    rows = trainer.arrays()["scalars"]
    kept = rows.copy()
    steps(trainer, 3)
    assert np.array_equal(rows, kept, equal_nan=True)


def test_test_accuracy_is_measured_at_its_steps_only() -> None:
    trainer = steps(small_trainer(eval_every=5), 12)
    rows = trainer.arrays()["scalars"]
    for name in ("test_accuracy/kana", "test_accuracy_blind/kana", "routing_consistency/kana"):
        measured = np.isfinite(rows[:, trainer.log.names.index(name)])
        assert rows[measured, 0].tolist() == [5, 10]


def test_only_the_last_row_of_a_frame_has_the_layers_measures() -> None:
    trainer = steps(small_trainer(), 4)
    arrays = trainer.arrays()
    first = trainer.log.names.index("layer0/alpha_sparsity")
    assert np.isnan(arrays["scalars"][:-1, first:]).all()
    for number in (0, 1):
        prefix = f"layer{number}/"
        layer = {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
        start = trainer.log.names.index(f"layer{number}/{next(iter(LAYER_SCALARS))}")
        wanted = layer_measures(layer, trainer.config.model)
        assert list(wanted) == layer_scalars(trainer.config.model)
        found = arrays["scalars"][-1, start : start + len(wanted)]
        assert found.tolist() == pytest.approx(list(wanted.values()), nan_ok=True)


def test_the_entropy_in_bits_is_that_of_an_entry_times_the_entries_of_a() -> None:
    trainer = steps(small_trainer(num_partitions=8), 3)
    row = dict(zip(trainer.log.names, trainer.arrays()["scalars"][-1], strict=True))
    for layer in ("layer0", "layer1"):
        assert row[f"{layer}/structural_entropy_bits"] == pytest.approx(4 * 8 * row[f"{layer}/structural_entropy"])


def test_a_task_that_is_not_in_the_batch_has_no_accuracy() -> None:
    trainer = steps(small_trainer(batch_size=1), 6)
    rows = trainer.arrays()["scalars"]
    accuracy = rows[:, [trainer.log.names.index(f"train_accuracy/{task.name}") for task in trainer.tasks]]
    assert (np.isfinite(accuracy).sum(1) == 1).all()


def test_training_accuracy_is_the_share_of_right_answers_of_each_task() -> None:
    trainer = small_trainer()
    batch = trainer.batches.batch(0)
    logits_BC, _ = trainer.model(batch.image_BHW, batch.task_B, (batch.uniform_BL >= 0.5).float())
    right_B = logits_BC.argmax(1) == batch.label_B
    expected = [right_B[batch.task_B == task].float().mean().item() for task in range(3)]
    row = steps(trainer, 1).log.last_row()[0]
    start = trainer.log.names.index("train_accuracy/mnist")
    assert row[start : start + 3].tolist() == pytest.approx(expected, nan_ok=True)


def test_names_have_one_column_each() -> None:
    names = scalar_names(["mnist", "kana", "fashion"], ModelConfig(num_layers=2), terms=TERMS)
    assert len(set(names)) == len(names)
    assert names[:3] == ("step", "data_epoch", "loss")
    assert names[-1] == "layer1/cosine_null"


def test_a_layers_result_is_json_with_none_where_there_is_no_value() -> None:
    trainer = steps(small_trainer(num_partitions=8), 1)
    arrays = trainer.arrays()
    result = layer_result(arrays, 0, trainer.config.model)
    assert np.allclose(result["connection"], arrays["layer0/connection"])
    assert result["measures"]["diagonal_gini"] is None
    assert result["measures"]["structural_entropy_bits"] == pytest.approx(
        4 * 8 * result["measures"]["structural_entropy"]
    )
    assert 0 <= result["measures"]["routing_consistency"] <= 1
    assert not any(isinstance(value, float) and math.isnan(value) for value in result["measures"].values())
