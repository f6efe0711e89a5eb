"""Where workers come from. A launcher is a module of this package with a class `Launch`; its name is the module's.

Adding one touches that module, its test and the README. Whoever needs more options reads them from the environment.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol


@dataclass(frozen=True, kw_only=True, slots=True)
class JobPlace:
    """Where jobs of maps run."""

    name: str
    """for people: "this machine\""""
    options: tuple[str, ...] = ()
    """of `python -m cdsp_core sweep`"""
    environment: Mapping[str, str] = field(default_factory=dict)
    """what the command needs beside this process's own"""
    beside_runs: bool = True
    """whether they take cores from the runs that people watch"""
    at_once: int | None = None
    """jobs at the same time; None: as many as this machine has cores to spare"""


class Launcher(Protocol):
    """Gets workers to dial in. Made from the settings, `token` for the link and `on_exit(worker_id, sentence)`."""

    starts_workers: ClassVar[bool]
    """whether it can get a worker when one is needed; if not they come by themselves only"""
    same_machine: ClassVar[bool]
    """whether its workers share this machine: its devices, its folders, its process ids"""

    runs_jobs: ClassVar[bool]
    """whether jobs of maps can run where its workers do"""

    def __init__(self, settings: Any, *, token: str, on_exit: Callable[[str, str], None]) -> None: ...
    def launch(self, waiting: int, connected: Collection[str]) -> str | None:
        """`waiting` runs have no worker, these workers are here; a sentence when no worker can come."""

    def why_waiting(self, busy: int) -> str:
        """What a run that waits for a worker is told, while so many workers train."""

    def spare(self, idle: Collection[str], elapsed_s: float) -> None:
        """These workers have nothing to do, and no run waits, for so much longer."""

    def job_place(self) -> JobPlace | None:
        """Where jobs of maps run; None while that is not known yet."""

    def is_gone(self, worker_id: str) -> bool:
        """Whether that worker is known to have ended and `on_exit` will not say so: waiting for it is no use.

        Of one that is still watched `on_exit` says how it ended, which people are to read.
        """

    def started(self, worker_id: str) -> bool:
        """Whether this launcher started that worker, and `close` ends it."""

    def kill(self, worker_id: str) -> None:
        """End that worker's process at once, if this launcher or an earlier one of this data folder started it."""

    def log_of(self, worker_id: str) -> Path | None:
        """The file that the worker's output goes to; None where it goes elsewhere."""

    async def close(self) -> None:
        """End what was launched."""


def launcher_names() -> tuple[str, ...]:
    """Names of all launchers, in the order of the alphabet."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


def launcher_class(name: str) -> type[Launcher]:
    """The launcher of that name, which is one of `launcher_names()`."""
    found: type[Launcher] = importlib.import_module(f"{__name__}.{name}").Launch
    return found
