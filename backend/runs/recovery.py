"""Recovery of runs and studies whose worker is lost: it is waited for, then they begin again or are given up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, MutableMapping
from typing import Any, Final

from backend.jobs.studies import Studies
from backend.launchers import Launcher
from backend.live.hub import RunHub
from backend.settings import Settings
from backend.workers.link import WorkerConnection

GONE_POLL_S: Final = 0.25
MAX_RESTART_WAIT_S: Final = 30.0
MAX_EARLY_LOSSES: Final = 2
"""times in a row that a run may lose its worker before its first step"""
SMALLER: Final = "If its memory ran out, a smaller model or a smaller batch would train."


class Recovery:
    """`begin` queues a run for a worker, `spawn` keeps a task until the app closes."""

    def __init__(
        self,
        settings: Settings,
        *,
        launcher: Launcher,
        workers: MutableMapping[str, WorkerConnection],
        studies: Studies,
        hub_of: Callable[[WorkerConnection], RunHub | None],
        begin: Callable[[RunHub], None],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self._settings = settings
        self._launcher = launcher
        self._workers = workers
        self._studies = studies
        self._hub_of = hub_of
        self._given_up: set[str] = set()
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
            self._spawn(self._await_study(connection.worker_id))
        if hub is not None and hub.worker is connection:
            hub.worker_lost("The connection to the worker is lost; it trains on and is waited for.")
            worker_id = hub.state.worker_id
            if hub.state.active and worker_id is not None and not is_closing:
                grace_s = self._settings.worker_grace_s
                if connection.silent_s >= self._settings.silent_after_s:
                    grace_s = max(0.0, self._settings.replaced_after_s - connection.silent_s)
                self._spawn(self._await_return(hub, worker_id, grace_s))

    def restart(self, hub: RunHub, sentence: str) -> None:
        """Begin a run again from its last checkpoint, if it has not been begun too often."""
        state = hub.state
        if state.watcher is not None:
            self._begin(hub)
            return
        new_checkpoints = hub.past.new_checkpoints(state.generation, state.parent)
        state.restart(new_checkpoints=new_checkpoints)
        if state.early_losses >= MAX_EARLY_LOSSES:
            hub.end("failed", f"{sentence} It was lost {state.early_losses} times before its first step. {SMALLER}")
            return
        if state.restarts > self._settings.max_restarts:
            state.give_up()
            hub.end("failed", f"{sentence} It was begun again {state.restarts} times; reset the run or resume it.")
            return
        again = f"Begun again from the last checkpoint, {state.restarts} of {self._settings.max_restarts} times."
        hub.tally.restarts += 1
        hub.add_event("error", f"{sentence} {again}", {"restarts": state.restarts})
        wait_s = min(self._settings.restart_wait_s * 2 ** (state.restarts - 2), MAX_RESTART_WAIT_S)
        if state.restarts < 2:
            self._begin(hub)
        else:
            hub.queue()
            hub.wait(f"Begins again in {wait_s:.0f} s.")
            self._spawn(self._begin_later(hub, wait_s))

    def move(self, connection: WorkerConnection, hub: RunHub | None, reason: str) -> None:
        """A worker ends in order: what it did goes on elsewhere, and that counts as no restart."""
        self.drop(connection, reason, kills=False)
        if hub is not None and hub.state.watcher is not None and hub.state.active:
            self._begin(hub)
        elif hub is not None and hub.state.active:
            hub.state.remember_pause()
            text = f"Its worker has left ({reason.rstrip('.')}); the run goes on from its last checkpoint."
            hub.add_event("status", text, {"status": "queued"})
            self._begin(hub)

    def drop(self, connection: WorkerConnection, reason: str, *, kills: bool = True) -> None:
        """A worker that is connected is of no use any more; it is killed where it is ours."""
        worker_id = connection.worker_id
        if self._workers.get(worker_id) is connection:
            del self._workers[worker_id]
        hub, connection.run = self._hub_of(connection), None
        if hub is not None and hub.worker is connection:
            hub.worker_lost(reason)
        if self._studies.ran_on(worker_id):
            self._studies.worker_gone(worker_id, reason)
        if kills:
            self._given_up.add(worker_id)
            self._launcher.kill(worker_id)
            self._spawn(connection.close())

    def was_given_up(self, worker_id: str) -> bool:
        """Whether this worker was dropped because it said nothing; it gets no run until it says something."""
        return worker_id in self._given_up

    def watch(self, elapsed_s: float) -> None:
        """Some time has passed: tell of workers that have not said a word in it for long, and replace them in the end.

        A server that was itself stopped for a while must not count that time as their silence.
        """
        for connection in list(self._workers.values()):
            connection.silent_s += elapsed_s
            silent_s, hub = connection.silent_s, self._hub_of(connection)
            if silent_s >= self._settings.replaced_after_s:
                self.drop(connection, "The worker has not answered.")
                if hub is not None and hub.state.active:
                    self.restart(hub, f"The worker had not answered for {silent_s:.0f} s and was given up.")
            elif hub is not None and silent_s >= self._settings.silent_after_s:
                hub.fall_silent(silent_s)
            elif hub is not None:
                hub.speak_again()

    async def _begin_later(self, hub: RunHub, wait_s: float) -> None:
        """Queue a run after a while, unless somebody has ended it or begun it by then."""
        await asyncio.sleep(wait_s)
        if hub.state.status == "queued" and not hub.has_worker:
            self._begin(hub)

    async def _await_study(self, worker_id: str) -> None:
        """Wait for a worker whose study ran when its link was lost; give the study up when it does not come back."""
        deadline = time.monotonic() + self._settings.worker_grace_s
        while time.monotonic() < deadline and worker_id not in self._workers:
            if self._launcher.is_gone(worker_id):
                break
            await asyncio.sleep(GONE_POLL_S)
        if worker_id not in self._workers:
            self._studies.worker_gone(worker_id, "The worker did not come back.")

    def _another_can_take(self, hub: RunHub) -> bool:
        """Whether a worker elsewhere could train this run, while its own may have died where nobody is told of it."""
        if self._launcher.same_machine or hub.state.watcher is not None:
            return False
        idle = (each for each in self._workers.values() if each.run is None and not each.only_watches)
        return self._launcher.starts_workers or any(not self._studies.ran_on(each.worker_id) for each in idle)

    async def _await_return(self, hub: RunHub, worker_id: str, grace_s: float, *, after_start: bool = False) -> None:
        """Wait for a run's worker; when it is gone or away for too long, begin again without it.

        A shorter while is too long where another can take the run: waiting costs training, moving only what was
        trained since the last checkpoint, and a worker that comes back later is told to drop the run.

        Does nothing once the run has been given up or to another worker: its process may be seen to end first.
        """
        began = time.monotonic()
        while hub.worker is None and hub.state.worker_id == worker_id:
            away_s = time.monotonic() - began
            may_move = away_s >= self._settings.moved_after_s and self._another_can_take(hub)
            if away_s >= grace_s or may_move or self._launcher.is_gone(worker_id):
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
            self._launcher.kill(worker_id)
            self.restart(hub, "The worker did not come back.")
