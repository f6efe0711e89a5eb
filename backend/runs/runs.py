"""All runs of a data folder: made, found, listed, deleted. Who trains which is `backend.runs.placement`."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import time
from collections.abc import Coroutine, Sequence
from typing import IO, Any, Final

from backend.errors import BusyError, RunNotFoundError
from backend.jobs.datasets import OwnData
from backend.jobs.keeping import Keeping
from backend.jobs.studies import Catalogue
from backend.jobs.sweep_process import SweepCommand, sweep_command
from backend.jobs.sweeps import Sweeps
from backend.launchers import JobPlace
from backend.live.hub import RunHub
from backend.live.lag import LoopWatch
from backend.live.listing import Listing
from backend.live.records import from_record
from backend.live.state import RunState
from backend.live.tally import Tally
from backend.runs.admission import Admission
from backend.runs.memory_need import machine_mib
from backend.runs.placement import Placement
from backend.runs.publishing import Publishing
from backend.runs.upkeep import Upkeep
from backend.settings import Settings
from backend.storage.folder import locked
from backend.storage.store import Store
from cdsp_core.settings.config import RunConfig
from cdsp_core.settings.overrides import with_settings
from cdsp_core.settings.presets import preset
from cdsp_core.wire.messages.run import RecipeEdit

logger = logging.getLogger(__name__)

TICK_S: Final = 1.0


class Runs:
    """Lives as long as the app. Everything runs on its event loop."""

    def __init__(
        self,
        settings: Settings,
        *,
        worker_token: str,
        catalogue: Catalogue,
        command: SweepCommand | None = None,
        publisher: Publishing | None = None,
    ) -> None:
        self.settings = settings
        self.store = Store(
            settings.data_dir / "history.sqlite",
            frames_mib_a_run=settings.frames_mib_a_run,
            scalars_mib_a_run=settings.scalars_mib_a_run,
            gather_s=settings.stored_after_s,
        )
        self.own_data = OwnData(settings.dataset_dir)
        self.tally = Tally()
        self._publisher = publisher
        self.loop_watch = LoopWatch()
        self._hubs: dict[str, RunHub] = {}
        self.listing = Listing(self.store)
        self.placement = Placement(
            settings,
            hubs=self._hubs,
            store=self.store,
            worker_token=worker_token,
            catalogue=catalogue,
            spawn=self._spawn,
        )
        self.upkeep = Upkeep(
            settings,
            store=self.store,
            hubs=self.list,
            delete=self.delete,
            in_use=lambda: self.workers,
            tally=self.tally,
        )
        self.workers = self.placement.workers
        self.studies = self.placement.studies
        own = sweep_command(settings.data_root) if self.placement.runs_jobs else None
        self.sweeps = Sweeps(
            settings.sweep_dir,
            settings.recorded_dir,
            command=command or own,
            place=self.placement.job_place if command is None else lambda: JobPlace(name="this machine"),
            trains=lambda: any(hub.state.status == "running" for hub in self._hubs.values()),
            active=lambda: any(hub.state.active for hub in self._hubs.values()),
            spawn=self._spawn,
        )
        self.keeping = Keeping(settings.data_dir, settings.storage)
        self._tasks: set[asyncio.Task[None]] = set()
        self._records: list[dict[str, Any]] = []
        self._folder_lock: IO[str] | None = None
        shared_mib = machine_mib() if self.placement.same_machine else None
        self.admission = Admission(
            settings, hubs=self._hubs, tally=self.tally, memory_mib=settings.memory_mib or shared_mib
        )

    def open_folder(self) -> None:
        """Take the data folder for this process alone and open its store. Raises StoreError.

        `open` does it if it has not been done.
        """
        if self._folder_lock is not None:
            return
        self._folder_lock = locked(self.settings.data_dir)
        try:
            for folder in (
                self.settings.checkpoint_dir,
                self.settings.study_dir,
                self.settings.dataset_dir,
                self.settings.sweep_dir,
            ):
                folder.mkdir(exist_ok=True)
            self.store.open()
            self._records = self.store.archive.runs()
        except BaseException:
            self._folder_lock.close()
            self._folder_lock = None
            raise

    async def open(self) -> None:
        """Read the store, take up what was going on, begin a `live` run if nothing was."""
        loop = asyncio.get_running_loop()
        self.store.writer.on_saved = lambda worker_id, n: _call(loop, self.placement.saved, worker_id, n)
        self.store.writer.on_error = lambda sentence: _call(loop, self._store_changed, sentence)
        await asyncio.to_thread(self.open_folder)
        await self.keeping.open()
        self.studies.open()
        for record in self._records:
            hub = self._add(from_record(record))
            if not record.get("number"):
                hub.save()
        for hub in self._hubs.values():
            if hub.state.active:
                self.placement.take_up(hub)
        if self.settings.autostart and not any(hub.state.active for hub in self._hubs.values()):
            config = with_settings(preset("live"), {"data": self.settings.data})
            self.create(config, "live")
        if self.store.missing is not None:
            self._store_changed(self.store.missing)
        await self.sweeps.open()
        if self._publisher is not None:
            self._publisher.open(self.list)
        self._spawn(self._tick())
        self._spawn(self.loop_watch.work())
        self._spawn(self.upkeep.work())
        self._spawn(self.keeping.work())

    async def close(self) -> None:
        """End the workers this process started and write what waits."""
        for task in self._tasks:
            task.cancel()
        if self._publisher is not None:
            await self._publisher.close()
        await self.sweeps.close()
        await self.placement.close()
        await self.keeping.close()
        await asyncio.to_thread(self.store.close)
        if self._folder_lock is not None:
            self._folder_lock.close()

    # runs

    def create(
        self,
        config: RunConfig,
        name: str | None,
        *,
        address: str = "",
        watcher: str | None = None,
        edits: Sequence[RecipeEdit] = (),
        pause_at: int | None = None,
    ) -> RunHub:
        """A new run, asked for from `address`; it begins as soon as a worker is free, or when its `watcher` dials in.

        Raises BadInputError, TooManyError.
        """
        self.admission.check_run(config, address, is_trained_here=watcher is None)
        run_id = f"run-{secrets.token_hex(4)}"
        state = RunState(
            run_id=run_id,
            name=name or config.preset,
            config=config,
            created_ms=time.time() * 1000,
            watcher=watcher,
            edits=list(edits),
            pause_at=pause_at,
            storage=None if watcher else self.settings.storage,
        )
        hub = self._add(state)
        self.admission.admitted(run_id, address)
        hub.save()
        self.placement.begin(hub)
        return hub

    async def adopt(self, state: RunState) -> RunHub:
        """Begin a run whose past and checkpoint are on disk already."""
        hub = self._add(state)
        hub.save()
        await hub.memory.load()
        self.placement.begin(hub)
        return hub

    def sharing_note(self) -> str | None:
        """What running side by side costs, where more than one run trains on this machine."""
        training = sum(hub.state.active for hub in self._hubs.values())
        if training < 2 or not self.placement.same_machine:
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

    async def find(self, run_id: str) -> RunHub:
        """The run of that id, for a viewer. Raises RunNotFoundError."""
        return self.get(run_id)

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
        log = self.placement.unused_log(hub.state.worker_id)
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
            begin=self.placement.begin,
            abandon=self.placement.abandon,
            tally=self.tally,
        )
        self._hubs[state.run_id] = hub
        return hub

    def problems(self) -> tuple[str, ...]:
        """Everything that is wrong with the server, one sentence each."""
        fanout = None if self._publisher is None else self._publisher.problem
        own = (self.store.error, self.store.missing, self.upkeep.problem(), self.keeping.problem, fanout)
        found = (*(sentence for sentence in own if sentence is not None), *self.placement.problems())
        return tuple(dict.fromkeys(found))

    # housekeeping

    def _store_changed(self, sentence: str | None) -> None:
        self.tally.store_errors += sentence is not None
        logger.error("%s", sentence) if sentence else logger.info("The history can be written again.")
        for hub in self._hubs.values():
            if hub.state.active:
                text = sentence or "The history can be written again."
                hub.add_event("error" if sentence else "status", text, {"store": sentence})

    async def _tick(self) -> None:
        last = time.monotonic()
        while True:
            await asyncio.sleep(TICK_S)
            now = time.monotonic()
            elapsed_s = min(now - last, 2 * TICK_S)
            self.placement.tick(elapsed_s)
            self.sweeps.tick(elapsed_s)
            last = now
            self.store.writer.look_at_file()
            for hub in self._hubs.values():
                hub.tick()
                if self._publisher is not None and hub.state.active:
                    self._publisher.publish(hub)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _call(loop: asyncio.AbstractEventLoop, function: Any, *values: Any) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(function, *values)
