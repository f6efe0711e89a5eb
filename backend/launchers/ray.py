"""Workers where a Ray cluster has room for them: Ray places the process, which dials in by the same link as any worker.

Ray itself is in a process of its own (`backend.workers.ray_driver`): when the cluster goes, what goes on here goes on.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import secrets
import subprocess
import sys
import tempfile
import threading
import uuid
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar, Final

from backend.launchers import JobPlace
from backend.launchers.local import KEPT_FROM_WORKERS
from backend.settings import Settings, SettingsError, is_loopback
from cdsp_core.studies.framework.cluster import ClusterError, check_cluster, host_of

END_TIMEOUT_S: Final = 15.0
SPARED_AFTER_S: Final = 20.0
"""seconds without anything to do after which a worker gives its place back"""
LOG: Final = "ray.log"
ANY: Final = ("0.0.0.0", "::")


class Launch:
    """As many workers as runs wait. `on_exit(worker_id, sentence)` is called when one has ended, or its node has."""

    starts_workers: ClassVar = True
    same_machine: ClassVar = False
    runs_jobs: ClassVar = True

    def __init__(self, settings: Settings, *, token: str, on_exit: Callable[[str, str], None]) -> None:
        try:
            check_cluster(settings.ray_address)
        except ClusterError as error:
            raise SettingsError(str(error)) from None
        outside = settings.ray_address not in (None, "auto") and not is_loopback(host_of(str(settings.ray_address)))
        if outside and (is_loopback(_reached(settings)) or _reached(settings) in ANY):
            raise SettingsError(
                f"Workers of the Ray cluster at {settings.ray_address} must reach this server: give --host an address "
                f"of this machine that its nodes can dial, and CDSP_TOKEN. Found {_reached(settings)}."
            )
        self._settings = settings
        self._token = token
        own = settings.ray_address is None
        self._ray_token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)} if own else {}
        """of a cluster that is this server's own: nobody else may give it work"""
        self._on_exit = on_exit
        self._driver: subprocess.Popen[bytes] | None = None
        self._placed: set[str] = set()
        self._arrived: set[str] = set()
        self._ended: set[str] = set()
        self._idle_s: dict[str, float] = {}
        self._problem: str | None = None
        self._room: dict[str, Any] | None = None
        """what the driver said last of the cluster"""

    def begin(self) -> None:
        """Reach the cluster, in a process of its own, unless that is done. Raises OSError."""
        if self._driver is not None:
            return
        settings = self._settings
        command = [sys.executable, "-m", "backend.workers.ray_driver"]
        command += ["--cpus", f"{settings.worker_cpus:g}", "--gpus", f"{settings.worker_gpus:g}"]
        if settings.ray_address is not None:
            command += ["--address", settings.ray_address]
        log = settings.data_dir / "logs" / LOG
        log.parent.mkdir(parents=True, exist_ok=True)
        inherited = {name: value for name, value in os.environ.items() if name not in KEPT_FROM_WORKERS}
        with log.open("wb") as output:
            self._driver = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                cwd=Path(__file__).resolve().parents[2],
                start_new_session=True,
                env={**inherited, **self._ray_token},
            )
        reading = threading.Thread(
            target=self._read, args=(self._driver, asyncio.get_running_loop()), name="ray driver", daemon=True
        )
        reading.start()

    def launch(self, waiting: int, connected: Collection[str]) -> str | None:
        self._arrived |= set(connected)
        on_their_way = len(self._placed - self._arrived)
        try:
            for _ in range(waiting - on_their_way):
                self.begin()
                self._place()
        except OSError as error:
            return f"No worker could be placed on the Ray cluster: {error.strerror}."
        return None

    def why_waiting(self, busy: int) -> str:
        """What a run that waits for a worker is told."""
        settings = self._settings
        if self._room is None:
            return "Waits for a worker: the Ray cluster is being reached."
        asked = f"{settings.worker_cpus:g} CPU" + (f" and {settings.worker_gpus:g} GPU" if settings.worker_gpus else "")
        free = f"{self._room['free_cpus']:g} of {self._room['cpus']:g} CPU"
        if settings.worker_gpus:
            free += f" and {self._room['free_gpus']:g} of {self._room['gpus']:g} GPU"
        return f"Waits for a worker: it needs {asked}, of the Ray cluster {free} are free."

    def spare(self, idle: Collection[str], elapsed_s: float) -> None:
        """End those that were idle for a while: what they hold of the cluster is for others."""
        self._idle_s = {each: self._idle_s.get(each, 0.0) + elapsed_s for each in idle if each in self._placed}
        for worker_id, idle_s in self._idle_s.items():
            if idle_s >= SPARED_AFTER_S:
                self._end(worker_id, now=False)

    def job_place(self) -> JobPlace | None:
        with suppress(OSError):
            self.begin()
        if self._room is None:
            return None
        name = f"Ray cluster of {self._room['nodes']} nodes, {self._room['cpus']:g} CPU"
        options = ("--ray-address", self._settings.ray_address or self._room["address"])
        return JobPlace(
            name=name,
            options=options,
            environment={**self._ray_token, "CDSP_DATASET_DIR": str(self._settings.dataset_dir.resolve())},
            beside_runs=False,
            at_once=max(1, int(self._room["cpus"])),
        )

    def is_gone(self, worker_id: str) -> bool:
        return worker_id in self._ended

    def started(self, worker_id: str) -> bool:
        return worker_id in self._placed

    def kill(self, worker_id: str) -> None:
        self._end(worker_id, now=True)

    def log_of(self, worker_id: str) -> None:
        return None

    async def close(self) -> None:
        """Ask every worker to write a checkpoint and end; the driver kills those that do not."""
        driver, self._driver = self._driver, None
        if driver is None:
            return
        assert driver.stdin is not None
        with suppress(OSError):
            driver.stdin.close()
        try:
            await asyncio.to_thread(driver.wait, END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            driver.kill()
            await asyncio.to_thread(driver.wait)

    def _place(self) -> None:
        settings = self._settings
        worker_id = uuid.uuid4().hex
        device = "cpu" if settings.device == "auto" and not settings.worker_gpus else settings.device
        arguments = ["--connect", f"ws://{_dialled(settings)}/ws/worker", "--device", device]
        arguments += ["--threads", str(max(1, math.floor(settings.worker_cpus)))]
        if settings.storage is None:
            arguments += ["--checkpoint-dir", str(settings.checkpoint_dir.resolve())]
            arguments += ["--study-dir", str(settings.study_dir.resolve())]
        else:
            arguments += ["--study-dir", str(Path(tempfile.gettempdir()) / "topology-lab-studies")]
        if settings.data_root is not None:
            arguments += ["--data-root", str(settings.data_root.resolve())]
        environment = {"CDSP_WORKER_TOKEN": self._token, "CDSP_WORKER_ID": worker_id}
        environment["CDSP_DATASET_DIR"] = str(settings.dataset_dir.resolve())
        self._placed.add(worker_id)
        self._order({"place": worker_id, "arguments": arguments, "environment": environment})

    def _end(self, worker_id: str, *, now: bool) -> None:
        if worker_id in self._placed and self._driver is not None:
            with suppress(OSError):
                self._order({"end": worker_id, "now": now})

    def _order(self, order: dict[str, Any]) -> None:
        assert self._driver is not None
        assert self._driver.stdin is not None
        self._driver.stdin.write(json.dumps(order).encode() + b"\n")
        self._driver.stdin.flush()

    def _read(self, driver: subprocess.Popen[bytes], loop: asyncio.AbstractEventLoop) -> None:
        """In a thread: pass on what the driver says, then that it has ended."""
        assert driver.stdout is not None
        with suppress(RuntimeError):  # the loop is closed
            with driver.stdout:
                for line in driver.stdout:
                    loop.call_soon_threadsafe(self._heard, json.loads(line))
            driver.wait()
            loop.call_soon_threadsafe(self._driver_ended, driver)

    def _heard(self, message: dict[str, Any]) -> None:
        if "room" in message:
            self._room = {**(self._room or {}), **message["room"]}
        elif "problem" in message:
            self._problem = message["problem"]
        elif message.get("ended") in self._placed:
            self._lost(message["ended"], message["text"])

    def _driver_ended(self, driver: subprocess.Popen[bytes]) -> None:
        """With it go the workers that it placed; the next launch begins another."""
        if driver is not self._driver:
            return
        assert driver.stdin is not None
        with suppress(OSError):
            driver.stdin.close()
        self._driver = self._room = None
        said = self._problem or f"The Ray cluster cannot be reached any more; {LOG} in the data folder's logs says why."
        self._problem = None
        for worker_id in list(self._placed):
            self._lost(worker_id, said)

    def _lost(self, worker_id: str, sentence: str) -> None:
        self._placed.discard(worker_id)
        self._arrived.discard(worker_id)
        self._ended.add(worker_id)
        self._on_exit(worker_id, sentence)


def _reached(settings: Settings) -> str:
    return settings.published or settings.host


def _dialled(settings: Settings) -> str:
    """HOST:PORT that workers dial. Loopback where this server listens there alone: its cluster is on this machine."""
    host = _reached(settings)
    if host in ANY or is_loopback(host):
        host = "127.0.0.1"
    return f"[{host}]:{settings.port}" if ":" in host else f"{host}:{settings.port}"
