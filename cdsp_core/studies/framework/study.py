"""What a study is: jobs over seeds, each giving rows; and from all rows, claims and charts.

Knows no files and no processes; `runner.py` runs the jobs, `results.py` keeps the rows, `report.py` writes them up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from cdsp_core.data.fetch import missing_files

Value = str | int | float | bool | None
Row = dict[str, Value]
"""One flat record of a result; NaN and None mean "no value"."""

Verdict = Literal["holds", "fails", "mixed"]


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyOptions:
    """How large a study is run, on which data."""

    seeds: int = 10
    data: Literal["embedded", "full"] = "embedded"
    data_root: Path | None = None
    missing_kmnist: Literal["fail", "kana"] = "fail"
    smallest: bool = False
    """The form that ends within minutes on two cores: fewer steps, and fewer settings where there are many."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One training or measurement, the unit that is resumed: done whole or not at all."""

    key: str
    """Unique in its study; letters, digits, '-', '_' and '.' only, since a file is named after it."""
    seed: int
    settings: dict[str, Any]
    """Everything that `Study.run` needs, as JSON; kept beside the rows."""
    shared_as: str | None = None
    """A name made from everything that decides the rows. Jobs of any study with the same one are run once for all."""


class Tell(Protocol):
    """How a job says how far it is."""

    def __call__(self, done_frac: float, text: str) -> None: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """One sentence of the paper, and what was measured of it."""

    claim: str
    source: str
    """Where the paper says it, e.g. `arXiv:2512.20291, section 4.2`; or `memo`."""
    published: str | None
    """The published figure, with its caveat; None where there is none."""
    measured: str
    """What was measured, in one sentence with numbers and units."""
    value: float
    interval: tuple[float, float]
    """95 % bootstrap interval of `value` over seeds."""
    seeds: int
    verdict: Verdict
    why: str
    """The rule that gave the verdict, and the reason for a failure where it was found."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """A curve with a band over seeds. All three sequences are as long as `x`."""

    label: str
    x: Sequence[float]
    mean: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Chart:
    """A plot of the report: lines over x, or bars when `x_labels` names the places of a line's x values."""

    title: str
    x_label: str
    y_label: str
    lines: Sequence[Line]
    x_labels: Sequence[str] = ()
    x_scale: Literal["linear", "log"] = "linear"


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """A table of the report; every row is as long as `columns`."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Findings:
    """What a study found in its rows."""

    claims: Sequence[Claim]
    charts: Sequence[Chart] = field(default_factory=tuple)
    tables: Sequence[Table] = field(default_factory=tuple)
    """Without one the report tabulates the mean of every number over seeds."""
    notes: Sequence[str] = field(default_factory=tuple)
    """Sentences for the report: caveats, surprises, what was not measured."""


def image_data(options: StudyOptions) -> str:
    """What the three image tasks are with these options, in one sentence."""
    if options.data == "embedded":
        return (
            "The embedded set: real images of MNIST and Fashion-MNIST, 10,000 a task, and drawn kana in KMNIST's place."
        )
    if options.missing_kmnist == "kana" and options.data_root and missing_files(options.data_root, "KMNIST"):
        return "The full MNIST and Fashion-MNIST, 60,000 images a task, and drawn kana in KMNIST's place."
    return "The full MNIST, KMNIST and Fashion-MNIST, 60,000 images a task."


@dataclass(frozen=True, kw_only=True, slots=True)
class Study:
    """An experiment over seeds."""

    name: str
    title: str
    question: str
    jobs: Callable[[StudyOptions], list[Job]]
    run: Callable[[Job, StudyOptions, Tell], list[Row]]
    """In a process of its own, on one thread. Imports torch inside, so listing studies stays quick."""
    find: Callable[[list[Row], StudyOptions], Findings]
    """From the rows of all jobs; every row also carries its job's key, seed and settings as columns.

    The columns are `job`, `seed` and the settings that are plain values; a column of the row itself goes before."""
    data: Callable[[StudyOptions], str] = image_data
    """What the study learns from, in one sentence for people."""
