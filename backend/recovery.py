"""Recovery of runs and studies whose worker is lost: it is waited for, then they begin again or are given up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final

from backend.hub import RunHub
from backend.launchers import Launcher
from backend.link import WorkerConnection
from backend.settings import Settings
from backend.studies import Studies

GONE_POLL_S: Final = 0.25


class Recovery:
    """`begin` queues a run for a worker, `spawn` keeps a task until the app closes."""

    def __init__(
        self,
        settings: Settings,
        *,
        launcher: Launcher,
        workers: Mapping[str, WorkerConnection],
        studies: Studies,
        begin: Callable[[RunHub], None],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self._settings = settings
        self._launcher = launcher
        self._workers = workers
        self._studies = studies
        self._begin = begin
        self._spawn = spawn

    def take_up(self, hub: RunHub) -> None:
        """A run of an earlier backend: wait for its worker if it may live, else begin from the last checkpoint."""
        state = hub.state
        if state.worker_id is None or state.status == "queued":
            self._begin(hub)
            return
        state.remember_pause()
        hub.wait("The server was started again; looking for the run's worker.")
        self._spawn(self._await_return(hub, state.worker_id, self._settings.survivor_grace_s, after_start=True))

    def link_lost(self, connection: WorkerConnection, hub: RunHub | None, *, is_closing: bool) -> None:
        """The link to a worker, which trained `hub`, is closed; unless the app is closing, its work waits for it."""
        has_gone = connection.worker_id not in self._workers
        if has_gone and self._studies.ran_on(connection.worker_id) and not is_closing:
            self._studies.worker_away(connection.worker_id)
            self._spawn(self._await_study(connection.worker_id, connection.pid))
        if hub is not None and hub.worker is connection:
            hub.worker_lost("The connection to the worker is lost; it trains on and is waited for.")
            worker_id = hub.state.worker_id
            if hub.state.active and worker_id is not None and not is_closing:
                self._spawn(self._await_return(hub, worker_id, self._settings.worker_grace_s))

    def restart(self, hub: RunHub, sentence: str) -> None:
        """Begin a run again from its last checkpoint, if it has not been begun too often."""
        state = hub.state
        if state.restarts >= self._settings.max_restarts:
            hub.end("failed", f"{sentence} It was begun again {state.restarts} times; reset the run or resume it.")
            return
        state.restart()
        again = f"Begun again from the last checkpoint, {state.restarts} of {self._settings.max_restarts} times."
        hub.add_event("error", f"{sentence} {again}", {"restarts": state.restarts})
        self._begin(hub)

    async def _await_study(self, worker_id: str, pid: int) -> None:
        """Wait for a worker whose study ran when its link was lost; give the study up when it does not come back."""
        deadline = time.monotonic() + self._settings.worker_grace_s
        while time.monotonic() < deadline and worker_id not in self._workers:
            if self._launcher.is_gone(worker_id, pid):
                break
            await asyncio.sleep(GONE_POLL_S)
        if worker_id not in self._workers:
            self._studies.worker_gone(worker_id, "The worker did not come back.")

    async def _await_return(self, hub: RunHub, worker_id: str, grace_s: float, *, after_start: bool = False) -> None:
        """Wait for a run's worker; when it is gone or silent for too long, begin again without it.

        Does nothing once the run has been given up or to another worker: its process may be seen to end first.
        """
        deadline = time.monotonic() + grace_s
        while time.monotonic() < deadline and hub.worker is None and hub.state.worker_id == worker_id:
            if self._launcher.is_gone(worker_id, hub.state.worker_pid):
                break
            await asyncio.sleep(GONE_POLL_S)
        if hub.worker is not None or not hub.state.active or hub.state.worker_id != worker_id:
            return
        if after_start:
            hub.add_event(
                "status",
                "The server was started again; the run goes on from its last checkpoint.",
                {"status": "queued"},
            )
            self._begin(hub)
        else:
            self.restart(hub, "The worker did not come back.")
