"""What one run's hub asks of the disk: what was before it knew the run, what its pages missed, its checkpoints."""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from backend.storage.eventlog import MAX_IN_MEMORY
from backend.storage.history import ScalarHistory, scalars_message
from backend.storage.shelf import Shelf
from backend.storage.store import Store
from cdsp_core.storage.place import StorageError
from cdsp_core.wire.checkpoint_names import list_checkpoints, read_checkpoint_name, undelivered_path
from cdsp_core.wire.frames import Array, Frame, decode_frame, to_json_text
from cdsp_core.wire.messages.api import Checkpoint

logger = logging.getLogger(__name__)

MAX_CAUGHT_UP_ROWS: Final = 4000


@dataclass(frozen=True, kw_only=True, slots=True)
class Recalled:
    """What the store holds of a generation."""

    events: list[str]
    """the newest, as messages"""
    event_count: int
    last_seq: int
    frame: bytes | None
    rows: Array | None
    """scalars, thinned as a snapshot has them"""


class Past:
    """Of one run, whose checkpoints are on the shelf. Nothing here blocks the event loop."""

    def __init__(self, run_id: str, store: Store, shelf: Shelf) -> None:
        self._run_id = run_id
        self._store = store
        self._shelf = shelf
        self._folder = shelf.folder

    async def recall(self, generation: int) -> Recalled:
        """Everything a new process has to know of a run that is in this generation."""
        return await asyncio.to_thread(self._recall, generation)

    async def rows_upto(self, generation: int, step: int, *, names: list[str]) -> Array | None:
        """The scalars of a generation up to a step, thinned, with the columns `names`; None for none."""
        await asyncio.to_thread(self._store.flush)
        rows = await asyncio.to_thread(
            self._store.archive.scalars, self._run_id, generation, upto_step=step, names=names
        )
        return await asyncio.to_thread(_thinned, rows)

    async def missed(self, generation: int, after: int, upto: int, *, columns: int) -> bytes | None:
        """A message with the scalars of the frames after + 1 to `upto`.

        None when the disk has not got them exactly, or when they are so many that a snapshot serves better.
        """
        between = self._store.archive.scalars_between
        rows = await asyncio.to_thread(between, self._run_id, generation, after, upto, most=MAX_CAUGHT_UP_ROWS)
        if rows is None:
            return None
        rows = rows if len(rows) else np.empty((0, columns), dtype=np.float32)
        step = int(rows[-1, 0]) if len(rows) else 0
        return scalars_message(self._run_id, generation, after_seq=after, seq=upto, rows=rows, step=step)

    async def undelivered(self, generation: int, step: int) -> Frame | None:
        """Scalars that a worker could not deliver before it ended and left beside its checkpoint of this step."""
        path = undelivered_path(self._folder, generation, step)
        try:
            await asyncio.to_thread(self._shelf.fetch_undelivered, generation, step)
        except StorageError as error:
            logger.warning("%s is not fetched: %s", path.name, error)
        if not await asyncio.to_thread(path.exists):
            return None
        try:
            return decode_frame(await asyncio.to_thread(path.read_bytes))
        except (OSError, ValueError) as error:
            logger.warning("%s cannot be used: %s", path, error)
            return None

    def checkpoints(self) -> list[Checkpoint]:
        """Checkpoints of the run, newest first."""
        found = []
        for name in list_checkpoints(self._folder):
            parsed = read_checkpoint_name(name)
            assert parsed is not None
            found.append(Checkpoint(checkpoint_id=name, epoch=parsed[0], step=parsed[1], kept=parsed[2]))
        return found

    def resumable(self, generation: int, parent: tuple[int, int] | None) -> list[str]:
        """Names of the checkpoints that continue a generation which began at `parent`, the newest first."""
        found = self.checkpoints()
        own = [one.checkpoint_id for one in found if one.epoch == generation]
        return own + [one.checkpoint_id for one in found if (one.epoch, one.step) == parent]

    def new_checkpoints(self, generation: int, parent: tuple[int, int] | None) -> int:
        """How many checkpoints a generation has written beyond the step where it began at `parent`."""
        began_at = 0 if parent is None else parent[1]
        return sum(one.epoch == generation and one.step > began_at for one in self.checkpoints())

    def delete(self, log: Path | None) -> None:
        """Delete the checkpoints, and the log of the worker that trained the run if it has one of its own."""
        self._shelf.delete()
        if log is not None:
            log.unlink(missing_ok=True)

    def _recall(self, generation: int) -> Recalled:
        self._store.flush()
        archive, run_id = self._store.archive, self._run_id
        last_seq = archive.last_seq(run_id, generation)
        texts = archive.event_texts(run_id)
        return Recalled(
            events=[to_json_text({"type": "event", **json.loads(text)}) for text in texts[-MAX_IN_MEMORY:]],
            event_count=len(texts),
            last_seq=last_seq,
            frame=archive.frame(run_id, generation, last_seq),
            rows=_thinned(archive.scalars(run_id, generation)),
        )


def _thinned(rows: Array | None) -> Array | None:
    """Scalars as a snapshot has them."""
    if rows is None:
        return None
    history = ScalarHistory(rows.shape[1])
    history.append(rows)
    return history.rows()
