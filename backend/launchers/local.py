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

from backend.settings import Settings

END_TIMEOUT_S: Final = 8.0
POLL_S: Final = 0.02


class Launch:
    """At most `settings.local_workers` processes. `on_exit(worker_id, sentence)` is called when one has ended."""

    starts_workers: ClassVar = True
    same_machine: ClassVar = True

    def __init__(self, settings: Settings, *, token: str, on_exit: Callable[[str, str], None]) -> None:
        self._settings = settings
        self._token = token
        self._on_exit = on_exit
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._watchers: set[asyncio.Task[None]] = set()

    def launch(self, waiting: int, connected: Collection[str]) -> str | None:
        workers = set(connected) | set(self._processes)
        on_their_way = len(workers) - len(connected)
        for _ in range(min(waiting - on_their_way, self._settings.local_workers - len(workers))):
            try:
                self._spawn()
            except OSError as error:
                return f"No worker process could be started: {error.strerror}."
        return None

    def is_gone(self, worker_id: str, pid: int | None) -> bool:
        process = self._processes.get(worker_id)
        if process is not None:
            return process.poll() is not None
        return pid is None or not _is_alive(pid)

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
        command += ["--study-dir", str((settings.data_dir / "studies").resolve())]
        if settings.data_root is not None:
            command += ["--data-root", str(settings.data_root.resolve())]
        root = Path(__file__).resolve().parents[2]
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=root,
                start_new_session=True,
                env={**os.environ, "CDSP_WORKER_TOKEN": self._token, "CDSP_WORKER_ID": worker_id},
            )
        self._processes[worker_id] = process
        watcher = asyncio.create_task(self._watch(worker_id, process, log))
        self._watchers.add(watcher)
        watcher.add_done_callback(self._watchers.discard)

    async def _watch(self, worker_id: str, process: subprocess.Popen[bytes], log: Path) -> None:
        await asyncio.to_thread(process.wait)
        del self._processes[worker_id]
        self._on_exit(worker_id, _last_words(process.returncode, log))


def _last_words(code: int, log: Path) -> str:
    """Why a process ended, in one sentence."""
    if code < 0:
        return f"The worker was ended by {signal.Signals(-code).name}."
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    said = lines[-1][:300] if lines else "It said nothing."
    return f"The worker ended with code {code}: {said}"


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
