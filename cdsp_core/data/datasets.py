"""Load all tasks into one tensor of images on one device.

Shapes: N images of all tasks, one task after the other; H = W = 28 pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, get_args

import numpy as np
import torch

from cdsp_core.data import kana
from cdsp_core.data.fetch import Downloader, download_with_torchvision, fetch_missing, missing_files
from cdsp_core.data.idx import Array, DatasetError, read_split
from cdsp_core.data.own.chosen import chosen_set
from cdsp_core.data.own.stored import OwnTask
from cdsp_core.data.tasks import (
    FASHION,
    FULL_TEST,
    FULL_TRAIN,
    KANA,
    KMNIST,
    MNIST,
    DataSource,
    LabelScheme,
    MissingKmnist,
    Task,
)

EMBEDDED_TRAIN: Final = 10_000
EMBEDDED_TEST: Final = 1_500
EMBEDDED_FOLDER: Final = Path(__file__).parent / "files"

LabelledImages = tuple[Array, Array]
"""images uint8 [N, 28, 28] and labels int64 [N], under the ten-class scheme"""


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskData:
    """Images of every task with their labels, on one device."""

    tasks: tuple[Task, ...]
    images_NHW: torch.Tensor
    """uint8 [N, 28, 28], 0 is background"""
    labels_N: torch.Tensor
    """int64 [N], under the chosen label scheme"""
    task_N: torch.Tensor
    """int64 [N], index into `tasks`"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Datasets:
    """Training and test images of a run; test images come from the official test splits only."""

    train: TaskData
    test: TaskData
    note: str
    """one sentence for people on what these data are"""


def load_datasets(
    *,
    data: DataSource,
    labels: LabelScheme,
    root: Path | None,
    device: torch.device,
    download: bool = True,
    missing_kmnist: MissingKmnist = "fail",
    dataset: str = "",
) -> Datasets:
    """All tasks on `device`: MNIST, kana or KMNIST, Fashion-MNIST, in this order; or those of `dataset`, own data.

    `embedded` reads the set in the package. `full` reads torchvision's layout under `root`; with `download`, what is
    missing is fetched there with a progress bar. `missing_kmnist="kana"` draws a stand-in of the same size where
    `root` has no KMNIST, instead of fetching it.

    Raises DatasetError when a file is missing, broken or cannot be fetched, ValueError for an unknown choice.
    """
    _check_choice("data", data, DataSource)
    _check_choice("labels", labels, LabelScheme)
    _check_choice("missing_kmnist", missing_kmnist, MissingKmnist)
    if dataset:
        return own_datasets(dataset, device)
    if data == "embedded":
        splits = embedded_splits()
        note = (
            f"The embedded set: {EMBEDDED_TRAIN:,} training and {EMBEDDED_TEST:,} test images a task, "
            "real ones of MNIST and Fashion-MNIST, and drawn kana in place of KMNIST."
        )
    else:
        if root is None:
            raise DatasetError("The full sets need a folder: give one with --data-root, or use --data embedded.")
        downloader = download_with_torchvision if download else None
        splits = full_splits(root, downloader=downloader, missing_kmnist=missing_kmnist)
        note = f"The full sets: {FULL_TRAIN:,} training and {FULL_TEST:,} test images a task."
        if KANA in splits:
            note = note[:-1] + "; drawn kana stand in for KMNIST."
    return Datasets(
        train=_joined({task: train for task, (train, _) in splits.items()}, labels, device),
        test=_joined({task: test for task, (_, test) in splits.items()}, labels, device),
        note=note,
    )


