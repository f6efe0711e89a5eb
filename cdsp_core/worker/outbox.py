"""What the worker has said and the backend has not yet confirmed: numbered, bounded, thread-safe.

When the bound is reached the oldest frames are merged: their matrices go, their scalars stay, so a run that
trains on without its backend never loses a step's loss.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np

from cdsp_core.wire.frames import Frame
from cdsp_core.wire.messages.link import WorkerMessage

MERGED_FRAMES: Final = 64
MAX_MERGED_BYTES: Final = 256_000


class Outbox:
    """Messages in order, each with a number; at most `max_frames` frames with matrices, `max_bytes` of them."""

    def __init__(self, *, max_frames: int = 600, max_bytes: int = 64_000_000) -> None:
        self._entries: deque[tuple[int, WorkerMessage | Frame]] = deque()
        self._lock = threading.Lock()
        self._last = 0
        self._max_frames = max_frames
        self._max_bytes = max_bytes
        self._frames = 0
        self._bytes = 0
        self.on_put: Callable[[], None] = lambda: None

    def put(self, message: WorkerMessage | Frame) -> None:
        """Add a text message or a frame and wake the link."""
        with self._lock:
            self._last += 1
            self._entries.append((self._last, message))
            if isinstance(message, Frame) and message.kind == "frame":
                self._frames += 1
                self._bytes += _frame_bytes(message)
                if self._frames > self._max_frames or self._bytes > self._max_bytes:
                    self._merge_oldest()
        self.on_put()

    def after(self, n: int) -> list[tuple[int, str | bytes]]:
        """The messages numbered above `n`, encoded for the link."""
        with self._lock:
            waiting: list[tuple[int, WorkerMessage | Frame]] = []
            for entry in reversed(self._entries):
                if entry[0] <= n:
                    break
                waiting.append(entry)
        return [(number, _encoded(number, message)) for number, message in reversed(waiting)]

    def forget(self, n: int) -> None:
        """Drop everything up to number `n`."""
        with self._lock:
            while self._entries and self._entries[0][0] <= n:
                message = self._entries.popleft()[1]
                if isinstance(message, Frame) and message.kind == "frame":
                    self._frames -= 1
                    self._bytes -= _frame_bytes(message)

    def scalars(self, run_id: str, generation: int) -> Frame | None:
        """The scalars of everything that waits for this run, as one message; None when nothing waits."""
        with self._lock:
            frames = [message for _, message in self._entries if isinstance(message, Frame)]
        frames = [frame for frame in frames if frame.run == run_id and frame.epoch == generation]
        if not frames:
            return None
        rows = np.concatenate([frame.arrays["scalars"] for frame in frames])
        return replace(_scalars_only(frames[-1]), after_seq=frames[0].after_seq, arrays={"scalars": rows})

    def clear(self) -> None:
        """Drop everything."""
        self.forget(self._last)

    def waits(self, n: int) -> bool:
        """Whether message `n`, or one before it, has not been confirmed."""
        with self._lock:
            return bool(self._entries) and self._entries[0][0] <= n

    @property
    def last(self) -> int:
        """Number of the newest message; 0 before the first."""
        return self._last

    @property
    def frames(self) -> int:
        """Frames with matrices that wait."""
        return self._frames

    def _merge_oldest(self) -> None:
        """Turn runs of the oldest frames into messages with scalars only; the bound on frames counts no more."""
        entries = list(self._entries)
        merged: list[tuple[int, WorkerMessage | Frame]] = []
        taken = 0
        for position, (number, message) in enumerate(entries):
            if taken >= MERGED_FRAMES:
                merged.extend(entries[position:])
                break
            if not isinstance(message, Frame):
                merged.append((number, message))
                continue
            if message.kind == "frame":
                taken += 1
                self._frames -= 1
                self._bytes -= _frame_bytes(message)
            previous = merged[-1][1] if merged else None
            if isinstance(previous, Frame) and _can_join(previous, message):
                merged[-1] = (number, _joined(previous, message))
            else:
                merged.append((number, _scalars_only(message)))
        self._entries = deque(merged)


def _encoded(number: int, message: WorkerMessage | Frame) -> str | bytes:
    if isinstance(message, Frame):
        return number.to_bytes(8, "little") + message.encode()
    return message.model_copy(update={"n": number}).to_text()


def _frame_bytes(frame: Frame) -> int:
    return sum(array.nbytes for array in frame.arrays.values())


def _scalars_only(frame: Frame) -> Frame:
    return replace(frame, kind="scalars", arrays={"scalars": frame.arrays["scalars"]})


def _can_join(first: Frame, second: Frame) -> bool:
    size = first.arrays["scalars"].nbytes + second.arrays["scalars"].nbytes
    same_run = first.run == second.run and first.epoch == second.epoch
    return same_run and first.kind == "scalars" and second.after_seq == first.seq and size <= MAX_MERGED_BYTES


def _joined(first: Frame, second: Frame) -> Frame:
    rows = np.concatenate([first.arrays["scalars"], second.arrays["scalars"]])
    return replace(_scalars_only(second), after_seq=first.after_seq, arrays={"scalars": rows})
