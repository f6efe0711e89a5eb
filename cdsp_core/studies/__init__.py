"""Experiments over seeds: `python -m cdsp_core study NAME`.

A study is a module of `catalogue` that exports `STUDY`; lying there is all that makes it known. None of them imports
torch before it runs a job, so listing all takes a moment.
"""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cdsp_core.studies.framework.study import Study

NAMES: Final = tuple(
    module.name.replace("_", "-") for module in pkgutil.iter_modules([str(Path(__file__).parent / "catalogue")])
)
"""every study, in alphabetical order"""


def load_study(name: str) -> Study:
    """The study of that name. Raises ValueError for a name that is none."""
    if name not in NAMES:
        raise ValueError(f"study must be one of {', '.join(NAMES)}. Found {name!r}.")
    module = importlib.import_module(f"{__name__}.catalogue.{name.replace('-', '_')}")
    found: Study = module.STUDY
    assert found.name == name, f"{module.__name__} names its study {found.name}"
    return found
