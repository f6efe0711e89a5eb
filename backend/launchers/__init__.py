"""Where workers come from: `local` processes of this machine, or a `pool` that dials in by itself."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol


class Launcher(Protocol):
    """Gets workers to dial in."""

    def launch(self, waiting: int, connected: Collection[str]) -> str | None:
        """`waiting` runs have no worker, these workers are here; a sentence when no worker can come."""

    def is_gone(self, worker_id: str, pid: int | None) -> bool:
        """Whether that worker is known to have ended, so that waiting for it is no use."""

    def started(self, worker_id: str) -> bool:
        """Whether this launcher started that worker, and `close` ends it."""

    async def close(self) -> None:
        """End what was launched."""
