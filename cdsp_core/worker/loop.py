"""The worker's main thread: takes messages between two steps, trains while there is a run to train."""

from __future__ import annotations

import logging
import queue
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from cdsp_core.wire.checkpoint_names import read_checkpoint_name
from cdsp_core.wire.messages.commands import (
    CheckpointCommand,
    Command,
    ResetCommand,
    RestoreCommand,
    SetCommand,
    SpeedCommand,
)
from cdsp_core.wire.messages.link import (
    CommandMessage,
    Drop,
    End,
    EventMessage,
    Kept,
    Leaving,
    Order,
    ResultMessage,
    Start,
    StudyStart,
    StudyStop,
)
from cdsp_core.wire.messages.run import CommandResult, Event
from cdsp_core.wire.messages.vocabulary import ALIVE_EVERY_S, MAX_SENTENCE, Outcome
from cdsp_core.worker.answers import Answers
from cdsp_core.worker.beginnings import first_trainer, reseeded, restored
from cdsp_core.worker.checkpoints import named
from cdsp_core.worker.commands import Changed, RefusedError, carry_out
from cdsp_core.worker.link import Link
from cdsp_core.worker.session import Session
from cdsp_core.worker.storing import Storing
from cdsp_core.worker.studies import StudyRunner
from cdsp_core.worker.surroundings import Surroundings
from cdsp_core.worker.trainable import Trainable
from cdsp_core.worker.words import first_line, told

logger = logging.getLogger(__name__)


