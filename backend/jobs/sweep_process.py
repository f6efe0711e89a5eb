"""The process that trains a map, `python -m cdsp_core sweep`: begun, held, ended, and what it says.

It is supervised as studies are (`cdsp_core.worker.studies`): when this process ends, however that is, its group ends.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from cdsp_core.studies.sweeps.files import CELLS, HELD

LOG: Final = "sweep.log"
END_TIMEOUT_S: Final = 10.0
MAX_REASON: Final = 300

SweepCommand = Callable[[Path, int, Sequence[str]], Sequence[str]]
"""The command that trains the map of this folder, so many runs at once, with further options."""


def sweep_command(data_root: Path | None) -> SweepCommand:
    """The command of the package."""

    def command(folder: Path, processes: int, more: Sequence[str]) -> list[str]:
        sweep = [sys.executable, "-m", "cdsp_core", "sweep", "--out", str(folder), "--jobs", str(processes)]
        return [*sweep, *more, "--progress", "json", *(["--data-root", str(data_root)] if data_root else [])]

    return command


class SweepProcess:
    """One process, from its beginning to its end. Everything on the event loop."""

    def __init__(self, process: asyncio.subprocess.Process, folder: Path, *, processes: int) -> None:
        self._process = process
        self._folder = folder
        self._problem: str | None = None
        self.processes = processes
        self.began_ns = time.time_ns()
        self.trained_s = 0.0
        """less what it waited"""
        self.was_ended = False
        """whether somebody ended it"""

    @classmethod
    async def begin(
        cls, command: Sequence[str], folder: Path, *, processes: int, environment: Mapping[str, str]
    ) -> SweepProcess:
        """Start the command in a group of its own, with this added to its environment. Raises OSError."""
        with (folder / LOG).open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "cdsp_core.worker.studies", *command),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                start_new_session=True,
                env={**os.environ, **environment},
            )
        return cls(process, folder, processes=processes)

    async def ended(self) -> str | None:
        """Read what it says until the whole group has ended. Why it failed, in one sentence; None where it did not."""
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            with suppress(ValueError, KeyError, TypeError):
                said = json.loads(line)
                if said["type"] == "problem":
                    self._problem = str(said["text"])[:MAX_REASON]
        code = await self._process.wait()
        if code == 0 or self.was_ended:
            return None
        last = await asyncio.to_thread(_last_words, self._folder / LOG)
        return self._problem or last or f"It ended with code {code}."

    def hold(self, holds: bool) -> None:
        """Have the cells wait between two steps, or go on."""
        held = self._folder / CELLS / HELD
        with suppress(OSError):
            if holds:
                held.parent.mkdir(exist_ok=True)
                held.touch()
            else:
                held.unlink(missing_ok=True)

    async def end(self, following: asyncio.Task[None]) -> None:
        """End the group, and wait for the task that awaits `ended`."""
        self.was_ended = True
        self.hold(False)
        self._signal(signal.SIGTERM)
        await asyncio.wait([following], timeout=END_TIMEOUT_S)
        if not following.done():
            self._signal(signal.SIGKILL)
            await asyncio.wait([following])

    def _signal(self, which: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, which)


def _last_words(log: Path) -> str | None:
    """The last line that the process has printed."""
    try:
        lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    except OSError:
        return None
    return re.sub(r"^cdsp_core: ", "", lines[-1])[:MAX_REASON] if lines else None
