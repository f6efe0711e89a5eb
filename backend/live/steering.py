"""People's commands to one run: sent to its worker, answered once, remembered.

One way out: `Steering.command`, which sends through `Steered.send`; one way back: `Steering.answered`, which whoever
waits for that command_id is woken by. What no worker has to carry out is answered here.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from backend.errors import NotNowError, RunNotFoundError, StaleRevisionError
from backend.live.state import RunState
from backend.storage.store import Store
from cdsp_core.wire.checkpoint_names import list_checkpoints
from cdsp_core.wire.messages.commands import Command, ResetCommand, RestoreCommand, SetCommand
from cdsp_core.wire.messages.link import CommandMessage, ResultMessage
from cdsp_core.wire.messages.run import CommandResult, Event, KeptResult
from cdsp_core.wire.messages.vocabulary import BEGINS, EventKind, Outcome, Status

REMEMBERED_ANSWERS: Final = 1000


class Steered(Protocol):
    """What a command makes a run do."""

    @property
    def has_worker(self) -> bool: ...
    @property
    def is_silent(self) -> bool:
        """Whether the worker is there and has said nothing for too long."""

    def abandon_worker(self) -> None:
        """Do without the worker, which says nothing."""

    def send(self, message: CommandMessage) -> None:
        """Hand a message to the worker that is there."""

    def refresh(self) -> None:
        """Show the state, which has changed, to everybody."""

    def end(self, status: Status, sentence: str) -> None:
        """End the run, which has no worker."""

    def begin_again(self, *, seed: int | None, checkpoints: list[str] | None) -> None:
        """Ask for a worker, which begins from there; None for checkpoints: from the last."""

    def add_event(self, kind: EventKind, text: str, data: dict[str, Any]) -> None:
        """Something happened that no worker said."""


class Steering:
    """`folder` holds the run's checkpoints."""

    def __init__(
        self,
        run: Steered,
        state: RunState,
        *,
        store: Store,
        folder: Path,
        timeout_s: float,
        start_timeout_s: float,
    ) -> None:
        self._run = run
        self._state = state
        self._store = store
        self._folder = folder
        self._timeout_s = timeout_s
        self._start_timeout_s = start_timeout_s
        self._answers: OrderedDict[str, KeptResult] = OrderedDict()
        self._waiting: dict[str, asyncio.Future[KeptResult]] = {}
        self._sent: dict[str, CommandMessage] = {}
        """what waits for its answer"""
        self._opening: tuple[Command, dict[str, Any]] | None = None
        """the command that asked for a worker, and what it replaces"""

    async def command(self, command: Command) -> CommandResult:
        """Carry out a command and answer it once that is on disk; the same command_id gets the same answer.

        Raises StaleRevisionError, RunNotFoundError for a checkpoint, NotNowError when the worker does not answer.
        """
        state, command_id = self._state, command.command_id
        known = self._answers.get(command_id)
        known = known or await asyncio.to_thread(self._store.kept_answer, state.run_id, command_id)
        if known is not None:
            await self._store.settled()
            return self._told(known)
        waiting = self._waiting.get(command_id)
        if waiting is None:
            base = command.base_revision
            if isinstance(command, SetCommand) and base is not None and base != state.revision:
                raise self._stale(f"base_revision must be {state.revision}, the current one. Found {base}.")
            if isinstance(command, RestoreCommand):
                await self._check_checkpoint(command.checkpoint_id)
            waiting = self._waiting[command_id] = asyncio.get_running_loop().create_future()
            try:
                sent = self._send(command)
            except NotNowError:
                del self._waiting[command_id]
                raise
            if not sent:
                self._begin_again(command)
        opens = self._opening is not None
        try:
            answer = await asyncio.wait_for(
                asyncio.shield(waiting), self._start_timeout_s if opens else self._timeout_s
            )
        except TimeoutError:
            if self._opening is not None and self._opening[0].command_id == command_id:
                raise NotNowError("The run waits for a worker and begins when one is free.") from None
            raise NotNowError("The worker has not answered yet; ask again with the same command_id.") from None
        await self._store.settled()
        return self._told(answer)

    def answered(self, message: ResultMessage) -> None:
        """The worker has applied or refused a command."""
        result = message.result
        sent = self._sent.pop(result.command_id, None)
        self._state.answer(result)
        if sent is not None and result.status == "applied":
            match sent.command:
                case SetCommand(controls=controls):
                    self._state.take_in_hand(controls)
                case ResetCommand() | RestoreCommand():
                    self._state.let_go(self._state.by_hand)
        self._state.settle(self._asked())
        self._remember(KeptResult(**dict(result), stale=message.stale))

    def moved_by_itself(self, event: Event) -> None:
        """The run's own controller or its recipe has changed controls; nobody waits for an answer."""
        self._state.revise(event.revision, event.data["new"], event.step)
        self._state.let_go(event.data["new"])
        self._state.settle(self._asked())

    def send_again(self) -> None:
        """The worker has dialled again: it may have missed a command, and knows those it has not missed by their id."""
        for message in self._sent.values():
            self._run.send(message)

    def lost(self) -> None:
        """The worker that was sent commands is gone for good."""
        for command_id in self._sent:
            waiting = self._waiting.pop(command_id, None)
            if waiting is not None and not waiting.done():
                waiting.set_exception(NotNowError("The worker was lost before it answered; try again."))
                waiting.exception()
        self._sent.clear()
        self._state.settle([])

    def begun(self) -> None:
        """The run has begun in a worker, or has failed to: the command that asked for it is answered."""
        if self._opening is None:
            return
        (command, old), self._opening = self._opening, None
        state = self._state
        if not state.active:
            self._answer(command, "rejected", old, {}, state.reason)
            return
        new = {"epoch": state.generation, "step": state.step, "seed": state.config.train.seed, "status": state.status}
        data = {"command": command.to_json(), "old": old, "new": new, "reason": None, "applied_step": state.step}
        self._run.add_event("applied", f"{command.type}: training from step {state.step}.", data)
        self._answer(command, "applied", old, new)

    def fell_silent(self) -> None:
        """The worker says nothing: a stop does not wait for it."""
        stops = [message.command for message in self._sent.values() if message.command.type == "stop"]
        if stops:
            self._stop_without_worker(stops)

    def _stop_without_worker(self, stops: Sequence[Command]) -> None:
        before = self._state.status
        self._run.abandon_worker()
        for command in stops:
            self._sent.pop(command.command_id, None)
        self._run.end("interrupted", "Stopped while its worker did not answer.")
        for command in stops:
            self._answer(command, "applied", {"status": before}, {"status": "interrupted"})

    def _asked(self) -> list[dict[str, float]]:
        """Controls of the commands that wait for their answer."""
        commands = (message.command for message in self._sent.values())
        return [command.controls for command in commands if isinstance(command, SetCommand)]

    def _send(self, command: Command) -> bool:
        """Hand a command to the worker, or answer it here; False when a worker has to be begun for it first.

        Raises NotNowError when the run waits for its worker.
        """
        run, state, kind = self._run, self._state, command.type
        if state.active and run.has_worker and run.is_silent and kind == "stop":
            self._stop_without_worker([command])
        elif state.active and run.has_worker:
            message = CommandMessage(run=state.run_id, command=command, requested_step=state.step)
            self._sent[command.command_id] = message
            if isinstance(command, SetCommand):
                state.ask(command.controls)
                run.refresh()
            run.send(message)
        elif state.active and kind == "stop":
            before = state.status
            run.end("interrupted", "Stopped before a worker took it.")
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

    def _begin_again(self, command: Command) -> None:
        """Ask for a worker for an ended run; `begun` answers."""
        state, own_seed = self._state, self._state.config.train.seed
        old = {"epoch": max(state.generation, 0), "step": state.step, "seed": own_seed, "status": state.status}
        self._opening = (command, old)
        match command:
            case ResetCommand(seed=seed):
                self._run.begin_again(seed=own_seed if seed is None else seed, checkpoints=[])
            case RestoreCommand(checkpoint_id=name):
                self._run.begin_again(seed=None, checkpoints=[name])
            case _:
                self._run.begin_again(seed=None, checkpoints=None)

    async def _check_checkpoint(self, checkpoint_id: str) -> None:
        """Raises RunNotFoundError unless the run has that checkpoint."""
        if checkpoint_id not in await asyncio.to_thread(list_checkpoints, self._folder):
            raise RunNotFoundError(f"The run has no checkpoint {checkpoint_id!r}.")

    def _told(self, answer: KeptResult) -> CommandResult:
        """The answer as the API gives it. Raises StaleRevisionError when that is what it was."""
        if answer.stale:
            raise self._stale(answer.reason or "")
        return answer.told()

    def _stale(self, sentence: str) -> StaleRevisionError:
        state = self._state
        return StaleRevisionError(sentence, revision=state.revision, controls=state.controls.to_json())

    def _answer(
        self, command: Command, status: Outcome, old: dict[str, Any], new: dict[str, Any], reason: str | None = None
    ) -> KeptResult:
        """Answer a command that no worker has to carry out."""
        answer = KeptResult(
            command_id=command.command_id,
            status=status,
            applied_step=self._state.step,
            revision=self._state.revision,
            old=old,
            new=new,
            reason=reason,
            stale=False,
        )
        self._remember(answer)
        return answer

    def _remember(self, answer: KeptResult) -> None:
        self._answers[answer.command_id] = answer
        if len(self._answers) > REMEMBERED_ANSWERS:
            self._answers.popitem(last=False)
        self._store.save_answer(self._state.run_id, answer)
        waiting = self._waiting.pop(answer.command_id, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)
