"""A study goes on from its whole file: no row is lost, doubled, changed or taken for another's."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from cdsp_core.settings.config import RunConfig, to_dict
from cdsp_core.settings.overrides import with_settings
from cdsp_core.studies import NAMES, load_study
from cdsp_core.studies.framework.results import StudyFolder, combined_path, read_combined
from cdsp_core.studies.framework.rows_file import METADATA_KEY, ResultsError, parquet_bytes, read_metadata, read_table
from cdsp_core.studies.framework.study import Job, Row, Study, StudyOptions
from cdsp_core.studies.framework.training import training_job
from cdsp_core.studies.framework.whole_file import is_same_training
from tests.core.tiny_study import FACTS, tiny_study

OPTIONS = StudyOptions(seeds=3, smallest=True)
ROWS: list[Row] = [
    {"step": 0, "gain": 0.5, "word": "a", "never": None, "size": None},
    {"step": 1, "gain": math.nan, "word": None, "never": None, "size": None},
]
"""`size` is a setting of every job too: what a row says goes before, also that it has none"""


def shared(options: StudyOptions, *, config: RunConfig | None = None) -> list[Job]:
    """A training a seed that other studies share."""
    return [
        training_job("it", with_settings(config or RunConfig(), {"seed": seed}), options, arm="it", size=2)
        for seed in options.seed_range
    ]


def study_of(jobs: Any) -> Study:
    return replace(tiny_study(), jobs=jobs)


def kept_whole(out: Path, study: Study, rows: Sequence[Row] = ROWS) -> list[Row]:
    """A finished study of which only the whole file is left, and its rows."""
    folder, jobs = StudyFolder(out, study, OPTIONS), study.jobs(OPTIONS)
    for job in jobs:
        folder.keep(job, rows, FACTS)
    found, _ = read_combined(folder.combine(jobs))
    shutil.rmtree(out / "shared", ignore_errors=True)
    shutil.rmtree(out / study.name / "jobs", ignore_errors=True)
    return found


def told(rows: Sequence[Row]) -> str:
    """Rows to compare: NaN is NaN, and columns may come in another order."""
    return json.dumps(rows, sort_keys=True)


@pytest.mark.parametrize("jobs", [tiny_study().jobs, shared])
def test_every_row_and_every_column_comes_back_as_it_was(tmp_path: Path, jobs: Any) -> None:
    study = study_of(jobs)
    before = kept_whole(tmp_path, study)
    folder = StudyFolder(tmp_path, study, OPTIONS)
    assert (folder.unpack(jobs(OPTIONS)), folder.unpack(jobs(OPTIONS))) == (3, 0)
    assert told(folder.rows(jobs(OPTIONS))) == told(before)


@pytest.mark.parametrize("jobs", [tiny_study().jobs, shared])
def test_seeds_that_a_smaller_look_leaves_out_are_there_for_the_next_larger_one(tmp_path: Path, jobs: Any) -> None:
    study = study_of(jobs)
    before = kept_whole(tmp_path, study)
    fewer = replace(OPTIONS, seeds=1)
    folder = StudyFolder(tmp_path, study, fewer)
    folder.unpack(jobs(fewer))
    folder.combine(jobs(fewer))
    again = StudyFolder(tmp_path, study, OPTIONS)
    assert all(again.is_done(job) for job in jobs(OPTIONS))
    assert told(again.rows(jobs(OPTIONS))) == told(before)


def test_a_shared_training_of_another_config_is_not_taken_for_this_one_and_is_not_lost(tmp_path: Path) -> None:
    kept_whole(tmp_path, study_of(shared))
    other = with_settings(RunConfig(), {"lambda_conflict": 3.0})
    now = shared(OPTIONS, config=other)
    folder = StudyFolder(tmp_path, study_of(lambda _: now), OPTIONS)
    folder.unpack(now)
    assert not any(folder.is_done(job) for job in now)
    assert not (tmp_path / "shared").exists()
    kept = read_table(tmp_path / "blind" / "jobs" / f"{now[0].key}.parquet").to_pylist()
    assert [row["gain"] for row in kept][:1] == [0.5]


def test_a_setting_that_a_config_of_old_does_not_tell_had_its_default_then() -> None:
    job = shared(OPTIONS)[0]
    old = json.loads(json.dumps(job.settings))
    del old["config"]["model"]["penalty_scale"], old["config"]["train"]["dataset"]
    assert is_same_training({"settings": old}, job)
    changed = with_settings(RunConfig(), {"seed": 0, "penalty_scale": "experts_over_partitions"})
    assert not is_same_training({"settings": old}, training_job("it", changed, OPTIONS))
    assert not is_same_training({"settings": {"config": "none"}}, job)
    assert to_dict(RunConfig())["model"]["penalty_scale"] == "one"


@pytest.mark.parametrize(
    ("options", "study", "said"),
    [
        (replace(OPTIONS, smallest=False), tiny_study(), r"with smallest True\. Found False asked for"),
        (replace(OPTIONS, first_seed=100), tiny_study(), r"with first_seed None\. Found 100 asked for"),
        (OPTIONS, tiny_study("deceptive"), r"with study 'blind'\. Found 'deceptive' asked for"),
    ],
)
def test_a_whole_file_of_another_form_or_study_is_refused_and_leaves_the_folder_as_it_is(
    tmp_path: Path, options: StudyOptions, study: Study, said: str
) -> None:
    kept_whole(tmp_path / "there", tiny_study())
    here = combined_path(tmp_path / "here", study.name)
    here.parent.mkdir(parents=True)
    shutil.copy(combined_path(tmp_path / "there", "blind"), here)
    with pytest.raises(ResultsError, match=said):
        StudyFolder(tmp_path / "here", study, options)
    assert list(here.parent.iterdir()) == [here]


def spoilt(path: Path, *, rows: list[Row] | None = None, **changes: Any) -> None:
    """Write the whole file again with something else in its metadata, or other rows."""
    found, metadata = read_combined(path)
    path.write_bytes(parquet_bytes(found if rows is None else rows, {**metadata, **changes}))


JOB = {"format": 1, "job": "job-seed0", "seed": 0, "settings": {"size": 2}}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"jobs": None}, "Found no jobs in it"),
        ({"jobs": ["job-seed0"]}, "Found no jobs in it"),
        ({"jobs": {"../../../outside": {**JOB, "job": "../../../outside"}}}, r"Found '../../../outside'"),
        (
            {"jobs": {"job-seed0": {**JOB, "settings": None}}},
            r"seed and settings of each job\. Found none of job-seed0",
        ),
        ({"jobs": {"job-seed0": {**JOB, "seed": "0"}}}, r"seed and settings of each job\. Found none of job-seed0"),
        ({"jobs": {"job-seed0": {**JOB, "job": "another"}}}, r"Found none of job-seed0"),
        ({"jobs": {"job-seed0": {**JOB, "format": 9}}}, r"must be a result of format 1\. Found 9"),
        ({"jobs": {"job-seed0": "done"}}, r"must be a result of format 1\. Found None"),
        ({"jobs": {"job-seed0": JOB}}, r"Found rows of job-seed1, not told of"),
        ({"rows": [{"gain": 1.0}]}, r"Found rows of None, not told of"),
    ],
)
def test_a_whole_file_that_says_something_impossible_is_one_sentence_and_nothing_is_written(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    out = tmp_path / "a" / "b"
    kept_whole(out, tiny_study())
    spoilt(combined_path(out, "blind"), **changes)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    folder = StudyFolder(out, tiny_study(), OPTIONS)
    with pytest.raises(ResultsError, match=said):
        folder.unpack(tiny_study().jobs(OPTIONS))
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_job_without_a_row_in_the_whole_file_is_not_taken_for_done(tmp_path: Path) -> None:
    rows = kept_whole(tmp_path, tiny_study())
    spoilt(combined_path(tmp_path, "blind"), rows=[row for row in rows if row["seed"] != 1])
    folder, jobs = StudyFolder(tmp_path, tiny_study(), OPTIONS), tiny_study().jobs(OPTIONS)
    assert folder.unpack(jobs) == 2
    assert [folder.is_done(job) for job in jobs] == [True, False, True]


@pytest.mark.parametrize("broken", ["cut", "metadata"])
def test_a_broken_whole_file_is_named_with_a_way_out(tmp_path: Path, broken: str) -> None:
    kept_whole(tmp_path, tiny_study())
    whole = combined_path(tmp_path, "blind")
    if broken == "cut":
        whole.write_bytes(whole.read_bytes()[:-20])
    else:
        pq.write_table(read_table(whole).replace_schema_metadata({METADATA_KEY: b'"\xff"'}), whole)
    with pytest.raises(ResultsError, match=r"blind.parquet cannot be read: .* Delete it and run again\."):
        StudyFolder(tmp_path, tiny_study(), OPTIONS).unpack(tiny_study().jobs(OPTIONS))


def test_a_folder_that_cannot_be_written_is_one_sentence_and_the_whole_file_stays(tmp_path: Path) -> None:
    kept_whole(tmp_path, tiny_study())
    (tmp_path / "blind" / "jobs").write_text("in the way")
    with pytest.raises(ResultsError, match=r"job-seed0\.parquet cannot be read or written: .*\.$"):
        StudyFolder(tmp_path, tiny_study(), OPTIONS).unpack(tiny_study().jobs(OPTIONS))
    assert len(read_metadata(combined_path(tmp_path, "blind"))["jobs"]) == 3


def test_a_job_that_was_done_again_keeps_its_new_rows(tmp_path: Path) -> None:
    kept_whole(tmp_path, tiny_study())
    folder, jobs = StudyFolder(tmp_path, tiny_study(), OPTIONS), tiny_study().jobs(OPTIONS)
    folder.keep(jobs[0], [{"step": 0, "gain": 7.0}], FACTS)
    assert folder.unpack(jobs) == 2
    assert [row["gain"] for row in folder.rows(jobs[:1])] == [7.0]


def test_a_job_of_its_own_is_done_though_its_config_lacks_what_came_later(tmp_path: Path) -> None:
    """`headline` could not go on for its untrained networks, stored before a run could have data of its own."""
    (job, *_) = [replace(job, shared_as=None) for job in shared(OPTIONS)]
    old = json.loads(json.dumps(job.settings))
    del old["config"]["train"]["dataset"]
    folder = StudyFolder(tmp_path, study_of(lambda _: [job]), OPTIONS)
    folder.keep(replace(job, settings=old), ROWS, FACTS)
    assert folder.is_done(job)
    assert folder.forget_stale([job], None) == 0
    old["config"]["train"]["batch_size"] = 7
    folder.keep(replace(job, settings=old), ROWS, FACTS)
    with pytest.raises(ResultsError, match=r"was made with config\.train\.batch_size 7\. Found 64 asked for\."):
        folder.is_done(job)
    assert folder.forget_stale([job], None) == 1


def test_the_studies_of_the_repository_measured_every_training_once() -> None:
    """Three trainings had been run a second time, under another name: two studies had other rows of them than eight."""
    found: dict[str, dict[str, tuple[Any, ...]]] = {}
    whole = Path(__file__).parents[2] / "docs" / "results" / "whole"
    for name in NAMES:
        if (path := combined_path(whole, name)).exists():
            metadata = read_metadata(path)
            about = metadata["jobs"]
            for job in load_study(name).jobs(StudyOptions(seeds=metadata["seeds"])):
                if job.shared_as is not None and job.key in about:
                    made = about[job.key]
                    of = found.setdefault(job.shared_as, {})
                    of[name] = made["revision"], made["wall_s"], made["device"]["name"]
    assert len(found) > 400
    assert {name: of for name, of in found.items() if len(set(of.values())) > 1} == {}
