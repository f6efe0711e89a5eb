"""Something that `python -m backend check` found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """Something that is wrong. `mend` mends it; None where nothing can."""

    text: str
    way_out: str
    mend: Callable[[], None] | None = None