class WorkerLoop:
    """Holds at most one session. `run` returns when the backend says so, is gone, or `inbox` holds an end."""

    def __init__(
        self,
        *,
        inbox: queue.SimpleQueue[Order],
        link: Link,
        surroundings: Surroundings,
        non_finite: type[RuntimeError],
        studies: StudyRunner,
        refuses: Callable[[Command], str | None] = lambda _: None,
    ) -> None:
        self._refuses = refuses
        """why a command is not carried out here; None where it is"""
        self._inbox = inbox
        self._link = link
        self._surroundings = surroundings
        self._outbox = surroundings.outbox
        self._non_finite = non_finite
        self._studies = studies
        self._session: Session | None = None
        self._answers = Answers(self._outbox)
        self._storing = Storing(outbox=self._outbox, on_kept=inbox.put)
        self._ending: str | None = None

    @property
    def session(self) -> Session | None:
        """The run that is held."""
        return self._session

    @property
    def ending(self) -> str | None:
        """Why nothing more is done; None while it is."""
        return self._ending

    def run(self) -> str:
        """Work until told to end; why it ended."""
        while self._ending is None:
            self.turn()
        return self.close(self._ending)

    def turn(self) -> bool:
        """Take the messages that wait, then train a step where one is due; whether one was."""
        session = self._session
        self._link.pulse.beat()
        trains = session is not None and session.training
        self.take_waiting(min(session.wait_s(), ALIVE_EVERY_S) if session and trains else ALIVE_EVERY_S)
        if session is None or not trains or not self._may_step(session):
            return False
        self._step(session)
        return True

    def close(self, reason: str) -> str:
        """Say that this worker ends and why, and end the link."""
        if self._session is not None and self._session.broken is None:
            self._session.checkpoint(kept=False)
        self._storing.close()
        self._studies.close()
        self._outbox.put(Leaving(reason=reason))
        self._link.close()
        return reason

    def _may_step(self, session: Session) -> bool:
        """Whether what was taken leaves this session training, and its next step is due."""
        held = self._session is session and self._ending is None
        return held and session.training and session.wait_s() <= 0

    def take_waiting(self, wait_s: float) -> None:
        """Take the messages that wait; with none, wait for one at most `wait_s`."""
        try:
            self._take(self._inbox.get(timeout=wait_s) if wait_s > 0 else self._inbox.get_nowait())
            while True:
                self._take(self._inbox.get_nowait())
        except queue.Empty:
            pass

    def _step(self, session: Session) -> None:
        try:
            self._follow_recipe(session)
            self._steer(session)
            if session.training:
                with nullcontext() if session.has_stepped else self._link.pulse.long_work():
                    session.train_step()
        except self._non_finite as error:
            self._break_off(session, error)
        except (RuntimeError, ValueError, MemoryError) as error:
            logger.exception("training stopped")
            session.set_status("failed", f"Training stopped at step {session.trainer.step}: {first_line(error)}")
        if session.status in ("finished", "failed"):
            self._drop()

    def _follow_recipe(self, session: Session) -> None:
        """Make the edits of the run's recipe that are due, as a person would have."""
        for place, edit in session.due_edits():
            command_id = f"recipe-{session.run_id}-{session.generation}-{place}"
            command = SetCommand(command_id=command_id, type="set", controls=edit.controls)
            self._command(CommandMessage(run=session.run_id, command=command, requested_step=edit.step, by="recipe"))

    def _steer(self, session: Session) -> None:
        """Give the run the command that its controller asks for, as a person would."""
        move = session.trainer.steer()
        if move is not None:
            step = session.trainer.step
            command_id = f"controller-{session.run_id}-{session.generation}-{step}"
            command = SetCommand(command_id=command_id, type="set", controls=move.controls)
            self._command(
                CommandMessage(
                    run=session.run_id, command=command, requested_step=step, by="controller", reason=move.reason
                )
            )

    def _take(self, order: Order) -> None:
        match order:
            case Start():
                with self._link.pulse.long_work():
                    self._start(order)
            case CommandMessage():
                self._command(order)
            case Kept():
                self._answers.settle(order, self._session.revision if self._session is not None else 0)
            case StudyStart() | StudyStop():
                self._studies.take(order)
            case Drop():
                self._drop()
                self._outbox.clear()
            case End(reason=reason):
                self._ending = reason

    def _drop(self) -> None:
        self._session = None
        self._link.hold(None)

    def _start(self, order: Start) -> None:
        self._link.hold(order.run, order.epoch)
        try:
            stored = self._storing.begin(order)
            trainer, parent, skipped = first_trainer(self._surroundings, order, stored)
            self._session = Session(
                run_id=order.run,
                generation=order.epoch,
                revision=order.revision,
                trainer=trainer,
                surroundings=self._surroundings,
                speed=order.speed,
                paused=order.paused,
                parent=parent,
                pause_at=order.pause_at,
                edits=order.edits,
                stored=stored,
            )
            if skipped:
                names = [one.name for one in skipped]
                sentence = f"Passed over what cannot be read; goes on from step {trainer.step}. {named(skipped)}"
                self._session.event("error", sentence, {"unreadable": names})
        except (ValueError, RuntimeError, OSError) as error:
            logger.exception("the run could not begin")
            reason = first_line(error)
            event = Event(
                kind="status",
                run=order.run,
                epoch=order.epoch,
                step=0,
                revision=order.revision,
                time_ms=time.time() * 1000,
                text=reason[:MAX_SENTENCE],
                data={"status": "failed", "reason": reason[:MAX_SENTENCE]},
            )
            self._outbox.put(EventMessage(run=order.run, event=event))
            self._drop()

    def _command(self, message: CommandMessage) -> None:
        """Apply or refuse one command and answer it; a repeated id of a run gets its first answer again."""
        run_id, command = message.run, message.command
        if self._answers.repeats(message):
            return
        stale = False
        session = self._session
        step, revision = (session.trainer.step, session.revision) if session else (0, 0)
        status: Outcome = "rejected"
        old: dict[str, Any] = {}
        new: dict[str, Any] = {}
        try:
            if session is None or session.run_id != run_id:
                raise RefusedError("The worker does not hold this run.")
            refusal = self._refuses(command)
            if refusal is not None:
                raise RefusedError(refusal)
            old, new = self._apply(session, command)
            status, reason = "applied", message.reason
        except self._non_finite as error:
            assert session is not None
            self._break_off(session, error)
            reason = session.broken
        except (ValueError, RuntimeError, OSError) as error:
            reason = first_line(error)
            stale = isinstance(error, RefusedError) and error.stale
        if status == "applied" and isinstance(command, CheckpointCommand) and session and session.stored:
            self._answers.await_kept(message, new["checkpoint_id"])
            return
        held = self._session or session
        result = CommandResult(
            command_id=command.command_id,
            status=status,
            applied_step=step if held is session else held.trainer.step if held else step,
            revision=held.revision if held else revision,
            old=old,
            new=new,
            reason=reason,
        )
        answer = ResultMessage(run=run_id, stale=stale, result=result)
        self._answers.remember(answer)
        if held is not None and not isinstance(command, CheckpointCommand):
            asked = {**command.to_json(), "requested_step": message.requested_step}
            data = {"command": asked, "old": old, "new": new, "reason": reason, "applied_step": result.applied_step}
            held.event(status, told(message, result), {**data, "by": message.by})
        self._outbox.put(answer)
        if held is not None:
            self._after(held, status, command)

    def _after(self, session: Session, status: Outcome, command: Command) -> None:
        """A frame after every applied command, so that every viewer sees its effect; then let go of an ended run."""
        if session.status == "interrupted":
            self._drop()
        elif status == "applied" and session.broken is None and isinstance(command, SetCommand | SpeedCommand):
            try:
                session.publish()
            except self._non_finite as error:
                self._break_off(session, error)

    def _break_off(self, session: Session, error: RuntimeError) -> None:
        """Pause at a loss that is not finite; the error names the term and the step."""
        session.break_off(getattr(error, "term", "loss"), getattr(error, "step", session.trainer.step))

    def _apply(self, session: Session, command: Command) -> Changed:
        """Carry out a command; the values it replaced and the values now. Raises RefusedError or ValueError."""
        match command:
            case ResetCommand(seed=seed):
                own = session.trainer.config.train.seed
                with self._link.pulse.long_work():
                    anew = reseeded(self._surroundings, session, own if seed is None else seed)
                return self._replace(session, anew, None)
            case RestoreCommand(checkpoint_id=name):
                parsed = read_checkpoint_name(name)
                if parsed is None:
                    raise RefusedError(f"checkpoint_id must be the name of a checkpoint. Found {name!r}.")
                with self._link.pulse.long_work():
                    loaded = restored(self._surroundings, session, name)
                return self._replace(session, loaded, parsed[:2])
            case _:
                return carry_out(session, command)

    def _replace(self, session: Session, trainer: Trainable, parent: tuple[int, int] | None) -> Changed:
        """Go on with another trainer in a new generation, running or paused as before; begun anew it has no recipe."""
        old = {"epoch": session.generation, "step": session.trainer.step, "seed": session.trainer.config.train.seed}
        self._link.hold(session.run_id, session.generation + 1)
        self._session = Session(
            run_id=session.run_id,
            generation=session.generation + 1,
            revision=session.revision + 1,
            trainer=trainer,
            surroundings=self._surroundings,
            speed=session.speed,
            paused=not session.training,
            parent=parent,
            edits=() if parent is None else session.edits,
            stored=session.stored,
        )
        return old, {"epoch": self._session.generation, "step": trainer.step, "seed": trainer.config.train.seed}
