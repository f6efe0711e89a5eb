"""One run: what is known of it, who watches it, which worker trains it."""

from __future__ import annotations

import asyncio
import dataclasses
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from backend.errors import NotNowError, RunNotFoundError, StaleRevisionError
from backend.history import History, ScalarHistory, scalars_message
from backend.link import WorkerConnection
from backend.state import RunState
from backend.store import Store
from backend.viewers import Viewer
from cdsp_core.config import from_dict, schema, to_dict
from cdsp_core.frames import Event, Frame, decode_frame, to_json_text
from cdsp_core.phases import PhaseWatch
from cdsp_core.worker.session import list_checkpoints, read_checkpoint_name

MAX_EVENTS_IN_HELLO: Final = 500
MAX_CAUGHT_UP_ROWS: Final = 4000
REMEMBERED_ANSWERS: Final = 1000
BEGINS: Final = ("reset", "restore", "resume")
"""commands that give an ended run a worker again"""

Begin = Callable[["RunHub"], None]


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
        begin: Begin,
    ) -> None:
        self.state = state
        self.history = History(state.run_id, state.epoch)
        self.viewers: set[Viewer] = set()
        self.worker: WorkerConnection | None = None
        self.hello_version = 0
        self.run_version = 0
        self.epoch_reason = "The run was begun anew."
        self.start_from: tuple[int | None, list[str]] | None = None
        """seed and checkpoints a person asked the next start to take; None: go on from the last checkpoint"""
        self._store = store
        self._folder = checkpoint_dir / state.run_id
        self._timeout_s = timeout_s
        self._start_timeout_s = start_timeout_s
        self._begin = begin
        self._events: list[str] = []
        self._event_count = 0
        self._source = uuid.uuid4().hex
        self._own_events = 0
        self._phases = PhaseWatch(has_diagonal=state.config.model.has_diagonal)
        self._answers: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self._pending: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._asked: dict[str, dict[str, float]] = {}
        """controls of the set commands that wait for their answer"""
        self._started: asyncio.Future[None] | None = None
        self._hello_text: tuple[Any, str] | None = None
        self._loaded = state.epoch < 0
        self._loading = asyncio.Lock()

    # what viewers read

    @property
    def event_count(self) -> int:
        """Events so far; `event_message` takes a number below it."""
        return self._event_count

    def event_message(self, number: int) -> str | None:
        """The text message of an event; None when it is too old to be kept in memory."""
        index = number - (self._event_count - len(self._events))
        return f'{{"type":"event",{self._events[index][1:]}' if index >= 0 else None

    def run_message(self) -> str:
        """The text message `run`."""
        return to_json_text({"type": "run", "run": self.to_json()})

    def reset_message(self, reason: str) -> str:
        """The text message `reset`."""
        return to_json_text({"type": "reset", "epoch": max(self.state.epoch, 0), "reason": reason})

    def hello(self, *, resumed: bool) -> str:
        """The text message `hello`."""
        key = (self.hello_version, self.run_version, self._event_count, resumed)
        if self._hello_text is None or self._hello_text[0] != key:
            head = to_json_text(
                {
                    "type": "hello",
                    "protocol": 1,
                    "run": self.to_json(),
                    "config": to_dict(self.state.config),
                    "bounds": schema()["controls"],
                    **{name: value for name, value in _static(self.state).items() if name != "device"},
                    "resumed": resumed,
                }
            )
            self._hello_text = (key, f'{head[:-1]},"events":[{",".join(self._events[-MAX_EVENTS_IN_HELLO:])}]}}')
        return self._hello_text[1]

    def to_json(self) -> dict[str, Any]:
        """The run as the API shows it."""
        return self.state.to_json(viewers=len(self.viewers))

    async def can_resume(self, epoch: int, seq: int) -> bool:
        """Whether a viewer that has drawn frame `epoch`:`seq` can get exactly what came after it."""
        history = self.history
        if epoch != history.epoch or not 0 <= seq <= history.last_seq or history.newest is None:
            return False
        if seq == history.last_seq or history.scalars_between(seq, history.last_seq) is not None:
            return True
        return await self.stored_scalars(seq, history.first_after) is not None

    async def stored_scalars(self, after: int, upto: int) -> list[bytes] | None:
        """Scalars that memory no longer holds, from disk, up to `upto` and what memory has after it; None if not."""
        history = self.history
        edge = min(history.first_after, upto)
        if after >= edge:
            return None
        rows = await asyncio.to_thread(
            self._store.scalars_between, self.state.run_id, history.epoch, after, edge, most=MAX_CAUGHT_UP_ROWS
        )
        rest = history.scalars_between(edge, upto)
        if rows is None or rest is None:
            return None
        rows = rows if len(rows) else np.empty((0, len(self.scalar_names)), dtype=np.float32)
        step = int(rows[-1, 0]) if len(rows) else 0
        message = scalars_message(self.state.run_id, history.epoch, after_seq=after, seq=edge, rows=rows, step=step)
        return [message, *rest]

    @property
    def scalar_names(self) -> list[str]:
        """Names of the columns of the scalars."""
        return list(self.state.static.get("scalar_names", []))

    # viewers

    async def join(self, viewer: Viewer) -> None:
        """A viewer has come."""
        await self.load()
        self.viewers.add(viewer)
        self._tell()

    def leave(self, viewer: Viewer) -> None:
        """A viewer has gone."""
        self.viewers.discard(viewer)
        self._tell()

    def refresh(self) -> None:
        """The state was changed from outside: show it."""
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
            await asyncio.to_thread(self._store.flush)
            events, last_seq, message, rows = await asyncio.to_thread(self._stored)
            self._events = [to_json_text(event) for event in events] + self._events
            self._event_count += len(events)
            if self.history.last_seq < 0 and last_seq >= 0:
                newest = None if message is None else decode_frame(message)
                if rows is not None:
                    self.history.inherit(rows)
                    self.history.last_step = int(rows[-1, 0])
                self.history.recall(newest, last_seq)
                if newest is not None:
                    self.state.step = max(self.state.step, newest.step)
            self._loaded = True

    def _stored(self) -> tuple[list[dict[str, Any]], int, bytes | None, Any]:
        run_id, epoch = self.state.run_id, self.state.epoch
        last_seq = self._store.last_seq(run_id, epoch)
        return (
            self._store.events(run_id),
            last_seq,
            self._store.frame(run_id, epoch, last_seq),
            self._store.scalars(run_id, epoch),
        )

    # what the worker says

    async def on_started(self, message: dict[str, Any]) -> None:
        """A run, a reset or a restore has begun in the worker."""
        state = self.state
        if message["epoch"] <= state.epoch:
            return
        await self.load()
        before = self.history
        begun_before = state.epoch
        parent = message["parent"]
        state.parent = None if parent is None else (parent["epoch"], parent["step"])
        state.config = from_dict(message["config"])
        state.epoch = message["epoch"]
        state.step, state.total_steps = message["step"], message["total_steps"]
        state.revision, state.speed = message["revision"], message["speed"]
        state.status, state.reason = message["status"], None
        state.static, state.device = message["static"], message["static"].get("device")
        state.pause_at = None
        if message["controls"] != state.applied:
            state.applied_step = dict.fromkeys(state.applied_step, state.step)
        elif state.parent is None:
            state.applied_step = dict.fromkeys(state.applied_step, 0)
        state.applied, state.requested = dict(message["controls"]), dict(message["controls"])
        self._store.save_epoch(state.run_id, state.epoch, state.parent, self.scalar_names)
        self.save()
        history = History(state.run_id, state.epoch)
        if state.parent is not None:
            history_rows = await self._rows_before(before, begun_before, state.parent)
            if history_rows is not None:
                history.inherit(history_rows)
        self.history = history
        self._phases = PhaseWatch(has_diagonal=state.config.model.has_diagonal)
        self.epoch_reason = _epoch_reason(state)
        self.hello_version += 1
        if self._started is not None and not self._started.done():
            self._started.set_result(None)
        self._tell()

    async def _rows_before(self, before: History, epoch: int, parent: tuple[int, int]) -> Any:
        """The scalars up to where this epoch was continued from."""
        if parent[0] == epoch:
            rows = before.rows()
            return None if rows is None else rows[rows[:, 0] <= parent[1]]
        await asyncio.to_thread(self._store.flush)
        rows = await asyncio.to_thread(self._store.scalars, self.state.run_id, parent[0], upto_step=parent[1])
        if rows is None:
            return None
        thinned = ScalarHistory(rows.shape[1])
        thinned.append(rows)
        return thinned.rows()

    def on_frame(self, message: bytes) -> None:
        """A frame from the worker: keep it, store it, show it."""
        frame = decode_frame(message)
        if frame.epoch != self.history.epoch:
            return
        try:
            entry = self.history.add(frame, message)
        except LookupError as error:
            self.history = History(self.state.run_id, frame.epoch)
            self.history.recall(None, frame.after_seq)
            self.epoch_reason = f"Some steps are lost: {error}"
            self.add_event("error", self.epoch_reason, {})
            entry = self.history.add(frame, message)
        if entry is None:
            return
        state = self.state
        state.step, state.steps_per_s = frame.step, frame.steps_per_s
        self._store.save_frame(
            state.run_id,
            frame.epoch,
            entry.seq,
            after_seq=entry.after_seq,
            step=frame.step,
            message=entry.message if frame.kind == "frame" else None,
            scalars=entry.scalars,
        )
        self._tell(frame_only=True)
        if frame.kind == "frame":
            for phase in self._phases.observe(frame):
                self.add_event("phase", phase.text, phase.data, frame=frame)

    def on_event(self, event: dict[str, Any], source: str, n: int) -> None:
        """An event from the worker; a status event changes the run."""
        state = self.state
        if event["kind"] == "status" and event["epoch"] >= state.epoch:
            state.status, state.reason = event["data"]["status"], event["data"]["reason"]
            state.step = max(state.step, event["step"])
            if state.status != "running":
                state.steps_per_s = 0.0
                state.pause_at = None
            if state.status == "failed" and self._started is not None and not self._started.done():
                self._started.set_result(None)
            self.save()
        self._keep_event(event, source, n)
        self._tell()

    def on_result(self, message: dict[str, Any]) -> None:
        """The worker's answer to a command."""
        result, state = message["result"], self.state
        state.revision = max(state.revision, result["revision"])
        if result["status"] == "applied":
            changed = {name: value for name, value in result["new"].items() if name in state.applied}
            state.applied |= changed
            state.applied_step |= dict.fromkeys(changed, result["applied_step"])
            if "steps_per_s" in result["new"]:
                state.speed = result["new"]["steps_per_s"]
            if "pause_at" in result["new"]:
                state.pause_at = result["new"]["pause_at"]
            self.save()
        self._asked.pop(result["command_id"], None)
        state.requested = dict(state.applied)
        for controls in self._asked.values():
            state.requested |= controls
        self._remember(result["command_id"], {**result, "stale": message["stale"]})
        self._tell()

    def worker_lost(self, reason: str) -> None:
        """The link is gone; the worker may come back."""
        self.worker = None
        self.state.steps_per_s = 0.0
        if self.state.active:
            self.state.reason = reason
        self._tell()

    def starting(self, worker_id: str, pid: int) -> dict[str, Any]:
        """A worker takes the run: the link's `start` message for it."""
        state = self.state
        seed, checkpoints = self.start_from or (None, self.resumable())
        restored = self.start_from is not None and bool(checkpoints)
        self.start_from = None
        config = state.config
        if seed is not None:
            config = dataclasses.replace(config, train=dataclasses.replace(config.train, seed=seed))
        state.status, state.reason = "starting", None
        state.worker_id, state.worker_pid = worker_id, pid
        self.save()
        self._tell()
        return {
            "type": "start",
            "run": state.run_id,
            "epoch": state.epoch + 1,
            "config": to_dict(config),
            "controls": None if restored else state.applied,
            "revision": state.revision if state.epoch < 0 else state.revision + 1,
            "speed": state.speed,
            "paused": state.paused_before,
            "pause_at": state.pause_at,
            "checkpoints": checkpoints,
        }

    def fail(self, sentence: str) -> None:
        """The run cannot go on."""
        self.state.status, self.state.reason = "failed", sentence
        self.add_event("status", sentence, {"status": "failed", "reason": sentence})
        self.save()
        if self._started is not None and not self._started.done():
            self._started.set_result(None)

    # people's commands

    async def command(self, command: dict[str, Any]) -> dict[str, Any]:
        """Carry out a command; the worker's answer. Raises StaleRevisionError, NotNowError or RunNotFoundError."""
        command_id = command["command_id"]
        known = self._answers.get(command_id) or await asyncio.to_thread(
            self._store.answer, self.state.run_id, command_id
        )
        if known is not None:
            return self._answer(known)
        pending = self._pending.get(command_id)
        if pending is None:
            base = command.get("base_revision")
            if command["type"] == "set" and base is not None and base != self.state.revision:
                raise self._stale(base)
            if command["type"] == "restore":
                command = {**command, "checkpoint": self._checkpoint(command["checkpoint_id"])}
            if self.worker is None or not self.state.active:
                return await self._command_without_worker(command)
            pending = asyncio.get_running_loop().create_future()
            self._pending[command_id] = pending
            if command["type"] == "set":
                self._asked[command_id] = command["controls"]
                self.state.requested |= command["controls"]
                self._tell()
            told = {**command, "requested_step": self.state.step}
            self.worker.send({"type": "command", "run": self.state.run_id, "command": told})
        try:
            answer = await asyncio.wait_for(asyncio.shield(pending), self._timeout_s)
        except TimeoutError:
            raise NotNowError("The worker has not answered yet; ask again with the same command_id.") from None
        return self._answer(answer)

    async def _command_without_worker(self, command: dict[str, Any]) -> dict[str, Any]:
        state, kind = self.state, command["type"]
        if state.active:
            if kind == "stop" and state.status == "queued":
                state.status, state.reason = "interrupted", "Stopped before it began."
                self.add_event("status", state.reason, {"status": state.status, "reason": state.reason})
                self.save()
                return self._own_answer(command, "applied", {"status": "queued"}, {"status": "interrupted"})
            waiting = "waits for a worker" if state.status == "queued" else "has no worker at the moment"
            raise NotNowError(f"The run {waiting}; try again in a moment.")
        if kind not in BEGINS or (kind == "resume" and state.status == "finished"):
            return self._own_answer(command, "rejected", {}, {}, f"The run is {state.status}; reset it to go on.")
        old = {
            "epoch": max(state.epoch, 0),
            "step": state.step,
            "seed": state.config.train.seed,
            "status": state.status,
        }
        seed = command.get("seed")
        if kind == "reset":
            self.start_from = (state.config.train.seed if seed is None else seed, [])
        elif kind == "restore":
            self.start_from = (None, [command["checkpoint"]])
        state.restarts = 0
        state.paused_before = kind == "restore"
        state.pause_at = None
        self._started = asyncio.get_running_loop().create_future()
        self._begin(self)
        try:
            await asyncio.wait_for(asyncio.shield(self._started), self._start_timeout_s)
        except TimeoutError:
            raise NotNowError("The run waits for a worker and begins when one is free.") from None
        if state.status == "failed":
            return self._own_answer(command, "rejected", old, {}, state.reason)
        new = {"epoch": state.epoch, "step": state.step, "seed": state.config.train.seed, "status": state.status}
        self.add_event(
            "applied", f"{kind}: training from step {state.step}.", {"command": command, "old": old, "new": new}
        )
        return self._own_answer(command, "applied", old, new)

    def _checkpoint(self, checkpoint_id: str) -> str:
        """The name of a checkpoint of this run, looked up among those that exist."""
        for name in list_checkpoints(self._folder):
            if name == checkpoint_id:
                return name
        raise RunNotFoundError(f"The run has no checkpoint {checkpoint_id!r}.")

    def checkpoints(self) -> list[dict[str, Any]]:
        """Checkpoints of this run, newest first."""
        found = []
        for name in list_checkpoints(self._folder):
            parsed = read_checkpoint_name(name)
            assert parsed is not None
            found.append({"checkpoint_id": name, "epoch": parsed[0], "step": parsed[1], "kept": parsed[2]})
        return found

    def resumable(self) -> list[str]:
        """Names of the checkpoints that continue the present epoch, the newest first."""
        found = list_checkpoints(self._folder)
        parsed = [(name, read_checkpoint_name(name)) for name in found]
        own = [name for name, at in parsed if at is not None and at[0] == self.state.epoch]
        return own + [name for name, at in parsed if at is not None and at[:2] == self.state.parent]

    def _answer(self, known: dict[str, Any]) -> dict[str, Any]:
        if known["stale"]:
            raise StaleRevisionError(known["reason"], revision=self.state.revision, controls=self.to_json()["controls"])
        return {name: value for name, value in known.items() if name != "stale"}

    def _stale(self, base: int) -> StaleRevisionError:
        sentence = f"base_revision must be {self.state.revision}, the current one. Found {base}."
        return StaleRevisionError(sentence, revision=self.state.revision, controls=self.to_json()["controls"])

    def _own_answer(
        self, command: dict[str, Any], status: str, old: dict[str, Any], new: dict[str, Any], reason: str | None = None
    ) -> dict[str, Any]:
        state = self.state
        answer = {
            "command_id": command["command_id"],
            "status": status,
            "applied_step": state.step,
            "revision": state.revision,
            "old": old,
            "new": new,
            "reason": reason,
        }
        self._remember(command["command_id"], {**answer, "stale": False})
        return answer

    def _remember(self, command_id: str, answer: dict[str, Any]) -> None:
        self._answers[command_id] = answer
        if len(self._answers) > REMEMBERED_ANSWERS:
            self._answers.popitem(last=False)
        self._store.save_answer(self.state.run_id, command_id, answer)
        pending = self._pending.pop(command_id, None)
        if pending is not None and not pending.done():
            pending.set_result(answer)

    # events of the hub's own, and the record

    def add_event(self, kind: str, text: str, data: dict[str, Any], *, frame: Frame | None = None) -> None:
        """Something happened that the worker did not say."""
        event = Event(
            kind=kind,
            run=self.state.run_id,
            epoch=max(self.state.epoch, 0),
            step=self.state.step if frame is None else frame.step,
            revision=self.state.revision,
            time_ms=time.time() * 1000 if frame is None else frame.time_ms,
            text=text,
            data=data,
        )
        self._own_events += 1
        self._keep_event(event.to_json(), self._source, self._own_events)
        self._tell()

    def _keep_event(self, event: dict[str, Any], source: str, n: int) -> None:
        text = to_json_text({name: value for name, value in event.items() if name != "type"})
        self._events.append(text)
        del self._events[: -2 * MAX_EVENTS_IN_HELLO]
        self._event_count += 1
        self._store.save_event(self.state.run_id, source, n, event)

    def save(self) -> None:
        """Put the record on disk."""
        self._store.save_run(self.state.run_id, self.state.created_ms, self.state.to_record())


def _static(state: RunState) -> dict[str, Any]:
    """What the worker says of its run; without a worker yet, what the config says."""
    if state.static:
        return state.static
    model = state.config.model
    return {
        "tasks": [],
        "scalar_names": [],
        "layers": model.num_layers,
        "experts": model.num_experts,
        "partitions": model.num_partitions,
        "dims": model.d_base,
        "rank": model.rank,
        "num_tokens": model.num_tokens,
        "data": None,
        "steps_per_epoch": None,
    }


def _epoch_reason(state: RunState) -> str:
    if state.parent is None:
        return f"The run was begun anew with seed {state.config.train.seed}."
    return f"The run goes on from the checkpoint of step {state.parent[1]}."
