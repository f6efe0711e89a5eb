"""How much own data may be, and how its parts may be called."""

from __future__ import annotations

import re
from typing import Final

from cdsp_core.data.idx import DatasetError
from cdsp_core.settings.config import DATASET_NAME

MIN_TASKS: Final = 2
MAX_TASKS: Final = 6
MAX_CLASSES: Final = 100
"""of a task"""
MIN_OF_A_CLASS: Final = 5
MAX_IMAGES: Final = 60_000
"""of all tasks"""
MAX_FILE_BYTES: Final = 20_000_000
"""of one image file"""
MAX_PIXELS: Final = 25_000_000
"""of one image, as its head says, before it is decoded"""
MAX_NPZ_BYTES: Final = 512_000_000
"""of an .npz when it is decompressed, as its directory says and as it turns out"""
MAX_TASK_NAME: Final = 24
MAX_CLASS_NAME: Final = 40
TEST_EVERY: Final = 5
"""where nothing says which images test: every fifth of a class, in the order of their names or places"""


def checked_name(name: object) -> str:
    """The name of a set. Raises DatasetError."""
    if not isinstance(name, str) or re.fullmatch(DATASET_NAME, name) is None:
        raise DatasetError(
            f"a data set's name must be 1 to 32 small letters, digits, - or _, a letter first. "
            f"Found {str(name)[:40]!r}."
        )
    return name


def checked_task(name: object) -> str:
    """The name of a task, which names of scalars are made of. Raises DatasetError."""
    if not isinstance(name, str) or not 1 <= len(name) <= MAX_TASK_NAME or not _is_plain(name):
        raise DatasetError(
            f"a task's name must be 1 to {MAX_TASK_NAME} printable characters without / , and quotes. "
            f"Found {str(name)[:40]!r}."
        )
    return name


def checked_class(name: object, task: str) -> str:
    """The name of a class of a task. Raises DatasetError."""
    if not isinstance(name, str) or not 1 <= len(name) <= MAX_CLASS_NAME or not name.isprintable():
        raise DatasetError(
            f"a class of {task} must have a name of 1 to {MAX_CLASS_NAME} printable characters. "
            f"Found {str(name)[:60]!r}."
        )
    return name


def _is_plain(name: str) -> bool:
    return name.isprintable() and name == name.strip() and not set(name) & set("/\\,\"'`")
