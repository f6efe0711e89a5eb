"""Maps: cells an hour of `live` with one process and with two, and how much of two cores a map turns into steps."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.results import ROOT, Bound, Result
from bench.rounds import spread

PART: Final = "maps, preset live"
CELL_STEPS: Final = 1000
"""of a cell, as the page proposes it"""
DRAWN: Final = 35
"""cells of the map that the project asks to be done within six minutes"""
WITHIN_MIN: Final = 6.0


@dataclass(frozen=True, kw_only=True, slots=True)
class MapsBench:
    """Maps of so many cells are trained for so many steps each; a whole map's time is reckoned from that."""

    cells: int = 4
    steps: int = 400
    rounds: int = 2
    processes: Sequence[int] = (1, 2)

    def run(self) -> list[Result]:
        rates: dict[int, list[float]] = {count: [] for count in self.processes}
        for _ in range(self.rounds):
            for count in self.processes:
                rates[count].append(self._steps_per_s(count))
        return [line for count in self.processes for line in self._results(count, rates)]

    def _steps_per_s(self, processes: int) -> float:
        """Steps of all cells a second, from the first cell's first step to the last cell's end."""
        with tempfile.TemporaryDirectory() as folder:
            values = ",".join(str(1.0 + number) for number in range(self.cells))
            command = [
                sys.executable, "-m", "cdsp_core", "sweep", "--x", f"lambda_conflict={values}", "--y", "p_drop=0.5",
                "--steps", str(self.steps), "--jobs", str(processes), "--out", str(Path(folder) / "map"),
                "--progress", "json",
            ]  # fmt: skip
            began: float | None = None
            with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
                assert process.stdout is not None
                for line in process.stdout:
                    if began is None and json.loads(line).get("type") == "progress":
                        began = time.monotonic()
            if process.returncode or began is None:
                raise OSError(f"The map ended with status {process.returncode}.")
            return self.cells * self.steps / (time.monotonic() - began)

    def _results(self, processes: int, rates: dict[int, list[float]]) -> list[Result]:
        own = rates[processes]
        part = f"{PART}, {processes} at a time, cells of {CELL_STEPS:,} steps"
        minutes = [DRAWN * CELL_STEPS / rate / 60 for rate in own]
        lines = [
            Result(
                part=part, name="cells an hour", value=spread([3600 * rate / CELL_STEPS for rate in own]), unit="1/h",
                beside=f"{statistics.median(own):.0f} steps/s",
            ),
            Result(
                part=part, name=f"a map of {DRAWN} cells", value=spread(minutes), unit="min",
                bound=Bound(limit=WITHIN_MIN) if processes == max(rates) else None,
            ),
        ]  # fmt: skip
        if processes != min(rates):
            ratios = [rate / one for rate, one in zip(own, rates[min(rates)], strict=True)]
            lines.append(Result(part=part, name=f"over {min(rates)} at a time", value=spread(ratios), unit="×"))
        return lines
