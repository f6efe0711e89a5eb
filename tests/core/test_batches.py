"""Which images come when: functions of seed and step alone."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cdsp_core.training.batches import BatchStream, TestSet, normalised, stream_generator
from tests.core.small import small_data

DATA = small_data()


def stream(*, seed: int = 0, batch_size: int = 12) -> BatchStream:
    return BatchStream(DATA.train, batch_size=batch_size, seed=seed, dropout_per="sample")


def test_a_data_epoch_shows_every_image_at_most_once_and_all_tasks_mixed() -> None:
    batches = stream(batch_size=13)
    images = torch.cat([batches.batch(step).image_BHW for step in range(batches.steps_per_epoch)]).flatten(1)
    assert len(images) == batches.steps_per_epoch * 13 == 169
    assert len(torch.unique(images, dim=0)) == len(images)
    assert all(len(batches.batch(step).task_B.unique()) > 1 for step in range(batches.steps_per_epoch))


def test_the_next_data_epoch_has_another_order() -> None:
    batches = stream()
    assert not torch.equal(batches.batch(0).image_BHW, batches.batch(batches.steps_per_epoch).image_BHW)


@given(seed=st.integers(0, 2**31 - 1), step=st.integers(0, 100))
def test_a_batch_depends_on_seed_and_step_only_not_on_what_came_before(seed: int, step: int) -> None:
    batches, fresh = stream(seed=seed), stream(seed=seed)
    for earlier in (0, step // 2, step + 40):
        batches.batch(earlier)
    mine, theirs = batches.batch(step), fresh.batch(step)
    assert torch.equal(mine.image_BHW, theirs.image_BHW)
    assert torch.equal(mine.label_B, theirs.label_B)
    assert torch.equal(mine.uniform_BL, theirs.uniform_BL)


def test_images_keep_their_label_and_task() -> None:
    batch = stream().batch(3)
    for image, label, task in zip(batch.image_BHW, batch.label_B, batch.task_B, strict=True):
        (index,) = torch.where((normalised(DATA.train.images_NHW) == image).flatten(1).all(1))[0].tolist()
        assert (DATA.train.labels_N[index], DATA.train.task_N[index]) == (label, task)


def test_weights_order_and_dropout_have_streams_of_their_own() -> None:
    draws = {float(torch.rand(1, generator=stream_generator(0, name))) for name in ("weights", "order", "dropout")}
    assert len(draws) == 3


def test_pixels_lie_between_minus_one_and_one() -> None:
    assert normalised(torch.tensor([0, 255], dtype=torch.uint8)).tolist() == [-1.0, 1.0]


def test_a_look_shows_the_same_number_of_every_task_and_the_looks_take_turns() -> None:
    test = TestSet(DATA.test, images_per_look=7)
    shares = [test.look(number) for number in range(test.looks)]
    assert test.looks == 8
    assert all(tasks.tolist() == [0, 0, 1, 1, 2, 2] for _, _, tasks in shares[:-1])
    assert shares[-1][2].tolist() == [0, 1, 2]
    images = torch.cat([images for images, _, _ in shares]).flatten(1)
    assert len(torch.unique(images, dim=0)) == len(images)
    assert torch.equal(test.look(test.looks)[0], shares[0][0])


@pytest.mark.parametrize("images_per_look", [3, 45, 1000])
def test_a_look_never_asks_for_more_images_than_there_are(images_per_look: int) -> None:
    test = TestSet(DATA.test, images_per_look=images_per_look)
    assert len(test.look(0)[1]) == min(images_per_look, 45) // 3 * 3
