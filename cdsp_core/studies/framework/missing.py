"""Runs the jobs that are not done, in processes, and keeps each: what a study and a map have in common.

Loads no more than that takes, so that a process that only runs jobs begins quickly.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Protocol

from cdsp_core.studies.framework.progress import Progress
from cdsp_core.studies.framework.results import StudyFolder, code_version
from cdsp_core.studies.framework.study import Job, StudyOptions
from cdsp_core.studies.framework.workers import (
    Advanced,
    Done,
    Failed,
    Message,
    RunJob,
    SetUp,
    Started,
    run_jobs,
    torch_on_one_thread,
)


class RunAll(Protocol):
    """Runs jobs somewhere, and says what happens as it happens: `run_jobs`, or `run_jobs_on_cluster`."""

    def __call__(
        self, run: RunJob, jobs: Sequence[Job], options: StudyOptions, *, processes: int, set_up: SetUp
    ) -> Generator[Message]: ...


class StudyIncompleteError(RuntimeError):
    """Some jobs of a study have no rows; the others are kept, and the same command runs only what is missing."""


def refuse_stale(folder: StudyFolder, jobs: list[Job], *, redo_stale: bool) -> None:
    """Refuse finished jobs of other settings or of another revision, or delete them. Raises ResultsError."""
    revision = code_version()["revision"]
    if redo_stale:
        folder.forget_stale(jobs, revision)
    folder.check_revision(jobs, revision)


def run_missing(
    folder: StudyFolder,
    jobs: list[Job],
    *,
    processes: int,
    progress: Progress,
    set_up: SetUp = torch_on_one_thread,
    run_all: RunAll = run_jobs,
) -> None:
    """Run the jobs that are not done in processes, and keep each as it ends. `run_all` says where they run.

    Raises ValueError for input that no job can use, StudyIncompleteError when a job failed or its process died.
    """
    name, version = folder.study.name, code_version()
    files = {folder.path_of(job): job for job in jobs}
    missing = [job for job in files.values() if not folder.is_done(job)]
    done, failed = len(files) - len(missing), 0
    running: dict[str, float] = {}
    progress.show(name, done, len(files), f"{done} of {len(files)} jobs were done before" if done else "starting")
    messages = run_all(folder.study.run, missing, folder.options, processes=processes, set_up=set_up)
    try:
        for message in messages:
            key, text = message.job.key, ""
            match message:
                case Started():
                    running[key], text = 0.0, "starts"
                case Advanced():
                    running[key], text = min(max(message.done_frac, 0.0), 1.0), message.text
                case Done():
                    folder.keep(message.job, message.rows, {**message.facts, **version})
                    running.pop(key)
                    done, text = done + 1, "done"
                case Failed():
                    if message.is_input:
                        raise ValueError(message.reason)
                    progress.problem(name, message.reason)
                    running.pop(key)
                    failed, text = failed + 1, "failed"
            progress.show(name, done + sum(running.values()), len(files), f"{key}: {text}")
    finally:
        messages.close()
    if failed:
        raise StudyIncompleteError(
            f"{failed} of {len(files)} jobs of study {name} failed. The others are kept; run the same command again."
        )
