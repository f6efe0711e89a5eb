"""A study run for people who watch: its smallest form, as a child process of the worker, one at a time.

`python -m cdsp_core.worker.studies COMMAND ...` is what stands between the two: it runs the command in a process
group of its own and kills the whole group when its standard input closes, so a study never outlives its worker,
however that ends.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from cdsp_core.storage.opening import open_storage
from cdsp_core.storage.place import StorageError
from cdsp_core.studies import NAMES
from cdsp_core.wire.messages.fields import bounded_json
from cdsp_core.wire.messages.link import StudyStart, StudyStop
from cdsp_core.wire.messages.studies import StudyReport
from cdsp_core.wire.messages.vocabulary import MAX_CLAIMS

STUDIES: Final = "studies"
"""of a storage: the folder of what is done of them"""
END_TIMEOUT_S: Final = 5.0
SIGNALLED: Final = 128
"""above it an exit code names the signal that ended the command"""
NICENESS: Final = 5
"""more than the worker's: the run that people watch comes first"""
MAX_TEXT: Final = 300

MakeCommand = Callable[[str, str], Sequence[str]]
"""The command that runs the study of this name with its results in this folder or storage, saying JSON lines."""
OnChange = Callable[[StudyReport], None]


def smallest_form(name: str, place: str) -> list[str]:
    """The command line of a study's smallest form."""
    study = [sys.executable, "-m", "cdsp_core", "study", name, "--smallest"]
    return [*study, "--progress", "json", "--out", place]


class StudyRunner:
    """Holds at most one study. `on_change` is told every change of its state, from a thread of the runner.

    A study that was stopped or killed keeps its folder, and goes on from there when it is started again.
    """

    def __init__(self, *, folder: Path, on_change: OnChange, command: MakeCommand = smallest_form) -> None:
        self._folder = folder
        self._on_change = on_change
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None
        self._state: StudyReport | None = None
        self._stopping = False

    def take(self, order: StudyStart | StudyStop) -> None:
        """Begin a study, or end the one of that job."""
        if isinstance(order, StudyStart):
            self._start(order)
        elif self._state is not None and self._state.job == order.job:
            self._stop()

    def close(self) -> None:
        """End what runs; the next start goes on from there."""
        self._stop()
        if self._reader is not None:
            self._reader.join(END_TIMEOUT_S)

    def _start(self, order: StudyStart) -> None:
        name, job = order.study, order.job
        fresh = StudyReport(
            study=name, job=job, state="running", done=0, total=0, text="starting", reason=None, claims=None
        )
        if self._state is not None and self._reader is not None and self._reader.is_alive():
            reason = f"The worker runs study {self._state.study}."
            self._on_change(fresh.model_copy(update={"state": "failed", "text": "", "reason": reason}))
            return
        self._stopping = False
        self._state = fresh
        self._on_change(fresh)
        if name not in NAMES:
            self._tell(state="failed", reason=f"study must be one of {', '.join(NAMES)}. Found {name[:40]!r}.")
            return
        folder = self._folder / name
        place = str(folder) if order.storage is None else f"{order.storage.rstrip('/')}/{STUDIES}/{name}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with _log_of(folder).open("wb") as log:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "cdsp_core.worker.studies", *self._command(name, place)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    start_new_session=True,
                )
        except OSError as error:
            self._tell(state="failed", reason=f"The study could not be started: {error.strerror}.")
            return
        self._reader = threading.Thread(
            target=self._read, args=(self._process, folder, order), name="study", daemon=True
        )
        self._reader.start()

    def _read(self, process: subprocess.Popen[bytes], folder: Path, order: StudyStart) -> None:
        """Relay what the process says, then how it ended."""
        assert process.stdout is not None
        assert process.stdin is not None
        for line in process.stdout:
            with suppress(ValueError, KeyError, TypeError):  # a line that is no message is not for people
                self._said(json.loads(line))
        code = process.wait()
        process.stdin.close()
        process.stdout.close()
        last_words = _last_line(_log_of(folder))
        if self._stopping:
            self._tell(state="stopped", reason="Stopped; started again, it goes on from here.", claims=None)
        elif code < 0 or code > SIGNALLED:
            name = signal.Signals(-code if code < 0 else code - SIGNALLED).name
            self._tell(state="failed", reason=f"The study was ended by {name}; started again, it goes on from here.")
        else:
            shutil.rmtree(folder, ignore_errors=True)
            if order.storage is not None:
                with suppress(StorageError):  # what is left there is done over by nobody
                    open_storage(order.storage).delete_all(f"{STUDIES}/{order.study}/")
            state = self._state
            assert state is not None
            if code == 0 and state.claims is not None:
                self._tell(state="finished", done=state.total, text="", reason=None)
            else:
                said = last_words or state.reason or f"The study ended with code {code} and no result."
                self._tell(state="failed", reason=said, claims=None)

    def _said(self, message: dict[str, Any]) -> None:
        match message["type"]:
            case "progress":
                done, total = float(message["done"]), float(message["total"])
                self._tell(done=done, total=total, text=str(message["text"])[:MAX_TEXT])
            case "problem":
                self._tell(reason=str(message["text"])[:MAX_TEXT])
            case "result":
                claims = [bounded_json(dict(claim)) for claim in message["claims"]][:MAX_CLAIMS]
                assert self._state is not None
                self._state = self._state.model_copy(update={"claims": claims})

    def _tell(self, **changes: Any) -> None:
        """Change the state and say so. Raises pydantic's ValidationError, a ValueError, for what is no state."""
        assert self._state is not None
        self._state = StudyReport(**{**dict(self._state), **changes})
        self._on_change(self._state)

    def _stop(self) -> None:
        """Ask the process group to end, and kill it when it does not."""
        process = self._process
        if process is None or process.poll() is not None:
            return
        self._stopping = True
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        killer = threading.Timer(END_TIMEOUT_S, _kill_group, (process.pid,))
        killer.daemon = True
        killer.start()


def _kill_group(group: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def _log_of(folder: Path) -> Path:
    return folder / "study.log"


def _last_line(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1][:MAX_TEXT] if lines else ""


def end_with_input() -> None:
    """Kill this process's group once standard input closes."""
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os.killpg(0, signal.SIGKILL)


def supervise(command: Sequence[str]) -> int:
    """Run a command in this process's group until it ends or standard input closes. Returns its exit code."""
    os.nice(NICENESS)
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    threading.Thread(target=end_with_input, daemon=True).start()
    while True:
        with suppress(KeyboardInterrupt):
            return child.wait()


if __name__ == "__main__":
    code = supervise(sys.argv[1:])
    sys.exit(code if code >= 0 else SIGNALLED - code)
