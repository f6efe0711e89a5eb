"""Keeps the data folder under its cap, and clears what nobody needs any more.

Beyond the cap the oldest ended runs go that nobody has kept; a run that trains or waits never does.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import sqlite3
import time
from collections.abc import Awaitable, Callable, Collection, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from backend.live.hub import RunHub
from backend.live.tally import Tally
from backend.settings import Settings
from backend.storage.store import Store

logger = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 30.0
LOGS_KEPT: Final = 50
"""newest logs of workers that are kept, beside those of workers that are here"""
ABANDONED_S: Final = 600.0
"""age of a half-written file of which nobody writes any more"""
ROOM: Final = 0.95
"""share of the cap that is left to be full once runs have been deleted"""


class Upkeep:
    """Of one data folder. `delete` deletes an ended run, `in_use` names the workers that are here."""

    def __init__(
        self,
        settings: Settings,
        *,
        store: Store,
        hubs: Callable[[], Iterable[RunHub]],
        delete: Callable[[str], Awaitable[None]],
        in_use: Callable[[], Collection[str]],
        tally: Tally,
    ) -> None:
        self._folder = settings.data_dir
        self._checkpoints = settings.checkpoint_dir
        self.cap_bytes = int(settings.data_gib * 2**30)
        self.size_bytes = 0
        """of everything in the folder, as of the last look"""
        self._store = store
        self._hubs = hubs
        self._delete = delete
        self._in_use = in_use
        self._tally = tally

    async def work(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Measure the folder, delete what its cap asks for, and clear what is left over."""
        await self._measure()
        if self.size_bytes > self.cap_bytes:
            await self._make_room()
        going = {hub.run_id for hub in self._hubs() if hub.state.active}
        workers = {worker_id[:8] for worker_id in self._in_use()}
        await asyncio.to_thread(self._clear, going, workers)

    def problem(self) -> str | None:
        """Why the folder is too full, and the way out, in one sentence; None while it is not."""
        if self.size_bytes <= self.cap_bytes:
            return None
        return (
            f"The data folder holds {self.size_bytes / 2**30:.2f} GiB, more than its cap of "
            f"{self.cap_bytes / 2**30:g}, and every run is kept or goes on: delete some, or raise CDSP_DATA_GIB."
        )

    async def _make_room(self) -> None:
        for hub in sorted(self._hubs(), key=lambda hub: hub.state.number):
            if hub.state.active or hub.state.kept:
                continue
            logger.warning(
                "Run %s (%s) is deleted: the data folder is over its cap.", hub.run_id, hub.state.name,
                extra={"event": "run_deleted", "run": hub.run_id},
            )  # fmt: skip
            await self._delete(hub.run_id)
            self._tally.deleted += 1
            await self._measure()
            if self.size_bytes <= ROOM * self.cap_bytes:
                break

    async def _measure(self) -> None:
        self.size_bytes = await asyncio.to_thread(self._sized)

    def _sized(self) -> int:
        """Bytes of all files, less what the history would write again before it grows."""
        unused = 0
        with suppress(sqlite3.Error):
            unused = self._store.archive.unused_bytes()
        if unused:
            self._store.shrink()
        return max(0, folder_bytes(self._folder) - unused)

    def _clear(self, going: Collection[str], workers: Collection[str]) -> None:
        logs = sorted((self._folder / "logs").glob("worker-*.log"), key=_age_s)
        for log in logs[LOGS_KEPT:]:
            if log.stem.removeprefix("worker-") not in workers:
                log.unlink(missing_ok=True)
        for partial in half_written(self._checkpoints):
            if partial.parent.name not in going and _age_s(partial) > ABANDONED_S:
                partial.unlink(missing_ok=True)


def folder_bytes(folder: Path) -> int:
    """Bytes of every file below a folder; links count as what they are, not as what they lead to."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):  # it went this moment
                total += os.lstat(os.path.join(parent, name)).st_size
    return total


def half_written(checkpoints: Path) -> list[Path]:
    """Files that a process which died has left in the folders of runs."""
    return sorted(checkpoints.glob("*/*.partial"))


def _age_s(path: Path) -> float:
    """Seconds since it was written; infinite for one that has just gone, so that it takes no place of those kept."""
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return math.inf
