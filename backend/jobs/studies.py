"""Studies that people start from the page: which worker runs which, how far it is, what it found.

The worker runs a study's smallest form as a child process (`cdsp_core.worker.studies`); this process only relays.
The last state of every study is kept in one JSON file of the data folder.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from backend.errors import BusyError, NotNowError, StudyNotFoundError
from backend.jobs.kept_files import read_object, set_aside
from backend.workers.link import WorkerConnection
from cdsp_core.studies import NAMES, load_study
from cdsp_core.wire.frames import to_json_text
from cdsp_core.wire.messages.fields import Message, Number
from cdsp_core.wire.messages.link import StudyStart, StudyStop
from cdsp_core.wire.messages.sentences import first_problem
from cdsp_core.wire.messages.studies import StudyInfo, StudyList, StudyReport, StudyResult
from cdsp_core.wire.messages.vocabulary import ENDED_STUDY, StudyState

logger = logging.getLogger(__name__)

MOST_KEPT_BYTES: Final = 16 * 2**20
"""of the states of all studies, each with its claims"""


class KeptStudy(Message):
    """The last state of one study, as this process keeps it."""

    job: str = ""
    worker: str | None = None
    state: StudyState = "idle"
    done: Number = 0
    total: Number = 0
    text: str = ""
    reason: str | None = None
    started_ms: Number | None = None
    ended_ms: Number | None = None
    result: StudyResult | None = None


Catalogue = Mapping[str, tuple[str, str]]
"""Name of a study: its title and its question."""


def all_studies() -> Catalogue:
    """Every study of the package."""
    return {each.name: (each.title, each.question) for each in map(load_study, NAMES)}


class Studies:
    """Everything on the event loop.

    `workers` are the connected ones. `launch` asks for one and returns a sentence when none can come; None where
    workers come by themselves only. `storage`: the URL of what keeps what workers do of a study.
    """

    def __init__(
        self,
        file: Path,
        catalogue: Catalogue,
        *,
        workers: Mapping[str, WorkerConnection],
        launch: Callable[[], str | None] | None,
        storage: str | None = None,
    ) -> None:
        self._storage = storage
        self._file = file
        self._catalogue = catalogue
        self._workers = workers
        self._launch = launch
        self._states: dict[str, KeptStudy] = {}

    def open(self) -> None:
        """Read what an earlier process kept. What ran then has ended, unless its worker says otherwise."""
        kept = {}
        found = self._read()
        for name, state in found.items():
            try:
                if name in self._catalogue:
                    kept[name] = KeptStudy.model_validate(state)
            except ValidationError as error:
                logger.warning("%s: study %s has no last result: %s", self._file, name, first_problem(error))
        self._states = kept
        if found.keys() != kept.keys():
            self._set_aside()
        for name, study in kept.items():
            if study.state not in ("idle", *ENDED_STUDY):
                self._change(name, state="failed", reason="The server was stopped while it ran. Start it again.")

    def _read(self) -> dict[str, Any]:
        """What the file holds, by study; nothing where it cannot be read."""
        try:
            return read_object(self._file, MOST_KEPT_BYTES)
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            logger.warning("%s cannot be read, so no study has a last result: %s", self._file, error)
            self._set_aside()
            return {}

    def _set_aside(self) -> None:
        """Keep what was not read, or not all of it, from being replaced by the next state."""
        aside = set_aside(self._file)
        if aside is not None:
            logger.info("What %s held is kept as %s.", self._file, aside.name)

    def list(self) -> StudyList:
        """Every study with its state, and why none can be started now, if so."""
        return StudyList(unavailable=self._why_unavailable(), studies=[self._shown(name) for name in self._catalogue])

    def start(self, name: str) -> StudyInfo:
        """Have a worker run a study. Raises StudyNotFoundError, BusyError or NotNowError."""
        study = self._known(name)
        if study.state in ("waiting", "running"):
            raise BusyError(f"Study {name} is {study.state} already. Stop it to start it again.")
        worker = self._free_worker()
        if worker is None:
            self._send_for_a_worker()
        self._states[name] = KeptStudy(
            job=secrets.token_hex(8),
            state="waiting",
            text="waiting for a worker",
            started_ms=time.time() * 1000,
            result=study.result,
        )
        if worker is not None:
            self._give(name, worker)
        self._save()
        return self._shown(name)

    def stop(self, name: str) -> StudyInfo:
        """End a study. Raises StudyNotFoundError, BusyError when it does not run."""
        study = self._known(name)
        if study.state not in ("waiting", "running"):
            raise BusyError(f"Study {name} does not run. Start it first.")
        worker = self._workers.get(study.worker) if study.worker else None
        if worker is None:
            self._end(name, "stopped", "Stopped before a worker answered.")
        else:
            worker.send(StudyStop(job=study.job))
            self._change(name, text="stopping")
        return self._shown(name)

    # workers

    def worker_arrived(self, worker: WorkerConnection, held: StudyReport | None) -> None:
        """A worker has dialled in; `held` is the last state of the study it ran."""
        if held is not None:
            self.reported(worker.worker_id, held)
        for name, study in list(self._states.items()):
            lost = study.state == "running" and study.worker == worker.worker_id
            if lost and (held is None or held.job != study.job):
                self._end(name, "failed", "The worker lost the study. Start it again.")
        for name in [name for name, study in self._states.items() if study.state == "waiting"]:
            if self._free_worker() is worker:
                self._give(name, worker)

    def reported(self, worker_id: str, said: StudyReport) -> None:
        """What a worker says of a study, once or again; of one that was started anew since, nothing is believed."""
        study = self._states.get(said.study)
        ended = said.state in ENDED_STUDY
        if study is None or study.job != said.job or (ended and study.state == said.state):
            return
        news = said.model_dump(include={"state", "done", "total", "text", "reason"})
        self._change(said.study, worker=worker_id, **news)
        if ended:
            now_ms = time.time() * 1000
            self._change(said.study, ended_ms=now_ms)
            if said.state == "finished":
                self._change(said.study, result=StudyResult(claims=said.claims or [], ended_ms=now_ms))
            self._save()

    def worker_away(self, worker_id: str) -> None:
        """The link to a worker is lost; it may come back."""
        for name in self._run_by(worker_id):
            self._change(name, text="the connection to the worker is lost; it is waited for")

    def worker_gone(self, worker_id: str, sentence: str) -> None:
        """A worker will not come back, and with it ended the study it ran."""
        for name in self._run_by(worker_id):
            self._end(name, "failed", f"{sentence} Started again, the study goes on from where it was.")

    def none_can_come(self, sentence: str) -> None:
        """No worker process can be started."""
        for name in [name for name, study in self._states.items() if study.state == "waiting"]:
            self._end(name, "failed", sentence)

    def ran_on(self, worker_id: str) -> bool:
        """Whether a study runs there."""
        return bool(self._run_by(worker_id))

    def _run_by(self, worker_id: str) -> tuple[str, ...]:
        return tuple(n for n, each in self._states.items() if each.worker == worker_id and each.state == "running")

    def _able(self) -> Sequence[WorkerConnection]:
        """The connected workers that can run a study."""
        return [worker for worker in self._workers.values() if not worker.only_watches]

    def _free_worker(self) -> WorkerConnection | None:
        """A connected worker that runs no study, one without a run first."""
        free = [worker for worker in self._able() if not self.ran_on(worker.worker_id)]
        return min(free, key=lambda worker: worker.run is not None, default=None)

    def _why_unavailable(self) -> str | None:
        """Why no study can be started now; None when one can."""
        if self._free_worker() is not None:
            return None
        if self._able():
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
        self._change(name, worker=worker.worker_id, state="running", text="starting")
        worker.send(StudyStart(study=name, job=self._states[name].job, storage=self._storage))

    # states

    def _known(self, name: str) -> KeptStudy:
        if name not in self._catalogue:
            raise StudyNotFoundError(f"There is no study {name[:40]!r}. The studies are {', '.join(self._catalogue)}.")
        return self._states.get(name) or KeptStudy()

    def _shown(self, name: str) -> StudyInfo:
        title, question = self._catalogue[name]
        kept = {field: value for field, value in self._known(name) if field not in ("job", "worker")}
        return StudyInfo(study=name, title=title, question=question, **kept)

    def _change(self, name: str, **news: object) -> None:
        self._states[name] = KeptStudy(**{**dict(self._states[name]), **news})

    def _end(self, name: str, state: StudyState, reason: str) -> None:
        self._change(name, state=state, reason=reason, text="", ended_ms=time.time() * 1000)
        self._save()

    def _save(self) -> None:
        """Put every state on disk, whole or not at all; a full disk costs only what a restart would show."""
        temporary = self._file.with_suffix(".partial")
        try:
            temporary.unlink(missing_ok=True)
            temporary.write_text(to_json_text({name: study.to_json() for name, study in self._states.items()}))
            temporary.replace(self._file)
        except OSError as error:
            logger.warning("the states of the studies cannot be written: %s", error)
