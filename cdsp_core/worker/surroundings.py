"""What all sessions of one worker share: its trainers, its outbox, its folder, its pace and its clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cdsp_core.worker.outbox import Outbox
from cdsp_core.worker.trainable import Trainers


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """How often a session speaks."""

    frames_per_s: float = 30.0
    checkpoint_every_s: float = 15.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Surroundings:
    """What all sessions of one worker share."""

    trainers: Trainers
    outbox: Outbox
    checkpoint_dir: Path
    """every run has a folder of its name there"""
    pace: Pace = field(default_factory=Pace)
    clock: Callable[[], float] = time.monotonic
