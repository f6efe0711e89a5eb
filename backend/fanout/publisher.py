"""The owner's side: every run's messages into its Redis stream, each once."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from backend.fanout.address import away
from backend.fanout.streams import AGAIN_S, AWAY, Streams, stream_of
from backend.live.viewers import Viewer, Watched

logger = logging.getLogger(__name__)

STREAM_BYTES: Final = 8_000_000
"""of a run that Redis keeps, about"""
FEWEST, MOST = 20, 1200
"""entries of a run that Redis keeps"""
KEPT_S: Final = 3600
"""a stream that nothing is added to stays so long"""
KEEP_AGAIN_S: Final = 60.0
COUNT_EVERY_S: Final = 1.0
THEN: Final = "runs train on and are seen here, viewer processes get nothing new until it answers."


class Published(Watched, Protocol):
    """A run that is published."""

    @property
    def run_id(self) -> str: ...

    relay: Viewer | None
    """who is told as a viewer is and is none"""
    viewers_elsewhere: int
    """pages that watch at viewer processes"""

    async def load(self) -> None:
        """Read into memory what a viewer needs."""


class Publisher:
    """Lives on the event loop from `open` to `close`. While Redis is away it tries again and holds up nobody."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._streams = Streams(url)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._counting: asyncio.Task[None] | None = None
        self._started_ms = int(time.time() * 1000)
        self._numbers = 0
        self.problem: str | None = None
        """why nothing can be published, in one sentence"""

    def open(self, runs: Callable[[], Sequence[Published]]) -> None:
        """Begin to ask how many watch elsewhere; `runs` gives those that are told."""
        self._counting = asyncio.create_task(self._count(runs))

    async def close(self) -> None:
        """Publish nothing more."""
        for task in (*self._tasks.values(), *([self._counting] if self._counting else [])):
            task.cancel()
        await self._streams.close()

    def publish(self, run: Published) -> None:
        """Publish a run from here on, until it is deleted."""
        if run.run_id not in self._tasks:
            self._tasks[run.run_id] = asyncio.create_task(_RunPublisher(self, run).work())

    def forget(self, run_id: str) -> None:
        """The run's publishing has ended."""
        self._tasks.pop(run_id, None)

    def next_id(self) -> str:
        """An entry's id: larger than any before, also those of an owner that ran before on the same clock."""
        self._numbers += 1
        return f"{self._started_ms}-{self._numbers}"

    async def add(self, key: str, message: str | bytes, *, most: int, keep: bool) -> None:
        """Append a message to a stream once, however often Redis has to be asked."""
        entry_id = self.next_id()
        while True:
            try:
                is_new = await self._streams.add(key, entry_id, message, most=most)
                if not is_new and not await self._streams.has(key, entry_id):  # else its answer was lost, not the entry
                    self._begin_after(await self._streams.newest(key))
                    entry_id = self.next_id()
                    continue
                if keep:
                    await self._streams.keep(key, KEPT_S)
            except AWAY as error:
                self._note(away(self._url, error, then=THEN))
                await asyncio.sleep(AGAIN_S)
            else:
                self._note(None)
                return

    def _begin_after(self, newest: str) -> None:
        """An owner before this one had a clock that was ahead."""
        self._started_ms = max(self._started_ms, int(newest.partition("-")[0])) + 1

    def _note(self, problem: str | None) -> None:
        if (problem is None) != (self.problem is None):
            logger.error("%s", problem) if problem else logger.info("Redis answers again; runs are published.")
        self.problem = problem

    async def _count(self, runs: Callable[[], Sequence[Published]]) -> None:
        """Ask each second how many pages watch each run at viewer processes."""
        while True:
            try:
                counts = await self._streams.counts()
            except (*AWAY, ValueError):  # whoever publishes says why
                counts = Counter()
            for run in runs():
                run.viewers_elsewhere = counts[run.run_id]
            await asyncio.sleep(COUNT_EVERY_S)


class _RunPublisher:
    """One run's."""

    def __init__(self, publisher: Publisher, run: Published) -> None:
        self._publisher = publisher
        self._run = run
        self._key = stream_of(run.run_id)
        self._viewer = Viewer(run, self._send)
        self._most = MOST
        self._kept_at = 0.0

    async def work(self) -> None:
        """Send whatever is new, until the run is deleted."""
        run = self._run
        await run.load()
        run.relay = self._viewer
        try:
            await self._viewer.serve()
        finally:
            run.relay = None
            self._publisher.forget(run.run_id)

    async def _send(self, message: str | bytes) -> None:
        is_text = isinstance(message, str)
        if not is_text:
            self._most = max(FEWEST, min(self._most, STREAM_BYTES // len(message))) if self._kept_at else MOST
        now = time.monotonic()
        keep = now - self._kept_at > KEEP_AGAIN_S
        await self._publisher.add(self._key, message, most=self._most, keep=keep)
        if keep:
            self._kept_at = now
        if not is_text:
            self._viewer.settle()