def own_datasets(reference: str, device: torch.device) -> Datasets:
    """The tasks of a set of own data, NAME@CONTENT. Raises DatasetError."""
    own = chosen_set(reference)
    tasks = tuple(
        Task(name=task.name, label=task.name, note=_own_note(task, own.about.name), class_names=task.class_names)
        for task in own.about.tasks
    )

    def part(is_test: int) -> TaskData:
        kept = own.is_test == is_test
        return TaskData(
            tasks=tasks,
            images_NHW=torch.from_numpy(own.images[kept]).to(device),
            labels_N=torch.from_numpy(own.labels[kept].astype(np.int64)).to(device),
            task_N=torch.from_numpy(own.tasks[kept].astype(np.int64)).to(device),
        )

    note = f"Own data, {own.about.reference}: {own.about.made_of}."
    return Datasets(train=part(0), test=part(1), note=note)


def _own_note(task: OwnTask, name: str) -> str:
    return f"{len(task.class_names)} classes of the data set {name}, {sum(task.train):,} images to train on."


def relabel(task: Task, labels_N: Array, scheme: LabelScheme) -> Array:
    """Ten-class labels under another scheme. `release`: digits as they are, kana parity, clothes with class >= 5."""
    if scheme == "ten" or task is MNIST:
        return labels_N
    return labels_N % 2 if task in (KANA, KMNIST) else (labels_N >= 5).astype(np.int64)


def embedded_splits() -> dict[Task, tuple[LabelledImages, LabelledImages]]:
    """Training and test images of the set in the package, by task."""

    def read(name: str) -> tuple[LabelledImages, LabelledImages]:
        folder, remedy = EMBEDDED_FOLDER / name, "install the package again"
        return (
            read_split(folder, "train", count=EMBEDDED_TRAIN, remedy=remedy, compressed=True),
            read_split(folder, "t10k", count=EMBEDDED_TEST, remedy=remedy, compressed=True),
        )

    return {MNIST: read("MNIST"), KANA: read("Kana"), FASHION: read("FashionMNIST")}


def full_splits(
    root: Path,
    *,
    downloader: Downloader | None,
    missing_kmnist: MissingKmnist,
    train_count: int = FULL_TRAIN,
    test_count: int = FULL_TEST,
) -> dict[Task, tuple[LabelledImages, LabelledImages]]:
    """Training and test images of torchvision's sets under `root`, by task. Raises DatasetError."""

    def read(name: str, otherwise: str = "or use --data embedded") -> tuple[LabelledImages, LabelledImages]:
        fetch_missing(root, name, downloader=downloader, otherwise=otherwise)
        folder, remedy = root / name / "raw", f"delete it and fetch it again, {otherwise}"
        return (
            read_split(folder, "train", count=train_count, remedy=remedy),
            read_split(folder, "t10k", count=test_count, remedy=remedy),
        )

    mnist = read("MNIST")
    if missing_kmnist == "kana" and missing_files(root, "KMNIST"):
        middle = {KANA: (kana.draw(train_count, seed=kana.TRAIN_SEED), kana.draw(test_count, seed=kana.TEST_SEED))}
    else:
        middle = {KMNIST: read("KMNIST", "let drawn kana stand in for KMNIST, or use --data embedded")}
    return {MNIST: mnist, **middle, FASHION: read("FashionMNIST")}


def _joined(splits: dict[Task, LabelledImages], scheme: LabelScheme, device: torch.device) -> TaskData:
    tasks = tuple(splits)
    images_NHW = np.concatenate([images for images, _ in splits.values()])
    labels_N = np.concatenate([relabel(task, labels, scheme) for task, (_, labels) in splits.items()])
    task_N = np.repeat(np.arange(len(tasks)), [len(labels) for _, labels in splits.values()])
    return TaskData(
        tasks=tasks,
        images_NHW=torch.from_numpy(images_NHW).to(device),
        labels_N=torch.from_numpy(labels_N).to(device),
        task_N=torch.from_numpy(task_N).to(device),
    )


def _check_choice(name: str, value: str, choices: Any) -> None:
    if value not in get_args(choices):
        raise ValueError(f"{name} must be one of {', '.join(get_args(choices))}. Found {value!r}.")
