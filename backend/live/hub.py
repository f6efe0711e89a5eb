"""One run: who steers it, which worker trains it, and what comes of that for those who watch."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from backend.errors import NotNowError
from backend.live.memory import Memory
from backend.live.opening import NothingLeftError, Opening
from backend.live.own_events import moved_steps, own_event
from backend.live.past import Past
from backend.live.records import to_record
from backend.live.shown import ShownRun
from backend.live.state import RunState
from backend.live.steering import Steering
from backend.live.tally import Tally
from backend.live.texts import ViewerTexts
from backend.live.viewers import Viewer
from backend.storage.eventlog import EventLog
from backend.storage.history import History
from backend.storage.shelf import Shelf
from backend.storage.store import Store
from backend.workers.link import WorkerConnection
from cdsp_core.wire.frames import Frame, decode_frame
from cdsp_core.wire.messages.link import CommandMessage, ResultMessage, Start, Started, StoredMessage
from cdsp_core.wire.messages.run import Event, RunInfo
from cdsp_core.wire.messages.vocabulary import EventKind, Status
from cdsp_core.wire.oligarchy import read_found
from cdsp_core.wire.phases import PhaseWatch

BY_ITSELF: Final = ("controller", "recipe")
"""who changes controls and is no person"""
OLIGARCHY: Final = read_found()
"""the rule that was chosen and tested on recorded runs; None where none is"""


class RunHub(ShownRun):
    """Everything of one run on the event loop. `begin` asks for a worker, `abandon` gives one up that says nothing.

    It is what the link and steering know of a run: `link.Trained`, `steering.Steered`.
    """

    def __init__(
        self,
        state: RunState,
        *,
        store: Store,
        checkpoint_dir: Path,
        timeout_s: float,
        start_timeout_s: float,
        begin: Callable[[RunHub], None],
        abandon: Callable[[WorkerConnection], None],
        tally: Tally | None = None,
    ) -> None:
        folder = checkpoint_dir / state.run_id
        shelf = Shelf(state.run_id, folder, state.storage)
        past = Past(state.run_id, store, shelf)
        super().__init__()
        self.state = state
        self.memory = Memory(state, store=store, past=past)
        self.tally = tally or Tally()
        self.viewers_elsewhere = 0
        """pages that watch at viewer processes"""
        self.texts = ViewerTexts(self)
        self.worker: WorkerConnection | None = None
        self.store = store
        self.folder = folder
        self.shelf = shelf
        self.storage_problem: str | None = None
        """why the run's storage takes or gives nothing now; None while it does"""
        self.past = past
        self.opening = Opening(state, past)
        self.steering = Steering(
            self, state, store=store, folder=folder, timeout_s=timeout_s, start_timeout_s=start_timeout_s
        )
        self.is_silent = False
        """whether the worker is connected and has said nothing for too long"""
        self._begin = begin
        self._abandon = abandon
        self._phases = self._watch(continued=state.generation >= 0)

    @property
    def active(self) -> bool:
        """Whether the run has a worker, or waits for one."""
        return self.state.active

    @property
    def has_worker(self) -> bool:
        """Whether its worker is connected now."""
        return self.worker is not None

    # what viewers read

    @property
    def run_id(self) -> str:
        """The id of the run."""
        return self.state.run_id

    def info(self) -> RunInfo:
        """The run as the API shows it."""
        return self.state.info(viewers=len(self.viewers) + self.viewers_elsewhere)

    @property
    def scalar_names(self) -> list[str]:
        """Names of the columns of the scalars."""
        return self.state.described.scalar_names

    @property
    def history(self) -> History:
        """The generation that runs, as memory has it."""
        return self.memory.history

    @property
    def events(self) -> EventLog:
        """What happened."""
        return self.memory.events

    async def can_resume(self, generation: int, seq: int) -> bool:
        """Whether a viewer that has drawn frame `generation`:`seq` can get exactly what came after it."""
        return await self.memory.can_resume(generation, seq)

    async def stored_scalars(self, after: int) -> tuple[int, bytes] | None:
        """What memory no longer holds of the scalars after frame `after`: from where it does, and a message."""
        return await self.memory.stored_scalars(after)

    async def load(self) -> None:
        """Read into memory what a viewer needs."""
        await self.memory.load()

    async def join(self, viewer: Viewer) -> None:
        """A viewer has come."""
        await self.load()
        self.viewers.add(viewer)

    def pass_over(self, frames: int) -> None:
        """A viewer got only the scalars of so many frames."""
        self.tally.passed_over += frames

    # what changes of what is shown

    def describe(self, *, name: str | None, note: str | None, kept: bool | None) -> None:
        """Give the run another name or note, or keep it when the folder is full; None leaves it."""
        self.state.describe(name=name, note=note, kept=kept)
        self.save()
        self._tell()

    def refresh(self) -> None:
        """The state was changed from outside: show it."""
        self._tell()

    def wait(self, reason: str | None) -> None:
        """Nothing goes on until something else happens; None: it goes on."""
        if self.state.wait(reason):
            self._tell()

    def tick(self) -> None:
        """Once a second: fresh speed and number of viewers for those who watch; what nobody watches leaves memory."""
        self.memory.tick(is_watched=bool(self.viewers))
        if (self.viewers or self.relay is not None) and self.state.active:
            self._tell()

    # what the worker says

    def attach(self, worker: WorkerConnection) -> None:
        """The run's worker has dialled again."""
        self.worker = worker
        self.wait(None)
        self.steering.send_again()

    def fall_silent(self, silent_s: float) -> None:
        """The worker is connected and has not said anything for so long."""
        if not self.is_silent:
            self.is_silent = True
            self.state.fall_silent()
            self.steering.fell_silent()
        if self.state.active:
            self.wait(f"The worker has not answered for {silent_s:.0f} s.")

    def speak_again(self) -> None:
        """The worker has said something."""
        if self.is_silent:
            self.is_silent = False
            self.wait(None)

    def abandon_worker(self) -> None:
        """The run ends without its worker, which says nothing."""
        worker, self.worker, self.is_silent = self.worker, None, False
        if worker is not None:
            self._abandon(worker)

    def send(self, message: CommandMessage) -> None:
        """Hand a command to the worker. Raises NotNowError when there is none."""
        if self.worker is None:
            raise NotNowError("The run has no worker at the moment; try again in a moment.")
        self.worker.send(message)

    async def on_started(self, message: Started) -> None:
        """A run, a reset or a restore has begun in the worker.

        The state says so only once the history of the new generation is there.
        """
        state = self.state
        if message.epoch <= state.generation:
            return
        await self.memory.load()
        parent = None if message.parent is None else (message.parent.epoch, message.parent.step)
        history = await self.memory.continued(message, parent)
        before = dict(state.applied_step)
        state.begin(message, parent)
        self.store.save_generation(self.run_id, state.generation, parent, self.scalar_names)
        self.save()
        self.memory.history = history
        self._phases = self._watch(continued=parent is not None)
        self.generation_reason = state.origin
        self.hello_version += 1
        self.opening.forget()
        if (moved := moved_steps(state, before)) is not None:
            self.add_event("status", *moved)
        self.steering.begun()
        self._tell()

    def on_frame(self, message: bytes) -> None:
        """A frame from the worker: keep it, store it, show it."""
        frame = decode_frame(message)
        if frame.run != self.run_id or frame.epoch != self.history.generation:
            return
        try:
            entry = self.memory.add(frame, message)
        except LookupError as error:
            self.memory.go_on_after(frame)
            self.generation_reason = f"Some steps are lost: {error}"
            self.add_event("error", self.generation_reason, {})
            entry = self.memory.add(frame, message)
        if entry is None:
            return
        self.state.train(frame)
        self.tally.frames += 1
        self._offer(entry)
        if frame.kind == "frame":
            for phase in self._phases.observe(frame):
                self.add_event("phase", phase.text, phase.data, frame=frame)

    def _watch(self, *, continued: bool) -> PhaseWatch:
        has_diagonal = self.state.config.model.has_diagonal
        return PhaseWatch(
            has_diagonal=has_diagonal, continued=continued, scalar_names=self.scalar_names, oligarchy=OLIGARCHY
        )

    def on_event(self, event: Event, source: str, n: int) -> None:
        """An event from the worker; a status changes the run, and what its controller did changes the controls."""
        state = self.state
        if event.kind == "status" and event.epoch >= state.generation:
            state.hear_status(event)
            if not state.active:
                self.steering.begun()
            self.save()
        elif event.kind == "applied" and event.data.get("by") in BY_ITSELF and event.epoch == state.generation:
            self.steering.moved_by_itself(event)
            self.save()
        self.events.keep(event, source, n)
        self._tell()

    async def on_stored(self, message: StoredMessage) -> None:
        """The run's storage has acknowledged checkpoints, or does not."""
        self.storage_problem = message.problem
        await asyncio.to_thread(self.shelf.note, message.names, message.deleted)

    def on_result(self, message: ResultMessage) -> None:
        """The worker's answer to a command."""
        self.steering.answered(message)
        self.save()
        self._tell()

    def worker_lost(self, reason: str) -> None:
        """The link is gone; the worker may come back."""
        self.worker = None
        self.is_silent = False
        self.state.lose_worker()
        if self.state.active:
            self.wait(reason)

    # beginning and ending

    def queue(self) -> None:
        """The run waits for a worker."""
        self.state.queue()
        self.save()
        self._tell()

    def begin_again(self, *, seed: int | None, checkpoints: list[str] | None) -> None:
        """Somebody wants an ended run to go on, with that seed or from those checkpoints; None: from the last one."""
        self.opening.ask(seed=seed, checkpoints=checkpoints)
        self.state.begin_again(paused=bool(checkpoints))
        self._begin(self)

    def starting(self, worker_id: str, pid: int) -> Start | None:
        """A worker takes the run: the link's `start` message for it; None when nothing is left to go on from."""
        try:
            start = self.opening.start()
        except NothingLeftError as error:
            self.end("failed", str(error))
            return None
        self.steering.lost()
        self.state.take(worker_id, pid)
        self.save()
        self._tell()
        return start

    def end(self, status: Status, sentence: str) -> None:
        """The run cannot or shall not go on."""
        self.state.end(status, sentence)
        self.add_event("status", sentence, {"status": status, "reason": sentence})
        self.save()
        self.opening.forget()
        self.steering.begun()
        self.steering.lost()

    # events of the hub's own, and the record

    def add_event(self, kind: EventKind, text: str, data: dict[str, Any], *, frame: Frame | None = None) -> None:
        """Something happened that the worker did not say."""
        self.events.add(own_event(self.state, kind, text, data, frame))
        self._tell()

    def save(self) -> None:
        """Put the record on disk, unless the run is deleted."""
        if self.gone is not None:
            return
        self.store.save_run(self.run_id, self.state.created_ms, to_record(self.state))
