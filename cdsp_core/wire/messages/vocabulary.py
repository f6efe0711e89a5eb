"""The words of the wire, each written once: what states, kinds and names there are."""

from __future__ import annotations

from typing import Final, Literal, get_args

Status = Literal["queued", "starting", "running", "paused", "finished", "interrupted", "failed"]
"""of a run"""
ACTIVE: Final[tuple[Status, ...]] = ("queued", "starting", "running", "paused")
"""A run in one of these has a worker, or waits for one."""
TrainingStatus = Literal["running", "paused"]
"""of a run that has just begun in a worker"""

EventKind = Literal["applied", "rejected", "status", "phase", "checkpoint", "error"]
PhaseName = Literal["even", "breaks", "cuts", "frozen", "half_cut", "pulls_ahead", "oligarchic", "accuracy"]
"""what a phase event tells (`wire.phases`); histories also hold those of earlier versions"""
Outcome = Literal["applied", "rejected"]
"""of a command"""
Asker = Literal["person", "controller", "recipe"]
"""Who asked for a command: people, the run's own controller, or the recipe that the run was made from."""

CommandKind = Literal["set", "pause", "resume", "stop", "checkpoint", "step", "run_until", "reset", "restore", "speed"]
COMMAND_KINDS: Final[tuple[CommandKind, ...]] = get_args(CommandKind)
BEGINS: Final[tuple[CommandKind, ...]] = ("reset", "restore", "resume")
"""commands that give an ended run a worker again"""

StudyState = Literal["idle", "waiting", "running", "finished", "stopped", "failed"]
ReportedState = Literal["running", "finished", "stopped", "failed"]
"""of a study, as its worker says it"""
ENDED_STUDY: Final[tuple[StudyState, ...]] = ("finished", "stopped", "failed")

SweepState = Literal["waiting", "running", "paused", "stopped", "finished", "failed"]
"""of a map; paused: it waits while a run trains"""
CellState = Literal["waiting", "training", "done", "failed"]

VIEWER_PROTOCOL: Final = 1
LINK_PROTOCOL: Final = 5
WATCHER: Final = "watch-"
"""What the id of a worker begins with that only watches a model which its own program trains."""
REFUSED_CODE: Final = 4400
"""closes the link of a worker that this backend can never use, such as one of another version"""
ALIVE_EVERY_S: Final = 1.0
"""a worker whose main loop goes round says so this often"""

MAX_DEPTH: Final = 16
"""objects and lists inside one another"""
MAX_NAME: Final = 80
MAX_NOTE: Final = 500
MAX_SENTENCE: Final = 2000
MAX_URL: Final = 500
MAX_STEPS_PER_S: Final = 10_000.0
MAX_CLAIMS: Final = 100
