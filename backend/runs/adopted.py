"""Workers on this machine that an earlier backend started: no children of this process, but its to end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Final

from backend.launchers import Launcher
from backend.workers.link import WorkerConnection
from cdsp_core.wire.messages.link import End

LEAVE_TIMEOUT_S: Final = 8.0


async def end_adopted(workers: Mapping[str, WorkerConnection], launcher: Launcher) -> None:
    """Ask those of `workers` that `launcher` did not start to write a checkpoint and end; kill those that do not."""
    adopted = [worker for worker in workers.values() if not launcher.started(worker.worker_id)]
    for worker in adopted:
        worker.send(End(reason="The server was stopped."))
    deadline = time.monotonic() + LEAVE_TIMEOUT_S
    while staying := [worker for worker in adopted if workers.get(worker.worker_id) is worker]:
        if time.monotonic() > deadline:
            for worker in staying:
                launcher.kill(worker.worker_id)
            return
        await asyncio.sleep(0.02)
