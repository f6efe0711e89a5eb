"""A real backend in a process of its own, asked over HTTP, and what its process costs. Needs Linux's /proc."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from bench.results import ROOT
from cdsp_core.wire.frames import Frame, decode_frame

PATIENCE_S: Final = 60.0
END_S: Final = 20.0
CLOCK_TICKS_A_S: Final = os.sysconf("SC_CLK_TCK")
LONG_RUN: Final = {"preset": "live", "train": {"steps": 10_000_000}}
LARGEST_SEQ: Final = 2**53

_open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open


class Server:
    """`python -m backend` on a free port, ended when the block is left."""

    def __init__(self, data_dir: Path, *options: str, worker_token: str | None = None) -> None:
        command = [
            sys.executable,
            "-m",
            "backend",
            "--port",
            "0",
            "--data-dir",
            str(data_dir),
            "--no-browser",
            *options,
        ]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("CDSP_")}
        if worker_token is not None:
            environment["CDSP_WORKER_TOKEN"] = worker_token
        self.started_s = time.time()
        self._process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        said = self._process.stdout.readline()
        if not said:
            raise OSError(f"The backend ended with code {self._process.wait()} before it listened.")
        self.url = said.split()[-1].rstrip("/")

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(timeout=END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON answer to a request."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, data=data, method=method, headers=headers)
        with _open(request, timeout=PATIENCE_S) as answer:
            return json.load(answer)

    def begin_long_run(self) -> str:
        """Begin a `live` run that does not end by itself; its id, once it trains."""
        run_id = str(self.ask("POST", "/api/runs", {"config": LONG_RUN, "seed": 0})["run_id"])
        wait_until(lambda: self.ask("GET", f"/api/runs/{run_id}")["step"] > 0, "the run's first steps")
        return run_id

    def newest_frame(self, run_id: str) -> bytes:
        """The newest stored frame of a run, as it went to viewers."""
        epoch = self.ask("GET", f"/api/runs/{run_id}")["epoch"]
        with _open(f"{self.url}/api/runs/{run_id}/frames/{epoch}/{LARGEST_SEQ}", timeout=PATIENCE_S) as answer:
            return bytes(answer.read())

    def mark(self, run_id: str) -> Mark:
        """Now, as the run and the backend's process count it."""
        frame = decode_frame(self.newest_frame(run_id))
        return Mark(frame, cpu_s=cpu_s(self._process.pid), time_s=time.perf_counter())


class Mark:
    """A moment of a run. Two of them make a rate."""

    def __init__(self, frame: Frame, *, cpu_s: float, time_s: float) -> None:
        self._frame = frame
        self._cpu_s = cpu_s
        self._time_s = time_s

    def steps_per_s(self, later: Mark) -> float:
        """Steps a second until a later mark, by the worker's clock."""
        return 1000 * (later._frame.step - self._frame.step) / (later._frame.time_ms - self._frame.time_ms)

    def backend_cores(self, later: Mark) -> float:
        """Cores the backend's process kept busy until a later mark."""
        return (later._cpu_s - self._cpu_s) / (later._time_s - self._time_s)


def cpu_s(pid: int) -> float:
    """Seconds of CPU that a process has used so far, all threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS_A_S


def wait_until(condition: Callable[[], object], what: str) -> None:
    """Ask again and again. Raises TimeoutError."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"Waited {PATIENCE_S:.0f} s for {what}.")
        time.sleep(0.05)


def allow_many_sockets(wanted: int) -> None:
    """Raise this process's limit of open files, and so that of its children. Raises OSError when it may not."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise OSError(f"{wanted} sockets need a limit of as many open files (ulimit -n). Found {hard}.")
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
