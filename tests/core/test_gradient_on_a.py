"""The gradient of A that AdamW is given, and the sum that it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from cdsp_core.method.conflict import regularisers, topology_penalty
from cdsp_core.method.topology_gradient import TERMS, penalty_gradients
from cdsp_core.settings.config import Controls
from cdsp_core.training.batches import kept_ids
from cdsp_core.training.trainer import Trainer
from cdsp_core.wire.frames import GRADIENT_ROWS
from tests.core.small import cdsp_layers, small_config, small_trainer, steps

VARIANTS: dict[str, dict[str, Any]] = {
    "logit": {},
    "the authors' program": {"penalty": "logit_while_positive"},
    "sigmoid": {"penalty": "sigmoid"},
    "a floor": {"penalty_floor": -2.0},
    "scaled": {"num_partitions": 8, "penalty_scale": "experts_over_partitions"},
    "sharing": {"sharing": 0.3},
    "apart": {"clip_scope": "apart"},
    "hardly clipped": {"grad_clip": 1e6},
    "pcgrad": {"aggregation": "pcgrad"},
}


@pytest.mark.parametrize("name", VARIANTS)
def test_each_term_has_the_gradient_that_a_backward_pass_of_it_gives(name: str) -> None:
    config = small_config(**VARIANTS[name])
    generator = torch.Generator().manual_seed(1)
    shape = (2, config.model.num_experts, config.model.num_partitions)
    logits_LEP = torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_()
    pressure_LEP = torch.rand(shape, generator=generator, dtype=torch.float64)
    controls = Controls(lambda_conflict=7.0, l1=0.3, binarize=0.2)
    penalty = topology_penalty(logits_LEP, pressure_LEP, kind=config.model.penalty, floor=config.model.penalty_floor)
    if config.model.penalty_scale == "experts_over_partitions":
        penalty = penalty * (config.model.num_experts / config.model.num_partitions)
    l1, binarize = regularisers(logits_LEP)
    weighted = [7.0 * penalty, 7.0 * 0.3 * l1, 7.0 * 0.2 * binarize]
    found = penalty_gradients(logits_LEP, pressure_LEP, config.model, controls)
    assert len(found) == len(TERMS)
    for term, gradient_LEP in zip(weighted, found, strict=True):
        (wanted,) = torch.autograd.grad(term, logits_LEP, retain_graph=True)
        torch.testing.assert_close(gradient_LEP, wanted, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", VARIANTS)
def test_a_frame_has_the_gradient_that_the_optimiser_was_given_bit_for_bit(name: str) -> None:
    trainer = steps(small_trainer(**VARIANTS[name]), 3)
    given = _given_in_next_step(trainer)
    arrays = trainer.arrays()
    for number, wanted_EP in enumerate(given):
        rows_GEP = arrays[f"layer{number}/topology_gradient"]
        assert rows_GEP.shape == (len(GRADIENT_ROWS), *wanted_EP.shape)
        np.testing.assert_array_equal(rows_GEP[0], wanted_EP)


@pytest.mark.parametrize("name", [name for name in VARIANTS if name not in ("pcgrad", "apart")])
def test_what_the_penalties_leave_is_the_gradient_of_the_task_loss(name: str) -> None:
    """The parts add up: task alone by a backward pass of its own, the others in closed form, the sum as given."""
    trainer = steps(small_trainer(lambda_conflict=1.0, **VARIANTS[name]), 4)
    task_LEP = _task_gradient(trainer)
    _given_in_next_step(trainer)
    norm = float(trainer.log.last_row()[0, trainer.log.names.index("grad_norm")])
    scale = min(1.0, trainer.config.train.grad_clip / (norm + 1e-6))
    assert (scale < 1) == (name != "hardly clipped"), "the case must clip, or not"
    arrays = trainer.arrays()
    for number, task_EP in enumerate(task_LEP):
        rows_GEP = arrays[f"layer{number}/topology_gradient"].astype(np.float64)
        rest_EP = rows_GEP[0] - rows_GEP[1:].sum(0)
        assert np.abs(task_EP).max() > 0
        np.testing.assert_allclose(rest_EP, scale * task_EP, rtol=1e-3, atol=2e-6 * np.abs(rows_GEP).max())


def test_before_the_first_step_there_is_no_value() -> None:
    assert np.isnan(small_trainer().arrays()["layer0/topology_gradient"]).all()


def test_without_lambda_all_of_it_is_the_task_s() -> None:
    trainer = steps(small_trainer(lambda_conflict=0.0), 3)
    rows_GEP = trainer.arrays()["layer1/topology_gradient"]
    assert np.abs(rows_GEP[0]).max() > 0
    assert not rows_GEP[1:].any()


def test_a_model_without_a_has_no_such_rows() -> None:
    trainer = steps(
        Trainer(small_config(architecture="standard"), device=torch.device("cpu"), datasets=small_trainer().data), 1
    )
    assert not [name for name in trainer.arrays() if "topology" in name]


def _given_in_next_step(trainer: Trainer) -> list[np.ndarray[Any, Any]]:
    """What the optimiser finds as A's gradient in the next step, of each layer."""
    found: list[np.ndarray[Any, Any]] = []
    step = trainer.optimizer.step

    def watched(*args: Any, **more: Any) -> Any:
        found.extend(layer.topology.topology_logits.grad.numpy().copy() for layer in cdsp_layers(trainer.model))  # type: ignore[union-attr]
        return step(*args, **more)

    trainer.optimizer.step = watched  # type: ignore[method-assign]
    trainer.train_step()
    trainer.optimizer.step = step  # type: ignore[method-assign]
    return found


def _task_gradient(trainer: Trainer) -> np.ndarray[Any, Any]:
    """The task loss's gradient on A in the coming step, [L, E, P], by a backward pass of its own."""
    batch = trainer.batches.batch(trainer.step)
    for layer in trainer.cdsp_layers:
        layer.measuring = False
    logits_BC, _ = trainer.model(batch.image_BHW, batch.task_B, kept_ids(batch.uniform_BL, trainer.controls.p_drop))
    topology = [layer.topology.topology_logits for layer in trainer.cdsp_layers]
    return torch.stack(torch.autograd.grad(F.cross_entropy(logits_BC, batch.label_B), topology)).numpy()
