"""What people ask of a run, and how their words are read."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from cdsp_core.settings.config import MAX_SEED, MAX_STEPS
from cdsp_core.wire.messages.fields import ControlsWanted, Count, Message, Says, says_whole
from cdsp_core.wire.messages.vocabulary import MAX_STEPS_PER_S

CommandId = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{1,64}$"), Says("1 to 64 letters, digits or . _ : -")]
CheckpointId = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,40}$"), Says("the name of a checkpoint")]
Steps = Annotated[int, Field(ge=1, le=MAX_STEPS), says_whole(1, MAX_STEPS)]
Seed = Annotated[int, Field(ge=0, le=MAX_SEED), says_whole(0, MAX_SEED)]


class CommandFields(Message):
    """What every command has."""

    command_id: CommandId
    base_revision: Count | None = None

    def to_json(self) -> dict[str, Any]:
        """The command as it was sent: what was left out is left out."""
        return self.model_dump(mode="json", exclude_none=True)


class SetCommand(CommandFields):
    """Change controls, between two steps."""

    type: Literal["set"]
    controls: ControlsWanted


class PauseCommand(CommandFields):
    """Stop between two steps."""

    type: Literal["pause"]


class ResumeCommand(CommandFields):
    """Train on."""

    type: Literal["resume"]


class StopCommand(CommandFields):
    """Write a checkpoint and end the run."""

    type: Literal["stop"]


class CheckpointCommand(CommandFields):
    """Write a checkpoint that is kept."""

    type: Literal["checkpoint"]


class StepCommand(CommandFields):
    """Train some steps, then pause."""

    type: Literal["step"]
    steps: Steps = 1


class RunUntilCommand(CommandFields):
    """Train up to a step, then pause."""

    type: Literal["run_until"]
    step: Steps


class ResetCommand(CommandFields):
    """Begin anew, with another seed if one is given."""

    type: Literal["reset"]
    seed: Seed | None = None


class RestoreCommand(CommandFields):
    """Go back to a checkpoint."""

    type: Literal["restore"]
    checkpoint_id: CheckpointId


class SpeedCommand(CommandFields):
    """Limit the speed, or lift the limit."""

    type: Literal["speed"]
    steps_per_s: Annotated[
        Annotated[float, Field(ge=0.1, le=MAX_STEPS_PER_S, allow_inf_nan=False)] | None,
        Says(
            f"a number from 0.1 to {MAX_STEPS_PER_S:g}",
            when_missing="steps_per_s must be a number, or null for as fast as it goes. Found nothing.",
        ),
    ]

    def to_json(self) -> dict[str, Any]:
        """The command as it was sent; a speed of null is a word of its own."""
        return {**super().to_json(), "steps_per_s": self.steps_per_s}


Command = Annotated[
    SetCommand
    | PauseCommand
    | ResumeCommand
    | StopCommand
    | CheckpointCommand
    | StepCommand
    | RunUntilCommand
    | ResetCommand
    | RestoreCommand
    | SpeedCommand,
    Field(discriminator="type"),
]
COMMAND: TypeAdapter[Command] = TypeAdapter(Command)
