"""Ours for the hidden task ID: a reader infers the task, and routing without ID learns from routing with it."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from cdsp_core.method.router import Router, routing_divergence
from cdsp_core.training.batches import TestSet, with_validation
from cdsp_core.training.evaluation import look_at
from cdsp_core.training.trainer import Trainer
from tests.core.small import CPU, small_config, small_data, small_trainer, steps


@pytest.mark.parametrize("settings", [{}, {"task_embedding": "layer", "task_dropout": "layer"}])
def test_a_sample_that_is_told_its_task_is_routed_by_the_id_alone(settings: dict[str, str]) -> None:
    plain, read = small_trainer(**settings), small_trainer(hidden_task="inferred", **settings)
    images, _, task_B = plain.test.look(0)
    told = torch.ones(len(task_B), 1)
    assert torch.equal(plain.model(images, task_B, told)[0], read.model(images, task_B, told)[0])
    assert not torch.equal(plain.model(images, task_B, 0 * told)[0], read.model(images, task_B, 0 * told)[0])


@pytest.mark.parametrize("settings", [{}, {"task_embedding": "layer"}])
def test_a_hidden_task_is_the_readers_mix_of_the_embeddings(settings: dict[str, str]) -> None:
    model = small_trainer(hidden_task="inferred", **settings).model
    images, _, task_B = small_trainer().test.look(0)
    seen = []
    for layer in model.layers:
        layer.register_forward_pre_hook(lambda _layer, inputs: seen.append(inputs[1]))  # type: ignore[attr-defined]
    model(images, task_B, torch.zeros(len(task_B), 1))
    for number, (vector_BQ, read_BQ) in enumerate(zip(seen, model._read_BQ, strict=True)):
        width = model.config.d_task
        first = number * width if settings else 0
        for vector_Q, read_Q in zip(vector_BQ, read_BQ, strict=True):
            weights = [float(w) for w in torch.softmax(read_Q.detach(), dim=0)]
            expected = sum(w * model.task_embedding[q, first : first + width] for q, w in enumerate(weights))
            torch.testing.assert_close(vector_Q, expected)


def test_without_an_id_no_output_depends_on_the_task_that_would_have_been_named() -> None:
    model = small_trainer(hidden_task="inferred").model
    images, _, task_B = small_trainer().test.look(0)
    hidden = torch.zeros(len(task_B), 1)
    assert torch.equal(model(images, task_B, hidden)[0], model(images, (task_B + 1) % 3, hidden)[0])


def test_the_reader_learns_the_task_and_tells_its_loss() -> None:
    trainer = small_trainer(hidden_task="inferred", inference_weight=1.0)
    column = trainer.log.names.index("task_inference_loss")
    steps(trainer, 1)
    first = trainer.log.last_row()[0, column]
    steps(trainer, 80)
    assert trainer.log.last_row()[0, column] < 0.5 * first
    images, _, task_B = trainer.test.look(0)
    trainer.model(images, task_B, torch.zeros(len(task_B), 1))
    assert (trainer.model._read_BQ[-1].argmax(1) == task_B).float().mean() > 0.8


def test_the_loss_adds_the_readers_cross_entropy_at_its_weight() -> None:
    trainer = small_trainer(hidden_task="inferred", inference_weight=0.25, architecture="standard", load_balance=0.0)
    batch = trainer.batches.batch(0)
    loss, _, terms, logits_BC, _ = trainer._loss(batch)
    readers = torch.stack([F.cross_entropy(read_BQ, batch.task_B) for read_BQ in trainer.model._read_BQ]).mean()
    torch.testing.assert_close(loss, F.cross_entropy(logits_BC, batch.label_B) + 0.25 * readers)
    assert float(terms[-1]) == pytest.approx(float(readers.detach()))


@pytest.mark.parametrize("fusion", ["concat", "mixed"])
def test_the_distillation_is_the_divergence_of_two_routings_of_the_same_tokens(fusion: str) -> None:
    config = small_config(route_distillation=1.0, task_fusion=fusion).model
    router = Router(config, generator=torch.Generator().manual_seed(0))
    x_BSD, task_BQ = torch.randn(3, 4, 16), torch.randn(3, 4)
    router(x_BSD, task_BQ)
    found = router.distillation_loss()
    with torch.no_grad():
        given_BSE, blind_BSE = router.logits(x_BSD, task_BQ), router.logits(x_BSD, torch.zeros_like(task_BQ))
    expected = 0.0
    for p, q in zip(
        given_BSE.flatten(0, 1).softmax(1).tolist(), blind_BSE.flatten(0, 1).softmax(1).tolist(), strict=True
    ):
        expected += sum(a * float(torch.tensor(a / b).log()) for a, b in zip(p, q, strict=True)) / 12
    assert float(found.detach()) == pytest.approx(expected, rel=1e-4)


def test_only_the_routing_without_id_is_taught_and_samples_without_one_teach_nothing() -> None:
    given, blind = torch.randn(2, 3, 4, requires_grad=True), torch.randn(2, 3, 4, requires_grad=True)
    routing_divergence(given, blind).backward()
    assert given.grad is None
    assert blind.grad is not None
    assert blind.grad.any()
    assert float(routing_divergence(given, given).detach()) == pytest.approx(0.0, abs=1e-7)


def test_a_router_that_is_not_to_distil_says_so() -> None:
    router = Router(small_config().model)
    with pytest.raises(ValueError, match="distillation_loss needs route_distillation above 0"):
        router.distillation_loss()


@pytest.mark.parametrize("architecture", ["cdsp", "standard"])
def test_distillation_draws_the_two_routings_together(architecture: str) -> None:
    def divergence(weight: float) -> float:
        trainer = small_trainer(route_distillation=weight, architecture=architecture)
        column = trainer.log.names.index("distillation_loss")
        return float(steps(trainer, 60).log.last_row()[0, column])

    assert divergence(30.0) < 0.5 * divergence(1e-6)


def test_a_share_of_each_tasks_training_images_is_kept_for_choosing() -> None:
    data = small_data()
    trained_on, held_out = with_validation(data, 0.2)
    assert held_out.task_N.bincount().tolist() == [12, 12, 12]
    assert trained_on.task_N.bincount().tolist() == [48, 48, 48]
    everything = {tuple(image.flatten().tolist()) for image in data.train.images_NHW}
    parts = [{tuple(image.flatten().tolist()) for image in part.images_NHW} for part in (trained_on, held_out)]
    assert parts[0] | parts[1] == everything
    assert not parts[0] & parts[1]
    again = with_validation(data, 0.2)[1]
    assert torch.equal(held_out.images_NHW, again.images_NHW)


def test_looks_and_the_controller_see_validation_images_and_test_accuracy_the_test_images() -> None:
    trainer = small_trainer(validation_frac=0.2, eval_batch=36, epochs=1)
    assert trainer.describe()["data"]["validation"] == 36
    assert trainer.describe()["data"]["train"] == 144
    assert trainer.total_steps == 12
    held_out = with_validation(small_data(), 0.2)[1]
    expected = look_at(trainer.model, *TestSet(held_out, images_per_look=36).look(0), tasks=3)
    assert torch.equal(trainer.look.accuracy_Q, expected.accuracy_Q)
    assert torch.equal(trainer.test.data.images_NHW, small_data().test.images_NHW)


def test_without_a_share_nothing_is_kept_back() -> None:
    trainer = Trainer(small_config(), device=CPU, datasets=small_data())
    assert trainer.looked_at is trainer.test
    assert "validation" not in trainer.describe()["data"]
