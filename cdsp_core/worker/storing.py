"""The storages of a worker's runs: opened as each run's order says, and settled before the worker ends."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from cdsp_core.storage.opening import open_storage
from cdsp_core.storage.place import StorageError
from cdsp_core.wire.messages.link import Kept, Start
from cdsp_core.worker.outbox import Outbox
from cdsp_core.worker.spool import Spool
from cdsp_core.worker.stored import StoredRun

CLOSES_WITHIN_S: Final = 5.0


class Storing:
    """Of one worker. `on_kept` is told of every checkpoint that was asked for, from a thread of its run's storage."""

    def __init__(self, *, outbox: Outbox, on_kept: Callable[[Kept], None]) -> None:
        self._outbox = outbox
        self._on_kept = on_kept
        self._spool = Spool()
        self._runs: list[StoredRun] = []

    def begin(self, order: Start) -> StoredRun | None:
        """What keeps the checkpoints of a run that begins; None where the worker's folder does.

        Raises StorageUrlError, and StorageError where the run goes on from what a storage keeps and does not give.
        """
        for run in [each for each in self._runs if each.is_done]:
            run.close(0.0)
            self._runs.remove(run)
        if order.storage is None:
            return None
        stored = StoredRun(
            open_storage(order.storage),
            order.run,
            self._spool.folder(order.run),
            outbox=self._outbox,
            on_kept=self._on_kept,
        )
        if order.checkpoints:
            stored.look()
        elif order.epoch > 0:
            with suppress(StorageError):
                stored.look(patience_s=0.0)
        self._runs.append(stored)
        return stored

    def close(self) -> None:
        """Wait a little until everything is stored; then nothing is any more."""
        until = time.monotonic() + CLOSES_WITHIN_S
        for run in self._runs:
            run.close(max(0.0, until - time.monotonic()))
        self._spool.close()
