"""The history on disk: one SQLite file in WAL mode, and what is kept in it of runs, events, answers and frames.

Scalars are kept apart from frames, so old frames can be thinned out without losing a step.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
import threading
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import numpy as np

from backend.storage.archive import Archive, connected
from backend.storage.schema import NewerSchemaError, prepare
from backend.storage.watermark import writes_of
from backend.storage.writer import Forgotten, Received, Settled, Shrunk, Write, Writer
from cdsp_core.wire.frames import Array, to_json_text
from cdsp_core.wire.messages.run import Event, KeptResult

logger = logging.getLogger(__name__)


class StoreError(OSError):
    """The data folder cannot be used; the message is one sentence and a way out."""


class Store:
    """Writes return at once: `writer` carries them to disk, `archive` reads what is there."""

    def __init__(
        self, path: Path, *, frames_mib_a_run: int = 256, scalars_mib_a_run: int = 64, gather_s: float = 0.2
    ) -> None:
        self._path = path
        self.archive = Archive(path)
        self.writer = Writer(
            path, frames_cap=frames_mib_a_run * 2**20, scalars_cap=scalars_mib_a_run * 2**20, gather_s=gather_s
        )
        self.missing: str | None = None
        """what was found missing at the start, as a sentence"""

    @property
    def error(self) -> str | None:
        """Why nothing can be stored now; None while all is well."""
        return self.writer.error

    def open(self) -> None:
        """Make or open the file and begin writing. Raises StoreError."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._refuse_empty()
            with closing(connected(self._path, "FULL")) as connection:
                connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # of a new file; an older one keeps its own
                connection.execute("PRAGMA journal_mode = WAL")
                prepare(connection)
                writes = writes_of(connection)
                sizes = connection.execute("SELECT run_id, SUM(size) FROM frames GROUP BY run_id")
                frame_bytes = dict(sizes.fetchall())
                scalar_bytes = dict(connection.execute("SELECT run_id, scalar_bytes FROM sizes").fetchall())
        except StoreError:
            raise
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
        self.missing = self.writer.mark.missing(writes)
        self.writer.mark.put(writes)  # it is told of once
        self.writer.start(frame_bytes=frame_bytes, scalar_bytes=scalar_bytes, writes=writes)

    def _refuse_empty(self) -> None:
        """Raises StoreError where a file without content stands in place of a history that had some."""
        if self._path.exists() and not self._path.stat().st_size and self.writer.mark.beside():
            raise StoreError(
                f"The history {self._path} is empty, and it had {self.writer.mark.beside()} writes. Put the file back, "
                f"or delete {self.writer.mark.path} to begin a new one."
            )

    def close(self) -> None:
        """Write what waits and end the thread."""
        self.writer.close()

    def flush(self) -> None:
        """Wait until everything handed over so far is written."""
        if self.error is not None:
            return
        done = threading.Event()
        self.writer.put(done)
        done.wait(timeout=10)

    @property
    def can_go_on(self) -> bool:
        """Whether what is handed over reaches the disk, or will once the disk takes it again."""
        return self.writer.is_alive and self.writer.is_file_there()

    async def settled(self) -> None:
        """Wait until what was handed over so far is on disk; at once while the disk refuses, which `error` says."""
        if self.error is not None or not self.writer.is_alive:
            return
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def tell() -> None:
            with suppress(RuntimeError):  # the loop has closed: nobody waits
                loop.call_soon_threadsafe(done.set)

        self.writer.put(Settled(tell=tell))
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
        return self.writer.size_bytes(run_id)

    # writing

    def save_run(self, run_id: str, created_ms: float, record: dict[str, Any]) -> None:
        sql = "INSERT OR REPLACE INTO runs VALUES (?, ?, ?)"
        self.writer.put(Write(sql=sql, values=(run_id, created_ms, to_json_text(record)), lasting=True))

    def save_generation(self, run_id: str, generation: int, parent: tuple[int, int] | None, names: list[str]) -> None:
        """A generation's parent, as generation and step, and the names of its scalars."""
        sql = "INSERT OR REPLACE INTO epochs VALUES (?, ?, ?, ?, ?)"
        values = (run_id, generation, *(parent or (None, None)), json.dumps(names))
        self.writer.put(Write(sql=sql, values=values, lasting=True))

    def save_event(self, run_id: str, source: str, n: int, event: Event) -> None:
        """`source` and `n` name the event: the same one twice is stored once."""
        sql = "INSERT OR IGNORE INTO events (run_id, source, n, body) VALUES (?, ?, ?, ?)"
        self.writer.put(Write(sql=sql, values=(run_id, source, n, event.to_text()), lasting=True))

    def save_answer(self, run_id: str, answer: KeptResult) -> None:
        """The answer of a command, which keeps its first one."""
        sql = "INSERT OR IGNORE INTO answers VALUES (?, ?, ?)"
        self.writer.put(Write(sql=sql, values=(run_id, answer.command_id, answer.to_text()), lasting=True))

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
            self.writer.put(Write(sql=sql, values=values, lasting=False, scalars_of=run_id))
        if message is not None and self.writer.has_room:
            sql = "INSERT OR IGNORE INTO frames VALUES (?, ?, ?, ?, ?, ?)"
            self.writer.put(Write(sql=sql, values=(*key, step, len(message), message), lasting=False, frame_of=run_id))

    def forget(self, run_id: str) -> None:
        """Delete everything of a run, of which nothing may be saved any more."""
        self.writer.put(Forgotten(run_id=run_id))

    def shrink(self) -> None:
        """Give some of the file's unused pages back to the disk."""
        self.writer.put(Shrunk())

    def save_received(self, worker_id: str, n: int) -> None:
        """Everything of this worker up to `n` has been handed over; `on_saved` follows when it is on disk."""
        self.writer.put(Received(worker_id=worker_id, n=n))
