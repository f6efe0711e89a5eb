"""Experiments over seeds: `python -m cdsp_core study NAME`.

A study is a module of `catalogue` that exports `STUDY`. None of them imports torch before it runs a job, so
listing all takes a moment.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cdsp_core.studies.framework.study import Study

NAMES: Final = (
    "table",
    "blind",
    "deceptive",
    "clustering",
    "conflict-necessity",
    "lr-ratio",
    "p-drop",
    "interference",
    "depth",
    "continual",
    "beneficial-sharing",
    "theory",
    "tiny-lm",
    "neighbours",
    "cost-ladder",
)


def load_study(name: str) -> Study:
    """The study of that name. Raises ValueError for a name that is none."""
    if name not in NAMES:
        raise ValueError(f"study must be one of {', '.join(NAMES)}. Found {name!r}.")
    module = importlib.import_module(f"{__name__}.catalogue.{name.replace('-', '_')}")
    found: Study = module.STUDY
    assert found.name == name, f"{module.__name__} names its study {found.name}"
    return found
