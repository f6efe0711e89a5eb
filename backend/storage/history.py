"""What a hub remembers of one generation: the newest frames as sent, and every step's scalars, thinned to a bound."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from cdsp_core.wire.frames import Array, Frame, decode_frame

MAX_SNAPSHOT_ROWS: Final = 4000
MAX_RING_ENTRIES: Final = 600
MAX_RING_BYTES: Final = 32_000_000


class ScalarHistory:
    """Rows of scalars, at most `max_rows`: beyond that, neighbours are merged and the stride doubles.

    A merged row is the last one of its stretch; where that has NaN it holds the last value measured in the
    stretch, so a test accuracy taken every 20 steps survives any stride.
    """

    def __init__(self, columns: int, *, max_rows: int = MAX_SNAPSHOT_ROWS) -> None:
        assert max_rows % 2 == 0
        self._rows = np.empty((max_rows, columns), dtype=np.float32)
        self._count = 0
        self._open = np.empty((0, columns), dtype=np.float32)
        self._open_count = 0
        self.stride = 1

    def append(self, rows: Array) -> None:
        """Add rows [steps, columns], oldest first."""
        while len(rows):
            whole = 0 if self._open_count else min(len(rows) // self.stride, len(self._rows) - self._count)
            if whole:
                taken, rows = np.split(rows, [whole * self.stride])
                self._keep(_last_values(taken.reshape(whole, self.stride, -1)))
                continue
            taken, rows = np.split(rows, [self.stride - self._open_count])
            self._open = _merged(np.concatenate([self._open, taken]))
            self._open_count += len(taken)
            if self._open_count == self.stride:
                self._keep(self._open)
                self._open, self._open_count = self._open[:0], 0

    def rows(self) -> Array:
        """The rows kept, oldest first."""
        return np.concatenate([self._rows[: self._count], self._open])

    def newest(self, rows: int = 256) -> Array:
        """One row: per column the newest value that was measured in the last `rows` kept, or NaN."""
        kept = np.concatenate([self._rows[max(0, self._count - rows) : self._count], self._open])
        return _merged(kept)[0] if len(kept) else np.full(self._rows.shape[1], np.nan, dtype=np.float32)

    def _keep(self, rows: Array) -> None:
        """Add rows of a whole stretch each, no more than there is room for."""
        self._rows[self._count : self._count + len(rows)] = rows
        self._count += len(rows)
        if self._count == len(self._rows):
            self._halve()

    def _halve(self) -> None:
        kept = self._count // 2
        first, second = self._rows[0 : self._count : 2], self._rows[1 : self._count : 2]
        self._rows[:kept] = np.where(np.isnan(second), first, second)
        self._count = kept
        self.stride *= 2


def in_columns(rows: Array, names: list[str], wanted: list[str]) -> Array:
    """Rows whose columns are `names`, with the columns `wanted`: NaN where they have no such column."""
    if names == wanted:
        return rows
    position = {name: column for column, name in enumerate(names)}
    moved = np.full((len(rows), len(wanted)), np.nan, dtype=np.float32)
    for column, name in enumerate(wanted):
        if name in position:
            moved[:, column] = rows[:, position[name]]
    return moved


def _merged(rows: Array) -> Array:
    """One row: per column the last value that is not NaN."""
    return _last_values(rows[None])


def _last_values(rows: Array) -> Array:
    """Rows [stretches, columns] of [stretches, steps, columns]: per column the last value that is not NaN."""
    if rows.shape[1] == 1:
        return rows[:, 0]
    last = rows.shape[1] - 1 - np.argmax(~np.isnan(rows[:, ::-1]), axis=1)
    values: Array = np.take_along_axis(rows, last[:, None], axis=1)[:, 0]
    return values


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One frame as it goes to viewers, and its scalars."""

    seq: int
    after_seq: int
    step: int
    message: bytes
    scalars: Array
    is_picture: bool
    """whether it has matrices, too, and so is acknowledged"""


