"""The state of one run, its transitions, and how the API shows it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from cdsp_core.settings.config import RunConfig
from cdsp_core.wire.frames import Frame
from cdsp_core.wire.messages.link import Started
from cdsp_core.wire.messages.run import (
    CommandResult,
    ControlStates,
    Description,
    Device,
    Event,
    ForkPoint,
    RecipeEdit,
    RunInfo,
    undescribed,
)
from cdsp_core.wire.messages.vocabulary import ACTIVE, Status

NOT_BEGUN: Final = -1
"""the generation of a run that no worker has begun yet"""


@dataclass(kw_only=True, slots=True)
class RunState:
    """What is known of one run. Everybody reads it; it changes by its methods alone, each one transition.

    `tests/test_layers.py` reads the code for assignments from elsewhere.
    """

    run_id: str
    name: str
    note: str = ""
    config: RunConfig
    created_ms: float
    status: Status = "queued"
    reason: str | None = None
    generation: int = NOT_BEGUN
    """grows at every reset, restore or restart; `epoch` on the wire"""
    parent: tuple[int, int] | None = None
    """generation and step that this generation was continued from"""
    step: int = 0
    total_steps: int = 0
    revision: int = 0
    requested: dict[str, float] = field(default_factory=dict)
    applied: dict[str, float] = field(default_factory=dict)
    applied_step: dict[str, int] = field(default_factory=dict)
    speed: float | None = None
    pause_at: int | None = None
    paused_before: bool = False
    """whether the run was paused when its worker was lost, or is to begin paused"""
    steps_per_s: float = 0.0
    restarts: int = 0
    """times it was begun again because its worker was lost, less the checkpoints written since"""
    early_losses: int = 0
    """times in a row that its worker was lost before its first step"""
    number: int = 0
    """of the run in its data folder, counted from 1: their order, whatever the clock said"""
    description: Description | None = None
    """what its worker says of it; None before the first"""
    kept: bool = False
    """whether it stays when the data folder is full"""
    forked_from: tuple[str, int, int] | None = None
    """run, generation and step whose state it began with"""
    watcher: str | None = None
    """the worker that alone may take it, a program of somebody's own; None for a run that any worker trains"""
    edits: list[RecipeEdit] = field(default_factory=list)
    """what its recipe changes, each after its step; its worker makes them by itself"""
    by_hand: list[str] = field(default_factory=list)
    """controls whose value in force was set by people, and by no recipe since"""
    storage: str | None = None
    """URL of what keeps its checkpoints; None: the data folder does"""
    waiting: str | None = None
    """why nothing goes on at the moment, shown in place of `reason`"""
    worker_id: str | None = None
    worker_pid: int | None = None
    unreadable: dict[str, Any] | None = None
    """the stored record, left as it is, of a run that this version cannot read; only `reason` says more"""

    def __post_init__(self) -> None:
        controls = dataclasses.asdict(self.config.controls)
        self.requested = self.requested or dict(controls)
        self.applied = self.applied or dict(controls)
        self.applied_step = self.applied_step or dict.fromkeys(controls, 0)

    # what follows from it

    @property
    def active(self) -> bool:
        """Whether the run has a worker, or waits for one."""
        return self.status in ACTIVE

    @property
    def described(self) -> Description:
        """What its worker says of it; without one yet, what the config says."""
        return self.description or undescribed(self.config.model)

    @property
    def device(self) -> Device | None:
        """Where the run is trained."""
        return self.description.device if self.description else None

    @property
    def controls(self) -> ControlStates:
        """The controls as asked for and as they are in force."""
        return ControlStates(requested=self.requested, applied=self.applied, applied_step=self.applied_step)

    @property
    def origin(self) -> str:
        """From where the generation has begun, in one sentence."""
        if self.parent is None:
            return f"The run was begun anew with seed {self.config.train.seed}."
        return f"The run goes on from the checkpoint of step {self.parent[1]}."

    def info(self, *, viewers: int) -> RunInfo:
        """The run as docs/protocol.md shows it."""
        return RunInfo(
            run_id=self.run_id,
            name=self.name,
            note=self.note,
            preset=self.config.preset,
            seed=self.config.train.seed,
            status=self.status,
            reason=self.waiting or self.reason,
            epoch=max(self.generation, 0),
            step=self.step,
            total_steps=self.total_steps,
            revision=self.revision,
            controls=self.controls,
            speed=self.speed,
            device=self.device,
            steps_per_s=self.steps_per_s,
            viewers=viewers,
            restarts=self.restarts,
            created_ms=self.created_ms,
            parent=_fork_point(self.forked_from),
        )

    # workers

    def queue(self) -> None:
        """The run waits for a worker."""
        self.status, self.reason, self.waiting = "queued", None, None
        self.worker_id = None

    def take(self, worker_id: str, pid: int) -> None:
        """A worker takes the run."""
        self.status, self.reason, self.waiting = "starting", None, None
        self.worker_id, self.worker_pid = worker_id, pid

    def begin(self, started: Started, parent: tuple[int, int] | None) -> None:
        """A worker has begun a generation of the run."""
        self.parent = parent
        self.config, self.description = started.config, started.static
        self.generation, self.step, self.total_steps = started.epoch, started.step, started.total_steps
        self.revision, self.speed, self.pause_at = started.revision, started.speed, started.pause_at
        self.status, self.reason = started.status, None
        self.edits = list(started.edits)
        self.applied_step = {
            name: min(step, self.step) if started.controls[name] == self.applied[name] else self.step
            for name, step in self.applied_step.items()
        }
        self.applied, self.requested = dict(started.controls), dict(started.controls)

    def wait(self, reason: str | None) -> bool:
        """Nothing goes on for this reason; None: it goes on. Returns whether that is new."""
        is_new = self.waiting != reason
        self.waiting = reason
        return is_new

    def fall_silent(self) -> None:
        """The worker is connected and says nothing: how fast it trains is not known."""
        self.steps_per_s = math.nan

    def lose_worker(self) -> None:
        """The link to the worker is gone; it may come back."""
        self.steps_per_s = 0.0

    def remember_pause(self) -> None:
        """The run begins again paused, if it was paused."""
        if self.status in ("running", "paused"):
            self.paused_before = self.status == "paused"

    @property
    def has_stepped(self) -> bool:
        """Whether a step has been trained since its worker took the run."""
        began_at = 0 if self.parent is None else self.parent[1]
        return self.status != "starting" and self.step > began_at

    def restart(self, *, new_checkpoints: int) -> None:
        """The worker is gone for good; the run begins again, paused if it was."""
        self.remember_pause()
        self.restarts = max(0, self.restarts - new_checkpoints) + 1
        is_trying = self.status in ("starting", "running") and not self.has_stepped
        self.early_losses = self.early_losses + 1 if is_trying else 0

    def give_up(self) -> None:
        """The run has been begun again too often: the last one is not counted."""
        self.restarts -= 1

    def give_number(self, number: int) -> None:
        """The run is the data folder's so many-th."""
        self.number = number

    def begin_again(self, *, paused: bool) -> None:
        """Somebody wants an ended run to go on."""
        self.restarts = self.early_losses = 0
        self.paused_before = paused
        self.pause_at = None

    def end(self, status: Status, reason: str) -> None:
        """The run cannot or shall not go on."""
        self.status, self.reason, self.waiting = status, reason, None

    # training

    def train(self, frame: Frame) -> None:
        """The run has come as far as this frame."""
        self.step, self.steps_per_s = frame.step, frame.steps_per_s

    def recall(self, step: int) -> None:
        """The store knows that the run has come as far as this step."""
        self.step = max(self.step, step)

    def hear_status(self, event: Event) -> None:
        """The worker says that the status has changed."""
        self.status, self.reason = event.data["status"], event.data["reason"]
        self.step = max(self.step, event.step)
        if self.status != "running":
            self.steps_per_s = 0.0
            self.pause_at = None

    # controls

    def ask(self, controls: dict[str, float]) -> None:
        """Somebody has asked for these values; the worker has not answered yet."""
        self.requested = {**self.requested, **controls}

    def settle(self, asked: list[dict[str, float]]) -> None:
        """What is wanted is what is in force, and what was `asked` and is under way."""
        self.requested = dict(self.applied)
        for controls in asked:
            self.requested |= controls

    def revise(self, revision: int, new: dict[str, Any], step: int) -> None:
        """These values are in force since that step."""
        changed = {name: value for name, value in new.items() if name in self.applied}
        self.revision = max(self.revision, revision)
        self.applied = {**self.applied, **changed}
        self.applied_step = {**self.applied_step, **dict.fromkeys(changed, step)}

    def take_in_hand(self, names: Iterable[str]) -> None:
        """People have set these controls."""
        self.by_hand = sorted({*self.by_hand, *names})

    def let_go(self, names: Iterable[str]) -> None:
        """These controls have the values of a recipe or of a checkpoint again."""
        self.by_hand = sorted({*self.by_hand} - {*names})

    @property
    def edits_left(self) -> list[RecipeEdit]:
        """Its recipe's edits, without what people have set otherwise since they were made."""
        left = []
        for edit in self.edits:
            is_made = edit.step < self.step
            kept = {name: v for name, v in edit.controls.items() if not (is_made and name in self.by_hand)}
            if kept:
                left.append(RecipeEdit(step=edit.step, controls=kept))
        return left

    def answer(self, result: CommandResult) -> None:
        """The worker has applied or refused a command."""
        new = result.new if result.status == "applied" else {}
        self.revise(result.revision, new, result.applied_step)
        if "steps_per_s" in new:
            self.speed = new["steps_per_s"]
        if "pause_at" in new:
            self.pause_at = new["pause_at"]

    # people's words

    def describe(self, *, name: str | None, note: str | None, kept: bool | None) -> None:
        """Give the run another name or note, or keep it when the folder is full; None leaves it."""
        self.kept = self.kept if kept is None else kept
        self.name = self.name if name is None else name
        self.note = self.note if note is None else note


def _fork_point(found: tuple[str, int, int] | None) -> ForkPoint | None:
    return None if found is None else ForkPoint(run_id=found[0], epoch=found[1], step=found[2])
