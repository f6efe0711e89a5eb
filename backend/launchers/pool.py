"""Workers that others start, for example docker compose: they dial in and wait for runs."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import ClassVar

from backend.settings import Settings


class Launch:
    """Launches nothing."""

    starts_workers: ClassVar = False
    same_machine: ClassVar = False
    runs_jobs: ClassVar = False

    def __init__(self, settings: Settings, *, token: str, on_exit: Callable[[str, str], None]) -> None:
        pass

    def launch(self, waiting: int, connected: Collection[str]) -> str | None:
        return None

    def why_waiting(self, busy: int) -> str:
        return "Waits for a worker."

    def spare(self, idle: Collection[str], elapsed_s: float) -> None:
        return None

    def job_place(self) -> None:
        return None

    def is_gone(self, worker_id: str) -> bool:
        return False

    def started(self, worker_id: str) -> bool:
        return False

    def kill(self, worker_id: str) -> None:
        return None

    def log_of(self, worker_id: str) -> None:
        return None

    async def close(self) -> None:
        return None
