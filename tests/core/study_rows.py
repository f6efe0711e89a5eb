"""What tests of studies need: made-up rows as a folder of results gives them, and a run that tells nobody."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from cdsp_core.studies.framework.study import Claim, Job, Row, Study, StudyOptions

SEEDS = StudyOptions(seeds=4, smallest=True)


def tell_nobody(done_frac: float, text: str) -> None:
    """A `Tell`."""


def rows_of(study: Study, made: Callable[[Job], Sequence[Row]], options: StudyOptions = SEEDS) -> list[Row]:
    """Rows of all jobs, each with its job's key, seed and plain settings; None where a row lacks another's column."""
    rows: list[Row] = []
    for job in study.jobs(options):
        plain = {name: value for name, value in job.settings.items() if not isinstance(value, dict | list)}
        rows += [{"job": job.key, "seed": job.seed, **plain, **row} for row in made(job)]
    empty: Row = dict.fromkeys(name for row in rows for name in row)
    return [{**empty, **row} for row in rows]


def smallest_run(study: Study, options: StudyOptions, **settings: int) -> dict[str, list[Row]]:
    """The rows of the study's jobs, by key, after settings such as the number of steps were replaced."""
    found = {}
    for job in study.jobs(options):
        short = Job(key=job.key, seed=job.seed, settings=json.loads(json.dumps({**job.settings, **settings})))
        found[job.key] = study.run(short, options, tell_nobody)
    return found


def verdicts(claims: Sequence[Claim]) -> list[str]:
    """The verdicts, in order."""
    return [claim.verdict for claim in claims]
