"""The tasks and what people read about them. Imports no torch, so the web process can read it too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

DataSource = Literal["embedded", "full"]
LabelScheme = Literal["ten", "release"]
MissingKmnist = Literal["fail", "kana"]

IMAGE_SIZE: Final = 28
NUM_CLASSES: Final = 10
FULL_TRAIN: Final = 60_000
FULL_TEST: Final = 10_000

KANA_CLASSES: Final = ("お", "き", "す", "つ", "な", "は", "ま", "や", "れ", "を")


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """One of the tasks a run trains on, in words."""

    name: str
    """short and stable: part of scalar names and of the wire"""
    label: str
    """for people"""
    note: str
    """one sentence on where the images come from"""
    class_names: tuple[str, ...]
    """of the ten-class label scheme, by label"""


MNIST: Final = Task(
    name="mnist",
    label="MNIST",
    note="Handwritten digits from the MNIST set.",
    class_names=tuple("0123456789"),
)
KMNIST: Final = Task(
    name="kmnist",
    label="KMNIST",
    note="Cursive kana cut from classical Japanese books, the KMNIST set.",
    class_names=KANA_CLASSES,
)
KANA: Final = Task(
    name="kana",
    label="Kana (drawn stand-in for KMNIST)",
    note="KMNIST's ten kana, drawn by a program from KanjiVG's pen strokes with random variation: "
    "not KMNIST, nobody wrote them by hand, and accuracies do not compare with KMNIST's.",
    class_names=KANA_CLASSES,
)
FASHION: Final = Task(
    name="fashion",
    label="Fashion-MNIST",
    note="Photographs of clothes from the Fashion-MNIST set.",
    class_names=(
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
)
TASKS: Final = {task.name: task for task in (MNIST, KMNIST, KANA, FASHION)}
"""by the name that scalars have"""
