"""What runs know of who takes them to viewer processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from backend.live.hub import RunHub


class Publishing(Protocol):
    """Takes runs to viewer processes."""

    problem: str | None
    """why that cannot be done now, in one sentence"""

    def open(self, runs: Callable[[], Sequence[RunHub]]) -> None:
        """Begin; `runs` gives them all."""

    def publish(self, run: RunHub) -> None:
        """Publish a run from here on; once is enough."""

    async def close(self) -> None:
        """Publish nothing more."""
