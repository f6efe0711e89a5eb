"""The embedded set, the label schemes, and which parts load without torch."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cdsp_core.data import Datasets, TaskData, load_datasets
from cdsp_core.data.build import class_balanced
from cdsp_core.data.datasets import EMBEDDED_FOLDER, EMBEDDED_TEST, EMBEDDED_TRAIN, relabel
from cdsp_core.data.tasks import FASHION, KANA, KMNIST, MNIST

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def embedded() -> Datasets:
    return load_datasets(data="embedded", labels="ten", root=None, device=CPU)


def images_of(part: TaskData, task: int) -> torch.Tensor:
    return part.images_NHW[part.task_N == task]


def test_the_embedded_set_has_the_three_tasks_in_order(embedded: Datasets) -> None:
    assert embedded.train.tasks == embedded.test.tasks == (MNIST, KANA, FASHION)


def test_the_embedded_set_is_large_enough_and_under_eight_megabytes() -> None:
    assert EMBEDDED_TRAIN >= 5_000
    assert EMBEDDED_TEST >= 1_000
    assert sum(path.stat().st_size for path in EMBEDDED_FOLDER.rglob("*") if path.is_file()) < 8_000_000


def test_tensors_have_the_promised_types_and_shapes(embedded: Datasets) -> None:
    for part, count in ((embedded.train, 3 * EMBEDDED_TRAIN), (embedded.test, 3 * EMBEDDED_TEST)):
        assert part.images_NHW.shape == (count, 28, 28)
        assert part.images_NHW.dtype == torch.uint8
        assert part.labels_N.shape == part.task_N.shape == (count,)
        assert part.labels_N.dtype == part.task_N.dtype == torch.int64


def test_every_ten_images_in_a_row_hold_every_class_once(embedded: Datasets) -> None:
    for part in (embedded.train, embedded.test):
        tens = part.labels_N.view(-1, 10).sort(dim=1).values
        assert torch.equal(tens, torch.arange(10).expand_as(tens))


def test_every_task_has_the_same_number_of_images(embedded: Datasets) -> None:
    assert embedded.train.task_N.bincount().tolist() == [EMBEDDED_TRAIN] * 3
    assert embedded.test.task_N.bincount().tolist() == [EMBEDDED_TEST] * 3


def test_no_test_image_is_a_training_image(embedded: Datasets) -> None:
    for task in range(3):
        trained_on = {image.tobytes() for image in images_of(embedded.train, task).numpy()}
        assert not any(image.tobytes() in trained_on for image in images_of(embedded.test, task).numpy())


def test_a_test_image_looks_most_like_training_images_of_its_class(embedded: Datasets) -> None:
    for task, least_accuracy in ((0, 0.9), (1, 0.75), (2, 0.7)):
        train_ND = images_of(embedded.train, task)[:4000].flatten(1).float()
        test_ND = images_of(embedded.test, task)[:300].flatten(1).float()
        predicted_N = torch.cdist(test_ND, train_ND).argmin(dim=1) % 10
        assert (predicted_N == torch.arange(300) % 10).float().mean() > least_accuracy


def test_the_stand_in_is_called_one_wherever_people_read_of_it(embedded: Datasets) -> None:
    assert "stand-in for KMNIST" in KANA.label
    assert "not KMNIST" in KANA.note
    assert "in place of KMNIST" in embedded.note


@given(labels=st.lists(st.integers(0, 9), min_size=1))
def test_the_ten_class_scheme_changes_no_label(labels: list[int]) -> None:
    labels_N = np.array(labels)
    for task in (MNIST, KANA, KMNIST, FASHION):
        assert np.array_equal(relabel(task, labels_N, "ten"), labels_N)


@given(labels=st.lists(st.integers(0, 9), min_size=1))
def test_the_release_keeps_digits_takes_the_parity_of_kana_and_halves_the_clothes(labels: list[int]) -> None:
    labels_N = np.array(labels)
    assert np.array_equal(relabel(MNIST, labels_N, "release"), labels_N)
    for task in (KANA, KMNIST):
        assert relabel(task, labels_N, "release").tolist() == [label % 2 for label in labels]
    assert relabel(FASHION, labels_N, "release").tolist() == [int(label >= 5) for label in labels]


def test_the_label_scheme_changes_labels_only(embedded: Datasets) -> None:
    release = load_datasets(data="embedded", labels="release", root=None, device=CPU)
    assert torch.equal(release.train.images_NHW, embedded.train.images_NHW)
    assert [int(release.train.labels_N[release.train.task_N == task].max()) for task in range(3)] == [9, 1, 1]


@given(st.integers(0, 2**32 - 1), st.integers(1, 8))
def test_a_balanced_subset_takes_no_image_twice(seed: int, per_class: int) -> None:
    labels = np.arange(200) % 10
    chosen = class_balanced(labels, 10 * per_class, seed=seed)
    assert len(set(chosen.tolist())) == 10 * per_class
    assert np.array_equal(labels[chosen], np.arange(10 * per_class) % 10)


@pytest.mark.parametrize("choice", ["data", "labels", "missing_kmnist"])
def test_an_unknown_choice_is_named_with_what_may_be_chosen(choice: str) -> None:
    arguments = {"data": "embedded", "labels": "ten", "missing_kmnist": "fail", choice: "other"}
    with pytest.raises(ValueError, match=rf"^{choice} must be one of .*\. Found 'other'\.$"):
        load_datasets(root=None, device=CPU, **arguments)  # type: ignore[arg-type]


def test_the_tasks_are_read_without_torch() -> None:
    program = "import sys, cdsp_core.data.tasks; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_the_package_has_no_other_names() -> None:
    import cdsp_core.data

    with pytest.raises(AttributeError, match="has no attribute 'load_dataset'"):
        _ = cdsp_core.data.load_dataset  # type: ignore[attr-defined]
