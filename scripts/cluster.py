"""Starts the parts of docker-compose.cluster.yml as processes of this machine, under the same names, until Ctrl-C.

usage: python -m scripts.cluster [--dir DIR] [--only NAME ...]
DIR keeps what each part writes (default cluster/). Needs redis-server (Debian's) and the extras cluster, storage,
fanout and dev. The S3 server is moto's, which keeps everything in memory. All listen on loopback, on free ports.
"""

from __future__ import annotations

import argparse
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from scripts.make_bucket import make_bucket

ROOT: Final = Path(__file__).resolve().parents[1]
BUCKET: Final = "lab"
STARTS_WITHIN_S: Final = 180.0
ENDS_WITHIN_S: Final = 20.0
PARTS: Final = ("redis", "s3", "ray-head", "ray-worker-1", "ray-worker-2", "backend", "viewer-1", "viewer-2")


class PartError(RuntimeError):
    """A part did not start; the message says which, and where it says why."""


class Cluster:
    """All parts, in the order in which they start."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.token = secrets.token_hex(32)
        self.ports = {name: _free_port() for name in PARTS}
        self._started: list[tuple[str, subprocess.Popen[bytes]]] = []
        self._environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),  # nodes import this package
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # several nodes on loopback
            "AWS_ACCESS_KEY_ID": "lab",
            "AWS_SECRET_ACCESS_KEY": "of-the-server-of-this-script",
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{self.ports['s3']}",
            "CDSP_TOKEN": self.token,
        }

    def start(self, only: Sequence[str] = PARTS) -> None:
        """Start each part once those before it answer. Raises PartError."""
        python, ports = sys.executable, self.ports
        gcs, fanout = f"127.0.0.1:{ports['ray-head']}", f"redis://127.0.0.1:{ports['redis']}/0"
        node, where = [python, "-m", "scripts.ray_node"], [str(ports["ray-head"]), str(self._short_folder())]
        page = [python, "-m", "backend", "--no-browser"]
        owner = f"http://127.0.0.1:{ports['backend']}"
        share = ["--fanout", fanout] if "redis" in only else []
        redis = [shutil.which("redis-server") or "redis-server", "--bind", "127.0.0.1", "--appendonly", "yes"]
        commands: dict[str, tuple[list[str], Callable[[], bool]]] = {
            "redis": ([*redis, "--port", str(ports["redis"]), "--dir", str(self._folder_of("redis"))],
                      lambda: _answers(ports["redis"])),
            "s3": ([python, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(ports["s3"])], self._has_bucket),
            "ray-head": ([*node, "head", *where], lambda: self._is_ready("ray-head")),
            **{name: ([*node, "worker", *where], partial(self._is_ready, name))
               for name in ("ray-worker-1", "ray-worker-2")},
            "backend": ([*page, "--port", str(ports["backend"]), "--data-dir", str(self._folder_of("backend")),
                         "--launcher", "ray", "--ray-address", gcs, "--storage", f"s3://{BUCKET}/topology-lab", *share],
                        lambda: _is_well(ports["backend"])),
            **{name: ([*page, "--role", "viewer", "--fanout", fanout, "--owner", owner, "--port", str(ports[name]),
                       "--data-dir", str(self._folder_of(name))], partial(_is_well, ports[name]))
               for name in ("viewer-1", "viewer-2")},
        }  # fmt: skip
        for name in (each for each in PARTS if each in only):
            command, answers = commands[name]
            self._begin(name, command, answers)

    def close(self) -> None:
        """End the parts, the last first, whoever interrupts that."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        for name, process in reversed(self._started):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(ENDS_WITHIN_S)
            except subprocess.TimeoutExpired:
                print(f"{name} does not end and is killed.", file=sys.stderr)
                process.kill()
                process.wait()

    def ended(self) -> str | None:
        """The name of a part that has ended by itself; None while all run."""
        return next((name for name, process in self._started if process.poll() is not None), None)

    def _begin(self, name: str, command: Sequence[str], answers: Callable[[], bool]) -> None:
        log = self.folder / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, stdout=output, stderr=output, env=self._environment, cwd=ROOT, start_new_session=True
            )
        self._started.append((name, process))
        until = time.monotonic() + STARTS_WITHIN_S
        while not answers():
            if process.poll() is not None or time.monotonic() > until:
                raise PartError(f"{name} did not start; {log} says why.")
            time.sleep(0.2)
        print(f"{name:12} {'' if name.startswith('ray-worker') else self.ports[name]}", flush=True)

    def _folder_of(self, name: str) -> Path:
        found = (self.folder / name).resolve()
        found.mkdir(parents=True, exist_ok=True)
        return found

    def _short_folder(self) -> Path:
        """Ray's sockets lie there, whose paths may have 107 letters."""
        return Path(os.environ.get("TMPDIR", "/tmp")) / f"ray-{self.ports['ray-head']}"

    def _is_ready(self, name: str) -> bool:
        return "ready" in (self.folder / f"{name}.log").read_text().splitlines()

    def _has_bucket(self) -> bool:
        try:
            make_bucket(f"http://127.0.0.1:{self.ports['s3']}", BUCKET)
        except OSError:
            return False
        return True


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def _is_well(port: int) -> bool:
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"http://127.0.0.1:{port}/healthz"):
            return True
    except OSError:
        return False


def main() -> int:
    """Exit status: 0 ended by Ctrl-C or a signal, 1 when a part did not start, or has ended."""
    parser = argparse.ArgumentParser(prog="python -m scripts.cluster", description=__doc__)
    parser.add_argument("--dir", type=Path, default=Path("cluster"), metavar="DIR")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), metavar="NAME")
    options = parser.parse_args()
    options.dir.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    cluster = Cluster(options.dir)
    try:
        cluster.start(options.only)
        pages = [name for name in ("backend", "viewer-1", "viewer-2") if name in options.only]
        for name in pages:
            print(f"{name}: http://127.0.0.1:{cluster.ports[name]}/?token={cluster.token}", flush=True)
        while (gone := cluster.ended()) is None:
            time.sleep(1)
        print(f"{gone} has ended; {options.dir / gone}.log says why.", file=sys.stderr)
        return 1
    except PartError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    finally:
        cluster.close()


if __name__ == "__main__":
    sys.exit(main())
