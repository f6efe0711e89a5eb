"""Results on disk: whole or not at all, and never taken for what they are not."""

from __future__ import annotations

import errno
import json
import math
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cdsp_core.__main__ import _parser
from cdsp_core.studies.framework.results import StudyFolder, combined_path, options_of, read_combined
from cdsp_core.studies.framework.rows_file import FORMAT, METADATA_KEY, OpenFile, ResultsError, parquet_bytes
from cdsp_core.studies.framework.study import Job, Row, StudyOptions
from tests.core.tiny_study import FACTS, tiny_study

OPTIONS = StudyOptions(seeds=2, smallest=True)
ROWS: list[Row] = [{"step": 0, "gain": 0.5, "word": "a"}, {"step": 1, "gain": None}, {"step": None, "gain": math.nan}]


def folder(out: Path, options: StudyOptions = OPTIONS, open_file: OpenFile | None = None) -> StudyFolder:
    return StudyFolder(out, tiny_study(), options, open_file=open_file)


def jobs() -> list[Job]:
    return tiny_study().jobs(OPTIONS)


def test_rows_come_back_with_their_job_and_no_value_stays_none_or_nan(tmp_path: Path) -> None:
    results, (job, _) = folder(tmp_path), jobs()
    results.keep(job, ROWS, FACTS)
    first, second, third = results.rows([job])
    assert first == {"job": "job-seed0", "seed": 0, "size": 2, "step": 0, "gain": 0.5, "word": "a"}
    assert (second["gain"], second["word"], third["step"]) == (None, None, None)
    assert math.isnan(float(third["gain"] or 0.0))


def test_metadata_says_how_the_rows_were_made(tmp_path: Path) -> None:
    results, (job, _) = folder(tmp_path), jobs()
    results.keep(job, ROWS, FACTS)
    found = results.metadata(job)
    assert FACTS.items() <= found.items()
    assert (found["format"], found["study"], found["seed"], found["settings"]) == (FORMAT, "blind", 0, {"size": 2})
    assert found["data"] == "No data."


def test_a_combined_file_knows_its_options_and_every_job(tmp_path: Path) -> None:
    results = folder(tmp_path)
    for job in jobs():
        results.keep(job, ROWS, FACTS)
    rows, metadata = read_combined(results.combine(jobs()))
    assert len(rows) == 6
    assert list(metadata["jobs"]) == ["job-seed0", "job-seed1"]
    assert options_of(metadata) == OPTIONS


class FullDisk:
    """A file on a disk that takes so many bytes, then no more."""

    def __init__(self, file: BinaryIO, room: int) -> None:
        self.file, self.room = file, room

    def write(self, content: bytes) -> int:
        self.file.write(content[: self.room])
        raise OSError(errno.ENOSPC, "No space left on device")

    def __enter__(self) -> FullDisk:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()


def test_a_full_disk_is_one_sentence_and_leaves_no_part_of_a_file(tmp_path: Path) -> None:
    folder(tmp_path)
    full = folder(tmp_path, open_file=lambda path: FullDisk(path.open("wb"), room=100))  # type: ignore[arg-type,return-value]
    job = jobs()[0]
    with pytest.raises(ResultsError, match=r"^There is no room left for .*job-seed0.parquet; no part of it was kept\."):
        full.keep(job, ROWS, FACTS)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["study.json"]
    assert not full.is_done(job)


def test_a_full_disk_leaves_the_file_that_was_there_before(tmp_path: Path) -> None:
    job = jobs()[0]
    folder(tmp_path).keep(job, ROWS, FACTS)
    full = folder(tmp_path, open_file=lambda path: FullDisk(path.open("wb"), room=100))  # type: ignore[arg-type,return-value]
    with pytest.raises(ResultsError):
        full.keep(job, ROWS[:1], FACTS)
    assert len(folder(tmp_path).rows([job])) == 3


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (StudyOptions(smallest=False), "smallest True. Found False asked for"),
        (StudyOptions(smallest=True, data="full"), "data 'embedded'. Found 'full' asked for"),
        (StudyOptions(smallest=True, missing_kmnist="kana"), "missing_kmnist 'fail'. Found 'kana' asked for"),
    ],
)
def test_a_folder_of_another_form_is_refused_with_a_way_out(tmp_path: Path, options: StudyOptions, found: str) -> None:
    first = folder(tmp_path)
    first.write(first.path / "jobs" / "done.parquet", b"rows")
    with pytest.raises(ResultsError, match=rf"{found}\. Give another folder with --out, or delete this one\.$"):
        folder(tmp_path, options)


def test_a_study_that_could_not_begin_leaves_its_folder_to_another_form(tmp_path: Path) -> None:
    folder(tmp_path, StudyOptions(smallest=False))
    form = json.loads((folder(tmp_path, StudyOptions(smallest=True)).path / "study.json").read_text())
    assert form["smallest"]


def test_more_seeds_are_no_other_form(tmp_path: Path) -> None:
    folder(tmp_path)
    folder(tmp_path, StudyOptions(seeds=9, smallest=True))


