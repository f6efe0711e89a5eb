"""Own data made by tests: folders of images, and an .npz."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cdsp_core.wire.frames import Array

TASKS = {"dots": ("few", "many", "none"), "lines": ("across", "down")}


def write_folders(root: Path, *, of_a_class: int = 10, size: tuple[int, int] = (40, 30)) -> Path:
    """Two tasks of three and two classes; the images of a class have one brightness and some noise."""
    random = np.random.default_rng(0)
    for task, classes in TASKS.items():
        for label, name in enumerate(classes):
            folder = root / task / name
            folder.mkdir(parents=True)
            for number in range(of_a_class):
                noise = random.integers(0, 20, (size[1], size[0], 3), dtype=np.uint8)
                Image.fromarray(noise + np.uint8(60 * label)).save(folder / f"{number:02}.png")
    return root


def arrays(**changes: Any) -> dict[str, Array]:
    """What an .npz of two tasks holds: 60 images of 10 by 10 pixels."""
    random = np.random.default_rng(1)
    found: dict[str, Any] = {
        "images": random.integers(0, 255, (60, 10, 10), dtype=np.uint8),
        "labels": np.arange(60) % 3,
        "tasks": np.arange(60) // 30,
        "task_names": np.array(["left", "right"]),
    }
    found |= changes
    return {name: value for name, value in found.items() if value is not None}
