"""One viewer: how far it has come, how much it may get, what it gets next.

A viewer is a set of cursors into what its hub holds, so a slow one costs nothing and loses no scalar: frames
it had no credit for are passed over, their scalars follow in one message of kind `scalars`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from backend.hub import RunHub

IN_FLIGHT: Final = 2
"""frames sent and not yet drawn"""

NO_EPOCH: Final = -2
"""before the first greeting; a run that no worker has begun yet is in epoch -1"""

Send = Callable[[str | bytes], Awaitable[None]]


class Viewer:
    """One socket of a page. `serve` sends until it is cancelled or the socket is gone.

    `after` is the epoch and seq the page has drawn, None for a new page; `refused` says why what it sent is neither.
    """

    def __init__(
        self, hub: RunHub, send: Send, *, after: tuple[int, int] | None = None, refused: str | None = None
    ) -> None:
        self._hub = hub
        self._send = send
        self._after = after
        self._refused = refused
        self._news = asyncio.Event()
        self._news.set()
        self._epoch = NO_EPOCH
        self._seq = -1
        self._greeted = False
        self._has_picture = False
        self._hello_version = -1
        self._run_version = -1
        self._next_event = 0
        self._in_flight: deque[int] = deque()

    def wake(self, *, frame_only: bool = False) -> None:
        """There is something new; a frame alone does not wake a viewer without credit."""
        if not frame_only or len(self._in_flight) < IN_FLIGHT:
            self._news.set()

    def acknowledge(self, epoch: int, seq: int) -> None:
        """The page has drawn this frame, and so every one before it."""
        if epoch != self._epoch:
            return
        while self._in_flight and self._in_flight[0] <= seq:
            self._in_flight.popleft()
        if len(self._in_flight) < IN_FLIGHT and self._seq < self._hub.history.last_seq:
            self._news.set()

    async def serve(self) -> None:
        """Send whatever is new, whenever there is something new."""
        while True:
            await self._news.wait()
            self._news.clear()
            await self._send_text()
            if len(self._in_flight) < IN_FLIGHT:
                await self._send_frames()

    async def _send_text(self) -> None:
        hub = self._hub
        if self._epoch != hub.history.epoch:
            await self._begin_epoch()
        if self._hello_version != hub.hello_version:
            self._greet()
            await self._send(hub.texts.hello(resumed=False))
        while self._next_event < hub.events.count:
            message = hub.events.message(self._next_event)
            self._next_event += 1
            if message is not None:
                await self._send(message)
        if self._run_version != hub.run_version:
            self._run_version = hub.run_version
            await self._send(hub.texts.run())

    def _greet(self) -> None:
        self._greeted = True
        self._hello_version = self._hub.hello_version
        self._run_version = self._hub.run_version
        self._next_event = self._hub.events.count

    async def _begin_epoch(self) -> None:
        """Greet the page: go on exactly where it was, or say `reset` where that cannot be."""
        hub, after, refused = self._hub, self._after, self._refused
        history = hub.history
        drew_before = self._greeted and self._epoch >= 0
        self._epoch, self._seq, self._has_picture = history.epoch, -1, False
        self._in_flight.clear()
        resumed = after is not None and await hub.can_resume(*after)
        if history is not hub.history:
            self._epoch = NO_EPOCH
            self._news.set()
            return
        self._after = self._refused = None
        if refused is not None:
            await self._send(hub.texts.reset(refused))
        elif after is not None and resumed:
            self._seq, self._has_picture = after[1], True
        elif after is not None:
            await self._send(hub.texts.reset(f"Frame {after[0]}:{after[1]} cannot be continued from."))
        elif drew_before:
            await self._send(hub.texts.reset(hub.epoch_reason))
        self._greet()
        await self._send(hub.texts.hello(resumed=resumed))

    async def _send_frames(self) -> None:
        history = self._hub.history
        if history.epoch != self._epoch:
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
            if len(self._in_flight) >= IN_FLIGHT or self._hub.history is not history:
                return
        entry = history.entry
        if entry is None or entry.seq <= self._seq:
            if self._seq < history.last_seq:
                await self._catch_up(history.last_seq)
            return
        if entry.after_seq > self._seq and not await self._catch_up(entry.after_seq):
            return
        if self._hub.history is not history or entry.after_seq != self._seq:
            self._news.set()
            return
        self._seq = entry.seq
        self._in_flight.append(entry.seq)
        await self._send(entry.message)

    async def _catch_up(self, upto: int) -> bool:
        """Send the scalars after the last message up to `upto`; False when it takes another turn to get there."""
        hub, history = self._hub, self._hub.history
        messages = history.scalars_between(self._seq, upto)
        if messages is not None:
            for message in messages:
                await self._send(message)
            self._seq = upto
            return True
        self._news.set()
        stored = await hub.stored_scalars(self._seq)
        if hub.history is not history:
            return False
        if stored is not None:
            self._seq, message = stored
            await self._send(message)
            return False
        self._has_picture = False
        self._in_flight.clear()
        await self._send(hub.texts.reset("You were away for too long to get every step."))
        await self._send(hub.texts.hello(resumed=False))
        return False
