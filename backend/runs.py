"""All runs and all workers: who trains what."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import time
from collections.abc import Coroutine
from typing import IO, Any, Final

from fastapi import WebSocket

from backend.adopted import end_adopted
from backend.errors import BadInputError, BusyError, RunNotFoundError, TooManyError
from backend.folder import locked
from backend.hub import RunHub
from backend.launchers import Launcher, launcher_class
from backend.link import WorkerConnection
from backend.listing import Listing
from backend.recovery import Recovery
from backend.settings import Settings
from backend.state import RunState
from backend.store import Store
from backend.studies import Catalogue, Studies
from cdsp_core.settings.config import RunConfig
from cdsp_core.settings.overrides import with_settings
from cdsp_core.settings.presets import preset
from cdsp_core.wire.messages.link import Saved, Welcome, WorkerHello
from cdsp_core.wire.messages.studies import StudyReport

logger = logging.getLogger(__name__)

TICK_S: Final = 1.0


class Runs:
    """Lives as long as the app. Everything runs on its event loop. To workers it is the `link.Desk`."""

    def __init__(self, settings: Settings, *, worker_token: str, catalogue: Catalogue) -> None:
        self.settings = settings
        self.store = Store(
            settings.data_dir / "history.sqlite",
            frames_mib_a_run=settings.frames_mib_a_run,
            gather_s=settings.stored_after_s,
        )
        self.workers: dict[str, WorkerConnection] = {}
        self._hubs: dict[str, RunHub] = {}
        self._queue: list[RunHub] = []
        self.listing = Listing(self.store)
        launcher = launcher_class(settings.launcher)
        self._launcher: Launcher = launcher(settings, token=worker_token, on_exit=self._worker_ended)
        self.studies = Studies(
            settings.data_dir / "studies.json",
            catalogue,
            workers=self.workers,
            launch=self._launch_for_study if launcher.starts_workers else None,
        )
        self._recovery = Recovery(
            settings,
            launcher=self._launcher,
            workers=self.workers,
            studies=self.studies,
            hub_of=self._hub_of,
            begin=self._begin,
            spawn=self._spawn,
        )
        self._tasks: set[asyncio.Task[None]] = set()
        self._records: list[dict[str, Any]] = []
        self._start_failures = 0
        self._arrived: set[str] = set()
        """workers that have ever been connected"""
        self._folder_lock: IO[str] | None = None
        self._closing = False

    def open_folder(self) -> None:
        """Take the data folder for this process alone and open its store. Raises StoreError.

        `open` does it if it has not been done.
        """
        if self._folder_lock is not None:
            return
        self._folder_lock = locked(self.settings.data_dir)
        try:
            self.store.open()
            self._records = self.store.archive.runs()
        except BaseException:
            self._folder_lock.close()
            self._folder_lock = None
            raise

    async def open(self) -> None:
        """Read the store, take up what was going on, begin a `live` run if nothing was."""
        loop = asyncio.get_running_loop()
        self.store.on_saved = lambda worker_id, n: _call(loop, self._saved, worker_id, n)
        self.store.on_error = lambda sentence: _call(loop, self._store_changed, sentence)
        await asyncio.to_thread(self.open_folder)
        self.studies.open()
        for record in self._records:
            hub = self._add(RunState.from_record(record))
            if not record.get("number"):
                hub.save()
        for hub in self._hubs.values():
            if hub.state.active:
                self._recovery.take_up(hub)
        if self.settings.autostart and not any(hub.state.active for hub in self._hubs.values()):
            config = with_settings(preset("live"), {"data": self.settings.data})
            self.create(config, "live")
        self._spawn(self._tick())

    async def end_adopted(self) -> None:
        """Ask local workers that an earlier backend started to write a checkpoint and end; kill those that do not.

        Called while the links are still up: they are the one way to reach a process that is not a child.
        """
        self._closing = True
        if self._launcher.same_machine:
            await end_adopted(self.workers, self._launcher)

    async def close(self) -> None:
        """End the workers this process started and write what waits."""
        self._closing = True
        for task in self._tasks:
            task.cancel()
        await self._launcher.close()
        await asyncio.to_thread(self.store.close)
        if self._folder_lock is not None:
            self._folder_lock.close()

    # runs

    def create(self, config: RunConfig, name: str | None) -> RunHub:
        """A new run, which begins as soon as a worker is free. Raises BadInputError, TooManyError."""
        if config.train.data == "full" and not self.settings.may_have_full_data:
            raise BadInputError("The full sets need a folder: start the server with --data-root, or use data embedded.")
        active = sum(hub.state.active for hub in self._hubs.values())
        if active >= self.settings.max_active_runs:
            most = self.settings.max_active_runs
            raise TooManyError(f"At most {most} runs may train or wait. Found {active}: stop one, or wait for one.")
        run_id = f"run-{secrets.token_hex(4)}"
        state = RunState(run_id=run_id, name=name or config.preset, config=config, created_ms=time.time() * 1000)
        hub = self._add(state)
        hub.save()
        self._begin(hub)
        return hub

    async def adopt(self, state: RunState) -> RunHub:
        """Begin a run whose past and checkpoint are on disk already."""
        hub = self._add(state)
        hub.save()
        await hub.load()
        self._begin(hub)
        return hub

    def sharing_note(self) -> str | None:
        """What running side by side costs, where more than one run trains on this machine."""
        training = sum(hub.state.active for hub in self._hubs.values())
        if training < 2 or not self._launcher.same_machine:
            return None
        cores = len(os.sched_getaffinity(0))
        return (
            f"{min(training, self.settings.local_workers)} runs share this machine's {cores} cores: each may be slower."
        )

    def get(self, run_id: str) -> RunHub:
        """The run of that id. Raises RunNotFoundError."""
        hub = self._hubs.get(run_id)
        if hub is None:
            raise RunNotFoundError(f"There is no run {run_id[:60]!r}.")
        return hub

    def list(self) -> list[RunHub]:
        """All runs, newest first."""
        return sorted(self._hubs.values(), key=lambda hub: hub.state.number, reverse=True)

    async def delete(self, run_id: str) -> None:
        """Delete an ended run with its history, checkpoints and worker log. Raises RunNotFoundError, BusyError."""
        hub = self.get(run_id)
        if hub.state.active:
            raise BusyError(f"A run must have ended before it is deleted. Found it {hub.state.status}: stop it first.")
        del self._hubs[run_id]
        hub.leave_for_good("The run was deleted.")
        self.listing.forget(run_id)
        self.store.forget(run_id)
        worker_id = hub.state.worker_id
        is_used = worker_id is None or worker_id in self.workers or self._launcher.started(worker_id)
        log = None if is_used or worker_id is None else self._launcher.log_of(worker_id)
        await asyncio.to_thread(hub.past.delete, log)
        await asyncio.to_thread(self.store.flush)

    def _add(self, state: RunState) -> RunHub:
        if not state.number:
            state.give_number(1 + max((hub.state.number for hub in self._hubs.values()), default=0))
        hub = RunHub(
            state,
            store=self.store,
            checkpoint_dir=self.settings.checkpoint_dir,
            timeout_s=self.settings.command_timeout_s,
            start_timeout_s=self.settings.start_timeout_s,
            begin=self._begin,
            abandon=self._abandon,
        )
        self._hubs[state.run_id] = hub
        return hub

    def problems(self) -> tuple[str, ...]:
        """Everything that is wrong with the server, one sentence each."""
        found: tuple[str, ...] = () if self.store.error is None else (self.store.error,)
        silent = [each for each in self.workers.values() if each.silent_s >= self.settings.silent_after_s]
        if silent:
            longest = max(each.silent_s for each in silent)
            found += (f"{len(silent)} of {len(self.workers)} workers have not answered, for up to {longest:.0f} s.",)
        if self._queue and not self.workers:
            found += (f"{len(self._queue)} runs wait and no worker is connected.",)
        return found

    # workers

    async def worker_arrived(self, socket: WebSocket, hello: WorkerHello) -> WorkerConnection:
        """A worker has said hello: give it back the run it holds, or another, or let it wait."""
        worker_id = hello.worker_id
        earlier = self.workers.pop(worker_id, None)
        if earlier is not None:
            await earlier.close()
        received = await asyncio.to_thread(self._received, worker_id)
        if earlier is not None:
            received = max(received, earlier.received)
        connection = WorkerConnection(socket, worker_id=worker_id, pid=hello.pid, received=received)
        hub = self._hubs.get(hello.run.run_id) if hello.run is not None else None
        keep = hub is not None and hub.state.active and hub.state.worker_id == worker_id and hub not in self._queue
        self.workers[worker_id] = connection
        self._arrived.add(worker_id)
        if self._recovery.was_given_up(worker_id):
            connection.silent_s = self.settings.silent_after_s
        self._start_failures = 0
        connection.send(Welcome(received=received, keep=keep))
        if keep and hub is not None:
            await hub.load()
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
        self._recovery.link_lost(connection, self._hub_of(connection), is_closing=self._closing)

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
        self.store.save_received(worker_id, n)

    def _hub_of(self, connection: WorkerConnection) -> RunHub | None:
        """The run that a worker trains."""
        return None if connection.run is None else self._hubs.get(connection.run.run_id)

    def _received(self, worker_id: str) -> int:
        self.store.flush()
        return self.store.archive.received(worker_id)

    def _saved(self, worker_id: str, n: int) -> None:
        connection = self.workers.get(worker_id)
        if connection is not None:
            connection.send(Saved(n=n))

    def _begin(self, hub: RunHub) -> None:
        """Queue a run for a worker."""
        hub.queue()
        if hub not in self._queue:
            self._queue.append(hub)
        self._schedule()

    def _schedule(self) -> None:
        """Give waiting runs to idle workers, and get more workers where there are too few."""
        self._queue = [hub for hub in self._queue if hub.state.active]
        for connection in self.workers.values():
            while connection.run is None and self._queue and connection.silent_s < self.settings.silent_after_s:
                self._assign(self._queue.pop(0), connection)
        problem = self._launcher.launch(len(self._queue), self.workers.keys())
        if problem is not None:
            self._fail_waiting(problem)
        for hub in self._queue:
            hub.wait(self._why_waiting())

    def _abandon(self, connection: WorkerConnection) -> None:
        """Somebody has stopped the run of a worker that says nothing."""
        self._recovery.drop(connection, "It says nothing.")

    def _assign(self, hub: RunHub, connection: WorkerConnection) -> None:
        start = hub.starting(connection.worker_id, connection.pid)
        if start is not None:
            connection.run, hub.worker = hub, connection
            connection.send(start)

    def _why_waiting(self) -> str:
        busy = sum(connection.run is not None for connection in self.workers.values())
        if self._launcher.starts_workers and busy >= self.settings.local_workers:
            return f"Waits for a worker: all {busy} train other runs, more would not fit this machine."
        return "Waits for a worker."

    def _launch_for_study(self) -> str | None:
        """Get a worker for a study that waits for one."""
        return self._launcher.launch(len(self._queue) + 1, self.workers.keys())

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
        waiting, self._queue = self._queue, []
        for hub in waiting:
            hub.end("failed", sentence)

    # housekeeping

    def _store_changed(self, sentence: str | None) -> None:
        for hub in self._hubs.values():
            if hub.state.active:
                text = sentence or "The history can be written again."
                hub.add_event("error" if sentence else "status", text, {"store": sentence})

    async def _tick(self) -> None:
        last = time.monotonic()
        while True:
            await asyncio.sleep(TICK_S)
            now = time.monotonic()
            self._recovery.watch(min(now - last, 2 * TICK_S))
            last = now
            self.store.look_at_file()
            if self._queue:
                self._schedule()
            for hub in self._hubs.values():
                hub.tick()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _call(loop: asyncio.AbstractEventLoop, function: Any, *values: Any) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(function, *values)
