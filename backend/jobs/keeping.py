"""What the storage keeps beside checkpoints: maps, results of studies, and recorded runs that others put there."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cdsp_core.storage.mirror import Mirror
from cdsp_core.storage.opening import open_storage
from cdsp_core.storage.place import StorageError

logger = logging.getLogger(__name__)

EVERY_S: Final = 2.0
FETCHES_EVERY_S: Final = 30.0
RECORDED: Final = "recorded"
PARTS: Final = ("sweeps", "studies.json", "studies")
"""of the data folder; what changes here is stored"""


class Keeping:
    """Of one data folder; without a URL nothing is done. `problem`: why the storage takes nothing now, if so."""

    def __init__(self, folder: Path, url: str | None) -> None:
        """Raises StorageUrlError."""
        storage = None if url is None else open_storage(url)
        self._own = None if storage is None else Mirror(storage, folder, parts=PARTS)
        self._recorded = None if storage is None else Mirror(storage, folder, parts=(RECORDED,))
        self.problem: str | None = None

    async def open(self) -> None:
        """Fetch what an earlier server, maybe on another machine, has kept and this folder has not."""
        if self._own is not None:
            await self._try(self._fetch)

    async def work(self) -> None:
        """Store what changes, and look for new recorded runs, until cancelled."""
        if self._own is None or self._recorded is None:
            return
        waited_s = 0.0
        while True:
            await asyncio.sleep(EVERY_S)
            waited_s += EVERY_S
            if await self._try(self._own.push) and waited_s >= FETCHES_EVERY_S:
                waited_s = 0.0
                await self._try(self._fetch_recorded)

    async def close(self) -> None:
        """Store what has changed last, unless the storage takes nothing."""
        if self._own is not None and self.problem is None:
            await self._try(self._own.push)

    def _fetch(self) -> None:
        assert self._own is not None
        self._own.fetch()
        self._fetch_recorded()

    def _fetch_recorded(self) -> None:
        assert self._recorded is not None
        self._recorded.fetch()

    async def _try(self, work: Callable[[], None]) -> bool:
        try:
            await asyncio.to_thread(work)
        except StorageError as error:
            if self.problem is None:
                logger.warning("%s", error)
            self.problem = str(error)
            return False
        except OSError as error:
            logger.warning("what the storage shall keep cannot be read: %s", error)
            return False
        self.problem = None
        return True
