"""Folders of images as tasks: TASK/CLASS/IMAGE, or TASK/train/CLASS/IMAGE beside TASK/test/CLASS/IMAGE.

Names that begin with a dot are passed over, links are not followed, and everything else has to be as it must be: what
would silently be left out is refused by its name.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import numpy as np

from cdsp_core.data.idx import DatasetError
from cdsp_core.data.own.bounds import MAX_CLASSES, MAX_IMAGES, MAX_TASKS, MIN_TASKS, checked_class, checked_task
from cdsp_core.data.own.parts import TaskImages, every_fifth
from cdsp_core.data.own.pictures import ENDINGS, grey_pixels

SPLIT: Final = ("test", "train")


def tasks_below(folder: Path) -> list[Path]:
    """The folders of a folder, each a task. Raises DatasetError."""
    found = _folders(folder, what="folders of tasks")
    if not MIN_TASKS <= len(found) <= MAX_TASKS:
        raise DatasetError(f"{folder} must hold {MIN_TASKS} to {MAX_TASKS} folders, a task each. Found {len(found)}.")
    return found


def read_task(folder: Path, *, most: int = MAX_IMAGES) -> TaskImages:
    """A task of at most so many images. Raises DatasetError, one sentence that names the file or folder."""
    name = checked_task(folder.resolve().name)
    inside = _folders(folder, what="folders of classes")
    if tuple(each.name for each in inside) == SPLIT:
        test, train = (_classes(each) for each in inside)
        if list(test) != list(train):
            other = sorted(set(test) ^ set(train))[0]
            raise DatasetError(f"{folder} must have the same classes in train and test. Found {other} in one alone.")
        files = [(path, label, part) for part, of in enumerate((train, test)) for label, path in _numbered(of)]
        classes = tuple(train)
    else:
        of = {each.name: _images(each) for each in _checked(inside, folder)}
        files = [(path, label, -1) for label, path in _numbered(of)]
        classes = tuple(of)
    if len(files) > most:
        raise DatasetError(f"{folder} must have at most {most:,} images, with all tasks. Found {len(files):,}.")
    images = np.zeros((len(files), 28, 28), dtype=np.uint8)
    for place, (path, _, _) in enumerate(files):
        images[place] = grey_pixels(path, called=str(path))
    labels = np.array([label for _, label, _ in files], dtype=np.int32)
    parts = np.array([part for _, _, part in files])
    is_test = every_fifth(labels) if -1 in parts else parts.astype(np.uint8)
    return TaskImages(name=name, class_names=classes, images=images, labels=labels, is_test=is_test)


def _classes(folder: Path) -> dict[str, list[Path]]:
    return {each.name: _images(each) for each in _checked(_folders(folder, what="folders of classes"), folder)}


def _checked(classes: list[Path], folder: Path) -> list[Path]:
    if not 2 <= len(classes) <= MAX_CLASSES:
        raise DatasetError(f"{folder} must hold 2 to {MAX_CLASSES} folders, a class each. Found {len(classes):,}.")
    for each in classes:
        checked_class(each.name, folder.name)
    return classes


def _numbered(of: dict[str, list[Path]]) -> list[tuple[int, Path]]:
    return [(label, path) for label, paths in enumerate(of.values()) for path in paths]


def _folders(folder: Path, *, what: str) -> list[Path]:
    """The folders in a folder, by name; anything else in it is refused."""
    found = []
    for entry in _entries(folder):
        if not entry.is_dir(follow_symlinks=False):
            raise DatasetError(f"{entry.path} must be a folder: {folder} holds {what}. Found a file or a link.")
        found.append(Path(entry.path))
    return found


def _images(folder: Path) -> list[Path]:
    """The images in a folder, by name; anything else in it is refused."""
    found = []
    for entry in _entries(folder):
        if not entry.is_file(follow_symlinks=False):
            raise DatasetError(f"{entry.path} must be an image. Found a folder or a link.")
        if not entry.name.lower().endswith(ENDINGS):
            raise DatasetError(f"{entry.path} must be an image: {', '.join(ENDINGS)}. Found another ending.")
        found.append(Path(entry.path))
    return found


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """What is in a folder but what begins with a dot, by name; at most one more than may be."""
    found: list[os.DirEntry[str]] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                found.append(entry)
                if len(found) > MAX_IMAGES:
                    raise DatasetError(f"{folder} must hold at most {MAX_IMAGES:,} files. Found more.")
    except OSError as error:
        raise DatasetError(f"{folder} must be a folder that can be read. Found: {error.strerror}.") from error
    return sorted(found, key=lambda entry: entry.name)
