"""A server of one's own for the browser tests, and patience."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from tests.e2e.proxy import Proxy

PATIENCE_S = 240.0
"""for what a machine shared with other work does late; what never comes still fails"""


class Server:
    """`python -m backend` with further options, reached directly or through a proxy that can be cut."""

    def __init__(self, data_dir: Path, *more: str) -> None:
        self.port = _free_port()
        self.proxy = Proxy(self.port)
        options = ["--port", str(self.port), "--data-dir", str(data_dir), "--no-browser", "--no-autostart", *more]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "CDSP_ALLOWED_HOSTS": f"127.0.0.1:{self.proxy.port}"}
        self._process = subprocess.Popen([sys.executable, "-m", "backend", *options], env=environment)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON answer to a request."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.url + path, data=data, method=method, headers={"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as response:
            return json.load(response)

    def run(self) -> Any:
        """The newest run."""
        return self.ask("GET", "/api/runs")[0]

    def command(self, kind: str, **fields: Any) -> Any:
        """Steer the newest run."""
        command = {"command_id": f"test-{time.monotonic_ns()}", "type": kind, **fields}
        return self.ask("POST", f"/api/runs/{self.run()['run_id']}/commands", command)

    def wait_for_run(self, status: str) -> None:
        """Wait until the newest run has this status."""
        patiently(lambda: self.run()["status"] == status, f"the run to be {status}")

    def train_past(self, step: int) -> None:
        """Train the newest run past a step, as fast as each step has a picture, then at its speed of before."""
        if self.run()["step"] <= step:
            speed = self.run()["speed"]
            self.command("speed", steps_per_s=20)
            patiently(lambda: self.run()["step"] > step, f"step {step}")
            self.command("speed", steps_per_s=speed)

    def is_up(self) -> bool:
        """Whether the server answers; it must not have ended."""
        assert self._process.poll() is None, "the server has ended"
        try:
            return bool(self.ask("GET", "/healthz")["status"] == "ok")
        except OSError:
            return False

    def close(self) -> None:
        """End server and worker."""
        self.proxy.close()
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(timeout=PATIENCE_S)


@contextmanager
def serving(folder: Path, *options: str) -> Iterator[Server]:
    """A server on a data folder, once it answers, until the end of the block."""
    server = Server(folder, *options)
    try:
        patiently(server.is_up, "the server to answer")
        yield server
    finally:
        server.close()


def patiently(condition: Callable[[], Any], what: str) -> Any:
    """The first true value of `condition`, asked again and again."""
    until = time.monotonic() + PATIENCE_S
    while not (value := condition()):
        assert time.monotonic() < until, f"waited in vain for {what}"
        time.sleep(0.05)
    return value


def drawn(page: Page) -> Page:
    """The page, once it has drawn some frames and its chart."""
    patiently(
        lambda: page.evaluate("window.topologyLab?.stats.frames > 3 && topologyLab.views[0].charts.redraws > 1"),
        "frames and the chart",
    )
    return page


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
