"""One run: what is known of it, who watches it, which worker trains it."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from backend.eventlog import EventLog
from backend.history import Entry, History, in_columns
from backend.link import WorkerConnection
from backend.past import Past
from backend.state import RunState
from backend.steering import Steering
from backend.store import Store
from backend.texts import ViewerTexts
from backend.viewers import Viewer
from cdsp_core.settings.config import to_dict
from cdsp_core.settings.presets import from_dict
from cdsp_core.wire.frames import Array, Event, Frame, decode_frame
from cdsp_core.wire.phases import PhaseWatch


class RunHub:
    """Everything of one run on the event loop. `begin` asks for a worker."""

    def __init__(
        self,
        state: RunState,
        *,
        store: Store,
        checkpoint_dir: Path,
        timeout_s: float,
        start_timeout_s: float,
        begin: Callable[[RunHub], None],
    ) -> None:
        self.state = state
        self.history = History(self.run_id, state.epoch)
        self.viewers: set[Viewer] = set()
        self.texts = ViewerTexts(self)
        self.worker: WorkerConnection | None = None
        self.hello_version = 0
        self.run_version = 0
        self.epoch_reason = "The run was begun anew."
        self.start_from: tuple[int | None, list[str]] | None = None
        """seed and checkpoints a person asked the next start to take; None: go on from the last checkpoint"""
        self.store = store
        self.folder = checkpoint_dir / self.run_id
        self.past = Past(self.run_id, store, self.folder)
        self.steering = Steering(self, timeout_s=timeout_s, start_timeout_s=start_timeout_s, begin=begin)
        self.events = EventLog(self.run_id, store)
        continued = state.epoch >= 0
        self._phases = PhaseWatch(has_diagonal=state.config.model.has_diagonal, continued=continued)
        self._loaded = state.epoch < 0
        self._loading = asyncio.Lock()

    @property
    def run_id(self) -> str:
        """The id of the run."""
        return self.state.run_id

    # what viewers read

    def to_json(self) -> dict[str, Any]:
        """The run as the API shows it."""
        return self.state.to_json(viewers=len(self.viewers))

    async def can_resume(self, epoch: int, seq: int) -> bool:
        """Whether a viewer that has drawn frame `epoch`:`seq` can get exactly what came after it."""
        history = self.history
        if epoch != history.epoch or not 0 <= seq <= history.last_seq or history.newest is None:
            return False
        if history.scalars_between(seq, history.last_seq) is not None:
            return True
        return await self.stored_scalars(seq) is not None

    async def stored_scalars(self, after: int) -> tuple[int, bytes] | None:
        """What memory no longer holds of the scalars after frame `after`, from disk.

        A sequence number that memory covers from, and a message that covers what is between; None when the disk has
        not got it exactly, or when it is so much that a snapshot serves better.
        """
        history = self.history
        edge = history.first_after
        if after >= edge:
            return None
        message = await self.past.missed(history.epoch, after, edge, columns=len(self.scalar_names))
        return None if message is None else (edge, message)

    @property
    def scalar_names(self) -> list[str]:
        """Names of the columns of the scalars."""
        return list(self.state.static.get("scalar_names", []))

    # viewers

    async def join(self, viewer: Viewer) -> None:
        """A viewer has come."""
        await self.load()
        self.viewers.add(viewer)

    def leave(self, viewer: Viewer) -> None:
        """A viewer has gone."""
        self.viewers.discard(viewer)

    def refresh(self) -> None:
        """The state was changed from outside: show it."""
        self._tell()

    def wait(self, reason: str | None) -> None:
        """Nothing goes on until something else happens; None: it goes on."""
        if self.state.waiting != reason:
            self.state.waiting = reason
            self._tell()

    def _tell(self, *, frame_only: bool = False) -> None:
        """Something is new for every viewer."""
        if not frame_only:
            self.run_version += 1
        for viewer in self.viewers:
            viewer.wake(frame_only=frame_only)

    def tick(self) -> None:
        """Once a second: fresh speed and number of viewers for those who watch."""
        if self.viewers and self.state.active:
            self._tell()

    async def load(self) -> None:
        """Read from the store what a new process does not know yet. Training and viewers wait for nothing else."""
        async with self._loading:
            if self._loaded:
                return
            past = await self.past.recall(self.state.epoch)
            self.events.recall(past.events)
            if self.history.last_seq < 0 and past.last_seq >= 0:
                if past.rows is not None:
                    self.history.inherit(past.rows)
                self.history.recall(past.frame, past.last_seq)
                if self.history.newest is not None:
                    self.state.step = max(self.state.step, self.history.newest.step)
            self._loaded = True

    # what the worker says

    def attach(self, worker: WorkerConnection) -> None:
        """The run's worker has dialled again."""
        self.worker = worker
        self.wait(None)
        self.steering.send_again(worker)

    async def on_started(self, message: dict[str, Any]) -> None:
        """A run, a reset or a restore has begun in the worker."""
        state = self.state
        if message["epoch"] <= state.epoch:
            return
        await self.load()
        before, begun_before, names_before = self.history, state.epoch, self.scalar_names
        parent = message["parent"]
        continues = None if parent is None else (parent["epoch"], parent["step"])
        history = History(self.run_id, message["epoch"])
        if continues is not None:
            if continues[0] == begun_before:
                await self._take_undelivered(before, continues)
            names = list(message["static"]["scalar_names"])
            history_rows = await self._rows_before(before, begun_before, names_before, continues, wanted=names)
            if history_rows is not None:
                history.inherit(history_rows)
        state.parent = continues
        state.config = from_dict(message["config"])
        state.epoch = message["epoch"]
        state.step, state.total_steps = message["step"], message["total_steps"]
        state.revision, state.speed = message["revision"], message["speed"]
        state.status, state.reason = message["status"], None
        state.static, state.device = message["static"], message["static"].get("device")
        state.pause_at = message["pause_at"]
        if message["controls"] != state.applied:
            state.applied_step = dict.fromkeys(state.applied_step, state.step)
        elif state.parent is None:
            state.applied_step = dict.fromkeys(state.applied_step, 0)
        state.applied, state.requested = dict(message["controls"]), dict(message["controls"])
        self.store.save_epoch(self.run_id, state.epoch, state.parent, self.scalar_names)
        self.save()
        self.history = history
        continued = state.parent is not None
        self._phases = PhaseWatch(has_diagonal=state.config.model.has_diagonal, continued=continued)
        self.epoch_reason = _epoch_reason(state)
        self.hello_version += 1
        self.start_from = None
        self.steering.begun()
        self._tell()

    async def _take_undelivered(self, history: History, parent: tuple[int, int]) -> None:
        """Take the scalars that the last worker left beside its checkpoint."""
        left = await self.past.undelivered(*parent)
        if left is None or history.last_seq < 0 or left.after_seq > history.last_seq:
            return
        entry = history.add(left, left.encode())
        if entry is not None:
            self._keep(left, entry)

    async def _rows_before(
        self, before: History, epoch: int, names: list[str], parent: tuple[int, int], *, wanted: list[str]
    ) -> Array | None:
        """The scalars up to where a new epoch is continued from, with its columns `wanted`.

        `before` is the history of `epoch`, with the columns `names`.
        """
        if parent[0] != epoch:
            return await self.past.rows_upto(*parent, names=wanted)
        rows = before.rows()
        return None if rows is None else in_columns(rows[rows[:, 0] <= parent[1]], names, wanted)

    def on_frame(self, message: bytes) -> None:
        """A frame from the worker: keep it, store it, show it."""
        frame = decode_frame(message)
        if frame.run != self.run_id or frame.epoch != self.history.epoch:
            return
        try:
            entry = self.history.add(frame, message)
        except LookupError as error:
            kept = self.history.rows()
            self.history = History(self.run_id, frame.epoch)
            self.history.recall(None, frame.after_seq)
            if kept is not None:
                self.history.inherit(kept)
            self.epoch_reason = f"Some steps are lost: {error}"
            self.add_event("error", self.epoch_reason, {})
            entry = self.history.add(frame, message)
        if entry is None:
            return
        self.state.step, self.state.steps_per_s = frame.step, frame.steps_per_s
        self._keep(frame, entry)
        self._tell(frame_only=True)
        if frame.kind == "frame":
            for phase in self._phases.observe(frame):
                self.add_event("phase", phase.text, phase.data, frame=frame)

    def _keep(self, frame: Frame, entry: Entry) -> None:
        self.store.save_frame(
            self.run_id,
            frame.epoch,
            entry.seq,
            after_seq=entry.after_seq,
            step=frame.step,
            message=entry.message if frame.kind == "frame" else None,
            scalars=entry.scalars,
        )

    def on_event(self, event: dict[str, Any], source: str, n: int) -> None:
        """An event from the worker; a status changes the run, and what its controller did changes the controls."""
        state = self.state
        if event["kind"] == "status" and event["epoch"] >= state.epoch:
            state.status, state.reason = event["data"]["status"], event["data"]["reason"]
            state.step = max(state.step, event["step"])
            if state.status != "running":
                state.steps_per_s = 0.0
                state.pause_at = None
            if not state.active:
                self.steering.begun()
            self.save()
        elif event["kind"] == "applied" and event["data"].get("by") == "controller" and event["epoch"] == state.epoch:
            self.steering.moved_by_controller(event)
            self.save()
        self.events.keep(event, source, n)
        self._tell()

    def on_result(self, message: dict[str, Any]) -> None:
        """The worker's answer to a command."""
        self.steering.answered(message["result"], stale=message["stale"])
        self.save()
        self._tell()

    def worker_lost(self, reason: str) -> None:
        """The link is gone; the worker may come back."""
        self.worker = None
        self.state.steps_per_s = 0.0
        if self.state.active:
            self.wait(reason)

    def starting(self, worker_id: str, pid: int) -> dict[str, Any]:
        """A worker takes the run: the link's `start` message for it."""
        state = self.state
        seed, checkpoints = self.start_from or (None, self.past.resumable(state.epoch, state.parent))
        restored = self.start_from is not None and bool(checkpoints)
        config = state.config
        if seed is not None:
            config = dataclasses.replace(config, train=dataclasses.replace(config.train, seed=seed))
        self.steering.lost()
        state.status, state.reason, state.waiting = "starting", None, None
        state.worker_id, state.worker_pid = worker_id, pid
        self.save()
        self._tell()
        return {
            "type": "start",
            "run": self.run_id,
            "epoch": state.epoch + 1,
            "config": to_dict(config),
            "controls": None if restored else state.applied,
            "revision": state.revision if state.epoch < 0 else state.revision + 1,
            "speed": state.speed,
            "paused": state.paused_before,
            "pause_at": state.pause_at,
            "checkpoints": checkpoints,
        }

    def end(self, status: str, sentence: str) -> None:
        """The run cannot or shall not go on."""
        self.state.status, self.state.reason, self.state.waiting = status, sentence, None
        self.add_event("status", sentence, {"status": status, "reason": sentence})
        self.save()
        self.start_from = None
        self.steering.begun()

    # events of the hub's own, and the record

    def add_event(self, kind: str, text: str, data: dict[str, Any], *, frame: Frame | None = None) -> None:
        """Something happened that the worker did not say."""
        event = Event(
            kind=kind,
            run=self.run_id,
            epoch=max(self.state.epoch, 0),
            step=self.state.step if frame is None else frame.step,
            revision=self.state.revision,
            time_ms=time.time() * 1000 if frame is None else frame.time_ms,
            text=text,
            data=data,
        )
        self.events.add(event)
        self._tell()

    def save(self) -> None:
        """Put the record on disk."""
        self.store.save_run(self.run_id, self.state.created_ms, self.state.to_record())


def _epoch_reason(state: RunState) -> str:
    if state.parent is None:
        return f"The run was begun anew with seed {state.config.train.seed}."
    return f"The run goes on from the checkpoint of step {state.parent[1]}."
