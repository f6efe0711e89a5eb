"""What many runs are at one step, on the host, and one run's share of it as a frame has it.

Shapes: X runs, N steps since the last snapshot, S scalars.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cdsp_core.settings.model import ModelConfig
from cdsp_core.training.telemetry import packed, with_measures
from cdsp_core.wire.frames import Array


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot:
    """All runs at one step. Taking it is quick; `of_run` measures, and may do so elsewhere."""

    step: int
    names: tuple[str, ...]
    """of the scalars"""
    rows_XNS: Array
    layers: Sequence[dict[str, Array]]
    """every layer's arrays, [X, ...]"""
    model: ModelConfig

    def part(self, run: int) -> Snapshot:
        """One run alone, to be sent elsewhere."""
        own = slice(run, run + 1)
        layers = [{name: value[own].copy() for name, value in layer.items()} for layer in self.layers]
        return replace(self, rows_XNS=self.rows_XNS[own].copy(), layers=layers)

    def of_run(self, run: int) -> dict[str, Array]:
        """One run's arrays, as `Trainer.arrays` gives them."""
        layers = [packed({name: value[run] for name, value in layer.items()}) for layer in self.layers]
        rows = self.rows_XNS[run].copy()
        return with_measures(rows, layers, self.model)
