"""Results on disk: one Parquet file a finished job, one for the whole study, never half of either.

    OUT/shared/NAME.parquet          jobs that several studies share
    OUT/STUDY/study.json             which form of the study this folder holds
    OUT/STUDY/jobs/KEY.parquet       its other jobs
    OUT/STUDY/STUDY.parquet          all rows, once all jobs are done; report.md and its charts lie beside it

The last is enough to go on from: jobs that only it has get their files again before anything runs.

`rows_file.py` writes and reads each file, `whole_file.py` tells what the whole one has of each job.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from cdsp_core import __version__
from cdsp_core.studies.framework.job_settings import differences, told_in_full
from cdsp_core.studies.framework.rows_file import (
    FORMAT,
    WAY_OUT,
    OpenFile,
    ResultsError,
    check_format,
    columns_of,
    parquet_bytes,
    read_metadata,
    read_table,
    said_in_a_sentence,
    write_whole,
)
from cdsp_core.studies.framework.study import Job, Row, Study, StudyOptions
from cdsp_core.studies.framework.whole_file import is_same_training, jobs_told, rows_told

MAKES_ROWS: Final = ("settings", "kernels", "method", "models", "data", "training", "studies/experiments")
"""folders of the package that decide what a job's rows are"""
MAKES_NO_ROWS: Final = ":(exclude)training/checkpoint.py"
UP_TO_ROUNDING: Final = (
    "Of 22 November, three models on the full data. Losses of the first ten steps are within 3e-6 of today's and come "
    "apart from there as those of a batch do: by rounding."
)
ALIKE: Final = {
    **dict.fromkeys(("3f951186b6ff", "05c71b9057eb", "627979dcf622", "db32fe3299d2"), UP_TO_ROUNDING),
    "7dc7d5a2b175": "Its batches of CDSP-MoE did not start on an accelerator, where the first model's buffers already "
    "were and those of the others were not. Mended; no row of what did start changes.",
    "f6d8aa673d1e": "Later: a comment, studies of streams and text, recordings on the way. The golden loss curve "
    "(tests/golden) is the same to the bit.",
    "0e41ae895ce1": "Later: a table of the tasks by their names, which no training reads.",
    "258c72af0176": "Later: frames tell what A was pushed by, AdamW is torch's fused operation. Weights and scalars "
    "after 150 steps of paper, live and standard are the same to the bit.",
    "1d7159dbc09e": "Later: networks taken apart, a study of its own; what it asks of the others' measuring got other "
    "names. No row changes.",
    "022d797e3fc2": "Later: a claim's words, and that batches begin from a study's whole file. No row changes.",
    "2fadf69d5a05": "Later: runs that steer themselves, a study of its own; anatomy's rows are made by measuring's own "
    "function (of 80 steps the same to the bit). No row changes.",
    "1c7d8f919560": "Later: signatures kept for torch, a list of claims elsewhere. Weights after 25 steps of live, "
    "paper, release, standard and blind: the same to the bit.",
    "43bd33694c1d": "This one; whatever comes next says here why its rows are the same, or takes this line away.",
}
"""Revisions whose rows are those of this one, and why; everything else of another revision is stale."""


