"""Torchvision's sets as tasks, by their names, where their files are there already: nothing is downloaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

from cdsp_core.data.idx import DatasetError
from cdsp_core.data.own.bounds import MAX_CLASSES
from cdsp_core.data.own.parts import TaskImages
from cdsp_core.data.own.pictures import grey_of

NAMES: Final = ("MNIST", "FashionMNIST", "KMNIST", "QMNIST", "USPS", "CIFAR10", "CIFAR100")
"""those that are split into train and test and fit the bounds"""
UNREADABLE: Final = (OSError, EOFError, RuntimeError, ValueError, TypeError, LookupError, AssertionError)
"""what torchvision raises for files that are missing, cut off or of another format"""


def read_torchvision(name: str, root: Path, *, most: int) -> TaskImages:
    """The first images of a set, at most so many to train on and a fifth as many to test with. Raises DatasetError."""
    if name not in NAMES:
        raise DatasetError(f"--torchvision must be one of {', '.join(NAMES)}. Found {name[:40]!r}.")
    try:
        from torchvision import datasets
    except ImportError:
        raise DatasetError(f"{name} needs torchvision, which is not installed here.") from None
    images, labels, is_test = [], [], []
    classes: tuple[str, ...] = ()
    for part, count in ((0, most), (1, max(1, most // 5))):
        try:
            found: Any = getattr(datasets, name)(root, train=not part, download=False)
            told = tuple(map(str, getattr(found, "classes", ()) or range(10)))
            classes = tuple(each.split(" - ")[-1] for each in told)[:MAX_CLASSES]
            for place in range(min(count, len(found))):
                image, label = found[place]
                if not 0 <= label < len(classes):
                    raise ValueError(f"the label {label} where there are {len(classes)} classes")
                images.append(grey_of(image))
                labels.append(int(label))
                is_test.append(part)
        except UNREADABLE as error:
            reason = " ".join(str(error).split(". ")[0].split())[:100].rstrip(".") or "a file that is not whole"
            raise DatasetError(f"{name} must lie below {root}, as torchvision keeps it. Found: {reason}.") from None
    if not images:
        raise DatasetError(f"{name} below {root} must have images. Found none.")
    return TaskImages(
        name=name,
        class_names=classes,
        images=np.stack(images),
        labels=np.array(labels, dtype=np.int32),
        is_test=np.array(is_test, dtype=np.uint8),
    )
