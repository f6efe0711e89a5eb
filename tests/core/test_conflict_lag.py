"""The gradient game is lagged: a step is pressed by the conflict of the step before, taken on its own subspaces."""

from __future__ import annotations

import copy
import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from cdsp_core.models.transformer import PatchTransformer
from cdsp_core.training.trainer import Trainer
from tests.core.oracle import cosine_by_loops
from tests.core.small import cdsp_layers, small_trainer, steps


def task_gradients(trainer: Trainer) -> tuple[PatchTransformer, Tensor]:
    """A copy of the model after the backward pass of the task loss alone, for the step that comes next."""
    model = copy.deepcopy(trainer.model)
    batch = trainer.batches.batch(trainer.step)
    keep_BL = (batch.uniform_BL >= trainer.controls.p_drop).float()
    loss = F.cross_entropy(model(batch.image_BHW, batch.task_B, keep_BL)[0], batch.label_B)
    loss.backward()
    return model, loss.detach()


def conflict_by_hand(model: PatchTransformer) -> list[Tensor]:
    """relu(-cosine) of every layer's expert gradients by plain loops, 0 where there is no value."""
    cosines = []
    for layer in cdsp_layers(model):
        subspaces = layer.topology.subspaces()
        cosine_EE = torch.tensor(cosine_by_loops(layer.expert_gradient(), subspaces.mask_ER), dtype=torch.float32)
        cosines.append(torch.relu(-cosine_EE).nan_to_num(0.0).fill_diagonal_(0.0))
    return cosines


def scalar(trainer: Trainer, name: str) -> float:
    return float(trainer.log.last_row()[0, trainer.log.names.index(name)])


def test_a_step_keeps_the_conflict_of_its_own_gradients_and_subspaces() -> None:
    # A moves by several times its initial spread in a step, so the update changes every subspace.
    trainer = small_trainer(lr_ratio=100.0)
    conflicts = 0
    for _ in range(6):
        model, _ = task_gradients(trainer)
        expected = conflict_by_hand(model)
        before = [layer.topology.subspaces().index_Er for layer in trainer.cdsp_layers]
        trainer.train_step()
        for layer, conflict_EE in zip(trainer.cdsp_layers, expected, strict=True):
            torch.testing.assert_close(layer.pressure_EP, conflict_EE, rtol=1e-4, atol=1e-5)
            conflicts += int(conflict_EE.count_nonzero())
    assert conflicts
    after = [layer.topology.subspaces().index_Er for layer in trainer.cdsp_layers]
    assert not all(torch.equal(old, new) for old, new in zip(before, after, strict=True))


def test_the_first_step_has_no_conflict_to_be_pressed_by() -> None:
    trainer = steps(small_trainer(), 1)
    assert scalar(trainer, "conflict_penalty") == 0


def test_the_next_step_pays_for_the_conflict_of_the_last_one() -> None:
    trainer = small_trainer()
    for _ in range(5):
        kept = conflict_by_hand(task_gradients(trainer)[0])
        trainer.train_step()
        due = math.fsum(
            float((layer.topology.topology_logits.detach() * conflict_EE).sum())
            for layer, conflict_EE in zip(trainer.cdsp_layers, kept, strict=True)
        )
        trainer.train_step()
        assert scalar(trainer, "conflict_penalty") == pytest.approx(due, rel=1e-4, abs=1e-6)


def test_the_gradient_on_a_is_the_tasks_plus_lambda_times_last_steps_conflict_and_the_regularisers() -> None:
    trainer = steps(small_trainer(lambda_conflict=7.0, l1=0.3, binarize=0.2), 3)
    model, _ = task_gradients(trainer)
    expected = []
    for layer in cdsp_layers(model):
        logits, task = layer.topology.topology_logits.detach(), layer.topology.topology_logits.grad
        assert task is not None
        p = torch.sigmoid(logits)
        pull = (0.3 * logits.sign() + 0.2 * p * (1 - p) * (1 - 2 * p)) / logits.numel()
        expected.append(task + 7.0 * (layer.pressure_EP + pull))
    trainer._loss(trainer.batches.batch(trainer.step))[0].backward()
    for layer, gradient in zip(trainer.cdsp_layers, expected, strict=True):
        torch.testing.assert_close(layer.topology.topology_logits.grad, gradient, rtol=1e-4, atol=1e-6)


def test_the_conflict_reaches_no_weight_but_a() -> None:
    trainer = steps(small_trainer(lambda_conflict=100.0), 3)
    model, _ = task_gradients(trainer)
    trainer._loss(trainer.batches.batch(trainer.step))[0].backward()
    for (name, found), expected in zip(trainer.model.named_parameters(), model.parameters(), strict=True):
        if not name.endswith("topology_logits"):
            torch.testing.assert_close(found.grad, expected.grad)


def test_the_loss_is_the_task_loss_plus_lambda_times_the_weighted_terms() -> None:
    trainer = steps(small_trainer(lambda_conflict=7.0, l1=0.3, binarize=0.2), 2)
    _, task_loss = task_gradients(trainer)
    trainer.train_step()
    assert scalar(trainer, "task_loss") == pytest.approx(task_loss.item(), rel=1e-5)
    weighted = (
        scalar(trainer, "conflict_penalty")
        + 0.3 * scalar(trainer, "l1_penalty")
        + 0.2 * scalar(trainer, "binarize_penalty")
    )
    assert scalar(trainer, "loss") == pytest.approx(scalar(trainer, "task_loss") + 7.0 * weighted, rel=1e-5)