def test_a_folder_of_another_format_is_refused_with_a_way_out(tmp_path: Path) -> None:
    form = folder(tmp_path).path / "study.json"
    form.write_text(json.dumps({**json.loads(form.read_text()), "format": FORMAT + 1}))
    with pytest.raises(ResultsError, match=rf"must be a result of format {FORMAT}\. Found {FORMAT + 1}\. Give another"):
        folder(tmp_path)


@pytest.mark.parametrize("metadata", [{METADATA_KEY: json.dumps({"format": 0}).encode()}, {}])
def test_a_job_of_another_format_is_not_taken_for_done(tmp_path: Path, metadata: dict[bytes, bytes]) -> None:
    results, job = folder(tmp_path), jobs()[0]
    path = results.path_of(job)
    path.parent.mkdir()
    pq.write_table(pa.table({"gain": [1.0]}).replace_schema_metadata(metadata), path)
    with pytest.raises(ResultsError, match=f"must be a result of format {FORMAT}"):
        results.is_done(job)


def test_a_job_with_other_settings_is_not_taken_for_done(tmp_path: Path) -> None:
    results, job = folder(tmp_path), jobs()[0]
    results.keep(job, ROWS, FACTS)
    other = Job(key=job.key, seed=job.seed, settings={"size": 3})
    assert results.is_done(job)
    with pytest.raises(
        ResultsError, match=r"was made with size 2\. Found 3 asked for\. Run python -m cdsp_core study blind --seeds 2 "
    ):
        results.is_done(other)


def test_of_settings_inside_others_the_one_that_differs_is_named_with_both_values(tmp_path: Path) -> None:
    results = folder(tmp_path)
    made = Job(key="k", seed=0, settings={"config": {"controls": {"p_drop": 0.5}, "model": {"d_base": 8}}})
    results.keep(made, ROWS, FACTS)
    other = Job(key="k", seed=0, settings={"config": {"controls": {"p_drop": 0.1}, "model": {"d_base": 8}}})
    with pytest.raises(ResultsError, match=r"made with config\.controls\.p_drop 0\.5\. Found 0\.1 asked for\."):
        results.is_done(other)


def test_the_command_that_redoes_what_is_stale_is_of_the_same_form_and_folder(tmp_path: Path) -> None:
    options = StudyOptions(seeds=3, smallest=True, first_seed=100, missing_kmnist="kana")
    results, job = folder(tmp_path, options), jobs()[0]
    results.keep(job, ROWS, {**FACTS, "revision": "abc"})
    command = (
        f"python -m cdsp_core study blind --seeds 3 --first-seed 100 --smallest --missing-kmnist kana --out {tmp_path} "
        "--redo-stale"
    )
    with pytest.raises(ResultsError) as refused:
        results.check_revision([job], "def")
    assert f"Run {command} to do over only what is stale" in str(refused.value)
    arguments = _parser("p").parse_args(command.split()[3:])
    assert (arguments.seeds, arguments.first_seed, arguments.smallest, arguments.redo_stale) == (3, 100, True, True)
    assert (arguments.missing_kmnist, arguments.out) == ("kana", tmp_path)


def test_results_of_another_revision_are_refused_naming_both_and_only_they_are_done_over(tmp_path: Path) -> None:
    results = folder(tmp_path)
    stale, fresh = tiny_study().jobs(OPTIONS)[:2]
    results.keep(stale, ROWS, {**FACTS, "revision": "abc"})
    results.keep(fresh, ROWS, {**FACTS, "revision": "def"})
    with pytest.raises(ResultsError, match=r"made by revision abc\. Found revision def here\. Run .* --redo-stale"):
        results.check_revision([stale, fresh], "def")
    results.check_revision([stale, fresh], None)
    assert results.forget_stale([stale, fresh], "def") == 1
    assert (results.is_done(stale), results.is_done(fresh)) == (False, True)
    results.check_revision([stale, fresh], "def")


def test_a_broken_file_is_named_with_a_way_out(tmp_path: Path) -> None:
    results, job = folder(tmp_path), jobs()[0]
    results.keep(job, ROWS, FACTS)
    path = results.path_of(job)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ResultsError, match=r"job-seed0.parquet cannot be read: .* Delete it and run again\."):
        results.rows([job])


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultsError, match="cannot be read"):
        folder(tmp_path / "file")


def test_a_shared_job_is_done_for_every_study_that_has_it(tmp_path: Path) -> None:
    mine = Job(key="mine", seed=0, settings={"label": "a"}, shared_as="training-1")
    theirs = Job(key="theirs", seed=0, settings={"label": "b"}, shared_as="training-1")
    folder(tmp_path).keep(mine, ROWS, FACTS)
    other = StudyFolder(tmp_path, tiny_study("deceptive"), OPTIONS)
    assert other.is_done(theirs)
    assert {(row["job"], row["label"]) for row in other.rows([theirs])} == {("theirs", "b")}


def test_whole_numbers_and_others_share_a_column() -> None:
    assert parquet_bytes([{"gain": 1}, {"gain": 0.5}], {"format": FORMAT})


def test_combined_results_lie_under_the_studys_name(tmp_path: Path) -> None:
    assert combined_path(tmp_path, "blind") == tmp_path / "blind" / "blind.parquet"
