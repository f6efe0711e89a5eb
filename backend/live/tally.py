"""Counts of what has happened since this server started; what /metrics tells."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Final

LATENCY_BOUNDS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)


@dataclass(slots=True)
class Tally:
    """Grows only. One for a server; everybody adds to it on the event loop."""

    frames: int = 0
    """taken from workers"""
    passed_over: int = 0
    """frames that viewers had no credit for, whose scalars they got later"""
    restarts: int = 0
    """runs begun again because their worker was lost"""
    store_errors: int = 0
    """times that the history began to refuse"""
    refused: dict[str, int] = field(default_factory=dict)
    """requests refused because of a limit, by the limit's name"""
    deleted: int = 0
    """runs deleted to keep the data folder under its cap"""
    commands: dict[str, int] = field(default_factory=dict)
    """answers to commands: applied, rejected, stale, unanswered"""
    latency_counts: list[int] = field(default_factory=lambda: [0] * (len(LATENCY_BOUNDS_S) + 1))
    """answers by how long they took; the last is of those beyond all bounds"""
    latency_sum_s: float = 0.0

    def answered(self, outcome: str, took_s: float) -> None:
        """A command has got its answer."""
        self.commands[outcome] = self.commands.get(outcome, 0) + 1
        self.latency_counts[bisect_left(LATENCY_BOUNDS_S, took_s)] += 1
        self.latency_sum_s += took_s

    def refuse(self, limit: str) -> None:
        """A request went beyond a limit."""
        self.refused[limit] = self.refused.get(limit, 0) + 1