class History:
    """One generation of one run in memory. `inherited` rows come from before a restart or restore."""

    def __init__(self, run_id: str, generation: int) -> None:
        self.run_id = run_id
        self.generation = generation
        self.newest: Frame | None = None
        """the newest frame with matrices"""
        self.last_seq = -1
        self.last_step = -1
        self._ring: list[Entry] = []
        self._ring_bytes = 0
        self._scalars: ScalarHistory | None = None
        self._gaps: dict[tuple[int, int], bytes] = {}
        self._snapshot: tuple[int, bytes] | None = None

    def inherit(self, rows: Array) -> None:
        """Rows of the time before those that will be added, thinned already; shown before them. None may be there."""
        if not len(rows):
            return
        self._append_scalars(rows)
        self.last_step = int(rows[-1, 0])

    def add(self, frame: Frame, message: bytes) -> Entry | None:
        """Keep a frame; the entry to send, or None when it was known already.

        Raises LookupError when frames between the newest one and this are missing.
        """
        if frame.seq <= self.last_seq:
            return None
        if frame.after_seq > self.last_seq:
            raise LookupError(f"frames {self.last_seq + 1} to {frame.after_seq} are missing.")
        rows = frame.arrays["scalars"]
        if frame.after_seq < self.last_seq:
            rows = rows[rows[:, 0] > self.last_step]
            frame = replace(frame, after_seq=self.last_seq, arrays={**frame.arrays, "scalars": rows})
            message = frame.encode()
        entry = Entry(
            seq=frame.seq,
            after_seq=frame.after_seq,
            step=frame.step,
            message=message,
            scalars=rows,
            is_picture=frame.kind == "frame",
        )
        self._append_scalars(rows)
        self._ring.append(entry)
        self._ring_bytes += len(message)
        while len(self._ring) > MAX_RING_ENTRIES or self._ring_bytes > MAX_RING_BYTES:
            self._ring_bytes -= len(self._ring.pop(0).message)
        self.last_seq = frame.seq
        if len(rows):
            self.last_step = int(rows[-1, 0])
        if frame.kind == "frame":
            self.newest = frame
        return entry

    def recall(self, message: bytes | None, last_seq: int) -> None:
        """Continue after what the store holds up to `last_seq`; `message` is the newest frame of that."""
        self.last_seq = last_seq
        if message is None:
            return
        frame = self.newest = decode_frame(message)
        if frame.seq == last_seq:
            rows = frame.arrays["scalars"]
            entry = Entry(
                seq=frame.seq,
                after_seq=frame.after_seq,
                step=frame.step,
                message=message,
                scalars=rows,
                is_picture=True,
            )
            self._ring.append(entry)
            self._ring_bytes += len(message)

    def begin_with(self, snapshot: Frame) -> None:
        """Go on after a snapshot; nothing was here before."""
        rows = snapshot.arrays["scalars"]
        self.inherit(rows)
        self.last_seq = snapshot.seq
        self.newest = replace(snapshot, kind="frame", arrays={**snapshot.arrays, "scalars": rows[-1:]})

    def rows(self) -> Array | None:
        """Every step's scalars, thinned; None before the first."""
        return None if self._scalars is None else self._scalars.rows()

    def newest_values(self) -> Array | None:
        """The newest value measured of every scalar; None before the first."""
        return None if self._scalars is None else self._scalars.newest()

    @property
    def entry(self) -> Entry | None:
        """The newest entry."""
        return self._ring[-1] if self._ring else None

    @property
    def first_after(self) -> int:
        """Memory covers the scalars of every frame after this one."""
        return self._ring[0].after_seq if self._ring else self.last_seq

    def knows(self, generation: int, seq: int) -> bool:
        """Whether frame `generation`:`seq` is one of this history, and there is a picture to go on from."""
        return generation == self.generation and 0 <= seq <= self.last_seq and self.newest is not None

    def holds_after(self, seq: int) -> bool:
        """Whether every scalar after frame `seq` is in memory."""
        return self.scalars_between(seq, self.last_seq) is not None

    def scalars_between(self, after: int, upto: int) -> list[bytes] | None:
        """Messages of kind `scalars` that cover after + 1 to `upto`; None when memory does not hold them all.

        Few missing frames come one by one, encoded once for every viewer that misses them; many come merged.
        """
        if after == upto:
            return []
        first = bisect_left(self._ring, after + 1, key=lambda entry: entry.seq)
        last = bisect_left(self._ring, upto, key=lambda entry: entry.seq)
        if first >= len(self._ring) or self._ring[first].after_seq != after or self._ring[last].seq != upto:
            return None
        stretches = [[entry] for entry in self._ring[first : last + 1]]
        if len(stretches) > 4:
            stretches = [self._ring[first : last + 1]]
        return [self._gap(stretch) for stretch in stretches]

    def snapshot(self) -> tuple[int, bytes] | None:
        """Sequence number and message of a complete picture; None before the first frame.

        Made anew only when memory no longer holds what came after the last one, or after 30 frames.
        """
        if self.newest is None:
            return None
        kept = self._snapshot
        if kept is not None and kept[0] >= self.first_after and self.last_seq - kept[0] <= 30:
            return kept
        scalars = self._scalars.rows() if self._scalars is not None else self.newest.arrays["scalars"][:0]
        arrays = {**self.newest.arrays, "scalars": scalars}
        picture = replace(self.newest, kind="snapshot", seq=self.last_seq, after_seq=-1, arrays=arrays)
        self._snapshot = (self.last_seq, picture.encode())
        return self._snapshot

    def _gap(self, entries: list[Entry]) -> bytes:
        key = (entries[0].after_seq, entries[-1].seq)
        if key not in self._gaps:
            if len(self._gaps) >= 256:
                self._gaps.clear()
            self._gaps[key] = scalars_message(
                self.run_id,
                self.generation,
                after_seq=key[0],
                seq=key[1],
                rows=np.concatenate([entry.scalars for entry in entries]),
                step=entries[-1].step,
            )
        return self._gaps[key]

    def _append_scalars(self, rows: Array) -> None:
        if self._scalars is None:
            self._scalars = ScalarHistory(rows.shape[1])
        self._scalars.append(rows)


def scalars_message(run_id: str, generation: int, *, after_seq: int, seq: int, rows: Array, step: int) -> bytes:
    """A message of kind `scalars` that covers after_seq + 1 to seq."""
    return Frame(
        run=run_id,
        epoch=generation,
        seq=seq,
        after_seq=after_seq,
        step=step,
        revision=0,
        time_ms=0.0,
        kind="scalars",
        arrays={"scalars": rows},
    ).encode()
