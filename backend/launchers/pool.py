"""Workers that others start, for example docker compose: they dial in and wait for runs."""

from __future__ import annotations

from collections.abc import Collection


class PoolLauncher:
    """Launches nothing."""

    def launch(self, waiting: int, connected: Collection[str]) -> str | None:
        return None

    def is_gone(self, worker_id: str, pid: int | None) -> bool:
        return False

    def started(self, worker_id: str) -> bool:
        return False

    async def close(self) -> None:
        return None
