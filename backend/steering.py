"""People's commands to one run: sent to its worker, answered once, remembered."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from backend.errors import NotNowError, RunNotFoundError, StaleRevisionError
from cdsp_core.wire.checkpoint_names import list_checkpoints

if TYPE_CHECKING:
    from backend.hub import RunHub
    from backend.link import WorkerConnection

REMEMBERED_ANSWERS: Final = 1000
BEGINS: Final = ("reset", "restore", "resume")
"""commands that give an ended run a worker again"""


class Steering:
    """`begin` asks for a worker for the run."""

    def __init__(
        self, hub: RunHub, *, timeout_s: float, start_timeout_s: float, begin: Callable[[RunHub], None]
    ) -> None:
        self._hub = hub
        self._timeout_s = timeout_s
        self._start_timeout_s = start_timeout_s
        self._begin = begin
        self._answers: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self._waiting: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._sent: dict[str, dict[str, Any]] = {}
        """link messages of the commands that wait for their answer"""
        self._asked: dict[str, dict[str, float]] = {}
        """controls of the set commands that wait for their answer"""
        self._beginning: asyncio.Future[None] | None = None

    async def command(self, command: dict[str, Any]) -> dict[str, Any]:
        """Carry out a command and answer it; the same command_id gets the same answer.

        Raises StaleRevisionError, RunNotFoundError for a checkpoint, NotNowError when the worker does not answer.
        """
        hub, command_id = self._hub, command["command_id"]
        known = self._answers.get(command_id)
        known = known or await asyncio.to_thread(hub.store.archive.answer, hub.run_id, command_id)
        if known is not None:
            return self._told(known)
        waiting = self._waiting.get(command_id)
        if waiting is None:
            base = command.get("base_revision")
            if command["type"] == "set" and base is not None and base != hub.state.revision:
                raise self._stale(f"base_revision must be {hub.state.revision}, the current one. Found {base}.")
            if command["type"] == "restore":
                command = {**command, "checkpoint": await self._checkpoint(command["checkpoint_id"])}
            waiting = self._waiting[command_id] = asyncio.get_running_loop().create_future()
            try:
                sent = self._send(command)
            except NotNowError:
                del self._waiting[command_id]
                raise
            if not sent:
                return await self._begin_again(command)
        limit_s = self._timeout_s if self._beginning is None else self._start_timeout_s
        try:
            return self._told(await asyncio.wait_for(asyncio.shield(waiting), limit_s))
        except TimeoutError:
            raise NotNowError("The worker has not answered yet; ask again with the same command_id.") from None

    def answered(self, result: dict[str, Any], *, stale: bool) -> None:
        """The worker has applied or refused a command."""
        state, command_id = self._hub.state, result["command_id"]
        applied = result["status"] == "applied"
        self._revise(result["revision"], result["new"] if applied else {}, result["applied_step"])
        if applied:
            if "steps_per_s" in result["new"]:
                state.speed = result["new"]["steps_per_s"]
            if "pause_at" in result["new"]:
                state.pause_at = result["new"]["pause_at"]
        self._asked.pop(command_id, None)
        self._settle_requested()
        self._remember(command_id, {**result, "stale": stale})

    def moved_by_controller(self, event: dict[str, Any]) -> None:
        """The run's own controller has changed controls; nobody waits for an answer."""
        self._revise(event["revision"], event["data"]["new"], event["step"])
        self._settle_requested()

    def _revise(self, revision: int, new: dict[str, Any], step: int) -> None:
        """Take over what is in force now, since which step."""
        state = self._hub.state
        state.revision = max(state.revision, revision)
        changed = {name: value for name, value in new.items() if name in state.applied}
        state.applied |= changed
        state.applied_step |= dict.fromkeys(changed, step)

    def _settle_requested(self) -> None:
        """What is wanted: what is in force, and what was asked and is under way."""
        state = self._hub.state
        state.requested = dict(state.applied)
        for controls in self._asked.values():
            state.requested |= controls

    def send_again(self, worker: WorkerConnection) -> None:
        """The worker has dialled again: it may have missed a command, and knows those it has not missed by their id."""
        for message in self._sent.values():
            worker.send(message)

    def lost(self) -> None:
        """The worker that was sent commands is gone for good."""
        for command_id in list(self._sent):
            waiting = self._waiting.pop(command_id, None)
            if waiting is not None and not waiting.done():
                waiting.set_exception(NotNowError("The worker was lost before it answered; try again."))
                waiting.exception()
        self._sent.clear()
        self._asked.clear()
        self._hub.state.requested = dict(self._hub.state.applied)

    def begun(self) -> None:
        """The run has begun in a worker, or has failed to."""
        if self._beginning is not None and not self._beginning.done():
            self._beginning.set_result(None)

    def _send(self, command: dict[str, Any]) -> bool:
        """Hand a command to the worker, or answer it here; False when a worker has to be begun for it first.

        Raises NotNowError when the run waits for its worker.
        """
        hub, state, kind = self._hub, self._hub.state, command["type"]
        if state.active and hub.worker is not None:
            if kind == "set":
                self._asked[command["command_id"]] = command["controls"]
                state.requested |= command["controls"]
                hub.refresh()
            told = {**command, "requested_step": state.step}
            message = {"type": "command", "run": hub.run_id, "command": told}
            self._sent[command["command_id"]] = message
            hub.worker.send(message)
        elif state.active and kind == "stop":
            before = state.status
            hub.end("interrupted", "Stopped before a worker took it.")
            self._answer(command, "applied", {"status": before}, {"status": "interrupted"})
        elif state.active:
            waits = "waits for a worker" if state.status == "queued" else "has no worker at the moment"
            raise NotNowError(f"The run {waits}; try again in a moment.")
        elif state.unreadable is not None:
            self._answer(command, "rejected", {}, {}, state.reason)
        elif kind not in BEGINS or (kind == "resume" and state.status == "finished"):
            self._answer(command, "rejected", {}, {}, f"The run is {state.status}; reset it to go on.")
        else:
            return False
        return True

    async def _begin_again(self, command: dict[str, Any]) -> dict[str, Any]:
        """Give an ended run a worker; answer when it has begun."""
        hub, state, kind = self._hub, self._hub.state, command["type"]
        old = {
            "epoch": max(state.epoch, 0),
            "step": state.step,
            "seed": state.config.train.seed,
            "status": state.status,
        }
        if kind == "reset":
            hub.start_from = (command.get("seed", state.config.train.seed), [])
        elif kind == "restore":
            hub.start_from = (None, [command["checkpoint"]])
        state.restarts = 0
        state.paused_before = kind == "restore"
        state.pause_at = None
        self._beginning = asyncio.get_running_loop().create_future()
        self._begin(hub)
        try:
            await asyncio.wait_for(asyncio.shield(self._beginning), self._start_timeout_s)
        except TimeoutError:
            self._waiting.pop(command["command_id"], None)
            raise NotNowError("The run waits for a worker and begins when one is free.") from None
        finally:
            self._beginning = None
        if not state.active:
            return self._told(self._answer(command, "rejected", old, {}, state.reason))
        new = {"epoch": state.epoch, "step": state.step, "seed": state.config.train.seed, "status": state.status}
        data = {"command": command, "old": old, "new": new, "reason": None, "applied_step": state.step}
        hub.add_event("applied", f"{kind}: training from step {state.step}.", data)
        return self._told(self._answer(command, "applied", old, new))

    async def _checkpoint(self, checkpoint_id: str) -> str:
        """The name of a checkpoint of this run, looked up among those that exist."""
        for name in await asyncio.to_thread(list_checkpoints, self._hub.folder):
            if name == checkpoint_id:
                return name
        raise RunNotFoundError(f"The run has no checkpoint {checkpoint_id!r}.")

    def _told(self, answer: dict[str, Any]) -> dict[str, Any]:
        """The answer as the API gives it. Raises StaleRevisionError when that is what it was."""
        if answer["stale"]:
            raise self._stale(answer["reason"])
        return {name: value for name, value in answer.items() if name != "stale"}

    def _stale(self, sentence: str) -> StaleRevisionError:
        state = self._hub.state
        return StaleRevisionError(sentence, revision=state.revision, controls=self._hub.to_json()["controls"])

    def _answer(
        self, command: dict[str, Any], status: str, old: dict[str, Any], new: dict[str, Any], reason: str | None = None
    ) -> dict[str, Any]:
        """Answer a command that no worker has to carry out."""
        answer = {
            "command_id": command["command_id"],
            "status": status,
            "applied_step": self._hub.state.step,
            "revision": self._hub.state.revision,
            "old": old,
            "new": new,
            "reason": reason,
            "stale": False,
        }
        self._remember(command["command_id"], answer)
        return answer

    def _remember(self, command_id: str, answer: dict[str, Any]) -> None:
        self._answers[command_id] = answer
        if len(self._answers) > REMEMBERED_ANSWERS:
            self._answers.popitem(last=False)
        self._hub.store.save_answer(self._hub.run_id, command_id, answer)
        self._sent.pop(command_id, None)
        waiting = self._waiting.pop(command_id, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)
