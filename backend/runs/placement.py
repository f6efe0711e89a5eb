"""Which worker trains which run: workers dial in, runs wait in line, lost workers are recovered from."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, Final

from fastapi import WebSocket

from backend.jobs.studies import Catalogue, Studies
from backend.launchers import JobPlace, Launcher, launcher_class
from backend.live.hub import RunHub
from backend.live.state import NOT_BEGUN
from backend.runs.adopted import end_adopted
from backend.runs.recovery import Recovery
from backend.settings import Settings
from backend.storage.store import Store
from backend.workers.link import WorkerConnection
from cdsp_core.storage.place import StorageError, StorageUrlError
from cdsp_core.wire.messages.link import Saved, Welcome, WorkerHello
from cdsp_core.wire.messages.studies import StudyReport

logger = logging.getLogger(__name__)

WATCHED_GONE: Final = "The program that trained it has ended, and no other can go on with it."
LOOKS_AGAIN_S: Final = 2.0
"""seconds after which a storage that did not say what it keeps is asked again"""
MAX_HEARD: Final = 1000
"""workers of which it is remembered how far they were heard"""


class Placement:
    """`hubs` are all runs by id, which others add and delete. To workers it is the `link.Desk`."""

    def __init__(
        self,
        settings: Settings,
        *,
        hubs: Mapping[str, RunHub],
        store: Store,
        worker_token: str,
        catalogue: Catalogue,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self._settings = settings
        self.workers: dict[str, WorkerConnection] = {}
        self._hubs = hubs
        self._store = store
        self._queue: list[RunHub] = []
        launcher = launcher_class(settings.launcher)
        self._launcher: Launcher = launcher(settings, token=worker_token, on_exit=self._worker_ended)
        self.studies = Studies(
            settings.data_dir / "studies.json",
            catalogue,
            workers=self.workers,
            launch=self._launch_for_study if launcher.starts_workers else None,
            storage=settings.storage,
        )
        self._recovery = Recovery(
            settings,
            launcher=self._launcher,
            workers=self.workers,
            studies=self.studies,
            hub_of=self._hub_of,
            begin=self.begin,
            spawn=spawn,
        )
        self._start_failures = 0
        self._heard: dict[str, int] = {}
        """number of the last message of each worker that was heard, also of what is not on disk yet"""
        self._arrived: set[str] = set()
        """workers that have ever been connected"""
        self._looking: set[str] = set()
        """runs whose storage is being asked"""
        self._spawn = spawn
        self._closing = False

    @property
    def waiting(self) -> int:
        """How many runs wait for a worker."""
        return len(self._queue)

    @property
    def same_machine(self) -> bool:
        """Whether the workers share this machine."""
        return self._launcher.same_machine

    @property
    def runs_jobs(self) -> bool:
        """Whether jobs of maps can run where the workers do."""
        return self._launcher.runs_jobs

    def job_place(self) -> JobPlace | None:
        """Where jobs of maps run; None while that is not known yet."""
        return self._launcher.job_place()

    def take_up(self, hub: RunHub) -> None:
        """A run that an earlier server left going on."""
        self._recovery.take_up(hub)

    def tick(self, elapsed_s: float) -> None:
        """So much time has passed: look after workers that say nothing, and after runs that wait."""
        self._recovery.watch(elapsed_s)
        if self._queue:
            self._schedule()
            return
        busy = {each.worker_id for each in self.workers.values() if each.run is not None}
        idle = [each for each in self._able() if each not in busy and not self.studies.ran_on(each)]
        self._launcher.spare(idle, elapsed_s)

    def problems(self) -> tuple[str, ...]:
        """What is wrong with the workers, one sentence each."""
        found: tuple[str, ...] = ()
        silent = [each for each in self.workers.values() if each.silent_s >= self._settings.silent_after_s]
        if silent:
            longest = max(each.silent_s for each in silent)
            found += (f"{len(silent)} of {len(self.workers)} workers have not answered, for up to {longest:.0f} s.",)
        found += tuple(dict.fromkeys(hub.storage_problem for hub in self._hubs.values() if hub.storage_problem))
        if self._queue and not self.workers:
            waiting = "A run waits" if len(self._queue) == 1 else f"{len(self._queue)} runs wait"
            found += (f"{waiting} and no worker is connected.",)
        return found

    def unused_log(self, worker_id: str | None) -> Path | None:
        """The file of what a worker printed that is here no more; None where it has none or may still write."""
        is_used = worker_id is None or worker_id in self.workers or self._launcher.started(worker_id)
        return None if is_used or worker_id is None else self._launcher.log_of(worker_id)

    async def end_adopted(self) -> None:
        """Ask local workers that an earlier backend started to write a checkpoint and end; kill those that do not.

        Called while the links are still up: they are the one way to reach a process that is not a child.
        """
        self._closing = True
        if self._launcher.same_machine:
            await end_adopted(self.workers, self._launcher)

    async def close(self) -> None:
        """End the workers this process started."""
        self._closing = True
        await self._launcher.close()

    # workers

    async def worker_arrived(self, socket: WebSocket, hello: WorkerHello) -> WorkerConnection:
        """A worker has said hello: give it back the run it holds, or another, or let it wait."""
        worker_id = hello.worker_id
        earlier = self.workers.pop(worker_id, None)
        if earlier is not None:
            await earlier.close()
            self._note_heard(earlier)
        stored = await asyncio.to_thread(self._received, worker_id)
        heard = max(stored, self._heard.get(worker_id, 0))
        connection = WorkerConnection(socket, worker_id=worker_id, pid=hello.pid, received=heard)
        hub = self._hubs.get(hello.run.run_id) if hello.run is not None else None
        keep = hub is not None and hub.state.active and hub.state.worker_id == worker_id and hub not in self._queue
        self.workers[worker_id] = connection
        logger.info("A worker has come.", extra={"event": "worker_arrived", "worker": worker_id})
        self._arrived.add(worker_id)
        if self._recovery.was_given_up(worker_id):
            connection.silent_s = self._settings.silent_after_s
        self._start_failures = 0
        connection.send(Welcome(received=stored, keep=keep))  # it keeps what is not on disk, in case this process ends
        if keep and hub is not None:
            await hub.memory.load()
            connection.run = hub
            hub.attach(connection)
        self.studies.worker_arrived(connection, hello.study)
        self._schedule()
        return connection

    def worker_leaves(self, connection: WorkerConnection, reason: str) -> None:
        """A worker ends, in order: its run goes on elsewhere at once, unless the server ends as well."""
        if not self._closing:
            self._recovery.move(connection, self._hub_of(connection), reason)

    def worker_left(self, connection: WorkerConnection) -> None:
        """The link to a worker is closed; it may dial again."""
        if self.workers.get(connection.worker_id) is connection:
            del self.workers[connection.worker_id]
        logger.info("A worker has gone.", extra={"event": "worker_left", "worker": connection.worker_id})
        self._note_heard(connection)
        self._recovery.link_lost(connection, self._hub_of(connection), is_closing=self._closing)

    def _note_heard(self, connection: WorkerConnection) -> None:
        """Remember how far a worker was heard: what it says again after a cut was shown already."""
        heard = max(connection.received, self._heard.pop(connection.worker_id, 0))
        self._heard[connection.worker_id] = heard
        while len(self._heard) > MAX_HEARD:
            del self._heard[next(iter(self._heard))]

    def trained_by(self, worker_id: str, run_id: str) -> RunHub | None:
        """The run of that id, if this worker is the one that trains it or was the last to."""
        hub = self._hubs.get(run_id)
        return hub if hub is not None and hub.state.worker_id == worker_id else None

    def release(self, connection: WorkerConnection) -> None:
        """The worker's run has ended; it is free for another."""
        hub = self._hub_of(connection)
        if hub is not None:
            hub.worker = None
        connection.run = None
        self._schedule()

    def study_reported(self, worker_id: str, report: StudyReport) -> None:
        """A worker says how its study is."""
        self.studies.reported(worker_id, report)

    def received(self, worker_id: str, n: int) -> None:
        """Everything of a worker up to message `n` has been handed over; it is told when that is on disk."""
        self._store.save_received(worker_id, n)

    def _hub_of(self, connection: WorkerConnection) -> RunHub | None:
        """The run that a worker trains."""
        return None if connection.run is None else self._hubs.get(connection.run.run_id)

    def _received(self, worker_id: str) -> int:
        self._store.flush()
        return self._store.archive.received(worker_id)

    def saved(self, worker_id: str, n: int) -> None:
        """Everything of a worker up to message `n` is on disk."""
        connection = self.workers.get(worker_id)
        if connection is not None:
            connection.send(Saved(n=n))

    def begin(self, hub: RunHub) -> None:
        """Queue a run for a worker; one that was watched goes on with nobody else."""
        if hub.state.watcher is not None and hub.state.generation != NOT_BEGUN:
            hub.end("interrupted", WATCHED_GONE)
            return
        hub.queue()
        if hub.shelf.url is not None and hub.state.generation != NOT_BEGUN and hub.opening.goes_on:
            self._spawn(self._begin_once_looked(hub))
        else:
            self._enqueue(hub)

    async def _begin_once_looked(self, hub: RunHub) -> None:
        """Queue a run once its storage has said what it keeps of it; one that cannot be reached is waited for."""
        if hub.run_id in self._looking:
            return
        self._looking.add(hub.run_id)
        try:
            while hub.state.status == "queued" and not self._closing:
                try:
                    await asyncio.to_thread(hub.shelf.look)
                except (StorageError, StorageUrlError) as error:
                    hub.storage_problem = str(error)
                    hub.wait(f"{error} The run goes on as soon as its checkpoints are there.")
                    await asyncio.sleep(LOOKS_AGAIN_S)
                else:
                    hub.storage_problem = None
                    self._enqueue(hub)
                    return
        finally:
            self._looking.discard(hub.run_id)

    def _enqueue(self, hub: RunHub) -> None:
        if hub.state.status == "queued" and hub not in self._queue:
            self._queue.append(hub)
        self._schedule()

    def _schedule(self) -> None:
        """Give waiting runs to idle workers, and get more workers where there are too few."""
        self._queue = [hub for hub in self._queue if hub.state.active]
        for connection in self.workers.values():
            while connection.run is None and connection.silent_s < self._settings.silent_after_s:
                hub = next((hub for hub in self._queue if _may_take(connection, hub)), None)
                if hub is None:
                    break
                self._queue.remove(hub)
                self._assign(hub, connection)
        problem = self._launcher.launch(sum(hub.state.watcher is None for hub in self._queue), self._able())
        if problem is not None:
            self._fail_waiting(problem)
        for hub in self._queue:
            hub.wait(self._why_waiting() if hub.state.watcher is None else "Waits for the program that trains it.")

    def _able(self) -> list[str]:
        """The connected workers that train whatever run they are given."""
        return [worker_id for worker_id, connection in self.workers.items() if not connection.only_watches]

    def abandon(self, connection: WorkerConnection) -> None:
        """Somebody has stopped the run of a worker that says nothing."""
        self._recovery.drop(connection, "It says nothing.")

    def _assign(self, hub: RunHub, connection: WorkerConnection) -> None:
        start = hub.starting(connection.worker_id, connection.pid)
        if start is not None:
            connection.run, hub.worker = hub, connection
            connection.send(start)

    def _why_waiting(self) -> str:
        busy = sum(self.workers[each].run is not None for each in self._able())
        return self._launcher.why_waiting(busy)

    def _launch_for_study(self) -> str | None:
        """Get a worker for a study that waits for one."""
        return self._launcher.launch(len(self._queue) + 1, self._able())

    # lost workers

    def _worker_ended(self, worker_id: str, sentence: str) -> None:
        """A local process has ended; its link may not have been seen to close yet, and must not be given a run."""
        was_connected = self.workers.pop(worker_id, None) is not None
        self.studies.worker_gone(worker_id, sentence)
        if not was_connected and not self.workers:
            self.studies.none_can_come(sentence)
        held = (hub for hub in self._hubs.values() if hub.state.worker_id == worker_id and hub.state.active)
        hub = next(held, None)
        if hub is not None:
            if hub.worker is not None:
                hub.worker.run = None
                hub.worker_lost(sentence)
            self._recovery.restart(hub, sentence)
        elif worker_id not in self._arrived and self._queue:
            self._start_failures += 1
            if self._start_failures > 2:
                self._fail_waiting(sentence)
        self._schedule()

    def _fail_waiting(self, sentence: str) -> None:
        waiting = [hub for hub in self._queue if hub.state.watcher is None]
        self._queue = [hub for hub in self._queue if hub not in waiting]
        for hub in waiting:
            hub.end("failed", sentence)


def _may_take(connection: WorkerConnection, hub: RunHub) -> bool:
    """Whether this worker may train this run: a program that is watched takes its own, every other worker the rest."""
    if hub.state.watcher is not None:
        return hub.state.watcher == connection.worker_id
    return not connection.only_watches
