"""Jobs in processes: one that dies costs its own job, and what is done is never done again."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from cdsp_core.studies.framework.results import read_combined
from cdsp_core.studies.framework.runner import Finished, StudyIncompleteError, run_study
from cdsp_core.studies.framework.study import StudyOptions
from cdsp_core.studies.framework.workers import Started, run_jobs
from tests.core.tiny_study import Silent, run, set_up, tiny_study


def start(out: Path, progress: Silent, seeds: int, **settings: Any) -> Finished:
    """Run the tiny study in one process."""
    options = StudyOptions(seeds=seeds, smallest=True)
    return run_study(tiny_study(**settings), options, out=out, processes=1, progress=progress, set_up=set_up)


def ran(log: Path) -> list[str]:
    return log.read_text().split()


def test_a_killed_process_costs_one_job_and_later_runs_do_only_what_is_missing(tmp_path: Path) -> None:
    out, log = tmp_path / "out", tmp_path / "log"
    settings = {"log": str(log), "once": "die", "seed_of_once": 1}
    progress = Silent()
    with pytest.raises(
        StudyIncompleteError, match=r"^1 of 3 jobs of study blind failed\. .* run the same command again"
    ):
        start(out, progress, 3, **settings)
    assert progress.problems == [
        "The process of job job-seed1 was ended by SIGKILL, which the system does when memory runs out."
    ]
    assert ran(log) == ["job-seed0", "job-seed1", "job-seed2"]
    assert not (out / "blind" / "blind.parquet").exists()

    finished = start(out, Silent(), 3, **settings)
    assert ran(log)[3:] == ["job-seed1"]
    assert finished.findings.claims[0].value == 1.5
    assert finished.report.read_text().startswith("# A tiny study")

    start(out, Silent(), 4, **settings)
    assert ran(log)[4:] == ["job-seed3"], "a fourth seed runs alone"
    rows, metadata = read_combined(out / "blind" / "blind.parquet")
    assert len(rows) == 8
    assert metadata["seeds"] == 4
    assert {job["torch"] for job in metadata["jobs"].values()} == {"none"}

    progress = Silent()
    start(out, progress, 4, **settings)
    assert len(ran(log)) == 5, "a finished study runs nothing"
    assert progress.shown == [(4, 4)]


def test_input_that_no_job_can_use_ends_the_study_with_its_sentence(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^size must be 3\. Found 2\.$"):
        start(tmp_path, Silent(), 2, log=str(tmp_path / "log"), once="refuse", seed_of_once=0)
    assert ran(tmp_path / "log") == ["job-seed0"]


def test_a_run_that_goes_wrong_costs_itself_and_its_process_goes_on(tmp_path: Path) -> None:
    progress = Silent()
    with pytest.raises(StudyIncompleteError):
        start(tmp_path, progress, 2, log=str(tmp_path / "log"), once="overflow", seed_of_once=0)
    assert progress.problems == ["In job job-seed0 the loss became non-finite."]
    assert ran(tmp_path / "log") == ["job-seed0", "job-seed1"]


def test_processes_end_with_what_started_them(tmp_path: Path) -> None:
    options = StudyOptions(seeds=2)
    jobs = tiny_study(log=str(tmp_path / "log"), once="wait", seed_of_once=0).jobs(options)
    messages = run_jobs(run, jobs, options, processes=2, set_up=set_up)
    started = [message for message in (next(messages), next(messages)) if isinstance(message, Started)]
    messages.close()
    assert len(started) == 2
    for message in started:
        with pytest.raises(ProcessLookupError):
            os.kill(message.pid, 0)
