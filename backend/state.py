"""The state of one run as the API shows it, and as the store keeps it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Final

from cdsp_core.settings.config import RunConfig, to_dict
from cdsp_core.settings.presets import from_dict, preset

ACTIVE: Final = ("queued", "starting", "running", "paused")
"""A run in one of these has a worker, or waits for one."""


@dataclass(kw_only=True, slots=True)
class RunState:
    """Changes only in `RunHub` and `Runs`."""

    run_id: str
    name: str
    config: RunConfig
    created_ms: float
    status: str = "queued"
    reason: str | None = None
    epoch: int = -1
    """-1 until a worker has begun"""
    parent: tuple[int, int] | None = None
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
    device: dict[str, Any] | None = None
    steps_per_s: float = 0.0
    restarts: int = 0
    static: dict[str, Any] = field(default_factory=dict)
    """Trainer.describe()"""
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

    @property
    def active(self) -> bool:
        """Whether the run has a worker, or waits for one."""
        return self.status in ACTIVE

    def to_json(self, *, viewers: int) -> dict[str, Any]:
        """The run as docs/protocol.md shows it."""
        return {
            "run_id": self.run_id,
            "name": self.name,
            "preset": self.config.preset,
            "seed": self.config.train.seed,
            "status": self.status,
            "reason": self.waiting or self.reason,
            "epoch": max(self.epoch, 0),
            "step": self.step,
            "total_steps": self.total_steps,
            "revision": self.revision,
            "controls": {"requested": self.requested, "applied": self.applied, "applied_step": self.applied_step},
            "speed": self.speed,
            "device": self.device,
            "steps_per_s": self.steps_per_s,
            "viewers": viewers,
            "restarts": self.restarts,
            "created_ms": self.created_ms,
        }

    def to_record(self) -> dict[str, Any]:
        """What the store keeps."""
        if self.unreadable is not None:
            return self.unreadable
        record = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        del record["unreadable"]
        return {**record, "config": to_dict(self.config)}

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> RunState:
        """Read what the store kept; a record that cannot be read becomes a failed run that says why."""
        try:
            parent = record["parent"]
            config = from_dict(record["config"])
            return cls(**{**record, "config": config, "parent": None if parent is None else (parent[0], parent[1])})
        except KeyError as error:
            problem = f"its record has no {error}."
        except (TypeError, ValueError, IndexError) as error:
            problem = str(error)
        return cls(
            run_id=str(record["run_id"]),
            name=str(record.get("name", record["run_id"])),
            config=preset("live"),
            created_ms=float(record.get("created_ms", 0.0)),
            status="failed",
            reason=f"This run was stored by another version and cannot be read: {problem}",
            unreadable=record,
        )
