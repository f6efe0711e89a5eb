"""Jobs in processes: one that dies costs its own job, and what is done is never done again."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from cdsp_core.studies.framework.missing import StudyIncompleteError
from cdsp_core.studies.framework.results import StudyFolder, read_combined
from cdsp_core.studies.framework.rows_file import ResultsError
from cdsp_core.studies.framework.runner import Finished, run_study
from cdsp_core.studies.framework.study import StudyOptions
from cdsp_core.studies.framework.workers import Started, run_jobs
from tests.core.tiny_study import FACTS, Silent, run, set_up, tiny_study


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


def test_a_study_whose_disk_was_full_goes_on_with_what_is_missing_and_doubles_nothing(tmp_path: Path) -> None:
    out, log = tmp_path / "out", tmp_path / "log"

    def room_for_one(path: Path) -> BinaryIO:
        if "job-seed1" in path.name:
            raise OSError(errno.ENOSPC, "No space left on device")
        return path.open("wb")

    options, study = StudyOptions(seeds=3, smallest=True), tiny_study(log=str(log))
    with pytest.raises(ResultsError, match=r"There is no room left for .*job-seed1.* run the same command again"):
        run_study(study, options, out=out, processes=1, progress=Silent(), set_up=set_up, open_file=room_for_one)
    assert [path.name for path in (out / "blind" / "jobs").iterdir()] == ["job-seed0.parquet"]
    start(out, Silent(), 3, log=str(log))
    assert ran(log).count("job-seed0") == 1
    rows, _ = read_combined(out / "blind" / "blind.parquet")
    assert [row["job"] for row in rows if row["step"] == 0] == ["job-seed0", "job-seed1", "job-seed2"]


def test_more_seeds_begin_where_a_study_ended_of_which_only_the_whole_file_was_kept(tmp_path: Path) -> None:
    out, log = tmp_path / "out", tmp_path / "log"
    settings = {"log": str(log)}
    start(out, Silent(), 3, **settings)
    before, about = read_combined(out / "blind" / "blind.parquet")
    shutil.rmtree(out / "blind" / "jobs")

    start(out, Silent(), 1, **settings)
    assert len(ran(log)) == 3, "what is done is not done again"
    assert len(read_combined(out / "blind" / "blind.parquet")[0]) == 2

    start(out, Silent(), 4, **settings)
    assert ran(log)[3:] == ["job-seed3"], "seeds that the smaller look left out are there too"
    rows, metadata = read_combined(out / "blind" / "blind.parquet")
    assert rows[: len(before)] == before
    assert {key: metadata["jobs"][key] for key in about["jobs"]} == about["jobs"]


def test_what_is_stale_in_the_whole_file_is_refused_as_in_its_jobs_and_does_not_come_back(tmp_path: Path) -> None:
    out, study, options = tmp_path, tiny_study(), StudyOptions(seeds=2, smallest=True)
    start(out, Silent(), 2)
    folder = StudyFolder(out, study, options)
    rows = folder.rows(study.jobs(options))
    folder.keep(study.jobs(options)[0], rows[:1], {**FACTS, "revision": "older"})
    folder.combine(study.jobs(options))
    shutil.rmtree(out / "blind" / "jobs")
    with pytest.raises(ResultsError, match="made by revision older"):
        start(out, Silent(), 2)
    run_study(study, options, out=out, processes=1, progress=Silent(), set_up=set_up, redo_stale=True)
    assert [
        job["revision"] == "older" for job in read_combined(out / "blind" / "blind.parquet")[1]["jobs"].values()
    ] == [
        False,
        False,
    ]


def test_a_folder_of_another_revision_is_refused_before_anything_runs_and_only_what_is_stale_is_done_over(
    tmp_path: Path,
) -> None:
    out, log = tmp_path / "out", tmp_path / "log"
    start(out, Silent(), 2, log=str(log))
    study, options = tiny_study(log=str(log)), StudyOptions(seeds=2, smallest=True)
    folder, first = StudyFolder(out, study, options), study.jobs(options)[0]
    folder.keep(first, [{"step": 0, "gain": 9.0}], {**FACTS, "revision": "abcabcabcabc"})
    with pytest.raises(
        ResultsError, match=r"made by revision abcabcabcabc\. Found revision \w+.* here\. Run .*redo-stale"
    ):
        start(out, Silent(), 2, log=str(log))
    assert len(ran(log)) == 2
    run_study(study, options, out=out, processes=1, progress=Silent(), set_up=set_up, redo_stale=True)
    assert ran(log)[2:] == ["job-seed0"]


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
