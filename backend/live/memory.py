"""What of one run is in memory, read from the store when somebody needs it and left to it when nobody does."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Final

from backend.live.past import Past
from backend.live.state import RunState
from backend.storage.eventlog import EventLog
from backend.storage.history import Entry, History, in_columns
from backend.storage.store import Store
from cdsp_core.wire.frames import Array, Frame
from cdsp_core.wire.messages.link import Started

UNUSED_TICKS: Final = 60
"""seconds after which an ended run that nobody watches is kept on disk only"""
RATE_OVER_S: Final = 10.0


class Memory:
    """The generation that runs: `history`, and the newest `events`. What comes in goes to the store as well."""

    def __init__(self, state: RunState, *, store: Store, past: Past) -> None:
        self.history = History(state.run_id, state.generation)
        self.events = EventLog(state.run_id, store)
        self._state = state
        self._store = store
        self._past = past
        self._loaded = state.generation < 0
        self._loading = asyncio.Lock()
        self._unused_ticks = 0
        self._arrivals: deque[float] = deque(maxlen=1000)

    @property
    def frame_age_s(self) -> float | None:
        """Seconds since the newest frame came; None before the first."""
        return time.monotonic() - self._arrivals[-1] if self._arrivals else None

    @property
    def frames_per_s(self) -> float:
        """Frames that came in the last ten seconds, a second."""
        since = time.monotonic() - RATE_OVER_S
        return sum(arrived > since for arrived in self._arrivals) / RATE_OVER_S

    async def load(self) -> None:
        """Read from the store what a new process does not know yet. Training and viewers wait for nothing else."""
        async with self._loading:
            if self._loaded:
                return
            past = await self._past.recall(self._state.generation)
            self.events.recall(past.events, past.event_count)
            if self.history.last_seq < 0 and past.last_seq >= 0:
                if past.rows is not None:
                    self.history.inherit(past.rows)
                self.history.recall(past.frame, past.last_seq)
                if self.history.newest is not None:
                    self._state.recall(self.history.newest.step)
            self._loaded = True

    def tick(self, *, is_watched: bool) -> None:
        """Once a second: an ended run that nobody watches leaves memory; `load` reads it again."""
        in_use = is_watched or self._state.active or self.history.newest is None or not self._loaded
        self._unused_ticks = 0 if in_use else self._unused_ticks + 1
        if self._unused_ticks > UNUSED_TICKS:
            self.history = History(self._state.run_id, self._state.generation)
            self.events = EventLog(self._state.run_id, self._store)
            self._loaded = False

    async def can_resume(self, generation: int, seq: int) -> bool:
        """Whether a viewer that has drawn frame `generation`:`seq` can get exactly what came after it."""
        if not self.history.knows(generation, seq):
            return False
        return self.history.holds_after(seq) or await self.stored_scalars(seq) is not None

    async def stored_scalars(self, after: int) -> tuple[int, bytes] | None:
        """What memory no longer holds of the scalars after frame `after`, from disk.

        A sequence number that memory covers from, and a message that covers what is between; None when the disk has
        not got it exactly, or when it is so much that a snapshot serves better.
        """
        history = self.history
        edge = history.first_after
        if after >= edge:
            return None
        columns = len(self._state.described.scalar_names)
        message = await self._past.missed(history.generation, after, edge, columns=columns)
        return None if message is None else (edge, message)

    def newest_values(self) -> dict[str, float] | None:
        """The newest value measured of every scalar, by name; None when memory holds none."""
        values = self.history.newest_values()
        if values is None:
            return None
        return dict(zip(self._state.described.scalar_names, values.tolist(), strict=True))

    async def continued(self, message: Started, parent: tuple[int, int] | None) -> History:
        """The history of a generation that begins now, with the rows of `parent` (generation, step) before its own."""
        history = History(self._state.run_id, message.epoch)
        rows = None if parent is None else await self._rows_before(parent, wanted=message.static.scalar_names)
        if rows is not None:
            history.inherit(rows)
        return history

    def add(self, frame: Frame, message: bytes) -> Entry | None:
        """Keep a frame, here and in the store; the entry to show, or None when it was known already.

        Raises LookupError when frames between the newest one and this are missing.
        """
        entry = self.history.add(frame, message)
        if entry is not None:
            self._arrivals.append(time.monotonic())
            self._store.save_frame(
                self._state.run_id,
                frame.epoch,
                entry.seq,
                after_seq=entry.after_seq,
                step=frame.step,
                message=entry.message if frame.kind == "frame" else None,
                scalars=entry.scalars,
            )
        return entry

    def go_on_after(self, frame: Frame) -> None:
        """Frames before this one are lost: what comes follows what is kept."""
        kept = self.history.rows()
        self.history = History(self._state.run_id, frame.epoch)
        self.history.recall(None, frame.after_seq)
        if kept is not None:
            self.history.inherit(kept)

    async def _rows_before(self, parent: tuple[int, int], *, wanted: list[str]) -> Array | None:
        """The scalars up to where a new generation is continued from, with its columns `wanted`."""
        before, names = self.history, self._state.described.scalar_names
        if parent[0] != self._state.generation:
            return await self._past.rows_upto(*parent, names=wanted)
        await self._take_undelivered(before, parent)
        rows = before.rows()
        return None if rows is None else in_columns(rows[rows[:, 0] <= parent[1]], names, wanted)

    async def _take_undelivered(self, history: History, parent: tuple[int, int]) -> None:
        """Take the scalars that the last worker left beside its checkpoint."""
        left = await self._past.undelivered(*parent)
        if (
            left is not None
            and history is self.history
            and history.last_seq >= 0
            and left.after_seq <= history.last_seq
        ):
            self.add(left, left.encode())
