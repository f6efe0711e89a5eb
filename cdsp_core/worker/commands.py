"""What each command does to a session. `reset` and `restore`, which replace it, are the loop's."""

from __future__ import annotations

from typing import Any

from cdsp_core.settings.overrides import with_controls
from cdsp_core.wire.messages.commands import (
    CheckpointCommand,
    Command,
    PauseCommand,
    ResetCommand,
    RestoreCommand,
    ResumeCommand,
    RunUntilCommand,
    SetCommand,
    SpeedCommand,
    StepCommand,
    StopCommand,
)
from cdsp_core.worker.session import Session

Changed = tuple[dict[str, Any], dict[str, Any]]
"""The values a command replaced, and the values now."""


class RefusedError(ValueError):
    """A command makes no sense now; the message says why."""

    def __init__(self, reason: str, *, stale: bool = False) -> None:
        super().__init__(reason)
        self.stale = stale


def carry_out(session: Session, command: Command) -> Changed:
    """Apply a command to a session between two steps. Raises RefusedError or ValueError."""
    trainer = session.trainer
    before = {"status": session.status}
    match command:
        case SetCommand():
            base = command.base_revision
            if base is not None and base != session.revision:
                found = f"base_revision must be {session.revision}, the current one. Found {base}."
                raise RefusedError(found, stale=True)
            was, controls = trainer.controls, with_controls(trainer.controls, command.controls)
            session.apply(controls)
            names = list(command.controls)
            return {n: getattr(was, n) for n in names}, {n: getattr(controls, n) for n in names}
        case SpeedCommand():
            was_speed = session.speed
            session.set_speed(command.steps_per_s)
            return {"steps_per_s": was_speed}, {"steps_per_s": session.speed}
        case PauseCommand():
            if not session.training:
                raise RefusedError("The run is paused already.")
            session.pause(None)
        case ResumeCommand():
            if session.training and session.pause_at is None:
                raise RefusedError("The run is training already.")
            _must_be_whole(session)
            session.resume()
        case StepCommand():
            _must_be_whole(session)
            session.resume(pause_at=min(trainer.step + command.steps, trainer.total_steps))
        case RunUntilCommand():
            _must_be_whole(session)
            target = command.step
            if not trainer.step < target <= trainer.total_steps:
                low = trainer.step + 1
                raise RefusedError(f"step must be from {low} to {trainer.total_steps}. Found {target}.")
            session.resume(pause_at=target)
        case CheckpointCommand():
            _must_be_whole(session)
            name = session.checkpoint(kept=True)
            if name is None:
                raise RefusedError("The checkpoint could not be written.")
            return {}, {"checkpoint_id": name}
        case StopCommand():
            session.stop()
            return before, {"status": "interrupted"}
        case ResetCommand() | RestoreCommand():
            raise AssertionError("they replace the session, which the loop does")
    return before, {"status": session.status, "pause_at": session.pause_at}


def _must_be_whole(session: Session) -> None:
    if session.broken is not None:
        raise RefusedError(session.broken)
