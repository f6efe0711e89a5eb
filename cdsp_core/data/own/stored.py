"""A set of own data as it is stored: one safetensors file, its content named by a hash.

Shapes: N images of all tasks, one task after the other; H = W = 28 pixels; Q tasks.
    images   [N, 28, 28] uint8     0 is background
    labels   [N] int32             by the task's own classes
    tasks    [N] int32
    is_test  [N] uint8             1: never trained on
The metadata hold one string, `about`, as JSON: `About`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from cdsp_core.data.idx import Array, DatasetError
from cdsp_core.data.own.bounds import (
    MAX_CLASSES,
    MAX_IMAGES,
    MAX_TASKS,
    MIN_OF_A_CLASS,
    MIN_TASKS,
    checked_class,
    checked_name,
    checked_task,
)
from cdsp_core.data.tasks import IMAGE_SIZE
from cdsp_core.settings.config import DATASET_HASH

SUFFIX: Final = ".dataset"
FORMAT: Final = 1
MAX_FILE_BYTES: Final = MAX_IMAGES * (IMAGE_SIZE**2 + 16) + 1_000_000
MAX_HEAD_BYTES: Final = 1_000_000
HASH_LENGTH: Final = DATASET_HASH
DTYPES: Final = {"images": "uint8", "labels": "int32", "tasks": "int32", "is_test": "uint8"}
PREVIEWED: Final = 10
"""images of a task that are shown before a run is started"""


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnTask:
    """A task of own data: its classes, and how many images each has to train on and to test with."""

    name: str
    class_names: tuple[str, ...]
    train: tuple[int, ...]
    test: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class About:
    """What a set is, without its images."""

    name: str
    content: str
    """the first letters of a SHA-256 of classes, images and labels"""
    made_of: str
    """in words, for people"""
    tasks: tuple[OwnTask, ...]

    @property
    def reference(self) -> str:
        """What a config names it by: NAME@CONTENT."""
        return f"{self.name}@{self.content}"

    @property
    def most_classes(self) -> int:
        """Of any task: outputs that a model needs."""
        return max(len(task.class_names) for task in self.tasks)

    def count(self, part: str) -> int:
        """Images of all tasks; `part` is train or test."""
        return sum(sum(getattr(task, part)) for task in self.tasks)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class OwnSet:
    """A whole set; arrays are those of the file."""

    about: About
    images: Array
    labels: Array
    tasks: Array
    is_test: Array


def own_folder() -> Path:
    """Where sets are: CDSP_DATASET_DIR, by default the folder datasets of the data folder."""
    given = os.environ.get("CDSP_DATASET_DIR")
    return Path(given) if given else Path(os.environ.get("CDSP_DATA_DIR", "runs")) / "datasets"


def own_set(name: str, made_of: str, class_names: Mapping[str, tuple[str, ...]], arrays: Mapping[str, Array]) -> OwnSet:
    """A set of tasks and their images, counted and checked. Raises DatasetError with the bound and what was found."""
    images, labels, tasks, is_test = (arrays[each].astype(kind) for each, kind in DTYPES.items())
    checked_name(name)
    if not MIN_TASKS <= len(class_names) <= MAX_TASKS:
        raise DatasetError(f"{name} must have {MIN_TASKS} to {MAX_TASKS} tasks. Found {len(class_names)}.")
    if len(images) > MAX_IMAGES:
        raise DatasetError(f"{name} must have at most {MAX_IMAGES:,} images. Found {len(images):,}.")
    counted = []
    for place, (task, classes) in enumerate(class_names.items()):
        checked_task(task)
        if not 2 <= len(classes) <= MAX_CLASSES:
            raise DatasetError(f"task {task} must have 2 to {MAX_CLASSES} classes. Found {len(classes):,}.")
        for each in classes:
            checked_class(each, task)
        counts = [
            np.bincount(labels[(tasks == place) & (is_test == part)], minlength=len(classes)).tolist()
            for part in (0, 1)
        ]
        for label, (train, test) in enumerate(zip(*counts, strict=True)):
            if train + test < MIN_OF_A_CLASS or not train or not test:
                found = f"Found {train} to train on and {test} to test with"
                raise DatasetError(
                    f"class {classes[label]} of {task} must have at least {MIN_OF_A_CLASS} images, of both kinds. "
                    f"{found}."
                )
        counted.append(OwnTask(name=task, class_names=classes, train=tuple(counts[0]), test=tuple(counts[1])))
    content = _content(tuple(counted), (images, labels, tasks, is_test))
    about = About(name=name, content=content, made_of=made_of, tasks=tuple(counted))
    return OwnSet(about=about, images=images, labels=labels, tasks=tasks, is_test=is_test)


def write_set(made: OwnSet, folder: Path) -> Path:
    """Write a set whole or not at all; its path. Raises OSError."""
    arrays = {name: np.ascontiguousarray(getattr(made, name)) for name in DTYPES}
    about = json.dumps({"format": FORMAT, **dataclasses.asdict(made.about)})
    folder.mkdir(parents=True, exist_ok=True)
    path = path_of(made.about.name, folder)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    temporary.write_bytes(save_arrays(arrays, metadata={"about": about}))
    temporary.replace(path)
    return path


def path_of(name: str, folder: Path) -> Path:
    """Where a set of that name is. Raises DatasetError for a name that none can have."""
    return folder / f"{checked_name(name)}{SUFFIX}"


def read_about(path: Path) -> About:
    """What a file is, from its head alone. Raises DatasetError, one sentence that names it."""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            length = int.from_bytes(file.read(8), "little")
            if size > MAX_FILE_BYTES or length > MAX_HEAD_BYTES:
                raise DatasetError(f"{path.name} must have at most {MAX_FILE_BYTES:,} bytes. Found {size:,}.")
            head = file.read(length)
    except FileNotFoundError:
        raise DatasetError(f"There is no data set {path.stem} here.") from None
    except OSError as error:
        raise DatasetError(f"{path.name} cannot be read: {error.strerror}.") from error
    return _about(head, path)


def read_set(path: Path) -> OwnSet:
    """A whole set, whose content is what its hash says. Raises DatasetError, one sentence that names the file."""
    about = read_about(path)
    try:
        arrays = load_arrays(path.read_bytes())
        found = [arrays[name] for name in DTYPES]
    except (OSError, SafetensorError, KeyError, ValueError, struct.error) as error:
        raise DatasetError(f"{path.name} cannot be read: {' '.join(str(error).split())}") from error
    images = found[0]
    shapes = [(len(images), IMAGE_SIZE, IMAGE_SIZE), *[(len(images),)] * 3]
    for (name, kind), array, shape in zip(DTYPES.items(), found, shapes, strict=True):
        if array.shape != shape or array.dtype != kind:
            raise DatasetError(f"{name} of {path.name} must be {list(shape)} {kind}. Found {list(array.shape)}.")
    if _content(about.tasks, tuple(found)) != about.content:
        raise DatasetError(f"{path.name} cannot be used: its content is not the one that its hash names.")
    return OwnSet(about=about, **dict(zip(DTYPES, found, strict=True)))


def preview(made: OwnSet) -> list[tuple[int, int, Array]]:
    """Task, label and pixels of training images, of each task the first of its first classes, then their second."""
    found = []
    for task in range(len(made.about.tasks)):
        places = [
            np.flatnonzero((made.tasks == task) & (made.labels == label) & (made.is_test == 0))[:PREVIEWED]
            for label in range(len(made.about.tasks[task].class_names))
        ]
        turns = sorted((turn, label, int(at)) for label, own in enumerate(places) for turn, at in enumerate(own))
        found += [(task, label, made.images[at]) for _, label, at in turns[:PREVIEWED]]
    return found


def _content(tasks: tuple[OwnTask, ...], arrays: tuple[Array, ...]) -> str:
    digest = hashlib.sha256(json.dumps([(task.name, task.class_names) for task in tasks]).encode())
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:HASH_LENGTH]


def _about(head: bytes, path: Path) -> About:
    try:
        raw: dict[str, Any] = json.loads(json.loads(head)["__metadata__"]["about"])
        if raw.pop("format") != FORMAT:
            raise ValueError("it has another format")
        tasks = tuple(
            OwnTask(
                name=checked_task(task["name"]),
                class_names=tuple(checked_class(each, task["name"]) for each in task["class_names"]),
                train=tuple(map(int, task["train"])),
                test=tuple(map(int, task["test"])),
            )
            for task in raw["tasks"]
        )
        about = About(name=checked_name(raw["name"]), content=raw["content"], made_of=str(raw["made_of"]), tasks=tasks)
        if about.name != path.stem or not MIN_TASKS <= len(tasks) <= MAX_TASKS or not isinstance(about.content, str):
            raise ValueError("it names itself otherwise")
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise DatasetError(f"{path.name} is no data set: {' '.join(str(error).split())[:100]}.") from None
    return about
