"""What a map costs the run that people look at: steps/s of a real `live` run, beside a map and while that waits."""

from __future__ import annotations

import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.results import Bound, Result
from bench.rounds import spread
from bench.served import Server, wait_until

PART: Final = "a run beside a map, preset live"
KEEPS_PERCENT: Final = 50
"""of its speed, which the project asks of the shown run"""
MAP: Final[dict[str, Any]] = {
    "preset": "live",
    "axes": [
        {"field": "lambda_conflict", "values": [0, 0.5, 1, 2, 5, 10, 20]},
        {"field": "p_drop", "values": [0, 0.25, 0.5, 0.75, 1]},
    ],
    "steps": 1000,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class BesideMapBench:
    """One map of 7 by 5 cells, asked in turn to wait while a run trains and to share the cores with it."""

    rounds: int = 4
    warm_up_s: float = 4.0
    window_s: float = 15.0

    def run(self) -> list[Result]:
        with tempfile.TemporaryDirectory() as folder, Server(Path(folder), "--no-autostart", "--no-page") as server:
            run_id = server.begin_long_run()
            sweep_id = str(server.ask("POST", "/api/sweeps", MAP)["sweep_id"])
            wait_until(lambda: _cells_begun(server, sweep_id), "the map's first cell")
            alone = [self._steps_per_s(server, run_id, sweep_id, waits=True)]
            beside: list[float] = []
            kept: list[float] = []
            for _ in range(self.rounds):
                beside.append(self._steps_per_s(server, run_id, sweep_id, waits=False))
                alone.append(self._steps_per_s(server, run_id, sweep_id, waits=True))
                kept.append(100 * beside[-1] / ((alone[-2] + alone[-1]) / 2))
        figures = f"{statistics.median(beside):.1f} of {statistics.median(alone):.1f} steps/s"
        return [
            Result(
                part=PART,
                name="steps/s, of those while the map waits",
                value=spread(kept),
                unit="%",
                beside=figures,
                bound=Bound(limit=KEEPS_PERCENT, kind="at least"),
            )
        ]

    def _steps_per_s(self, server: Server, run_id: str, sweep_id: str, *, waits: bool) -> float:
        """Of the run, by its worker's clock. Raises OSError where the map has ended."""
        state = "paused" if waits else "running"
        server.ask("PATCH", f"/api/sweeps/{sweep_id}", {"waits": waits})
        wait_until(lambda: server.ask("GET", f"/api/sweeps/{sweep_id}")["state"] == state, f"a map that is {state}")
        time.sleep(self.warm_up_s)
        before = server.mark(run_id)
        time.sleep(self.window_s)
        after = server.mark(run_id)
        if (found := server.ask("GET", f"/api/sweeps/{sweep_id}")["state"]) != state:
            raise OSError(f"The map must be {state} all the while. Found {found}.")
        return before.steps_per_s(after)


def _cells_begun(server: Server, sweep_id: str) -> bool:
    return any(cell["step"] for cell in server.ask("GET", f"/api/sweeps/{sweep_id}")["cells"])
