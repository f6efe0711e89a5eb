"""What methods for streams add to a trainer: nothing where they are not asked for, and what their equations say."""

from __future__ import annotations

import pytest
import torch

from cdsp_core.data.datasets import TaskData
from cdsp_core.studies.experiments import streams
from cdsp_core.studies.experiments.streams import COLUMNS, Anchor, ConflictMemory, Replay, StreamTrainer, past_conflict
from cdsp_core.training.batches import normalised, stream_generator
from tests.core.small import small_config, small_data, small_trainer, steps

CPU = torch.device("cpu")


def trainer() -> StreamTrainer:
    return StreamTrainer(small_config(), device=CPU, datasets=small_data())


def weights(of: StreamTrainer) -> torch.Tensor:
    return torch.cat([parameter.detach().clone() for parameter in of.parameters])


def test_without_an_aid_it_is_the_trainer_to_the_bit() -> None:
    plain, stream = steps(small_trainer(), 3), trainer()
    for _ in range(3):
        stream.train_step()
    assert torch.equal(torch.cat([p.detach() for p in plain.parameters]), weights(stream))


def test_an_anchor_pulls_back_by_strength_times_fisher_times_distance() -> None:
    weight = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    held = Anchor(strength=4.0, value_W=torch.tensor([1.0, 1.0, 1.0]), fisher_W=torch.tensor([5.0, 1.0, 0.0]))
    loss = held.loss(weight)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(0.5 * 4.0 * (0.0 + 1.0 + 0.0))
    assert weight.grad is not None
    assert weight.grad.tolist() == [0.0, 4.0, 0.0]


def test_the_information_is_the_mean_square_of_each_images_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "FISHER_IMAGES", 3)
    it, data = trainer(), small_data().train
    found = streams.anchor(it, data, strength=1.0, seed=0, task=2)
    assert torch.equal(found.value_W, it.parameters[0].data)
    parameters = [each for name, each in it.model.named_parameters() if "topology_logits" not in name]
    generator = stream_generator(0, "order", 1_002)
    total = 0.0
    for number in torch.randperm(len(data.labels_N), generator=generator)[:3].tolist():
        logits, _ = it.model(
            normalised(data.images_NHW[number : number + 1]), data.task_N[number : number + 1], torch.ones(1, 1)
        )
        probability = torch.softmax(logits.detach(), 1)
        label = int(torch.multinomial(probability, 1, generator=generator))
        gradients = torch.autograd.grad(-torch.log_softmax(logits, 1)[0, label], parameters, materialize_grads=True)
        total += sum(float(gradient.square().sum()) for gradient in gradients)
    assert float(found.fisher_W.sum()) == pytest.approx(total / 3, rel=1e-4)


def test_held_weights_move_less() -> None:
    free, held = trainer(), trainer()
    before = weights(held)
    size = torch.ones_like(held.parameters[0].data)
    held.anchors = (Anchor(strength=1e4, value_W=held.parameters[0].data.clone(), fisher_W=size),)
    for _ in range(5):
        free.train_step()
        held.train_step()
    count = len(size)
    assert (weights(held) - before)[:count].norm() < 0.7 * (weights(free) - before)[:count].norm()


def test_half_of_a_later_batch_are_kept_images_and_the_first_task_has_none() -> None:
    data = small_data().train
    zero = TaskData(
        tasks=data.tasks,
        images_NHW=torch.full_like(data.images_NHW[:4], 255),
        labels_N=torch.full_like(data.labels_N[:4], 7),
        task_N=torch.zeros_like(data.task_N[:4]),
    )
    batches = Replay(data, batch_size=8, seed=0, dropout_per="sample", num_layers=1)
    plain = batches.batch(0)
    batches.kept, batches.seed = zero, 5
    mixed = batches.batch(0)
    assert torch.equal(mixed.image_BHW[:4], plain.image_BHW[:4])
    assert bool((mixed.image_BHW[4:] == 1.0).all())
    assert mixed.label_B[4:].tolist() == [7] * 4
    assert torch.equal(mixed.uniform_BL, plain.uniform_BL)


def test_what_is_kept_grows_by_some_images_of_each_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "KEPT_IMAGES", 5)
    data = small_data().train
    once = streams.with_kept(None, data, seed=0, task=0)
    twice = streams.with_kept(once, data, seed=0, task=1)
    assert (len(once.labels_N), len(twice.labels_N)) == (5, 10)
    assert torch.equal(twice.images_NHW[:5], once.images_NHW)


def test_a_newcomer_that_opposes_a_past_pull_is_pressed_and_who_was_there_first_is_not() -> None:
    now, past = torch.zeros(2, 3, COLUMNS), torch.zeros(2, 3, COLUMNS)
    now[0, 1], past[1, 1] = 1.0, -2.0  # expert 0 now, expert 1 then, dimension 1
    now[0, 0] = 5.0  # a dimension that expert 1 did not hold then
    mask = torch.tensor([[True, True, False], [False, True, True]])
    found = past_conflict(now, mask, past)
    assert found.tolist() == [[0.0, 1.0], [0.0, 0.0]]
    assert past_conflict(-now, mask, past).tolist() == [[0.0, 0.0], [0.0, 0.0]], "agreement is no conflict"


def test_an_expert_is_not_pressed_out_of_its_own_block_by_its_own_past() -> None:
    now, past = torch.ones(2, 3, COLUMNS), -torch.ones(2, 3, COLUMNS)
    assert torch.diagonal(past_conflict(now, torch.ones(2, 3, dtype=torch.bool), past)).tolist() == [0.0, 0.0]


def test_sketches_keep_products_in_the_mean() -> None:
    generator = torch.Generator().manual_seed(0)
    first, second = (torch.randn(1, 1, 64, generator=generator) for _ in range(2))
    exact = float((first * second).sum())
    found = []
    for seed in range(400):
        memory = ConflictMemory(seed=seed)
        found.append(float((memory._sketch(first, 0) * memory._sketch(second, 0)).sum()))
    spread = float(torch.tensor(found).std()) / 400**0.5
    assert sum(found) / len(found) == pytest.approx(exact, abs=4 * spread)


def test_memory_presses_only_after_a_task_is_over_and_by_the_mean_of_the_past() -> None:
    it = trainer()
    it.memory = ConflictMemory(seed=0)
    plain = trainer()
    for _ in range(2):
        it.train_step()
        plain.train_step()
    assert torch.equal(weights(it), weights(plain)), "in the first task nothing is remembered"
    it.memory.end_task()
    before = it.cdsp_layers[0].pressure_EP.clone()
    it.memory.press(it.cdsp_layers)
    added = it.cdsp_layers[0].pressure_EP - before
    expected = past_conflict(it.memory._now[0], it.memory._masks[0], it.memory.past[0][0])
    torch.testing.assert_close(added, expected)
