"""A whole server as its user starts it: a process with real workers, that can be killed and started again."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import httpx

from tests.backend.lab import free_port

ROOT: Final = Path(__file__).resolve().parents[2]
PATIENCE_S: Final = 240.0
SMALL: Final[dict[str, Any]] = {
    "model": {"patch_size": 14, "d_model": 16, "d_base": 32, "num_experts": 4, "num_partitions": 4, "num_layers": 1},
    "train": {"steps": 1_000_000, "eval_every": 500, "eval_batch": 30, "batch_size": 8},
}
"""a model whose steps take a millisecond or two"""


class Server:
    """Started by `start`, ended by `kill` or `stop`; the folder and the port stay."""

    def __init__(
        self, folder: Path, *, launcher: str = "local", with_page: bool = False, log: Path | None = None
    ) -> None:
        self.folder = folder
        self._log = log or folder / "server.log"
        self._options = ("--launcher", launcher, *(() if with_page else ("--no-page",)))
        self.port = free_port()
        self.http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", timeout=PATIENCE_S, trust_env=False)
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Start the process and wait until it answers."""
        self._begin()
        await self.until(lambda health: health["status"] == "ok", "/healthz")

    def _begin(self) -> None:
        command = [sys.executable, "-m", "backend", "--no-browser", "--no-autostart", "--log", "json", *self._options]
        command += ["--port", str(self.port), "--data-dir", str(self.folder)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=ROOT, stdout=log, stderr=log, env={**os.environ, "OMP_NUM_THREADS": "1"}
            )

    def kill(self) -> None:
        """As a power cut would end the process."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    @property
    def pid(self) -> int:
        """Of the process that runs now."""
        assert self._process is not None
        return self._process.pid

    async def stop(self) -> None:
        """End it for good, with its workers."""
        await self.http.aclose()
        await self.end()

    async def end(self) -> None:
        """As Ctrl-C ends it, with its workers."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            await asyncio.to_thread(self._process.wait, PATIENCE_S)

    def workers(self) -> list[int]:
        """Process ids of the workers that this folder's servers have started."""
        found = json.loads((self.folder / "workers.json").read_text())
        return [int(pid) for pid, _ in found.values()]

    def log(self) -> list[dict[str, Any]]:
        """Every line that the server has written to its log."""
        lines = self._log.read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    async def get(self, path: str) -> Any:
        """JSON of a path; None while nobody answers."""
        try:
            return (await self.http.get(path)).json()
        except (httpx.HTTPError, ValueError):
            return None

    async def until(self, condition: Callable[[Any], bool], path: str) -> float:
        """Seconds until what a path says is as wanted."""
        began = time.monotonic()
        while time.monotonic() - began < PATIENCE_S:
            found = await self.get(path)
            if found is not None and condition(found):
                return time.monotonic() - began
            await asyncio.sleep(0.05)
        raise TimeoutError(f"{path} is still {await self.get(path)}")

    async def held_ms(self) -> float:
        """Longest that one thing has held up its event loop since it was started."""
        text = (await self.http.get("/metrics")).text
        found = next(line for line in text.splitlines() if line.startswith("topology_lab_event_loop_held_seconds_max"))
        return 1000 * float(found.split()[-1])

    async def new_run(self, config: dict[str, Any] = SMALL) -> str:
        """A small run, once it trains."""
        answer = await self.http.post("/api/runs", json={"config": config})
        assert answer.status_code == 201, answer.text
        run_id = str(answer.json()["run_id"])
        await self.until(lambda run: run["step"] > 20, f"/api/runs/{run_id}")
        return run_id


def resident_mib(pid: int) -> float:
    """Memory of a process now."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20
