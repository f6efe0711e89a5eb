"""Workers as processes of this machine, started when a run needs one."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Collection
from pathlib import Path
from typing import ClassVar, Final

from backend.launchers import JobPlace
from backend.settings import Settings
from backend.workers.processes import Processes, oom_kills

END_TIMEOUT_S: Final = 8.0
POLL_S: Final = 0.02
KEPT_FROM_WORKERS: Final = ("CDSP_TOKEN", "CDSP_VIEWER_TOKEN", "CDSP_WORKER_TOKEN_FILE")
"""of the environment"""


class Launch:
    """At most `settings.local_workers` processes. `on_exit(worker_id, sentence)` is called when one has ended."""

    starts_workers: ClassVar = True
    same_machine: ClassVar = True
    runs_jobs: ClassVar = True

    def __init__(self, settings: Settings, *, token: str, on_exit: Callable[[str, str], None]) -> None:
        self._settings = settings
        self._token = token
        self._on_exit = on_exit
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._arrived: set[str] = set()
        """processes that have been connected; one of them that is not now is lost, not on its way"""
        self._known = Processes(settings.data_dir / "workers.json")
        self._watchers: set[asyncio.Task[None]] = set()

    def launch(self, waiting: int, connected: Collection[str]) -> str | None:
        self._arrived |= set(connected)
        workers = set(connected) | set(self._processes)
        on_their_way = len(set(self._processes) - self._arrived)
        for _ in range(min(waiting - on_their_way, self._settings.local_workers - len(workers))):
            try:
                self._spawn()
            except OSError as error:
                return f"No worker process could be started: {error.strerror}."
        return None

    def why_waiting(self, busy: int) -> str:
        if busy >= self._settings.local_workers:
            full = f"all {busy} train other runs, more would not fit this machine"
            return f"Waits for a worker: {full}. Stop one, or wait until one ends."
        return "Waits for a worker."

    def spare(self, idle: Collection[str], elapsed_s: float) -> None:
        return None

    def job_place(self) -> JobPlace:
        own = {"CDSP_DATASET_DIR": str(self._settings.dataset_dir.resolve())}
        return JobPlace(name="this machine", environment=own)

    def is_gone(self, worker_id: str) -> bool:
        is_watched = worker_id in self._processes
        return not is_watched and self._known.knows(worker_id) and not self._known.is_alive(worker_id)

    def kill(self, worker_id: str) -> None:
        process = self._processes.get(worker_id)
        if process is not None:
            process.kill()
        else:
            self._known.kill(worker_id)

    def started(self, worker_id: str) -> bool:
        return worker_id in self._processes

    def log_of(self, worker_id: str) -> Path:
        return self._settings.data_dir / "logs" / f"worker-{worker_id[:8]}.log"

    async def close(self) -> None:
        """Ask every process to write a checkpoint and end; kill those that do not."""
        for watcher in self._watchers:
            watcher.cancel()
        processes = list(self._processes.values())
        for process in processes:
            process.terminate()
        deadline = asyncio.get_running_loop().time() + END_TIMEOUT_S
        while any(process.poll() is None for process in processes):
            if asyncio.get_running_loop().time() > deadline:
                for process in processes:
                    process.kill()
                break
            await asyncio.sleep(POLL_S)
        for process in processes:
            process.wait()

    def _spawn(self) -> None:
        settings = self._settings
        worker_id = uuid.uuid4().hex
        log = self.log_of(worker_id)
        log.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "cdsp_core.worker", "--connect", f"ws://127.0.0.1:{settings.port}/ws/worker"]
        command += ["--device", settings.device, "--checkpoint-dir", str(settings.checkpoint_dir.resolve())]
        command += ["--study-dir", str(settings.study_dir.resolve())]
        if settings.data_root is not None:
            command += ["--data-root", str(settings.data_root.resolve())]
        inherited = {name: value for name, value in os.environ.items() if name not in KEPT_FROM_WORKERS}
        root = Path(__file__).resolve().parents[2]
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=root,
                start_new_session=True,
                env={
                    **inherited,
                    "CDSP_WORKER_TOKEN": self._token,
                    "CDSP_WORKER_ID": worker_id,
                    "CDSP_DATASET_DIR": str(settings.dataset_dir.resolve()),
                },
            )
        self._processes[worker_id] = process
        self._known.remember(worker_id, process.pid)
        watcher = asyncio.create_task(self._watch(worker_id, process, log, oom_kills()))
        self._watchers.add(watcher)
        watcher.add_done_callback(self._watchers.discard)

    async def _watch(self, worker_id: str, process: subprocess.Popen[bytes], log: Path, oom_kills_before: int) -> None:
        await asyncio.to_thread(process.wait)
        del self._processes[worker_id]
        self._arrived.discard(worker_id)
        self._known.forget(worker_id)
        for_memory = process.returncode == -signal.SIGKILL and oom_kills() > oom_kills_before
        self._on_exit(worker_id, _last_words(process.returncode, log, for_memory=for_memory))


def _last_words(code: int, log: Path, *, for_memory: bool) -> str:
    """Why a process ended, in one sentence."""
    if for_memory:
        return "The worker was ended by SIGKILL, as memory ran out."
    if code < 0:
        return f"The worker was ended by {signal.Signals(-code).name}."
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    said = lines[-1][:300] if lines else "It said nothing."
    return f"The worker ended with code {code}: {said}"
