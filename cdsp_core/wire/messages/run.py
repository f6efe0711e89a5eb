"""A run, and what happens to it, as every side knows them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from cdsp_core.settings.config import MAX_STEPS
from cdsp_core.settings.model import ModelConfig
from cdsp_core.wire.messages.fields import (
    ControlsWanted,
    Count,
    Measured,
    Message,
    Number,
    Objects,
    RunId,
    Says,
    Sentence,
    Values,
)
from cdsp_core.wire.messages.vocabulary import EventKind, Outcome, Status
from cdsp_core.wire.recipe import MAX_EDITS


class Device(Message):
    """Where a run is trained."""

    kind: str
    name: str
    memory_mib: Count
    threads: Count
    execution: str | None = None
    """how the layers are computed: dense or sorted"""
    compiled: bool | None = None
    note: str | None = None


class Task(Message):
    """One of the tasks that a run learns."""

    name: str
    label: str
    note: str
    class_names: list[str] = Field(default_factory=list)


class Data(Message):
    """The images of a run."""

    train: Count
    test: Count
    note: str


class Description(Message):
    """What does not change while a run trains: what `Trainer.describe` says."""

    tasks: list[Task]
    scalar_names: list[str] = Field(max_length=4096)
    architecture: str
    topology: bool
    """whether the model has a matrix A; without one partitions, dims and rank are 0"""
    layers: Count
    experts: Count
    """those that tokens are routed among; 0 for a dense net"""
    partitions: Count
    dims: Count
    rank: Count
    num_tokens: Count
    data: Data | None = None
    steps_per_epoch: Count | None = None
    """steps of one pass over the data"""
    device: Device | None = None


def sizes(model: ModelConfig) -> dict[str, Any]:
    """The fields of a `Description` that follow from the config alone."""
    return {
        "architecture": model.architecture,
        "topology": model.has_topology,
        "layers": model.num_layers,
        "experts": model.routed_experts,
        "partitions": model.num_partitions if model.has_topology else 0,
        "dims": model.held_dims if model.has_topology else 0,
        "rank": model.held_rank if model.has_topology else 0,
        "num_tokens": model.num_tokens,
    }


def undescribed(model: ModelConfig) -> Description:
    """What is known of a run before a worker has begun it."""
    return Description(tasks=[], scalar_names=[], **sizes(model))


class RecipeEdit(Message):
    """Controls that a recipe sets after a step."""

    step: Annotated[int, Field(ge=0, le=MAX_STEPS)]
    controls: ControlsWanted


def _rising(edits: list[RecipeEdit]) -> list[RecipeEdit]:
    steps = [edit.step for edit in edits]
    if steps != sorted(steps):
        raise AssertionError("not in order")
    return edits


Edits = Annotated[
    list[RecipeEdit],
    Field(max_length=MAX_EDITS),
    AfterValidator(_rising),
    Says(f"at most {MAX_EDITS} objects of step and controls, in the order of their steps from 0 to {MAX_STEPS}"),
]


class ControlStates(Message):
    """The controls as people asked for them, and as they are in force, since which step."""

    requested: dict[str, float]
    applied: dict[str, float]
    applied_step: dict[str, Count]


class ForkPoint(Message):
    """The state that a run was forked from; the run it was of may be deleted by now."""

    run_id: RunId
    epoch: Count
    step: Count


class RunInfo(Message):
    """A run as the API and the socket show it."""

    run_id: RunId
    name: str
    note: str
    preset: str
    seed: Count
    status: Status
    reason: str | None
    """why, in one sentence"""
    epoch: Count
    """the generation: grows at every reset, restore or restart"""
    step: Count
    total_steps: Count
    revision: Count
    controls: ControlStates
    speed: Number | None
    """largest number of steps per second; null for as fast as it goes"""
    device: Device | None
    steps_per_s: Measured | None
    viewers: Count
    restarts: Count
    created_ms: Number
    parent: ForkPoint | None = None
    """where it was forked from; null for a run that began at step 0"""


class Event(Message):
    """Something that happened at a step: a change that applied, a status, a phase of the network."""

    type: Literal["event"] = "event"
    kind: EventKind
    run: RunId
    epoch: Count
    step: Count
    revision: Count
    time_ms: Number
    text: Sentence
    """one sentence for people"""
    data: Objects


class CommandResult(Message):
    """The worker's answer to one command, sent after it was applied or refused."""

    command_id: str
    status: Outcome
    applied_step: Count
    """the step after which the command took effect"""
    revision: Count
    old: Values
    new: Values
    reason: str | None = None


class KeptResult(CommandResult):
    """An answer as the store keeps it."""

    stale: bool
    """whether base_revision was too old, which people are told as a conflict"""

    def told(self) -> CommandResult:
        """The answer as the API gives it."""
        return CommandResult(**self.model_dump(exclude={"stale"}))
