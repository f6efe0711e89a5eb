"""Studies that people start from the page: which worker runs which, how far it is, what it found.

The worker runs a study's smallest form as a child process (`cdsp_core.worker.studies`); this process only relays.
The last state of every study is kept in one JSON file of the data folder.
"""

from __future__ import annotations

import json
import logging
import secrets
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from backend.errors import BusyError, NotNowError, StudyNotFoundError
from cdsp_core.studies import NAMES, load_study
from cdsp_core.wire.frames import json_ready

if TYPE_CHECKING:
    from backend.link import WorkerConnection

logger = logging.getLogger(__name__)

REPORTED: Final = ("state", "done", "total", "text", "reason")
"""what a worker says of its study, and this process passes on"""
ENDED: Final = ("finished", "stopped", "failed")

Catalogue = Mapping[str, tuple[str, str]]
"""Name of a study: its title and its question."""


def all_studies() -> Catalogue:
    """Every study of the package."""
    return {each.name: (each.title, each.question) for each in map(load_study, NAMES)}


class Studies:
    """Everything on the event loop.

    `workers` are the connected ones. `launch` asks for one and returns a sentence when none can come; None where
    workers come by themselves only.
    """

    def __init__(
        self,
        file: Path,
        catalogue: Catalogue,
        *,
        workers: Mapping[str, WorkerConnection],
        launch: Callable[[], str | None] | None,
    ) -> None:
        self._file = file
        self._catalogue = catalogue
        self._workers = workers
        self._launch = launch
        self._states: dict[str, dict[str, Any]] = {}

    def open(self) -> None:
        """Read what an earlier process kept. What ran then has ended, unless its worker says otherwise."""
        try:
            kept = json.loads(self._file.read_text())
        except FileNotFoundError:
            kept = {}
        except (OSError, ValueError) as error:
            logger.warning("%s cannot be read, so no study has a last result: %s", self._file, error)
            kept = {}
        self._states = {name: dict(state) for name, state in kept.items() if name in self._catalogue}
        for state in self._states.values():
            if state["state"] not in ENDED:
                state |= {"state": "failed", "reason": "The server was stopped while it ran. Start it again."}

    def list(self) -> dict[str, Any]:
        """Every study with its state, and why none can be started now, if so."""
        return {
            "unavailable": self._why_unavailable(),
            "studies": [json_ready(self._shown(name)) for name in self._catalogue],
        }

    def start(self, name: str) -> dict[str, Any]:
        """Have a worker run a study. Raises StudyNotFoundError, BusyError or NotNowError."""
        state = self._known(name)
        if state["state"] in ("waiting", "running"):
            raise BusyError(f"Study {name} is {state['state']} already. Stop it to start it again.")
        worker = self._free_worker()
        if worker is None:
            self._send_for_a_worker()
        job = secrets.token_hex(8)
        now_ms = time.time() * 1000
        fresh = {"job": job, "state": "waiting", "done": 0, "total": 0, "text": "waiting for a worker", "reason": None}
        self._states[name] = {**state, **fresh, "worker": None, "started_ms": now_ms, "ended_ms": None}
        if worker is not None:
            self._give(name, worker)
        self._save()
        return self._shown(name)

    def stop(self, name: str) -> dict[str, Any]:
        """End a study. Raises StudyNotFoundError, BusyError when it does not run."""
        state = self._known(name)
        if state["state"] not in ("waiting", "running"):
            raise BusyError(f"Study {name} does not run. Start it first.")
        worker = self._workers.get(state["worker"]) if state["worker"] else None
        if worker is None:
            self._end(name, "stopped", "Stopped before a worker answered.")
        else:
            worker.send({"type": "study_stop", "job": state["job"]})
            state["text"] = "stopping"
        return self._shown(name)

    # workers

    def worker_arrived(self, worker: WorkerConnection, held: dict[str, Any] | None) -> None:
        """A worker has dialled in; `held` is the last state of the study it ran."""
        if held is not None:
            self.reported(worker.worker_id, held)
        for name in [name for name, state in self._states.items() if state["worker"] == worker.worker_id]:
            if self._states[name]["state"] == "running" and (held is None or held["job"] != self._states[name]["job"]):
                self._end(name, "failed", "The worker lost the study. Start it again.")
        for name in [name for name, state in self._states.items() if state["state"] == "waiting"]:
            if self._free_worker() is worker:
                self._give(name, worker)

    def reported(self, worker_id: str, said: dict[str, Any]) -> None:
        """What a worker says of a study, once or again; of one that was started anew since, nothing is believed."""
        name = said["study"]
        state = self._states.get(name)
        if state is None or state["job"] != said["job"] or (state["state"] == said["state"] and said["state"] in ENDED):
            return
        state |= {field: said[field] for field in REPORTED}
        state["worker"] = worker_id
        if said["state"] in ENDED:
            state["ended_ms"] = time.time() * 1000
            if said["state"] == "finished":
                state["result"] = {"claims": said["claims"], "ended_ms": state["ended_ms"]}
            self._save()

    def worker_away(self, worker_id: str) -> None:
        """The link to a worker is lost; it may come back."""
        for state in self._states.values():
            if state["worker"] == worker_id and state["state"] == "running":
                state["text"] = "the connection to the worker is lost; it is waited for"

    def worker_gone(self, worker_id: str, sentence: str) -> None:
        """A worker will not come back, and with it ended the study it ran."""
        for name, state in self._states.items():
            if state["worker"] == worker_id and state["state"] == "running":
                self._end(name, "failed", f"{sentence} Started again, the study goes on from where it was.")

    def none_can_come(self, sentence: str) -> None:
        """No worker process can be started."""
        for name, state in self._states.items():
            if state["state"] == "waiting":
                self._end(name, "failed", sentence)

    def ran_on(self, worker_id: str) -> bool:
        """Whether a study runs there."""
        return any(s["worker"] == worker_id and s["state"] == "running" for s in self._states.values())

    def _free_worker(self) -> WorkerConnection | None:
        """A connected worker that runs no study, one without a run first."""
        free = [worker for worker in self._workers.values() if not self.ran_on(worker.worker_id)]
        return min(free, key=lambda worker: worker.hub is not None, default=None)

    def _why_unavailable(self) -> str | None:
        """Why no study can be started now; None when one can."""
        if self._free_worker() is not None:
            return None
        if self._workers:
            return "Every worker runs a study already, one each. Wait for one, or stop it."
        if self._launch is not None:
            return None
        return "No worker is connected, so no study can be started. Start one: docker compose up worker."

    def _send_for_a_worker(self) -> None:
        """Raises NotNowError when none can come."""
        problem = self._why_unavailable()
        if problem is None and self._launch is not None:
            problem = self._launch()
        if problem is not None:
            raise NotNowError(problem)

    def _give(self, name: str, worker: WorkerConnection) -> None:
        state = self._states[name]
        state |= {"worker": worker.worker_id, "state": "running", "text": "starting"}
        worker.send({"type": "study_start", "study": name, "job": state["job"]})

    # states

    def _known(self, name: str) -> dict[str, Any]:
        if name not in self._catalogue:
            raise StudyNotFoundError(f"There is no study {name[:40]!r}. The studies are {', '.join(self._catalogue)}.")
        return self._states.get(name) or {"state": "idle", "result": None}

    def _shown(self, name: str) -> dict[str, Any]:
        title, question = self._catalogue[name]
        blank = {"done": 0, "total": 0, "text": "", "reason": None, "started_ms": None, "ended_ms": None}
        state = {**blank, **self._known(name)}
        return {"study": name, "title": title, "question": question} | {
            field: value for field, value in state.items() if field not in ("job", "worker")
        }

    def _end(self, name: str, state: str, reason: str) -> None:
        self._states[name] |= {"state": state, "reason": reason, "text": "", "ended_ms": time.time() * 1000}
        self._save()

    def _save(self) -> None:
        """Put every state on disk, whole or not at all; a full disk costs only what a restart would show."""
        temporary = self._file.with_suffix(".partial")
        try:
            temporary.write_text(json.dumps(json_ready(self._states)))
            temporary.replace(self._file)
        except OSError as error:
            logger.warning("the states of the studies cannot be written: %s", error)
