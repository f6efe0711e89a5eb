"""A model seen from outside: a probe's patches and answers, an expert's surest patches, a part muted on a copy."""

from __future__ import annotations

from contextlib import ExitStack

import torch

from cdsp_core.training.batches import normalised
from cdsp_core.training.inspection import (
    accuracy_by_class,
    held_dims,
    muted,
    probe,
    random_part,
    sample_images,
    surest_patches,
)
from tests.core.small import small_trainer, state_of, steps


def test_a_probe_answers_as_the_model_does_with_id_and_without() -> None:
    trainer = steps(small_trainer(), 10)
    image_HW = trainer.data.test.images_NHW[20]
    found = probe(trainer, image_HW, 1)
    with torch.no_grad():
        for name, keep in (("told", 1.0), ("blind", 0.0)):
            logits_BC, chosen = trainer.model(normalised(image_HW)[None], torch.tensor([1]), torch.tensor([[keep]]))
            share_C = torch.softmax(logits_BC[0], dim=0)
            assert found[name]["label"] == int(share_C.argmax())
            torch.testing.assert_close(found[name]["share"], float(share_C.max()), rtol=1e-4, atol=1e-6)
            routed = found["expert" if name == "told" else "expert_blind"]
            assert routed == [expert_TK[:, 0].tolist() for expert_TK in chosen]
    assert len(found["gate"]) == 2
    assert all(0.5 <= gate <= 1 for layer in found["gate"] for gate in layer), "of two experts the first has most"


def test_surest_patches_are_the_expert_s_and_come_largest_first() -> None:
    trainer = steps(small_trainer(), 10)
    patches = [surest_patches(trainer, 1, expert) for expert in range(4)]
    assert any(patches)
    for found in patches:
        gates = [patch["gate"] for patch in found]
        assert gates == sorted(gates, reverse=True)
        for patch in found:
            assert len(patch["pixels"]) == len(patch["pixels"][0]) == 4
            assert 0 <= patch["place"] < 4


def test_accuracy_by_class_is_the_trainer_s_over_all_test_images() -> None:
    trainer = steps(small_trainer(), 30)
    wanted, _ = trainer.test_accuracy()
    by_class_QC = accuracy_by_class(trainer)
    counts_QC = torch.stack(
        [
            torch.bincount(trainer.data.test.labels_N[trainer.data.test.task_N == task], minlength=10)
            for task in range(3)
        ]
    )
    mean_Q = (by_class_QC.nan_to_num() * counts_QC).sum(1) / counts_QC.sum(1)
    torch.testing.assert_close(mean_Q, torch.tensor(list(wanted.values())))


def test_a_muted_expert_gives_nothing_and_everything_is_as_before_afterwards() -> None:
    trainer = steps(small_trainer(), 20)
    before = state_of(trainer)
    image_HW = trainer.data.test.images_NHW[0]
    whole = probe(trainer, image_HW, 0)
    used = whole["expert"][0][0]
    with muted(trainer, 0, used, None):
        assert probe(trainer, image_HW, 0)["told"]["share"] != whole["told"]["share"]
    assert probe(trainer, image_HW, 0) == whole
    for name, value in state_of(trainer).items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0, equal_nan=True)


def test_muting_every_link_of_an_expert_is_muting_it_and_one_it_does_not_hold_is_nothing() -> None:
    trainer = steps(small_trainer(), 20)
    image_HW = trainer.data.test.images_NHW[0]
    whole = probe(trainer, image_HW, 0)
    used = whole["expert"][0][0]
    dims_EP = held_dims(trainer.cdsp_layers[0])
    unheld = [block for block in range(4) if dims_EP[used, block] == 0]
    held = [block for block in range(4) if dims_EP[used, block] > 0]
    with muted(trainer, 0, used, unheld[0]):
        assert probe(trainer, image_HW, 0) == whole
    with muted(trainer, 0, used, None):
        alone = probe(trainer, image_HW, 0)
    with ExitStack() as stack:
        for block in held:
            stack.enter_context(muted(trainer, 0, used, block))
        assert abs(probe(trainer, image_HW, 0)["told"]["share"] - alone["told"]["share"]) < 1e-6


def test_the_first_images_are_three_of_each_task_of_different_classes() -> None:
    found = sample_images(small_trainer())
    assert [image["task"] for image in found] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert len({image["label"] for image in found[:3]}) == 3


def test_a_random_part_is_another_of_the_same_size_and_the_same_for_the_same_seed() -> None:
    layer = steps(small_trainer(), 20).cdsp_layers[0]
    dims_EP = held_dims(layer)
    for seed in range(5):
        expert, block = random_part(layer, 1, None, seed=seed)
        assert expert != 1
        assert block is None
        held = int(dims_EP[1].argmax())
        other = random_part(layer, 1, held, seed=seed)
        assert other != (1, held)
        assert dims_EP[other[0], other[1]] == dims_EP[1, held]
        assert other == random_part(layer, 1, held, seed=seed)
