"""The thread that writes the history: what is handed over is gathered, written in batches and tried until it is there.

Two connections: what must survive a power cut is written with synchronous FULL, frames and scalars with NORMAL.
"""

from __future__ import annotations

import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from backend.storage.archive import connected
from backend.storage.refusals import can_be_bound, refusal
from backend.storage.schema import OF_A_RUN
from backend.storage.thinning import thin_frames, thin_scalars
from backend.storage.watermark import Watermark, count_write

logger = logging.getLogger(__name__)

RETRY_S: Final = 5.0
MAX_WAITING_FRAMES: Final = 2000
SHRUNK_PAGES: Final = 4096
"""at once, of 4 KiB each"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Write:
    """One statement that waits for the disk."""

    sql: str
    values: tuple[Any, ...]
    lasting: bool
    """whether it must survive a power cut (synchronous FULL)"""
    frame_of: str | None = None
    """the run whose stored frames grow by it"""
    scalars_of: str | None = None
    """the run whose stored scalars grow by it"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Received:
    """Everything up to message `n` of a worker has been handed to the store before this."""

    worker_id: str
    n: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Forgotten:
    """A run of which nothing shall be kept; nothing of it is handed over after this."""

    run_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Settled:
    """Somebody waits until what was handed over before this is on disk, or the disk has refused it."""

    tell: Callable[[], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Shrunk:
    """The file shall give unused pages back to the disk."""


Item = Write | Received | Forgotten | Shrunk


class Writer:
    """Of one file. From its thread it calls `on_saved` when a worker's messages are on disk, and `on_error`."""

    def __init__(self, path: Path, *, frames_cap: int, scalars_cap: int, gather_s: float) -> None:
        self._path = path
        self.mark = Watermark(path)
        self._writes = 0
        self._frames_cap = frames_cap
        self._scalars_cap = scalars_cap
        self._gather_s = gather_s
        self._waiting: queue.SimpleQueue[Item | Settled | threading.Event | None] = queue.SimpleQueue()
        self._waiting_frames = 0
        self._inode: int | None = None
        self._frame_bytes: dict[str, int] = {}
        self._scalar_bytes: dict[str, int] = {}
        self._thread = threading.Thread(target=self._work, name="store", daemon=True)
        self.on_saved: Callable[[str, int], None] = lambda worker_id, n: None
        self.on_error: Callable[[str | None], None] = lambda sentence: None
        self.error: str | None = None
        """why nothing can be stored now; None while all is well"""

    def start(self, *, frame_bytes: dict[str, int], scalar_bytes: dict[str, int], writes: int) -> None:
        """Begin to write into the file, which is there; what its runs hold by now, and how many writes it has had."""
        self._frame_bytes, self._scalar_bytes, self._writes = frame_bytes, scalar_bytes, writes
        self._inode = self._path.stat().st_ino
        self._thread.start()

    def close(self) -> None:
        """Write what waits and end the thread."""
        self._waiting.put(None)
        self._thread.join(timeout=10)

    @property
    def is_alive(self) -> bool:
        """Whether the thread lives."""
        return self._thread.is_alive()

    @property
    def has_room(self) -> bool:
        """Whether the disk is near enough that another frame may wait for it."""
        return self._waiting_frames < MAX_WAITING_FRAMES

    @property
    def waiting(self) -> int:
        """How many rows wait for the disk."""
        return self._waiting.qsize()

    def size_bytes(self, run_id: str) -> int:
        """Bytes of a run's frames and scalars on disk."""
        return self._frame_bytes.get(run_id, 0) + self._scalar_bytes.get(run_id, 0)

    def put(self, item: Item | Settled | threading.Event) -> None:
        """Hand something over; it is written in order."""
        if isinstance(item, Write) and item.frame_of is not None:
            self._waiting_frames += 1
        self._waiting.put(item)

    def is_file_there(self) -> bool:
        """Whether the file is still the one which was opened."""
        try:
            return self._inode == self._path.stat().st_ino
        except OSError:
            return False

    def look_at_file(self) -> None:
        """Report a file that is no longer the one which was opened: what is written then is lost."""
        if self._inode is not None and not self.is_file_there():
            self._report(
                f"The history {self._path} is gone or was replaced; training goes on, unsaved. Start the server again."
            )

    def _work(self) -> None:
        with closing(connected(self._path, "FULL")) as lasting, closing(connected(self._path, "NORMAL")) as quick:
            ending = False
            while not ending:
                batch, done, ending = self._gathered()
                self._write_until_done(lasting, quick, batch, ending, done)
                for each in done:
                    _tell(each)

    def _gathered(self) -> tuple[list[Item], list[threading.Event | Settled], bool]:
        """What waits, after gathering for a while; who wants to know when it is written; whether to end."""
        batch: list[Item] = []
        done: list[threading.Event | Settled] = []
        item = self._waiting.get()
        deadline = time.monotonic() + self._gather_s
        while True:
            if item is None:
                return batch, done, True
            if isinstance(item, threading.Event | Settled):
                done.append(item)
                deadline = 0.0
            else:
                batch.append(item)
            try:
                rest_s = deadline - time.monotonic()
                item = self._waiting.get(timeout=rest_s) if rest_s > 0 else self._waiting.get_nowait()
            except queue.Empty:
                return batch, done, False

    def _write_until_done(
        self,
        lasting: sqlite3.Connection,
        quick: sqlite3.Connection,
        batch: list[Item],
        ending: bool,
        done: list[threading.Event | Settled],
    ) -> None:
        """Write a batch; while the disk refuses, say so once and try again. Workers keep what is not written."""
        while True:
            try:
                self._write(lasting, [item for item in batch if isinstance(item, Write) and item.lasting])
                self._write(quick, [item for item in batch if not (isinstance(item, Write) and item.lasting)])
                self._thin_where_needed(quick, batch)
                self._forget(lasting, [item.run_id for item in batch if isinstance(item, Forgotten)])
                if any(isinstance(item, Shrunk) for item in batch):
                    lasting.executescript(f"PRAGMA incremental_vacuum({SHRUNK_PAGES})")
            except (sqlite3.Error, OverflowError, TypeError, ValueError) as error:
                kept = [item for item in batch if not isinstance(item, Write) or can_be_bound(item.values)]
                if len(kept) < len(batch):
                    logger.error("%d rows are dropped that no table can hold: %s", len(batch) - len(kept), error)
                    batch[:] = kept
                    continue
                self._report(refusal(error))
                for each in [each for each in done if isinstance(each, Settled)]:
                    done.remove(each)
                    _tell(each)
                if ending:
                    return
                time.sleep(RETRY_S)
                continue
            if self.is_file_there():
                self._report(None)
            self._waiting_frames -= sum(isinstance(item, Write) and item.frame_of is not None for item in batch)
            self._saved(batch)
            return

    def _write(self, connection: sqlite3.Connection, items: list[Any]) -> None:
        if not items:
            return
        grown: dict[str, int] = {}
        with _transaction(connection):
            for item in items:
                if isinstance(item, Received):
                    sql = "INSERT OR REPLACE INTO received VALUES (?, ?)"
                    connection.execute(sql, (item.worker_id, item.n))
                elif isinstance(item, Write):
                    is_new = connection.execute(item.sql, item.values).rowcount > 0
                    if item.scalars_of is not None and is_new:
                        grown[item.scalars_of] = grown.get(item.scalars_of, 0) + len(item.values[-1])
            for run_id, size in grown.items():
                sql = (
                    "INSERT INTO sizes VALUES (?, ?) "
                    "ON CONFLICT (run_id) DO UPDATE SET scalar_bytes = scalar_bytes + excluded.scalar_bytes"
                )
                connection.execute(sql, (run_id, size))
            if is_lasting := any(isinstance(item, Write) and item.lasting for item in items):
                count_write(connection)
        if is_lasting:
            self._writes += 1
            self.mark.put(self._writes)
        for run_id, size in grown.items():
            self._scalar_bytes[run_id] = self._scalar_bytes.get(run_id, 0) + size

    def _forget(self, connection: sqlite3.Connection, run_ids: list[str]) -> None:
        for run_id in run_ids:
            with _transaction(connection):
                for table in OF_A_RUN:
                    connection.execute(f"DELETE FROM {table} WHERE run_id = ?", (run_id,))
            self._frame_bytes.pop(run_id, None)
            self._scalar_bytes.pop(run_id, None)

    def _saved(self, batch: list[Item]) -> None:
        newest = {item.worker_id: item.n for item in batch if isinstance(item, Received)}
        for worker_id, n in newest.items():
            self.on_saved(worker_id, n)

    def _report(self, sentence: str | None) -> None:
        if (sentence is None) != (self.error is None):
            self.error = sentence
            self.on_error(sentence)

    def _thin_where_needed(self, connection: sqlite3.Connection, batch: list[Item]) -> None:
        for item in batch:
            if isinstance(item, Write) and item.frame_of is not None:
                self._frame_bytes[item.frame_of] = self._frame_bytes.get(item.frame_of, 0) + len(item.values[-1])
        for run_id in {item.frame_of for item in batch if isinstance(item, Write) and item.frame_of is not None}:
            if self._frame_bytes[run_id] > self._frames_cap:
                with _transaction(connection):
                    thin_frames(connection, run_id, self._frames_cap * 3 // 4)
                sql = "SELECT COALESCE(SUM(size), 0) FROM frames WHERE run_id = ?"
                self._frame_bytes[run_id] = connection.execute(sql, (run_id,)).fetchone()[0]
        for run_id in {item.scalars_of for item in batch if isinstance(item, Write) and item.scalars_of is not None}:
            if self._scalar_bytes.get(run_id, 0) > self._scalars_cap:
                with _transaction(connection):
                    self._scalar_bytes[run_id] -= thin_scalars(connection, run_id)
                    sql = "UPDATE sizes SET scalar_bytes = ? WHERE run_id = ?"
                    connection.execute(sql, (self._scalar_bytes[run_id], run_id))


def _tell(waiting: threading.Event | Settled) -> None:
    waiting.tell() if isinstance(waiting, Settled) else waiting.set()


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.rollback()
        raise
    connection.commit()
