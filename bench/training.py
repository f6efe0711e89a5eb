"""What viewers cost the run they watch: steps/s of a real `live` run with 0, 1 and 100 of them, taking turns."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.results import Bound, Result
from bench.rounds import spread
from bench.served import Server
from bench.viewers import watch_for

PART: Final = "training"
SETTLE_S: Final = 5.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Stretch:
    """One stretch of training."""

    steps_per_s: float
    backend_cores: float
    audience_cores: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingBench:
    """What is measured, and for how long."""

    viewers: Sequence[int] = (1, 100)
    rounds: int = 4
    warm_up_s: float = 1.0
    window_s: float = 4.0

    def run(self) -> list[Result]:
        with tempfile.TemporaryDirectory() as folder, Server(Path(folder), "--no-autostart", "--no-page") as server:
            run_id = server.begin_long_run()
            time.sleep(SETTLE_S)
            unwatched = [self._unwatched(server, run_id)]
            watched: dict[int, list[tuple[Stretch, float]]] = {count: [] for count in self.viewers}
            for _ in range(self.rounds):
                for count in self.viewers:
                    stretch = self._watched(server, run_id, count)
                    unwatched.append(self._unwatched(server, run_id))
                    around = (unwatched[-2].steps_per_s + unwatched[-1].steps_per_s) / 2
                    watched[count].append((stretch, stretch.steps_per_s / around))
        return _unwatched_results(unwatched) + [
            line for count in self.viewers for line in _results(count, watched[count])
        ]

    def _unwatched(self, server: Server, run_id: str) -> Stretch:
        time.sleep(self.warm_up_s)
        before = server.mark(run_id)
        time.sleep(self.window_s)
        after = server.mark(run_id)
        return Stretch(steps_per_s=before.steps_per_s(after), backend_cores=before.backend_cores(after))

    def _watched(self, server: Server, run_id: str, count: int) -> Stretch:
        before, after, seen = watch_for(server, run_id, count, warm_up_s=self.warm_up_s, window_s=self.window_s)
        return Stretch(
            steps_per_s=before.steps_per_s(after),
            backend_cores=before.backend_cores(after),
            audience_cores=seen.cpu_s / seen.seconds,
        )


def _unwatched_results(stretches: list[Stretch]) -> list[Result]:
    speed = statistics.median(stretch.steps_per_s for stretch in stretches)
    share = spread([100 * stretch.backend_cores for stretch in stretches])
    part = f"{PART}, preset live, no viewer"
    return [Result(part=part, name="backend, of one core", value=share, unit="%", beside=f"{speed:.0f} steps/s")]


def _results(count: int, rounds: list[tuple[Stretch, float]]) -> list[Result]:
    part = f"{PART}, preset live, {count} viewer{'s' if count > 1 else ''}"
    stretches = [stretch for stretch, _ in rounds]
    speed = statistics.median(stretch.steps_per_s for stretch in stretches)
    return [
        Result(
            part=part,
            name="steps/s, of those without viewers just before and after",
            value=spread([100 * ratio for _, ratio in rounds]),
            unit="%",
            beside=f"{speed:.0f} steps/s",
            bound=Bound(limit=97, kind="at least") if count == 100 else None,
        ),
        Result(
            part=part,
            name="backend, of one core",
            value=spread([100 * stretch.backend_cores for stretch in stretches]),
            unit="%",
        ),
        Result(
            part=part,
            name="the viewers' own process, of one core",
            value=spread([100 * stretch.audience_cores for stretch in stretches]),
            unit="%",
        ),
    ]
