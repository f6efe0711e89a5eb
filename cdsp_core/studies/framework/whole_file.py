"""What a study's whole file says of each of its jobs, so that a job can have a file of its own again.

The file may be of anyone: whatever it lacks or names wrongly is a ResultsError before anything is written.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from cdsp_core.studies.framework.job_settings import told_in_full
from cdsp_core.studies.framework.rows_file import (
    WAY_OUT,
    ResultsError,
    check_format,
    columns_of,
    read_metadata,
    read_table,
)
from cdsp_core.studies.framework.study import Job, Row

KEY: Final = re.compile(r"[A-Za-z0-9._-]+")
"""what a job's key is made of, since a file is named after it"""


def jobs_told(path: Path, *, study: str, form: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What the file says of each job, by key. Raises ResultsError unless it is of this study in this form."""
    metadata = read_metadata(path)
    found, wanted = {"study": metadata.get("study"), **(metadata.get("form") or {})}, {"study": study, **form}
    for name in {**found, **wanted}:
        if found.get(name) != wanted.get(name):
            raise ResultsError(
                f"{path} holds results with {name} {found.get(name)!r}. Found {wanted.get(name)!r} asked for. {WAY_OUT}"
            )
    jobs = metadata.get("jobs")
    if not isinstance(jobs, dict):
        raise ResultsError(f"{path} must hold a whole study and say what its jobs are. Found no jobs in it. {WAY_OUT}")
    for key, about in jobs.items():
        if not KEY.fullmatch(key):
            raise ResultsError(f"{path} must name jobs by letters, digits, '.', '_' and '-'. Found {key!r}. {WAY_OUT}")
        check_format(path, about)
        if about.get("job") != key or not isinstance(about.get("settings"), dict) or type(about.get("seed")) is not int:
            raise ResultsError(f"{path} must say seed and settings of each job. Found none of {key}. {WAY_OUT}")
    told: dict[str, dict[str, Any]] = jobs
    return told


def rows_told(path: Path, jobs: dict[str, dict[str, Any]]) -> dict[str, list[Row]]:
    """Each job's rows as its own file has them, by key. Raises ResultsError for rows of a job that nobody told of."""
    rows: list[Row] = read_table(path).to_pylist()
    rows_of: dict[str, list[Row]] = {}
    for row in rows:
        rows_of.setdefault(str(row.get("job")), []).append(row)
    for key in rows_of:
        if key not in jobs:
            raise ResultsError(f"{path} must say what each row's job is. Found rows of {key}, not told of. {WAY_OUT}")
    labels = {name for about in jobs.values() for name in _told(about)}
    return {key: _own_columns(of, _told(jobs[key]), labels) for key, of in rows_of.items()}


def is_same_training(about: dict[str, Any], job: Job) -> bool:
    """Whether rows that are told of are those of this job: of one config, as far as both tell.

    What a config of old does not tell did not exist then, and its default is what there was. A preset may have another
    value by now, so none is asked. Jobs without a config are the same with the same settings.
    """
    then, now = told_in_full(about["settings"]), told_in_full(job.settings)
    if isinstance(then.get("config"), dict) and isinstance(now.get("config"), dict):
        return bool(then["config"] == now["config"])
    return bool(then == now)


def _told(about: dict[str, Any]) -> dict[str, Any]:
    """The columns that a job's key, seed and plain settings become."""
    plain = {name: value for name, value in about["settings"].items() if not isinstance(value, dict | list)}
    return {"job": about["job"], "seed": about["seed"], **plain}


def _own_columns(rows: Sequence[Row], told: dict[str, Any], labels: set[str]) -> list[Row]:
    """A job's rows without what its settings say of all of them, and without the labels of other jobs."""

    def is_own(name: str) -> bool:
        if name in told:
            return any(row[name] != told[name] for row in rows)
        return name not in labels or any(row[name] is not None for row in rows)

    own = [name for name in columns_of(rows) if is_own(name)]
    return [{name: row[name] for name in own} for row in rows]
