"""The worker link, protocol 5: what a worker and its backend say to each other as text."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from cdsp_core.wire.messages.commands import CheckpointId, Command
from cdsp_core.wire.messages.fields import Config, ControlValues, Count, Message, Number, RunId, Sentence
from cdsp_core.wire.messages.run import CommandResult, Description, Edits, Event
from cdsp_core.wire.messages.studies import StudyReport
from cdsp_core.wire.messages.vocabulary import MAX_URL, Asker, TrainingStatus


class Held(Message):
    """The run that a worker holds."""

    run_id: RunId
    epoch: Count


class WorkerHello(Message):
    """A worker has dialled in."""

    type: Literal["hello"] = "hello"
    protocol: Count
    worker_id: Annotated[str, Field(max_length=1000)]
    pid: Count
    versions: dict[str, str]
    run: Held | None
    study: StudyReport | None
    """the last state of the study that it ran"""


# worker to backend, numbered: `n` grows by at least one with every message, frames included


class Numbered(Message):
    """A message of a worker that is kept until the backend has it on disk."""

    n: Count = 0
    """0 until the outbox has numbered it"""


class Parent(Message):
    """Where a generation was continued from."""

    epoch: Count
    step: Count


class Started(Numbered):
    """A run, a reset or a restore has begun."""

    type: Literal["started"] = "started"
    run: RunId
    epoch: Count
    parent: Parent | None
    config: Config
    controls: ControlValues
    speed: Number | None
    revision: Count
    status: TrainingStatus
    pause_at: Count | None
    step: Count
    total_steps: Count
    static: Description
    edits: Edits = Field(default_factory=list)
    """those that its recipe makes; none after a reset"""


class EventMessage(Numbered):
    """Something has happened to a run. A run that could not begin says so with kind status, status failed."""

    type: Literal["event"] = "event"
    run: RunId
    event: Event


class ResultMessage(Numbered):
    """A command was applied or refused; `stale`: its base_revision was too old."""

    type: Literal["result"] = "result"
    run: RunId
    stale: bool
    result: CommandResult


class StoredMessage(Numbered):
    """What a run's storage has acknowledged, by the names of states, and what was deleted there."""

    type: Literal["stored"] = "stored"
    run: RunId
    names: list[CheckpointId]
    deleted: list[CheckpointId]
    problem: Sentence | None
    """why the storage takes nothing now; None while it does"""


class StudyMessage(Numbered):
    """The worker's study has changed."""

    type: Literal["study"] = "study"
    study: StudyReport


class Leaving(Numbered):
    """The worker ends, in order: its run has a checkpoint and can go on elsewhere at once."""

    type: Literal["leaving"] = "leaving"
    reason: Sentence


class Alive(Message):
    """The main loop of the worker goes round. Not numbered, said only while there is a link."""

    type: Literal["alive"] = "alive"


WorkerMessage = Started | EventMessage | ResultMessage | StoredMessage | StudyMessage | Leaving
"""what is numbered and kept"""
WORKER_HELLO: TypeAdapter[WorkerHello] = TypeAdapter(WorkerHello)
WORKER_MESSAGE: TypeAdapter[WorkerMessage | Alive] = TypeAdapter(
    Annotated[WorkerMessage | Alive, Field(discriminator="type")]
)


# backend to worker


class Welcome(Message):
    """The last number that the backend has; `keep` false: drop the run you hold."""

    type: Literal["welcome"] = "welcome"
    received: Count
    keep: bool


class Saved(Message):
    """Everything up to `n` is on disk and can be forgotten."""

    type: Literal["ack"] = "ack"
    n: Count


class Start(Message):
    """Begin a run; continue from the first of the checkpoints that can be read."""

    type: Literal["start"] = "start"
    run: RunId
    epoch: Count
    config: Config
    controls: ControlValues | None
    """those that differ from the checkpoint's, or from the config's"""
    revision: Count
    speed: Number | None
    paused: bool
    pause_at: Count | None
    checkpoints: list[CheckpointId]
    edits: Edits = Field(default_factory=list)
    """made by the worker itself, each before the step after its own; with them `controls` are only what people set"""
    storage: Annotated[str, Field(max_length=MAX_URL)] | None = None
    """the URL of what keeps its checkpoints; None: the worker's own folder does"""


class CommandMessage(Message):
    """Carry out a command between two steps."""

    type: Literal["command"] = "command"
    run: RunId
    command: Command
    requested_step: Count
    """the step when it was sent"""
    by: Asker = "person"
    reason: Sentence | None = None
    """why the controller asks for it"""


class StudyStart(Message):
    """Run the smallest form of a study as a child process; one at a time."""

    type: Literal["study_start"] = "study_start"
    study: Sentence
    job: Sentence
    storage: Annotated[str, Field(max_length=MAX_URL)] | None = None
    """the URL of what keeps what is done of it; None: the worker's own folder does"""


class StudyStop(Message):
    """End a study."""

    type: Literal["study_stop"] = "study_stop"
    job: Sentence


class End(Message):
    """Write a checkpoint and end the process."""

    type: Literal["end"] = "end"
    reason: Sentence = "The backend ended this worker."


class Drop(Message):
    """The run that the worker holds is no longer its own. Said by its link, never sent."""

    type: Literal["drop"] = "drop"


class Kept(Message):
    """A checkpoint that was asked for has been stored, or not yet. Said by the worker's own storage, never sent."""

    type: Literal["kept"] = "kept"
    run: RunId
    name: CheckpointId
    problem: Sentence | None
    """why it is not stored yet; None where it is"""


Order = Kept | Start | CommandMessage | StudyStart | StudyStop | End | Drop
"""what the worker's main thread takes, in order"""
BackendMessage = Welcome | Saved | Start | CommandMessage | StudyStart | StudyStop | End
BACKEND_MESSAGE: TypeAdapter[BackendMessage] = TypeAdapter(Annotated[BackendMessage, Field(discriminator="type")])
