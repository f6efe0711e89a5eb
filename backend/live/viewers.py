"""One viewer: how far it has come, how much it may get, what it gets next.

A viewer is a set of cursors into what its run holds, so a slow one costs nothing and loses no scalar: frames
it had no credit for are passed over, their scalars follow in one message of kind `scalars`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from backend.live.state import NOT_BEGUN
from backend.live.texts import ViewerTexts
from backend.storage.eventlog import EventTexts
from backend.storage.history import Entry, History

IN_FLIGHT: Final = 2
"""frames sent and not yet drawn"""

UNGREETED: Final = NOT_BEGUN - 1
"""in place of a generation, before the first greeting"""

Send = Callable[[str | bytes], Awaitable[None]]
Write = Callable[[bytes], bool]
"""Writes a packet at once; False, and nothing is written, where that cannot be now."""


class Watched(Protocol):
    """What a viewer reads of a run. A version grows when what it stands for has changed."""

    @property
    def history(self) -> History: ...
    @property
    def events(self) -> EventTexts: ...
    @property
    def texts(self) -> ViewerTexts: ...
    @property
    def hello_version(self) -> int: ...
    @property
    def run_version(self) -> int: ...
    @property
    def generation_reason(self) -> str:
        """Why the generation has begun, in one sentence."""

    @property
    def gone(self) -> str | None:
        """Why the run is there no more, in one sentence; None while it is."""

    def pass_over(self, frames: int) -> None:
        """A viewer gets only the scalars of so many frames."""

    async def can_resume(self, generation: int, seq: int) -> bool:
        """Whether a viewer that has drawn that frame can get exactly what came after it."""

    async def stored_scalars(self, after: int) -> tuple[int, bytes] | None:
        """What memory no longer holds of the scalars after frame `after`: from where it does, and a message."""


class Viewer:
    """One socket of a page. `serve` sends until it is cancelled, or the socket or the run is gone.

    `after` is the generation and seq the page has drawn, None for a new page; `refused` says why what it sent is
    neither. `write` is the short way of the socket, None where it has none.
    """

    def __init__(
        self,
        run: Watched,
        send: Send,
        *,
        write: Write | None = None,
        after: tuple[int, int] | None = None,
        refused: str | None = None,
    ) -> None:
        self._run = run
        self._send = send
        self._write = write
        self._after = after
        self._refused = refused
        self._news = asyncio.Event()
        self._news.set()
        self._rests = False
        """whether `serve` waits for news"""
        self._generation = UNGREETED
        self._seq = -1
        self._greeted = False
        self._has_picture = False
        self._hello_version = -1
        self._run_version = -1
        self._next_event = 0
        self._in_flight: deque[int] = deque()
        self.has_drawn = False
        """whether the page has drawn a frame since somebody set this to False"""

    def wake(self, *, frame_only: bool = False) -> None:
        """There is something new; a frame alone does not wake a viewer without credit."""
        if not frame_only or len(self._in_flight) < IN_FLIGHT:
            self._news.set()

    def offer(self, entry: Entry, packet: bytes) -> None:
        """There is a new frame: write its packet at once where that is all that is new to the page."""
        if (
            self._rests
            and self._seq == entry.after_seq
            and self._has_picture
            and len(self._in_flight) < IN_FLIGHT
            and not self._news.is_set()
            and self._write is not None
            and self._write(packet)
        ):
            self._sent(entry)
        else:
            self.wake(frame_only=True)

    def acknowledge(self, generation: int, seq: int) -> None:
        """The page has drawn this frame, and so every one before it."""
        if generation != self._generation:
            return
        self.has_drawn = True
        while self._in_flight and self._in_flight[0] <= seq:
            self._in_flight.popleft()
        if len(self._in_flight) < IN_FLIGHT and self._seq < self._run.history.last_seq:
            self._news.set()

    def settle(self) -> None:
        """Whatever has been sent has been drawn."""
        self._in_flight.clear()
        self._news.set()

    async def serve(self) -> None:
        """Send whatever is new, whenever there is something new, until the run is gone, which it says."""
        while True:
            self._rests = True
            await self._news.wait()
            self._rests = False
            self._news.clear()
            if self._run.gone is not None:
                await self._send(self._run.texts.error(self._run.gone))
                return
            await self._send_text()
            if len(self._in_flight) < IN_FLIGHT:
                await self._send_frames()

    async def _send_text(self) -> None:
        run = self._run
        if self._generation != run.history.generation:
            await self._begin_generation()
        if self._hello_version != run.hello_version:
            self._greet()
            await self._send(run.texts.hello(resumed=False))
        while self._next_event < run.events.count:
            message = run.events.message(self._next_event)
            self._next_event += 1
            if message is not None:
                await self._send(message)
        if self._run_version != run.run_version:
            self._run_version = run.run_version
            await self._send(run.texts.run())

    def _greet(self) -> None:
        self._greeted = True
        self._hello_version = self._run.hello_version
        self._run_version = self._run.run_version
        self._next_event = self._run.events.count

    async def _begin_generation(self) -> None:
        """Greet the page: go on exactly where it was, or say `reset` where that cannot be."""
        run, after, refused = self._run, self._after, self._refused
        history = run.history
        drew_before = self._greeted and self._generation >= 0
        self._generation, self._seq, self._has_picture = history.generation, -1, False
        self._in_flight.clear()
        resumed = after is not None and await run.can_resume(*after)
        if history is not run.history:
            self._generation = UNGREETED
            self._news.set()
            return
        self._after = self._refused = None
        if refused is not None:
            await self._send(run.texts.reset(refused))
        elif after is not None and resumed:
            self._seq, self._has_picture = after[1], True
        elif after is not None:
            await self._send(run.texts.reset(f"Frame {after[0]}:{after[1]} cannot be continued from."))
        elif drew_before:
            await self._send(run.texts.reset(run.generation_reason))
        self._greet()
        await self._send(run.texts.hello(resumed=resumed))

    async def _send_frames(self) -> None:
        history = self._run.history
        if history.generation != self._generation:
            self._news.set()
            return
        if not self._has_picture:
            picture = history.snapshot()
            if picture is None:
                return
            self._seq, message = picture
            self._has_picture = True
            self._in_flight.append(self._seq)
            await self._send(message)
            if len(self._in_flight) >= IN_FLIGHT or self._run.history is not history:
                return
        entry = history.entry
        if entry is None or entry.seq <= self._seq:
            if self._seq < history.last_seq:
                await self._catch_up(history.last_seq)
            return
        if entry.after_seq > self._seq and not await self._catch_up(entry.after_seq):
            return
        if self._run.history is not history or entry.after_seq != self._seq:
            self._news.set()
            return
        self._sent(entry)
        await self._send(entry.message)

    def _sent(self, entry: Entry) -> None:
        self._seq = entry.seq
        if entry.is_picture:
            self._in_flight.append(entry.seq)

    async def _catch_up(self, upto: int) -> bool:
        """Send the scalars after the last message up to `upto`; False when it takes another turn to get there."""
        run, history = self._run, self._run.history
        messages = history.scalars_between(self._seq, upto)
        if messages is not None:
            for message in messages:
                await self._send(message)
            run.pass_over(upto - self._seq)
            self._seq = upto
            return True
        self._news.set()
        stored = await run.stored_scalars(self._seq)
        if run.history is not history:
            return False
        if stored is not None:
            reached, message = stored
            run.pass_over(reached - self._seq)
            self._seq = reached
            await self._send(message)
            return False
        self._has_picture = False
        self._in_flight.clear()
        await self._send(run.texts.reset("You were away for too long to get every step."))
        await self._send(run.texts.hello(resumed=False))
        return False
