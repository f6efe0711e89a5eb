"""Sentences for people about what the worker did."""

from __future__ import annotations

import math
from typing import Any, Final

from cdsp_core.wire.frames import CommandResult

CONTROLLER: Final = "controller"
"""who asked for a command, where it was no person"""


def told(command: dict[str, Any], result: CommandResult) -> str:
    """What a command did, in one sentence for the timeline."""
    if result.status == "rejected":
        return f"{command['type']} was refused: {result.reason}"
    match command["type"]:
        case "set":
            parts = [f"{name} {number(result.old[name])} to {number(value)}" for name, value in result.new.items()]
            changed = f"{', '.join(parts)} at step {result.applied_step}."
            return f"The controller: {changed} {result.reason}" if command.get("by") == CONTROLLER else changed
        case "speed":
            speed = command["steps_per_s"]
            return "As fast as it goes." if speed is None else f"At most {number(speed)} steps a second."
        case "reset":
            return f"Reset with seed {result.new['seed']}."
        case "restore":
            return f"Restored the checkpoint of step {result.new['step']}."
        case "step" | "run_until":
            return f"Training from step {result.applied_step} to {result.new['pause_at']}."
        case kind:
            return f"{kind} at step {result.applied_step}."


def number(value: float) -> str:
    """A value as a sentence shows it."""
    return f"{value:.4g}" if math.isfinite(value) else "none"


def first_line(error: BaseException) -> str:
    """The first line of an error's message."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