class StudyFolder:
    """The results of one study in one form."""

    def __init__(self, out: Path, study: Study, options: StudyOptions, *, open_file: OpenFile | None = None) -> None:
        """Make the folder, or check that it holds this form of the study. Raises ResultsError."""
        self.out, self.study, self.options = out, study, options
        self.path = out / study.name
        self._open_file = open_file
        self._check_form()

    def is_done(self, job: Job) -> bool:
        """Whether the job's rows are there, made with the same settings. Raises ResultsError for a foreign file."""
        path = self.path_of(job)
        if not path.exists():
            return False
        found = self.metadata(job)["settings"]
        if job.shared_as is None and (differing := differences(told_in_full(found), told_in_full(job.settings))):
            name, (before, now) = next(iter(differing.items()))
            raise ResultsError(f"{path} was made with {name} {before}. Found {now} asked for. {self._redo()}")
        return True

    def check_revision(self, jobs: Sequence[Job], revision: str | None) -> None:
        """Raises ResultsError where finished jobs were made by another revision of the code than this one.

        A revision that nobody knows, outside a repository, is compared with nothing.
        """
        for job in jobs:
            if revision is not None and self.is_done(job):
                found = self.metadata(job).get("revision")
                if found not in (None, revision, *ALIKE):
                    path = self.path_of(job)
                    raise ResultsError(
                        f"{path} was made by revision {found}. Found revision {revision} here. {self._redo()}"
                    )

    def forget_stale(self, jobs: Sequence[Job], revision: str | None) -> int:
        """Delete finished jobs of other settings or of another revision, and no others. Returns how many.

        Raises ResultsError.
        """
        gone = 0
        for path, job in {self.path_of(job): job for job in jobs}.items():
            if not path.exists():
                continue
            found = self.metadata(job)
            other_settings = job.shared_as is None and told_in_full(found["settings"]) != told_in_full(job.settings)
            if other_settings or (revision is not None and found.get("revision") not in (None, revision, *ALIKE)):
                with said_in_a_sentence(path):
                    path.unlink()
                gone += 1
        whole = combined_path(self.out, self.study.name)
        if gone:  # the whole file has their rows too, and would give them back
            with said_in_a_sentence(whole):
                whole.unlink(missing_ok=True)
        return gone

    def unpack(self, jobs: Sequence[Job]) -> int:
        """Give every job that only the study's whole file has a file of its own again. Returns how many.

        So that more seeds begin where a study ended whose job files were not kept. Rows of a shared training are
        shared again only if its config is the same; of another one they are kept beside. Raises ResultsError.
        """
        whole = combined_path(self.out, self.study.name)
        if not whole.exists():
            return 0
        told = jobs_told(whole, study=self.study.name, form=_form(self.options))
        job_of = {job.key: job for job in jobs}
        for seed in sorted({about["seed"] for key, about in told.items() if key not in job_of}):
            one = replace(self.options, first_seed=seed, seeds=1)
            job_of = {**{job.key: job for job in self.study.jobs(one)}, **job_of}
        place_of = {key: self._place_again(key, about, job_of.get(key)) for key, about in told.items()}
        missing = {key: path for key, path in place_of.items() if not path.exists()}
        rows_of = rows_told(whole, told) if missing else {}
        missing = {key: path for key, path in missing.items() if key in rows_of}
        for key, path in missing.items():
            self.write(path, parquet_bytes(rows_of[key], told[key]))
        return len(missing)

    def _place_again(self, key: str, about: dict[str, Any], job: Job | None) -> Path:
        """Where a job's rows belong that the whole file tells of; `job` is what has this key now."""
        if job is not None and job.shared_as is not None and is_same_training(about, job):
            return self.path_of(job)
        return self.path / "jobs" / f"{key}.parquet"

    def _redo(self) -> str:
        form = self.options
        words = (
            [self.study.command]
            if self.study.command
            else [
                f"python -m cdsp_core study {self.study.name}",
                f"--seeds {form.seeds}",
                *([f"--first-seed {form.first_seed}"] if form.first_seed else []),
                *(["--smallest"] if form.smallest else []),
                *([f"--data full --data-root {form.data_root}"] if form.data == "full" else []),
                *(["--missing-kmnist kana"] if form.missing_kmnist == "kana" else []),
                f"--out {self.out}",
            ]
        )
        return f"Run {' '.join(words)} --redo-stale to do over only what is stale, or give another folder with --out."

    def path_of(self, job: Job) -> Path:
        """Where the job's rows are, or will be."""
        if job.shared_as is not None:
            return self.out / "shared" / f"{job.shared_as}.parquet"
        return self.path / "jobs" / f"{job.key}.parquet"

    def keep(self, job: Job, rows: Sequence[Row], facts: dict[str, Any]) -> None:
        """Write one finished job. `facts` (device, wall time, ...) join its metadata. Raises ResultsError."""
        metadata = {
            "format": FORMAT,
            "study": self.study.name,
            "job": job.key,
            "seed": job.seed,
            "settings": job.settings,
            "data": self.study.data(self.options),
            "form": _form(self.options),
            **facts,
        }
        self.write(self.path_of(job), parquet_bytes(rows, metadata))

    def metadata(self, job: Job) -> dict[str, Any]:
        """What is known of a finished job beside its rows. Raises ResultsError."""
        return read_metadata(self.path_of(job))

    def rows(self, jobs: Sequence[Job]) -> list[Row]:
        """The rows of finished jobs, with the job's key, seed and plain settings; None where there is no value."""
        rows: list[Row] = []
        for job in jobs:
            plain = {name: value for name, value in job.settings.items() if not isinstance(value, dict | list)}
            about: Row = {"job": job.key, "seed": job.seed, **plain}
            rows += [{**about, **row} for row in read_table(self.path_of(job)).to_pylist()]
        empty: Row = dict.fromkeys(columns_of(rows))
        return [{**empty, **row} for row in rows]

    def combine(self, jobs: Sequence[Job]) -> Path:
        """Write all rows of a finished study into one file. Raises ResultsError."""
        metadata = {
            "format": FORMAT,
            "study": self.study.name,
            "seeds": len({job.seed for job in jobs}),
            "data": self.study.data(self.options),
            "form": _form(self.options),
            "jobs": {job.key: {**self.metadata(job), "job": job.key, "settings": job.settings} for job in jobs},
        }
        path = combined_path(self.out, self.study.name)
        self.write(path, parquet_bytes(self.rows(jobs), metadata))
        return path

    def write(self, path: Path, content: bytes) -> None:
        """Put `content` at `path` whole or not at all. Raises ResultsError."""
        write_whole(path, content, open_file=self._open_file)

    def _check_form(self) -> None:
        path = self.path / "study.json"
        wanted = {"format": FORMAT, "study": self.study.name, **_form(self.options)}
        try:
            found = json.loads(path.read_text())
        except FileNotFoundError:
            whole = combined_path(self.out, self.study.name)
            if whole.exists():  # it alone says of which form the folder is
                jobs_told(whole, study=self.study.name, form=_form(self.options))
            self.write(path, json.dumps(wanted, indent=1).encode())
            return
        except OSError as error:
            raise ResultsError(f"{path} cannot be read: {error.strerror or error}.") from error
        except ValueError as error:
            raise ResultsError(f"{path} cannot be read: {error}. {WAY_OUT}") from error
        check_format(path, found)
        if found != wanted and not self._holds_rows():
            self.write(path, json.dumps(wanted, indent=1).encode())
            return
        for name, value in {**dict.fromkeys(found), **wanted}.items():
            if found.get(name) != value:
                raise ResultsError(
                    f"{self.path} holds results with {name} {found.get(name)!r}. Found {value!r} asked for. {WAY_OUT}"
                )

    def _holds_rows(self) -> bool:
        """Whether anything was finished here; a study that could not begin leaves only its form."""
        return any(self.path.rglob("*.parquet"))


