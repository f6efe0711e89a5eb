"""Sentences for people about what the worker did."""

from __future__ import annotations

import math

from cdsp_core.wire.messages.commands import (
    ResetCommand,
    RestoreCommand,
    RunUntilCommand,
    SetCommand,
    SpeedCommand,
    StepCommand,
)
from cdsp_core.wire.messages.link import CommandMessage
from cdsp_core.wire.messages.run import CommandResult


def told(message: CommandMessage, result: CommandResult) -> str:
    """What a command did, in one sentence for the timeline."""
    command = message.command
    if result.status == "rejected":
        return f"{command.type} was refused: {result.reason}"
    match command:
        case SetCommand():
            parts = [f"{name} {number(result.old[name])} to {number(value)}" for name, value in result.new.items()]
            changed = f"{', '.join(parts)} at step {result.applied_step}."
            match message.by:
                case "controller":
                    return f"The controller: {changed} {result.reason}"
                case "recipe":
                    return f"The recipe: {changed}"
            return changed
        case SpeedCommand(steps_per_s=speed):
            return "As fast as it goes." if speed is None else f"At most {number(speed)} steps a second."
        case ResetCommand():
            return f"Reset with seed {result.new['seed']}."
        case RestoreCommand():
            return f"Restored the checkpoint of step {result.new['step']}."
        case StepCommand() | RunUntilCommand():
            return f"Training from step {result.applied_step} to {result.new['pause_at']}."
        case _:
            return f"{command.type} at step {result.applied_step}."


def number(value: float) -> str:
    """A value as a sentence shows it."""
    return f"{value:.4g}" if math.isfinite(value) else "none"


def first_line(error: BaseException) -> str:
    """The first line of an error's message."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
