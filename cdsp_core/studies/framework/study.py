"""What a study is: jobs over seeds, each giving rows; and from all rows, claims and charts.

Knows no files and no processes; `runner.py` runs the jobs, `results.py` keeps the rows, `report.py` writes them up.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, Protocol

from cdsp_core.data.fetch import missing_files

Value = str | int | float | bool | None
Row = dict[str, Value]
"""One flat record of a result; NaN and None mean "no value"."""

Verdict = Literal["holds", "fails", "no effect", "undecided"]
Origin = Literal["paper", "program", "memo", "project"]
Theme = Literal[
    "without ID", "routing", "structure", "conflict", "accuracy", "rates and depth", "beyond images", "cost"
]


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyOptions:
    """How large a study is run, on which data."""

    seeds: int = 10
    data: Literal["embedded", "full"] = "embedded"
    data_root: Path | None = None
    missing_kmnist: Literal["fail", "kana"] = "fail"
    smallest: bool = False
    """The form that ends within minutes on two cores: fewer steps, and fewer settings where there are many."""
    first_seed: int = 0
    """Another one repeats a study with seeds that nobody has looked at."""
    record: Path | None = None
    """Folder for recorded runs of the image encoder, made on the way; changes no row."""

    @property
    def seed_range(self) -> range:
        """The seeds, in order."""
        return range(self.first_seed, self.first_seed + self.seeds)


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
    """One sentence of the paper, or about it, and what was measured of it."""

    claim: str
    source: str
    """Where it is said, e.g. `arXiv:2512.20291, section 4.2`; `memo`; or `this project`."""
    published: str | None
    """The published figure, with its caveat; None where there is none."""
    measured: str
    """What was measured, in one sentence with numbers and units."""
    value: float
    interval: tuple[float, float]
    """95 % Student-t interval of `value` over seeds."""
    seeds: int
    verdict: Verdict
    why: str
    """The rule that gave the verdict, and the reason for a failure where it was found."""
    bound: tuple[float, float]
    """The claim says that the value lies between these; the upper one is infinite where there is a threshold only."""
    equivalence: float | None = None
    """Differences smaller than this count as none; None where the claim is not of a difference."""
    published_value: float | None = None
    """The published figure in the unit of `value`, where there is one to compare with."""
    probability: float = math.nan
    """Two-sided p-value of the verdict, or of the nearest one where it is undecided; not adjusted for other claims."""
    adjusted: float | None = None
    """The same after Holm (headline) or Benjamini-Hochberg (others); None where a study stands alone."""
    level: float | None = None
    """The `probability` below which its list decides it, the others' as they are; None where it is not decided."""
    sign_probability: float | None = None
    """p-value of the sign test against the lower bound; None with fewer than six seeds."""
    decided_by: int | None = None
    """Seeds that would decide at the observed mean and spread; None where decided, or where 1,000 would not."""
    for_method: bool = True
    """Whether `holds` speaks for the method."""
    theme: Theme | None = None
    """None takes the study's."""
    headline: str | None = None
    """Its name in docs/preregistration.md, where it is one of the headline claims."""
    values: tuple[float, ...] = ()
    """One value a seed, in the seeds' order."""

    @property
    def origin(self) -> Origin:
        """Who makes the claim, by the beginning of its source."""
        for beginning, origin in _ORIGINS.items():
            if self.source.startswith(beginning):
                return origin
        return "project"


_ORIGINS: Final[dict[str, Origin]] = {"arXiv:": "paper", "the authors' program": "program", "memo": "memo"}


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
    checks: Sequence[Claim] = ()
    """What must be so if program and measures are right, whatever the method is worth: counted with no claims."""
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
    theme: Theme = "accuracy"
    """of its claims, where they name none"""
    data: Callable[[StudyOptions], str] = image_data
    """What the study learns from, in one sentence for people."""
    command: str | None = None
    """What runs it again, without --redo-stale; None: made from its name and options."""
