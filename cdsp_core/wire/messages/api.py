"""Bodies of HTTP requests and answers that are no run, command or study."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from cdsp_core.settings.config import MAX_STEPS, RunConfig
from cdsp_core.settings.presets import PRESETS, from_dict, preset
from cdsp_core.wire.messages.commands import Seed, Steps
from cdsp_core.wire.messages.datasets import DatasetName
from cdsp_core.wire.messages.fields import Config, ControlsWanted, Count, Measured, Message, Says, config_schema
from cdsp_core.wire.messages.run import ControlStates, Edits, RunInfo
from cdsp_core.wire.messages.vocabulary import MAX_NAME, MAX_NOTE, WATCHER


def _printable(text: str) -> str:
    if not text.isprintable():
        raise AssertionError("not printable")
    return text


def _readable(text: str) -> str:
    if not all(character.isprintable() or character == "\n" for character in text):
        raise AssertionError("not printable")
    return text


def _known_preset(raw: Any) -> Any:
    preset(raw)
    return raw


def _readable_config(raw: Any) -> Any:
    from_dict(raw)
    return raw


Name = Annotated[
    str,
    Field(min_length=1, max_length=MAX_NAME),
    AfterValidator(_printable),
    Says(f"1 to {MAX_NAME} printable characters"),
]
Note = Annotated[
    str, Field(max_length=MAX_NOTE), AfterValidator(_readable), Says(f"at most {MAX_NOTE} printable characters")
]
PresetName = Annotated[str, BeforeValidator(_known_preset), WithJsonSchema({"enum": list(PRESETS)})]
ConfigGiven = Annotated[dict[str, Any] | None, BeforeValidator(_readable_config), WithJsonSchema(config_schema())]
DataName = Literal["embedded", "full"]


class NewRun(Message):
    """A run to create, from a preset (by default `live`) or a config that says where it differs from one."""

    name: Name | None = None
    preset: PresetName = "live"
    config: ConfigGiven = None
    seed: Seed | None = None
    data: Annotated[DataName | None, Says("one of embedded, full")] = None
    dataset: DatasetName | None = None
    """own data in its place"""
    watcher: Annotated[
        str | None,
        Field(pattern=rf"^{WATCHER}[0-9a-f]{{32}}$"),
        Says(f"the id of a worker: {WATCHER} and 32 hexadecimal digits"),
    ] = None
    """the worker that alone may take this run: a program of somebody's own that is only watched"""
    edits: Edits = Field(default_factory=list)
    """what its recipe changes, each after its step"""
    pause_at: Annotated[Steps | None, Says(f"a whole number from 1 to {MAX_STEPS}")] = None
    """the step at which it pauses; null: it trains on"""

    @model_validator(mode="before")
    @classmethod
    def _one_source(cls, raw: Any) -> Any:
        if isinstance(raw, dict) and "preset" in raw and "config" in raw:
            raise ValueError("a new run must have a preset or a config, not both. Found both.")
        if isinstance(raw, dict) and raw.get("edits") and raw.get("watcher") is not None:
            raise ValueError("a run that is only watched must have no edits. Found some.")
        return raw

    def read(self, *, data: str) -> RunConfig:
        """The config of the run; `data` where it says nothing of that. Raises ValueError, one sentence."""
        given = self.config if self.config is not None else {"preset": self.preset}
        config = from_dict(given)
        chosen: dict[str, Any] = {} if self.seed is None else {"seed": self.seed}
        if self.data is not None:
            chosen["data"] = self.data
        elif "data" not in given.get("train", {}) and self.dataset is None:
            chosen["data"] = data
        if self.dataset is not None:
            chosen["dataset"] = self.dataset
        config = replace(config, train=replace(config.train, **chosen))
        if self.edits and 0 < config.train.steps <= self.edits[-1].step:
            last = self.edits[-1].step
            raise ValueError(f"an edit must come before step {config.train.steps}, the last. Found one at {last}.")
        return config


def _now_or_step(raw: Any) -> Any:
    if raw != "now" and not (type(raw) is int and 0 <= raw <= MAX_STEPS):
        raise AssertionError("neither")
    return raw


