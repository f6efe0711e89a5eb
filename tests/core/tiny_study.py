"""A study of a few milliseconds a job, whose jobs can die, fail or wait; spawned processes import it from here."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cdsp_core.studies.framework.study import Chart, Findings, Job, Row, Study, StudyOptions, Tell
from cdsp_core.studies.framework.verdicts import by_seed, curve, judged
from cdsp_core.studies.framework.workers import Ready


def tiny_jobs(options: StudyOptions) -> list[Job]:
    """One job a seed."""
    return [Job(key=f"job-seed{seed}", seed=seed, settings={"size": 2}) for seed in range(options.seeds)]


def run(job: Job, options: StudyOptions, tell: Tell) -> list[Row]:
    """Two rows: a value, and nothing. Says in the file `log` that it ran, and does what `once` asks the first time."""
    tell(0.5, "half")
    if "log" in job.settings:
        log = Path(job.settings["log"])
        is_first = job.key not in (log.read_text() if log.exists() else "")
        with log.open("a") as file:
            file.write(f"{job.key}\n")
        if is_first and job.seed == job.settings.get("seed_of_once"):
            _do(job.settings["once"])
    return [{"step": 0, "gain": job.seed + 0.5}, {"step": 1, "gain": None}]


def _do(what: str) -> None:
    match what:
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "refuse":
            raise ValueError("size must be 3. Found 2.")
        case "overflow":
            raise OverflowError("the loss became non-finite.")
        case "wait":
            time.sleep(600)


def find(rows: list[Row], options: StudyOptions) -> Findings:
    """One claim, one chart of each kind, one table."""
    claim = judged(
        by_seed(rows, "gain", step=0), claim="There is a gain", source="memo", what="Gain", above=0.0, published="2.0 %"
    )
    line = curve(rows, "a line", x="step", y="gain")
    return Findings(
        claims=[claim],
        charts=[
            Chart(title="Gain", x_label="step", y_label="gain", lines=[line]),
            Chart(title="Gain by place", x_label="", y_label="gain", lines=[line, line], x_labels=["here"]),
        ],
        notes=["Nothing was trained."],
    )


def set_up() -> Ready:
    """A process without torch, which takes seconds to load."""
    return Ready(facts={"device": {"name": "a CPU", "threads": 1}, "torch": "none"}, run_errors=(OverflowError,))


def nothing(options: StudyOptions) -> str:
    """What the study learns from."""
    return "No data."


def tiny_study(name: str = "blind", jobs: Any = tiny_jobs, **settings: Any) -> Study:
    """The study, with more settings in every job."""

    def with_settings(options: StudyOptions) -> list[Job]:
        made: Sequence[Job] = jobs(options)
        return [
            Job(key=job.key, seed=job.seed, settings={**job.settings, **settings}, shared_as=job.shared_as)
            for job in made
        ]

    return Study(
        name=name,
        title="A tiny study",
        question="Is there a gain?",
        jobs=with_settings,
        run=run,
        find=find,
        data=nothing,
    )


class Silent:
    """Progress that keeps the problems."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.shown: list[tuple[float, int]] = []

    def show(self, study: str, done: float, total: int, text: str) -> None:
        self.shown.append((done, total))

    def problem(self, study: str, text: str) -> None:
        self.problems.append(text)

    def close(self) -> None:
        pass


FACTS: dict[str, Any] = {
    "device": {"name": "a CPU", "threads": 1},
    "torch": "2.0",
    "wall_s": 1.5,
    "version": "0.1.0",
    "revision": "abc",
}
