"""Processes that a launcher has started, known beyond the life of this server, so that only those are ever signalled.

A process is known by its id and the moment it started, since the system gives ids again. What a worker says of
itself over the link is never used to signal anything.
"""

from __future__ import annotations

import json
import logging
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Final

logger = logging.getLogger(__name__)

MAX_KEPT: Final = 200


class Processes:
    """`file` keeps by worker_id the id and the start time of each process."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._known: dict[str, tuple[int, int]] | None = None

    def remember(self, worker_id: str, pid: int) -> None:
        """A process has been started."""
        started = _start_ticks(pid)
        if started is not None:
            known = {**self._all(), worker_id: (pid, started)}
            self._known = dict(list(known.items())[-MAX_KEPT:])
            self._save()

    def forget(self, worker_id: str) -> None:
        """The process has ended."""
        if self._all().pop(worker_id, None) is not None:
            self._save()

    def knows(self, worker_id: str) -> bool:
        """Whether that process was started here, by this server or an earlier one."""
        return worker_id in self._all()

    def is_alive(self, worker_id: str) -> bool:
        """Whether a process that is known is still there."""
        known = self._all().get(worker_id)
        return known is not None and _start_ticks(known[0]) == known[1]

    def kill(self, worker_id: str) -> None:
        """Kill a process that is known and still there."""
        if self.is_alive(worker_id):
            with suppress(ProcessLookupError):
                os.kill(self._all()[worker_id][0], signal.SIGKILL)

    def _all(self) -> dict[str, tuple[int, int]]:
        if self._known is None:
            self._known = self._read()
        return self._known

    def _read(self) -> dict[str, tuple[int, int]]:
        try:
            raw = json.loads(self._file.read_text())
            return {str(name): (int(pid), int(started)) for name, (pid, started) in raw.items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, AttributeError) as error:
            logger.warning("%s cannot be read, so workers of an earlier server are not known: %s", self._file, error)
            return {}

    def _save(self) -> None:
        temporary = self._file.with_suffix(".partial")
        try:
            temporary.write_text(json.dumps(self._all()))
            temporary.replace(self._file)
        except OSError as error:
            logger.warning("the ids of the workers cannot be written: %s", error)


def oom_kills() -> int:
    """How many processes this system has ended for lack of memory since it started; 0 where it does not say."""
    with suppress(OSError, ValueError):
        for line in Path("/proc/vmstat").read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0


def _start_ticks(pid: int) -> int | None:
    """When a process started, in clock ticks since the system did; None when it is gone or only waits to be reaped."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else int(fields[19])
