"""Runs a study: the jobs that are not done yet, in processes; then claims and report from the rows of all."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from cdsp_core.studies.framework.missing import RunAll, refuse_stale, run_missing
from cdsp_core.studies.framework.progress import Progress
from cdsp_core.studies.framework.report import report_files
from cdsp_core.studies.framework.results import StudyFolder, read_combined
from cdsp_core.studies.framework.rows_file import OpenFile
from cdsp_core.studies.framework.study import Findings, Job, Study, StudyOptions
from cdsp_core.studies.framework.workers import SetUp, run_jobs, torch_on_one_thread


@dataclass(frozen=True, kw_only=True, slots=True)
class Finished:
    """A study of which every job is done."""

    findings: Findings
    report: Path


def run_study(
    study: Study,
    options: StudyOptions,
    *,
    out: Path,
    processes: int,
    progress: Progress,
    open_file: OpenFile | None = None,
    set_up: SetUp = torch_on_one_thread,
    redo_stale: bool = False,
    as_it_stands: bool = False,
    run_all: RunAll = run_jobs,
) -> Finished:
    """Bring the study in `out` to its end; what is done there already is not repeated.

    `run_all` says where jobs run: by default in processes of this machine.
    `as_it_stands` runs nothing: claims and report are of the jobs that are done, a look before the end.
    What another revision of the code did, or other settings, is refused, or done over with `redo_stale`.
    Raises ValueError for input that no job can use and for a folder of another form or format, StudyIncompleteError
    when a job failed or its process died.
    """
    folder = StudyFolder(out, study, options, open_file=open_file)
    jobs = _checked(study.jobs(options))
    folder.unpack(jobs)
    refuse_stale(folder, jobs, redo_stale=redo_stale)
    try:
        if as_it_stands:
            jobs = _those_done(folder, jobs)
        else:
            run_missing(folder, jobs, processes=processes, progress=progress, set_up=set_up, run_all=run_all)
    finally:
        progress.close()
    combined = folder.combine(jobs)
    rows, metadata = read_combined(combined)
    findings = study.find(rows, options)
    for name, content in report_files(study, metadata, findings, rows).items():
        folder.write(folder.path / name, content)
    return Finished(findings=findings, report=folder.path / "report.md")


def _those_done(folder: StudyFolder, jobs: list[Job]) -> list[Job]:
    """The finished ones. Raises ValueError where there is none."""
    done = [job for job in jobs if folder.is_done(job)]
    if not done:
        raise ValueError(f"study {folder.study.name} must have a finished job to be read as it stands. Found none.")
    return done


def _checked(jobs: list[Job]) -> list[Job]:
    assert jobs, "a study has jobs"
    assert len({job.key for job in jobs}) == len(jobs), "keys of jobs are unique"
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+", job.shared_as or job.key) for job in jobs)
    return jobs
