"""What the metadata of a recorded run must be. Each `read_` raises ValueError, one sentence with the bound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

MAX_SCALARS: Final = 64
MAX_LABELS: Final = 8
MAX_LABEL: Final = 60
MAX_CLASSES: Final = 100
"""of a task"""


def read_accuracy(raw: Any) -> Mapping[str, Mapping[str, float]] | None:
    """Raises ValueError unless it is null or shares by `known` and `blind` and by task."""
    if raw is None:
        return None
    if not isinstance(raw, dict) or set(raw) != {"known", "blind"}:
        raise ValueError("accuracy must be null or an object of known and blind. Found something else.")
    for values in raw.values():
        if not isinstance(values, dict) or not all(
            isinstance(value, float) and 0 <= value <= 1 for value in values.values()
        ):
            raise ValueError(f"accuracy must be shares from 0 to 1. Found {values}.")
    return {name: dict(values) for name, values in raw.items()}


def read_labels(raw: Any) -> Mapping[str, str]:
    """Raises ValueError unless it is an object of few short texts."""
    if not isinstance(raw, dict) or len(raw) > MAX_LABELS:
        raise ValueError(f"labels must be an object of at most {MAX_LABELS} texts. Found something else.")
    for value in (*raw, *raw.values()):
        if not isinstance(value, str) or len(value) > MAX_LABEL:
            raise ValueError(f"labels must be texts of at most {MAX_LABEL} characters. Found {str(value)[:20]!r}.")
    return dict(raw)


def read_measures(raw: Any) -> Mapping[str, float] | None:
    """Raises ValueError unless it is null or an object of numbers."""
    if raw is None:
        return None
    if not isinstance(raw, dict) or len(raw) > MAX_SCALARS or not all(type(v) in (int, float) for v in raw.values()):
        raise ValueError(f"measures must be null or an object of at most {MAX_SCALARS} numbers. Found something else.")
    return dict(raw)


def read_class_names(raw: Any) -> Mapping[str, Sequence[str]]:
    """Raises ValueError unless it is an object of few tasks, each a list of short texts."""
    if not isinstance(raw, dict) or len(raw) > MAX_LABELS or not all(isinstance(each, list) for each in raw.values()):
        raise ValueError(f"class_names must be an object of at most {MAX_LABELS} lists. Found something else.")
    for task, names in raw.items():
        if len(names) > MAX_CLASSES:
            raise ValueError(f"class_names must be at most {MAX_CLASSES} of a task. Found {len(names)}.")
        for name in (task, *names):
            if not isinstance(name, str) or len(name) > MAX_LABEL:
                found = str(name)[:20]
                raise ValueError(f"class_names must be texts of at most {MAX_LABEL} characters. Found {found!r}.")
    return {task: tuple(names) for task, names in raw.items()}
