"""What viewer processes cost: the owner, Redis and each of them, for so many viewers in all. Needs redis-server."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.audience import LATE_MS, Audience, Seen
from bench.results import Bound, Result
from bench.rounds import spread
from bench.served import Server, allow_many_sockets, cpu_s, wait_until
from bench.viewers import FRAMES_PER_S, quantile, source

PART: Final = "fanout"
MISSING: Final = "redis-server must be there: scripts/redis.sh installs it. Found none."


@dataclass(frozen=True, kw_only=True, slots=True)
class Shared:
    """One stretch of time with so many processes; CPU in cores."""

    owner: float
    redis: float
    processes: list[float]
    seen: list[Seen]


@dataclass(frozen=True, kw_only=True, slots=True)
class FanoutBench:
    """`viewers` at each of `processes` viewer processes."""

    processes: Sequence[int] = (1, 2)
    viewers: int = 500
    rounds: int = 3
    warm_up_s: float = 2.0
    window_s: float = 5.0

    def run(self) -> list[Result]:
        allow_many_sockets(self.viewers + 256)
        token = secrets.token_urlsafe(32)
        options = ("--launcher", "pool", "--no-autostart", "--no-page")
        with tempfile.TemporaryDirectory() as folder, redis(Path(folder)) as (url, redis_pid), ExitStack() as started:
            owner = started.enter_context(Server(Path(folder), *options, "--fanout", url, worker_token=token))
            started.enter_context(source(owner, token))
            run_id = owner.begin_long_run()
            wait_until(lambda: owner.ask("GET", f"/api/runs/{run_id}")["step"] > 100, "the source's frames")
            shown = ("--role", "viewer", "--fanout", url, "--owner", owner.url, "--no-page")
            some = [started.enter_context(Server(Path(folder), *shown)) for _ in range(max(self.processes))]
            measured: dict[int, list[Shared]] = {count: [] for count in self.processes}
            for _ in range(self.rounds):
                for count in self.processes:
                    measured[count].append(self._shared(owner, redis_pid, some[:count], run_id))
        return [line for count in self.processes for line in self._results(measured[count])]

    def _shared(self, owner: Server, redis_pid: int, some: list[Server], run_id: str) -> Shared:
        pids = [owner.pid, redis_pid, *(each.pid for each in some)]
        with ExitStack() as watching:
            audiences = [
                watching.enter_context(
                    Audience(each.url, run_id, viewers=self.viewers, warm_up_s=self.warm_up_s, seconds=self.window_s)
                )
                for each in some
            ]
            for audience in audiences:
                audience.watching()
            before = [cpu_s(pid) for pid in pids]
            seen = [audience.seen() for audience in audiences]
            owner_s, redis_s, *each_s = (cpu_s(pid) - was for pid, was in zip(pids, before, strict=True))
        seconds = max(each.seconds for each in seen)
        return Shared(
            owner=owner_s / seconds, redis=redis_s / seconds, processes=[each / seconds for each in each_s], seen=seen
        )

    def _results(self, rounds: list[Shared]) -> list[Result]:
        count = len(rounds[0].processes)
        part = f"{PART}, {count * self.viewers} viewers at {FRAMES_PER_S} frames/s over {count} processes"

        def line(name: str, values: list[float], unit: str, bound: Bound | None = None) -> Result:
            return Result(part=part, name=name, value=spread(values), unit=unit, bound=bound)

        together = [[age for each in shared.seen for age in each.ages_ms] for shared in rounds]
        lost = [sum(each.gaps + each.lost_connections for each in shared.seen) for shared in rounds]
        return [
            line("a viewer process, of one core", [100 * max(shared.processes) for shared in rounds], "%"),
            line("the owner, of one core", [100 * shared.owner for shared in rounds], "%"),
            line("Redis, of one core", [100 * shared.redis for shared in rounds], "%"),
            line("age of a picture, p50", [quantile(ages, 50) for ages in together], "ms"),
            line("age of a picture, p99", [quantile(ages, 99) for ages in together], "ms", Bound(limit=LATE_MS)),
            line("scalars lost, connections lost", [float(each) for each in lost], "", Bound(limit=0)),
        ]


@contextmanager
def redis(folder: Path) -> Iterator[tuple[str, int]]:
    """A Redis with appendonly on, on a free port of loopback: its address and process. Raises OSError without one."""
    program = shutil.which("redis-server")
    if program is None:
        raise OSError(MISSING)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = int(listener.getsockname()[1])
    options = ("--bind", "127.0.0.1", "--port", str(port), "--appendonly", "yes", "--save", "", "--dir", str(folder))
    process = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: _listens(port), "redis-server")
        yield f"redis://127.0.0.1:{port}/0", process.pid
    finally:
        process.terminate()
        process.wait()


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
