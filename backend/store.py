"""The history on disk: one SQLite file in WAL mode. Writes are gathered and made by a thread of their own.

Two connections: run state, events and answers are written with synchronous FULL, frames and scalars with
NORMAL. Scalars are kept apart from frames, so old frames can be thinned out without losing a step.
"""

from __future__ import annotations

import asyncio
import json
import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from backend.archive import Archive, connected
from backend.schema import OF_A_RUN, NewerSchemaError, prepare
from backend.thinning import thin_frames
from cdsp_core.wire.frames import Array, to_json_text
from cdsp_core.wire.messages.run import Event, KeptResult

logger = logging.getLogger(__name__)

RETRY_S: Final = 5.0
MAX_WAITING_FRAMES: Final = 2000


class StoreError(OSError):
    """The data folder cannot be used; the message is one sentence and a way out."""


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


Item = Write | Received | Forgotten


class Store:
    """Writes return at once; `on_saved` is called from the store's thread when a worker's messages are on disk."""

    def __init__(self, path: Path, *, frames_mib_a_run: int = 256, gather_s: float = 0.2) -> None:
        self._path = path
        self.archive = Archive(path)
        self._cap_bytes = frames_mib_a_run * 2**20
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

    def open(self) -> None:
        """Make or open the file and begin writing. Raises StoreError."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with closing(connected(self._path, "FULL")) as connection:
                connection.execute("PRAGMA journal_mode = WAL")
                prepare(connection)
                sizes = connection.execute("SELECT run_id, SUM(size) FROM frames GROUP BY run_id")
                self._frame_bytes = dict(sizes.fetchall())
                self._scalar_bytes = dict(connection.execute("SELECT run_id, scalar_bytes FROM sizes").fetchall())
        except NewerSchemaError as error:
            raise StoreError(
                f"The history {self._path} was written by a newer version ({error}). "
                "Start that version, or choose another folder with --data-dir."
            ) from error
        except (OSError, sqlite3.OperationalError) as error:
            raise StoreError(
                f"The data folder {self._path.parent} cannot be written ({error}). Choose another with --data-dir."
            ) from error
        except sqlite3.Error as error:
            raise StoreError(
                f"The history {self._path} is damaged ({error}). "
                "Move it to another folder to begin a new one, or choose another with --data-dir."
            ) from error
        self._inode = self._path.stat().st_ino
        self._thread.start()

    def close(self) -> None:
        """Write what waits and end the thread."""
        self._waiting.put(None)
        self._thread.join(timeout=10)

    def flush(self) -> None:
        """Wait until everything handed over so far is written."""
        if self.error is not None:
            return
        done = threading.Event()
        self._waiting.put(done)
        done.wait(timeout=10)

    @property
    def can_go_on(self) -> bool:
        """Whether what is handed over reaches the disk, or will once the disk takes it again."""
        return self._thread.is_alive() and self._is_file_there()

    def look_at_file(self) -> None:
        """Report a file that is no longer the one which was opened: what is written then is lost."""
        if self._inode is not None and not self._is_file_there():
            self._report(
                f"The history {self._path} is gone or was replaced; training goes on, unsaved. Start the server again."
            )

    async def settled(self) -> None:
        """Wait until what was handed over so far is on disk; at once while the disk refuses, which `error` says."""
        if self.error is not None or not self._thread.is_alive():
            return
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def tell() -> None:
            with suppress(RuntimeError):  # the loop has closed: nobody waits
                loop.call_soon_threadsafe(done.set)

        self._waiting.put(Settled(tell=tell))
        await done.wait()

    def kept_answer(self, run_id: str, command_id: str) -> KeptResult | None:
        """The answer a command got, as far as it is on disk; none while that cannot be read, since commands go on."""
        try:
            return self.archive.answer(run_id, command_id)
        except (sqlite3.Error, ValueError) as error:
            logger.warning("an answer cannot be read: %s", error)
            return None

    def size_bytes(self, run_id: str) -> int:
        """Bytes of a run's frames and scalars on disk."""
        return self._frame_bytes.get(run_id, 0) + self._scalar_bytes.get(run_id, 0)

    # writing

    def save_run(self, run_id: str, created_ms: float, record: dict[str, Any]) -> None:
        sql = "INSERT OR REPLACE INTO runs VALUES (?, ?, ?)"
        self._put(Write(sql=sql, values=(run_id, created_ms, to_json_text(record)), lasting=True))

    def save_generation(self, run_id: str, generation: int, parent: tuple[int, int] | None, names: list[str]) -> None:
        """A generation's parent, as generation and step, and the names of its scalars."""
        sql = "INSERT OR REPLACE INTO epochs VALUES (?, ?, ?, ?, ?)"
        values = (run_id, generation, *(parent or (None, None)), json.dumps(names))
        self._put(Write(sql=sql, values=values, lasting=True))

    def save_event(self, run_id: str, source: str, n: int, event: Event) -> None:
        """`source` and `n` name the event: the same one twice is stored once."""
        sql = "INSERT OR IGNORE INTO events (run_id, source, n, body) VALUES (?, ?, ?, ?)"
        self._put(Write(sql=sql, values=(run_id, source, n, event.to_text()), lasting=True))

    def save_answer(self, run_id: str, answer: KeptResult) -> None:
        """The answer of a command, which keeps its first one."""
        sql = "INSERT OR IGNORE INTO answers VALUES (?, ?, ?)"
        self._put(Write(sql=sql, values=(run_id, answer.command_id, answer.to_text()), lasting=True))

    def save_frame(
        self,
        run_id: str,
        generation: int,
        seq: int,
        *,
        after_seq: int,
        step: int,
        message: bytes | None,
        scalars: Array,
    ) -> None:
        """A frame's scalars, and its message unless it is None or the disk is too far behind."""
        key = (run_id, generation, seq)
        if len(scalars):
            body = np.ascontiguousarray(scalars, dtype="<f4").tobytes()
            sql = "INSERT OR IGNORE INTO scalars VALUES (?, ?, ?, ?, ?, ?)"
            values = (*key, after_seq, scalars.shape[1], body)
            self._put(Write(sql=sql, values=values, lasting=False, scalars_of=run_id))
        if message is not None and self._waiting_frames < MAX_WAITING_FRAMES:
            self._waiting_frames += 1
            sql = "INSERT OR IGNORE INTO frames VALUES (?, ?, ?, ?, ?, ?)"
            self._put(Write(sql=sql, values=(*key, step, len(message), message), lasting=False, frame_of=run_id))

    def forget(self, run_id: str) -> None:
        """Delete everything of a run, of which nothing may be saved any more."""
        self._put(Forgotten(run_id=run_id))

    def save_received(self, worker_id: str, n: int) -> None:
        """Everything of this worker up to `n` has been handed over; `on_saved` follows when it is on disk."""
        self._put(Received(worker_id=worker_id, n=n))

    # the writing thread

    def _put(self, item: Item) -> None:
        self._waiting.put(item)

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
            except (sqlite3.Error, OverflowError, TypeError, ValueError) as error:
                kept = [item for item in batch if not isinstance(item, Write) or _can_be_bound(item.values)]
                if len(kept) < len(batch):
                    logger.error("%d rows are dropped that no table can hold: %s", len(batch) - len(kept), error)
                    batch[:] = kept
                    continue
                self._report(_refusal(error))
                for each in [each for each in done if isinstance(each, Settled)]:
                    done.remove(each)
                    _tell(each)
                if ending:
                    return
                time.sleep(RETRY_S)
                continue
            if self._is_file_there():
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

    def _is_file_there(self) -> bool:
        try:
            return self._inode == self._path.stat().st_ino
        except OSError:
            return False

    def _report(self, sentence: str | None) -> None:
        if (sentence is None) != (self.error is None):
            self.error = sentence
            self.on_error(sentence)

    def _thin_where_needed(self, connection: sqlite3.Connection, batch: list[Item]) -> None:
        for item in batch:
            if isinstance(item, Write) and item.frame_of is not None:
                self._frame_bytes[item.frame_of] = self._frame_bytes.get(item.frame_of, 0) + len(item.values[-1])
        for run_id in {item.frame_of for item in batch if isinstance(item, Write) and item.frame_of is not None}:
            if self._frame_bytes[run_id] > self._cap_bytes:
                with _transaction(connection):
                    thin_frames(connection, run_id, self._cap_bytes * 3 // 4)
                sql = "SELECT COALESCE(SUM(size), 0) FROM frames WHERE run_id = ?"
                self._frame_bytes[run_id] = connection.execute(sql, (run_id,)).fetchone()[0]


def _can_be_bound(values: tuple[Any, ...]) -> bool:
    """Whether SQLite can hold these values at all."""
    with closing(sqlite3.connect(":memory:")) as connection:
        try:
            connection.execute(f"SELECT {','.join('?' * len(values))}", values)
        except (OverflowError, TypeError, ValueError, sqlite3.Error):
            return False
    return True


def _refusal(error: Exception) -> str:
    """Why nothing is stored, and a way out that fits."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    way_out = {
        sqlite3.SQLITE_FULL: "Free space on the disk.",
        sqlite3.SQLITE_IOERR: "The disk has an error or is full: free space, or look at it.",
        sqlite3.SQLITE_READONLY: "Make the data folder writable.",
        sqlite3.SQLITE_BUSY: "Another program holds the file: end it.",
        sqlite3.SQLITE_CANTOPEN: "The data folder is gone or may not be used: start the server again.",
        sqlite3.SQLITE_CORRUPT: "The file is damaged: stop the server and move it away.",
    }.get(code, "Start the server again; if that does not help, move the file away.")
    return f"The history cannot be written ({error}); training goes on. {way_out}"


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
