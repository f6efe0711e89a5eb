"""A viewer process's runs: each that somebody watches here is followed in Redis, from where the owner says it is."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from typing import Final

from backend.errors import ApiError
from backend.fanout.address import away, reason_of
from backend.fanout.mirror import GapError, MirroredRun
from backend.fanout.owner import Owner, OwnerAwayError
from backend.fanout.streams import AGAIN_S, AWAY, Streams, stream_of

logger = logging.getLogger(__name__)

TICK_S: Final = 1.0
UNUSED_TICKS: Final = 60
"""seconds after which a run that nobody watches here is followed no more"""
COUNTED_S: Final = 5
"""a count of viewers that is not said again is forgotten after so long"""
AT_ONCE: Final = 200
"""entries read together"""
MOST_ASKED: Final = 5
"""times that the owner is asked for what lies before one entry, which may lie before none"""
READING: Final = "reading"
COUNTING: Final = "counting"
"""what is done in Redis"""
BACK_S: Final = 8.0
"""for which pages are told that Redis answers again"""
THEN: Final = "what you see is the newest that has come, and the run trains on."
REDIS_AWAY: Final = f"Redis cannot be used: {THEN}"
"""what pages are told; whoever runs the server reads its address and why in /healthz and the log"""
REDIS_BACK: Final = "Redis can be used again: the steps that were missed come now, none is lost."


class Mirrors:
    """Lives on the event loop from `open` to `close`."""

    def __init__(self, url: str, owner: Owner) -> None:
        self._url = url
        self._owner = owner
        self._streams = Streams(url)
        self._followed: dict[str, _Followed] = {}
        self._process = secrets.token_hex(8)
        self._ticking: asyncio.Task[None] | None = None
        self.problem: str | None = None
        """why Redis cannot be used, in one sentence"""
        self._problems: dict[str, str] = {}
        """the same by what is done there"""
        self._told: str | None = None
        """what every page is told of Redis"""
        self._back_at_s = -BACK_S

    @property
    def count(self) -> int:
        """Runs that are followed."""
        return len(self._followed)

    @property
    def viewers(self) -> int:
        """Pages that watch here."""
        return sum(len(each.run.viewers) for each in self._followed.values())

    def open(self) -> None:
        """Begin to say how many watch here, and to find out whether Redis answers."""
        self._ticking = asyncio.create_task(self._tick())

    async def close(self) -> None:
        """Follow nothing more."""
        for task in (*(each.task for each in self._followed.values()), *([self._ticking] if self._ticking else [])):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await self._streams.close()

    async def find(self, run_id: str) -> MirroredRun:
        """The run of that id, once there is something to show. Raises RunNotFoundError, OwnerAwayError."""
        followed = self._followed.get(run_id)
        if followed is None:
            followed = self._followed[run_id] = _Followed(self, run_id)
        try:
            await asyncio.shield(followed.ready)
        except ApiError:
            if self._followed.get(run_id) is followed:
                del self._followed[run_id]
            raise
        return followed.run

    def note(self, doing: str, error: Exception | None) -> None:
        """Redis has let this process do something, or has not. One that takes no writes can still be read."""
        if error is None:
            self._problems.pop(doing, None)
        else:
            self._problems[doing] = away(self._url, error, then=THEN)
        problem = next(iter(self._problems.values()), None)
        if (problem is None) != (self.problem is None):
            logger.error("%s", problem) if problem else logger.info("Redis can be used again.")
            self._back_at_s = time.monotonic()
        self.problem = problem
        is_news = time.monotonic() - self._back_at_s < BACK_S
        told = REDIS_AWAY if problem else REDIS_BACK if is_news else None
        if told == self._told:
            return
        self._told = told
        for followed in self._followed.values():
            if followed.run.begun:
                followed.run.suffer(told)

    async def _tick(self) -> None:
        while True:
            for run_id, followed in list(self._followed.items()):
                followed.unused_ticks = 0 if followed.run.viewers else followed.unused_ticks + 1
                if followed.unused_ticks > UNUSED_TICKS or followed.task.done():
                    followed.task.cancel()
                    del self._followed[run_id]
            if not self._followed:
                self._problems.pop(READING, None)  # nobody reads, who could say that it works
            counts = {run_id: len(each.run.viewers) for run_id, each in self._followed.items() if each.run.viewers}
            try:
                await self._streams.say_counts(self._process, counts, seconds=COUNTED_S)
                self.note(COUNTING, None)
            except AWAY as error:
                self.note(COUNTING, error)
            await asyncio.sleep(TICK_S)

    # one run

    async def follow(self, followed: _Followed) -> None:
        """Take what the stream of a run holds, for as long as somebody watches it. Raises ApiError at the beginning."""
        run = followed.run
        position = await self._newest(run.run_id)
        await self._catch_up(run)
        run.suffer(self._told)
        followed.is_ready()
        while position is None:
            await asyncio.sleep(AGAIN_S)
            if (position := await self._newest(run.run_id)) is not None:
                await self._caught_up(run)
        while run.gone is None:
            try:
                entries = await self._streams.after(stream_of(run.run_id), position, most=AT_ONCE)
            except AWAY as error:
                self.note(READING, error)
                await asyncio.sleep(AGAIN_S)
                continue
            self.note(READING, None)
            for entry_id, message in entries:
                await self._take(run, message)
                position = entry_id

    async def _newest(self, run_id: str) -> str | None:
        """The id of the newest entry of a run's stream; None while Redis cannot be asked."""
        try:
            newest = await self._streams.newest(stream_of(run_id))
        except AWAY as error:
            self.note(READING, error)
            return None
        self.note(READING, None)
        return newest

    async def _take(self, run: MirroredRun, message: str | bytes) -> None:
        """Take a message of the stream; where others are missing before it, those first, from the owner.

        What cannot be read, or continues nothing that the owner has, is passed over: one entry stops no page.
        """
        for _ in range(MOST_ASKED):
            if run.gone is not None:
                return
            try:
                run.feed(message)
                return
            except GapError as gap:
                logger.info("Run %s: the owner is asked for frames up to %d.", run.run_id, gap.upto)
                await self._caught_up(run, upto=gap.upto)
            except ValueError as error:
                logger.warning("Run %s: an entry of its stream cannot be read (%s).", run.run_id, reason_of(error))
                return
        logger.warning("Run %s: an entry of its stream continues no frame that the owner has.", run.run_id)

    async def _caught_up(self, run: MirroredRun, *, upto: int = -1) -> None:
        """Catch up as soon as the owner can be asked."""
        while True:
            try:
                await self._catch_up(run, upto=upto)
                run.suffer(self._told)
                return
            except OwnerAwayError as error:
                run.suffer(str(error))
                await asyncio.sleep(AGAIN_S)

    async def _catch_up(self, run: MirroredRun, *, upto: int = -1) -> None:
        """Take what the owner tells a page that comes now. Raises ApiError."""
        for message in await self._owner.told(run.run_id, run.reached, upto=upto):
            try:
                run.feed(message)
            except GapError:
                continue
            except ValueError as error:
                raise OwnerAwayError(f"What the server that trains says cannot be read ({reason_of(error)}).") from None


class _Followed:
    """A run that is followed, and the task that does."""

    def __init__(self, mirrors: Mirrors, run_id: str) -> None:
        self.run = MirroredRun(run_id, lambda after, upto: mirrors._owner.scalars(run_id, after, upto))
        self.unused_ticks = 0
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.task = asyncio.create_task(self._follow(mirrors))

    def is_ready(self) -> None:
        """There is something to show."""
        if not self.ready.done():
            self.ready.set_result(None)

    async def _follow(self, mirrors: Mirrors) -> None:
        try:
            await mirrors.follow(self)
        except ApiError as error:
            if self.ready.done():
                self.run.leave_for_good(str(error))
            else:
                self.ready.set_exception(error)
                self.ready.exception()