def combined_path(out: Path, name: str) -> Path:
    """Where all rows of a finished study are."""
    return out / name / f"{name}.parquet"


def read_combined(path: Path) -> tuple[list[Row], dict[str, Any]]:
    """All rows of a finished study, and its metadata. Raises ResultsError."""
    rows: list[Row] = read_table(path).to_pylist()
    return rows, read_metadata(path)


def options_of(metadata: dict[str, Any]) -> StudyOptions:
    """The options a finished study was run with, without the place of its data."""
    form = metadata["form"]
    return StudyOptions(
        seeds=metadata["seeds"],
        data=form["data"],
        missing_kmnist=form["missing_kmnist"],
        smallest=form["smallest"],
        first_seed=form.get("first_seed", 0),
    )


def code_version() -> dict[str, str | None]:
    """The package's version, and the git revision that last changed what makes rows, marked where files differ from it.

    Rules of judging and texts are no part of it: changing them makes no results stale. A copy without a repository is
    told its revision by CDSP_REVISION.
    """
    folder = Path(__file__).parents[2]

    def git(*words: str) -> str | None:
        try:
            answer = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True)
        except FileNotFoundError:
            return None
        return answer.stdout.strip() if answer.returncode == 0 else None

    told = os.environ.get("CDSP_REVISION")
    if told:
        return {"version": __version__, "revision": told}
    revision = git("log", "-1", "--format=%h", "--abbrev=12", "--", *MAKES_ROWS, MAKES_NO_ROWS) or None
    changed = revision is not None and git("status", "--porcelain", "--", *MAKES_ROWS, MAKES_NO_ROWS)
    return {"version": __version__, "revision": f"{revision} with changes" if changed else revision}


def _form(options: StudyOptions) -> dict[str, Any]:
    first = {"first_seed": options.first_seed} if options.first_seed else {}
    return {"data": options.data, "missing_kmnist": options.missing_kmnist, "smallest": options.smallest, **first}
