"""What 100, 500 and 1,000 viewers cost the backend, and whether they get what they should."""

from __future__ import annotations

import math
import os
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.audience import LATE_MS, Audience, Seen
from bench.results import ROOT, Bound, Result
from bench.rounds import spread
from bench.served import Mark, Server, allow_many_sockets, wait_until

PART: Final = "viewers"
BARE_SENDS: Final = 2000
FRAMES_PER_S: Final = 20
ASKED_OF: Final = 1000
"""viewers, of which the project asks how much of a core they may take"""
MOST_OF_A_CORE: Final = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Watched:
    """One stretch of time with so many viewers."""

    backend_cores: float
    seen: Seen

    @property
    def audience_cores(self) -> float:
        return self.seen.cpu_s / self.seen.seconds


@dataclass(frozen=True, kw_only=True, slots=True)
class ViewersBench:
    """What is measured, and for how long."""

    viewers: Sequence[int] = (100, 500, 1000)
    rounds: int = 3
    warm_up_s: float = 2.0
    window_s: float = 5.0

    def run(self) -> list[Result]:
        allow_many_sockets(max(self.viewers) + 256)
        token = secrets.token_urlsafe(32)
        with tempfile.TemporaryDirectory() as folder:
            options = ("--launcher", "pool", "--no-autostart", "--no-page")
            with Server(Path(folder), *options, worker_token=token) as server, source(server, token):
                return self._measured(server)

    def _measured(self, server: Server) -> list[Result]:
        run_id = server.begin_long_run()
        wait_until(lambda: server.ask("GET", f"/api/runs/{run_id}")["step"] > 100, "the source's frames")
        alone: list[float] = []
        bare: list[float] = []
        watched: dict[int, list[Watched]] = {count: [] for count in self.viewers}
        for _ in range(self.rounds):
            bare.append(bare_send_s(server.newest_frame(run_id)))
            before = server.mark(run_id)
            time.sleep(self.window_s)
            alone.append(before.backend_cores(server.mark(run_id)))
            for count in self.viewers:
                watched[count].append(self._watched(server, run_id, count))
        return _alone(alone) + [line for count in self.viewers for line in _results(watched[count], alone, bare)]

    def _watched(self, server: Server, run_id: str, count: int) -> Watched:
        before, after, seen = watch_for(server, run_id, count, warm_up_s=self.warm_up_s, window_s=self.window_s)
        return Watched(backend_cores=before.backend_cores(after), seen=seen)


def watch_for(
    server: Server, run_id: str, viewers: int, *, warm_up_s: float, window_s: float
) -> tuple[Mark, Mark, Seen]:
    """Let so many viewers watch a run; both ends of the time, and what they saw."""
    with Audience(server.url, run_id, viewers=viewers, warm_up_s=warm_up_s, seconds=window_s) as audience:
        audience.watching()
        before = server.mark(run_id)
        seen = audience.seen()
        return before, server.mark(run_id), seen


def bare_send_s(message: bytes) -> float:
    """Seconds of CPU that one plain send of the same bytes over a loopback socket takes: the least it can cost."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sender = socket.create_connection(listener.getsockname())
        receiver, _ = listener.accept()
    spent_s = 0.0
    with sender, receiver:
        for _ in range(BARE_SENDS):
            began_s = time.thread_time()
            sender.sendall(message)
            spent_s += time.thread_time() - began_s
            received = 0
            while received < len(message):
                received += len(receiver.recv(len(message)))
    return spent_s / BARE_SENDS


@contextmanager
def source(server: Server, token: str) -> Iterator[None]:
    """A worker that replays a frame, 20 times a second."""
    command = [sys.executable, "-m", "bench.source", f"ws://127.0.0.1:{server.port}/ws/worker"]
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "CDSP_WORKER_TOKEN": token})
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def _alone(cores: list[float]) -> list[Result]:
    share = spread(cores).times(100)
    return [Result(part=f"{PART}, none", name="backend, of one core", value=share, unit="%", beside="20 frames/s")]


def _results(rounds: list[Watched], alone: list[float], bare: list[float]) -> list[Result]:
    count = rounds[0].seen.viewers
    part = f"{PART}, {count} at {FRAMES_PER_S} frames/s"
    ages_ms = [age for watched in rounds for age in watched.seen.ages_ms]
    cost_s = [
        (watched.backend_cores - none) * watched.seen.seconds / max(watched.seen.pictures, 1)
        for watched, none in zip(rounds, alone, strict=True)
    ]

    def line(name: str, values: list[float], unit: str, beside: str = "", bound: Bound | None = None) -> Result:
        return Result(part=part, name=name, value=spread(values), unit=unit, beside=beside, bound=bound)

    return [
        line(
            "backend, of one core",
            [100 * watched.backend_cores for watched in rounds],
            "%",
            bound=Bound(limit=MOST_OF_A_CORE) if count == ASKED_OF else None,
        ),
        line(
            "a delivered frame ÷ a bare send of its bytes",
            [cost / floor for cost, floor in zip(cost_s, bare, strict=True)],
            "×",
            f"{statistics.median(cost_s) * 1e6:.0f} / {statistics.median(bare) * 1e6:.1f} µs of CPU",
        ),
        line(
            f"pictures more than {LATE_MS:.0f} ms old, of all",
            [100 * watched.seen.late_share for watched in rounds],
            "%",
            f"age p50 {quantile(ages_ms, 50):.0f} ms, p95 {quantile(ages_ms, 95):.0f} ms",
        ),
        line(
            "age of a picture, p99",
            [quantile(watched.seen.ages_ms, 99) for watched in rounds],
            "ms",
            bound=Bound(limit=LATE_MS) if count == ASKED_OF else None,
        ),
        line("frames passed over, of all", [100 * watched.seen.passed_over_share for watched in rounds], "%"),
        line(
            "scalars lost, connections lost",
            [float(watched.seen.gaps + watched.seen.lost_connections) for watched in rounds],
            "",
            bound=Bound(limit=0),
        ),
        line("the viewers' own process, of one core", [100 * watched.audience_cores for watched in rounds], "%"),
    ]


def quantile(values: list[float], percent: int) -> float:
    """A percentile; infinite where there are too few values for one."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1] if len(values) > 1 else math.inf
