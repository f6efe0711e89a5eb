"""Reading the history: what `backend.storage.store` has written. Every method may be called from any thread."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import numpy as np

from backend.storage.history import in_columns
from cdsp_core.wire.frames import MAX_COUNT, Array
from cdsp_core.wire.messages.run import KeptResult

MAX_WAL_BYTES: Final = 64 * 2**20
"""what the WAL is cut to once its content is in the file"""


def connected(path: Path, synchronous: str) -> sqlite3.Connection:
    """A connection to the history; `synchronous` says how far a write has to get before it counts."""
    connection = sqlite3.connect(path, timeout=10, isolation_level=None)
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    connection.execute(f"PRAGMA journal_size_limit = {MAX_WAL_BYTES}")
    return connection


def opened(path: Path) -> sqlite3.Connection:
    """A connection for reading, which makes no file where there is none. Raises sqlite3.OperationalError."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=10, isolation_level=None)


class Archive:
    """Opens the file anew for each question, so that no reader holds up the writer."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def unused_bytes(self) -> int:
        """Bytes of the file that hold nothing, and are written again before it grows."""
        return int(self._read("PRAGMA freelist_count")[0][0]) * int(self._read("PRAGMA page_size")[0][0])

    def runs(self) -> list[dict[str, Any]]:
        """Every run's record, oldest first."""
        return [json.loads(row[0]) for row in self._read("SELECT record FROM runs ORDER BY created_ms")]

    def events(self, run_id: str) -> list[dict[str, Any]]:
        """Every event of a run, oldest first."""
        return [json.loads(text) for text in self.event_texts(run_id)]

    def event_texts(self, run_id: str) -> list[str]:
        """Every event of a run, oldest first, each as JSON."""
        return [row[0] for row in self._read("SELECT body FROM events WHERE run_id = ? ORDER BY id", run_id)]

    def answer(self, run_id: str, command_id: str) -> KeptResult | None:
        """The answer a command got."""
        rows = self._read("SELECT body FROM answers WHERE run_id = ? AND command_id = ?", run_id, command_id)
        return next((KeptResult.model_validate_json(row[0]) for row in rows), None)

    def received(self, worker_id: str) -> int:
        """Number of the last message of a worker that is on disk; 0 for none."""
        rows = self._read("SELECT n FROM received WHERE worker_id = ?", worker_id)
        return next((int(row[0]) for row in rows), 0)

    def generations(self, run_id: str) -> dict[int, tuple[tuple[int, int] | None, list[str]]]:
        """Per generation its parent (generation, step) and the names of its scalars."""
        rows = self._read("SELECT epoch, parent_epoch, parent_step, names FROM epochs WHERE run_id = ?", run_id)
        return {row[0]: (None if row[1] is None else (row[1], row[2]), json.loads(row[3])) for row in rows}

    def last_seq(self, run_id: str, generation: int) -> int:
        """Sequence number of the newest stored frame or scalars; -1 for none."""
        both = "SELECT MAX(seq) FROM {} WHERE run_id = ? AND epoch = ?"
        found = [self._read(both.format(table), run_id, generation)[0][0] for table in ("scalars", "frames")]
        return max((int(seq) for seq in found if seq is not None), default=-1)

    def frames(
        self, run_id: str, after: tuple[int, int], *, limit: int, every: int, max_bytes: int
    ) -> tuple[list[bytes], bool]:
        """Stored frames after (generation, seq), oldest first; only those whose seq is a multiple of `every`.

        At most `limit`, and no more once they have `max_bytes`; and whether there may be more.
        """
        sql = (
            "SELECT body FROM frames WHERE run_id = ? AND (epoch, seq) > (?, ?) AND seq % ? = 0 "
            "ORDER BY epoch, seq LIMIT ?"
        )
        found: list[bytes] = []
        size = 0
        with closing(opened(self._path)) as connection:
            for (body,) in connection.execute(sql, (run_id, *after, every, limit)):
                found.append(body)
                size += len(body)
                if size >= max_bytes:
                    return found, True
        return found, len(found) == limit

    def frame(self, run_id: str, generation: int, seq: int) -> bytes | None:
        """The newest stored frame of a generation at or before `seq`."""
        sql = "SELECT body FROM frames WHERE run_id = ? AND epoch = ? AND seq <= ? ORDER BY seq DESC LIMIT 1"
        return next((row[0] for row in self._read(sql, run_id, generation, seq)), None)

    def lineage(self, run_id: str, generation: int) -> list[tuple[int, int | None]]:
        """A generation and those that it was continued from, newest first: each with the last step that counts."""
        generations = self.generations(run_id)
        found: list[tuple[int, int | None]] = []
        upto: int | None = None
        wanted: int | None = generation
        while wanted is not None:
            found.append((wanted, upto))
            parent = generations[wanted][0] if wanted in generations else None
            wanted = None if parent is None else parent[0]
            if parent is not None:
                upto = parent[1] if upto is None else min(upto, parent[1])
        return found

    def moments(self, run_id: str, generation: int, steps: Sequence[int]) -> list[bytes]:
        """For each step the stored frame nearest to it, of the generation or of what it was continued from.

        Frames that are nearest to several steps come once; the list follows the steps. Empty where none is stored.
        """
        lineage = self.lineage(run_id, generation)
        found: dict[int, None] = {}
        with closing(connected(self._path, "NORMAL")) as connection:
            for step in steps:
                row = _nearest(connection, run_id, lineage, step)
                if row is not None:
                    found[row] = None
            sql = "SELECT body FROM frames WHERE rowid = ?"
            rows = [connection.execute(sql, (rowid,)).fetchone() for rowid in found]
        return [row[0] for row in rows if row is not None]  # one may have been thinned out this moment

    def last_step(self, run_id: str, generation: int) -> int | None:
        """The newest step of which a generation, or what it was continued from, has a stored frame; None for none."""
        sql = "SELECT MAX(step) FROM frames WHERE run_id = ? AND epoch = ? AND step <= ?"
        for epoch, upto in self.lineage(run_id, generation):
            step = self._read(sql, run_id, epoch, MAX_COUNT if upto is None else upto)[0][0]
            if step is not None:
                return int(step)
        return None

    def scalars(
        self, run_id: str, generation: int, *, upto_step: int | None = None, names: list[str] | None = None
    ) -> Array | None:
        """Every step's scalars [steps, names] of a generation and of what it was continued from; None for none.

        Columns are `names`, or else those of the generation: another version may have measured other things before it.
        """
        generations = self.generations(run_id)
        if names is None and generation in generations:
            names = generations[generation][1]
        parts: list[Array] = []
        wanted: int | None = generation
        while wanted is not None:
            rows = self._scalar_rows("SELECT columns, body FROM scalars WHERE run_id = ? AND epoch = ? ORDER BY seq",
                                     run_id, wanted)  # fmt: skip
            if rows is not None:
                if names is not None and wanted in generations:
                    rows = in_columns(rows, generations[wanted][1], names)
                parts.insert(0, rows if upto_step is None else rows[rows[:, 0] <= upto_step])
            parent = generations[wanted][0] if wanted in generations else None
            wanted = None if parent is None else parent[0]
            if parent is not None:
                upto_step = parent[1] if upto_step is None else min(upto_step, parent[1])
        return np.concatenate(parts) if parts else None

    def newest_values(self, run_id: str, *, pieces: int = 200) -> dict[str, float]:
        """By name the newest value of every scalar, as far as the last generation's last stored pieces have it."""
        (newest,) = self._read("SELECT MAX(epoch) FROM scalars WHERE run_id = ?", run_id)[0]
        names = [] if newest is None else self.generations(run_id).get(newest, (None, []))[1]
        if not names:
            return {}
        sql = "SELECT columns, body FROM scalars WHERE run_id = ? AND epoch = ? ORDER BY seq DESC LIMIT ?"
        rows = self._scalar_rows(sql, run_id, newest, pieces)
        if rows is None or rows.shape[1] != len(names):
            return {}
        newest_first = rows[np.argsort(-rows[:, 0], kind="stable")]
        first = np.argmax(~np.isnan(newest_first), axis=0)
        return dict(zip(names, newest_first[first, np.arange(len(names))].tolist(), strict=True))

    def scalar_pieces(self, run_id: str, generation: int, size: int) -> Iterator[Array]:
        """A generation's own scalars, `size` stored pieces at a time."""
        seq = -1
        sql = "SELECT seq, columns, body FROM scalars WHERE run_id = ? AND epoch = ? AND seq > ? ORDER BY seq LIMIT ?"
        while pieces := self._read(sql, run_id, generation, seq, size):
            seq = pieces[-1][0]
            yield np.concatenate([np.frombuffer(piece[2], dtype="<f4").reshape(-1, piece[1]) for piece in pieces])

    def scalars_between(self, run_id: str, generation: int, after: int, upto: int, *, most: int) -> Array | None:
        """The scalars of the frames after + 1 to `upto`; None when they are not stored exactly or above `most` rows."""
        sql = (
            "SELECT columns, body FROM scalars WHERE run_id = ? AND epoch = ? AND seq > ? AND seq <= ? "
            "ORDER BY seq LIMIT ?"
        )
        edges = self._read(
            "SELECT COUNT(*) FROM scalars WHERE run_id = ? AND epoch = ? AND after_seq < ? AND seq > ?",
            run_id, generation, after, after,
        )  # fmt: skip
        if edges[0][0] or self.last_seq(run_id, generation) < upto:
            return None
        rows = self._scalar_rows(sql, run_id, generation, after, upto, most + 1)
        if rows is None:
            return np.empty((0, 0), dtype=np.float32)
        return None if len(rows) > most else rows

    def _scalar_rows(self, sql: str, *values: Any) -> Array | None:
        parts = [np.frombuffer(body, dtype="<f4").reshape(-1, columns) for columns, body in self._read(sql, *values)]
        return np.concatenate(parts) if parts else None

    def _read(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with closing(opened(self._path)) as connection:
            return connection.execute(sql, values).fetchall()


NEAREST: Final = (
    "SELECT rowid, step FROM frames WHERE run_id = ? AND epoch = ? AND step <= ? ORDER BY step DESC LIMIT 1",
    "SELECT rowid, step FROM frames WHERE run_id = ? AND epoch = ? AND step > ? AND step <= ? ORDER BY step LIMIT 1",
)
"""the newest frame up to a step, and the first after it; both follow the index of steps"""


def _nearest(
    connection: sqlite3.Connection, run_id: str, lineage: Sequence[tuple[int, int | None]], step: int
) -> int | None:
    """The row of the frame nearest to a step, the earlier of two as near; None where there is none.

    `lineage` is newest first, so the frame after the step may be of a generation that comes before in it.
    """
    after: tuple[int, int] | None = None
    for epoch, upto in lineage:
        last = MAX_COUNT if upto is None else upto
        before = connection.execute(NEAREST[0], (run_id, epoch, min(step, last))).fetchone()
        after = connection.execute(NEAREST[1], (run_id, epoch, step, last)).fetchone() or after
        if before is not None:
            return int(after[0] if after is not None and after[1] - step < step - before[1] else before[0])
    return None if after is None else int(after[0])