class NewFork(Message):
    """A run to create from the exact state of another: at this moment, or at a step that has a checkpoint."""

    step: Annotated[
        Any,
        AfterValidator(_now_or_step),
        WithJsonSchema({"anyOf": [{"const": "now"}, {"type": "integer", "minimum": 0, "maximum": MAX_STEPS}]}),
        Says(f"now or a whole number from 0 to {MAX_STEPS}"),
    ] = "now"
    controls: ControlsWanted | None = None
    """the fork's first edit; the others are as they were"""
    name: Annotated[Name | None, Says(f"1 to {MAX_NAME} printable characters")] = None
    paused: Annotated[bool | None, Says("true or false")] = None
    """null: as the other run is"""


class RunChange(Message):
    """What people change of a run that is no training."""

    name: Annotated[Name | None, Says(f"1 to {MAX_NAME} printable characters")] = None
    note: Annotated[Note | None, Says(f"at most {MAX_NOTE} printable characters")] = None
    kept: Annotated[bool | None, Says("true or false")] = None
    """whether it stays when the data folder is full"""


class ListedRun(RunInfo):
    """A run in the list of runs, with what it came to."""

    kept: bool
    """whether it stays when the data folder is full; the oldest others go first"""
    size_bytes: Count
    """on disk: frames, scalars and checkpoints"""
    accuracy: Measured | None
    """the last one measured on test images with task ID, mean over the tasks"""
    blind_accuracy: Measured | None
    """the same without task ID"""
    links_cut: Count | None
    """entries of sigma(A) below 0.1, of all layers together; null without A"""
    settings: dict[str, Any]
    """fields of its config that its preset has otherwise, by name; controls and the seed stand elsewhere"""


class Asker(Message):
    """Who asks."""

    role: Literal["presenter", "viewer"]
    why_not: str | None
    """why nothing can be steered, in one sentence; null for who may"""
    room: bool
    """whether a room is open, in which who asks is"""
    version: str
    """of the server that keeps the runs; a viewer process must have the same"""


class Preset(Message):
    """A named config."""

    name: str
    text: str
    config: Config


class Checkpoint(Message):
    """What `restore` takes."""

    checkpoint_id: str
    epoch: Count
    step: Count
    kept: bool
    """whether somebody asked for it"""


class EntryHistory(Message):
    """One entry of A through a run, at log-spaced steps whose frames are kept."""

    steps: list[Count]
    connection: list[Measured]
    """sigma(A) after the step"""
    gradient: list[Measured]
    """what AdamW was given for the entry in the step, after clipping; null where a frame does not tell it"""
    task: list[Measured]
    """what the other three leave of it: the task loss's, with what else a layer adds to the loss"""
    conflict: list[Measured]
    l1: list[Measured]
    binarize: list[Measured]
    untold: str | None
    """why no frame tells the gradient, in one sentence; null where one does"""


class RecordedRun(Message):
    """A recorded run in the list of them."""

    name: str
    preset: str
    seed: Count
    arm: str | None
    """of the study that recorded it, e.g. `lambda_0`; null where none did"""
    steps: Count
    """the last picture's"""
    pictures: Count
    edits: Count
    size_bytes: Count
    controls: dict[str, float]
    """at its beginning"""
    links_cut: Count
    """at its end"""
    accuracy: Measured | None
    """at its end with task ID, mean over the tasks and all test images"""
    blind_accuracy: Measured | None
    """the same without task ID"""
    settings: dict[str, Any]
    """fields of its config that its preset has otherwise, by name; controls and the seed stand elsewhere"""


class RecordedRuns(Message):
    """Every recorded run there is."""

    recorded: list[RecordedRun]
    refused: list[str]
    """of every file that is none, one sentence that says why"""


class Storage(Message):
    """What the data folder holds. Beyond its cap the oldest ended runs are deleted that nobody has kept."""

    size_bytes: Count
    """as of the last look, which is at most half a minute ago"""
    cap_bytes: Count
    free_bytes: Count
    """of the disk"""
    kept_runs: Count


class Health(Message):
    """How the server is."""

    status: Literal["ok", "failing"] = "ok"
    """failing: the server has to be started again"""
    workers: Count
    runs: Count
    """those that train or wait"""
    store: str | None
    """why the history cannot be written; null while it can"""
    problems: list[str] = Field(default_factory=list)
    """everything that is wrong, one sentence each"""


class ErrorAnswer(Message):
    """Why a request was not carried out."""

    error: str
    """one sentence"""


class StaleAnswer(ErrorAnswer):
    """The controls have changed since the sender last looked: the values now."""

    revision: Count
    controls: ControlStates


class FramesAsJson(Message):
    """Stored frames, null for no value."""

    frames: list[dict[str, Any]]
    next: str | None
    """what `after` continues from; null at the end"""
