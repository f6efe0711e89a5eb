"""Read evidence.json, the stored results of every study: the only module of the page that knows its fields.

The file is made by `python -m cdsp_core evidence`; `cdsp_core/studies/framework/evidence_page.py` names every field.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from frontend.claims.themes import theme_of

NO_EVIDENCE: Final = (
    "No results are stored yet: measure with python -m cdsp_core study NAME, "
    "then write them down with python -m cdsp_core evidence."
)
FORMAT: Final = 2
VERDICTS: Final = ("holds", "fails", "no effect", "undecided")
"""Every word a verdict can be."""

PAPER: Final = "arXiv:2512.20291"
HEADLINE: Final = "headline"
"""Study of headline claims that no stored study has measured."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bound:
    """The side of its threshold on which a claim holds: above `low`, below `high`, or between the two."""

    low: float | None = None
    high: float | None = None

    @property
    def ends(self) -> list[float]:
        """The thresholds that there are."""
        return [end for end in (self.low, self.high) if end is not None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """One sentence, and what was measured about it. `measured` is None where nothing was, `interval` with one seed.

    A difference within `equivalence` of the threshold is no effect; `decided_by` seeds would decide what is undecided.
    `repeats` is the share of repetitions with as many other seeds that would give a decided claim the same verdict.
    """

    key: str
    study: str
    theme: str
    text: str
    source: str
    verdict: str
    measured: float | None
    interval: tuple[float, float] | None
    bound: Bound
    equivalence: float | None
    unit: str
    seeds: int
    decided_by: int | None
    repeats: float | None
    summary: str
    why: str
    published: str | None
    published_value: float | None
    for_method: bool
    headline: str | None
    see: str | None

    @property
    def is_headline(self) -> bool:
        """Whether it was fixed before its runs."""
        return self.headline is not None

    @property
    def is_of_paper(self) -> bool:
        """Whether the paper says it, or it is drawn from the paper's text."""
        return self.source.startswith(PAPER)

    @property
    def address(self) -> str:
        """Fragment of the link to it."""
        return f"#claim-{self.key}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One curve over `x`, with a band over seeds; None where nothing was measured."""

    label: str
    x: tuple[float, ...]
    mean: tuple[float | None, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Chart:
    """Curves of a study; `x_labels` name the places on x where these are no numbers."""

    title: str
    x_label: str
    y_label: str
    x_labels: tuple[str, ...]
    is_log: bool
    lines: tuple[Line, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Study:
    """One stored study with its claims and curves."""

    name: str
    command: str
    title: str
    question: str
    data: str
    form: str
    seeds: int
    claims: tuple[Claim, ...]
    charts: tuple[Chart, ...]
    notes: tuple[str, ...]
    checks: tuple[Claim, ...] = ()
    """what must be so if program and measures are right; they count with no claims"""


@dataclass(frozen=True, kw_only=True, slots=True)
class WordTable:
    """Words in columns; every row is as long as `columns`."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """All stored results. `sentences` say how the claims came out; `missing` says why there are none."""

    studies: tuple[Study, ...] = ()
    caveat: str = ""
    sentences: tuple[str, ...] = ()
    causal: tuple[str, ...] = ()
    """what the causal test says, a paragraph for each set of rules"""
    causal_table: WordTable | None = None
    repetition: tuple[str, ...] = ()
    """what came of repeating the studies with other seeds"""
    repetition_table: WordTable | None = None
    missing: str | None = None
    claims: tuple[Claim, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "claims", tuple(claim for study in self.studies for claim in study.claims))


class EvidenceFile:
    """The file on disk, read again when it has changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp = -1
        self._read = Evidence(missing=NO_EVIDENCE)

    def read(self) -> Evidence:
        """The results as they now stand."""
        try:
            stamp = self._path.stat().st_mtime_ns
            if stamp != self._stamp:
                self._read, self._stamp = read_evidence(self._path.read_bytes()), stamp
        except FileNotFoundError:
            self._read, self._stamp = Evidence(missing=NO_EVIDENCE), -1
        return self._read


def read_evidence(content: str | bytes) -> Evidence:
    """The results that a file holds.

    Raises ValueError when it is not JSON with a list `studies`, is of another format or has a verdict not known here.
    """
    raw = json.loads(content)
    if not isinstance(raw, dict) or not isinstance(raw.get("studies"), list):
        raise ValueError("evidence.json must hold an object with a list `studies`. Found something else.")
    if raw.get("format") != FORMAT:
        raise ValueError(f"The format of evidence.json must be {FORMAT}. Found {str(raw.get('format'))[:40]}.")
    keys: set[str] = set()
    studies = tuple(_study(each, keys) for each in raw["studies"])
    there = {claim.headline for study in studies for claim in study.claims}
    if waiting := [each for each in raw.get("headline") or () if each["headline"] not in there]:
        question = "What was promised before the runs and is not measured yet."
        unmeasured = {"study": HEADLINE, "title": "Headline claims", "question": question, "claims": waiting}
        studies = (*studies, _study(unmeasured, keys))
    if not any(study.claims for study in studies):
        return Evidence(missing=NO_EVIDENCE)
    return Evidence(
        studies=studies,
        caveat=str(raw.get("caveat", "")),
        sentences=tuple(map(str, raw.get("summary") or ())),
        causal=tuple(map(str, raw.get("causal") or ())),
        causal_table=_table(raw.get("causal_table")),
        repetition=tuple(map(str, raw.get("repetition") or ())),
        repetition_table=_table(raw.get("repetition_table")),
    )


def read_claims(raw: list[Any], study: str) -> tuple[Claim, ...]:
    """Claims that a study has just measured, as GET /api/studies tells them; those of an earlier version are left out.

    Such a version stored its last results, and judged by other words.
    """
    return tuple(_claim(each, study, set()) for each in raw if isinstance(each, dict) and each["verdict"] in VERDICTS)


def _table(raw: Mapping[str, Any] | None) -> WordTable | None:
    return WordTable(columns=tuple(raw["columns"]), rows=tuple(map(tuple, raw["rows"]))) if raw else None


def _study(raw: Mapping[str, Any], keys: set[str]) -> Study:
    name = str(raw["study"])
    claims, checks = (tuple(_claim(each, name, keys) for each in raw.get(kind, ())) for kind in ("claims", "checks"))
    return Study(
        name=name,
        command=str(raw.get("command") or f"study {name}"),
        title=str(raw.get("title", name)),
        question=str(raw.get("question", "")),
        data=str(raw.get("data", "")),
        form=str(raw.get("form", "")),
        seeds=int(raw.get("seeds", 0)),
        claims=claims,
        charts=tuple(map(_chart, raw.get("charts", ()))),
        notes=tuple(map(str, raw.get("notes", ()))),
        checks=checks,
    )


def _claim(raw: Mapping[str, Any], study: str, keys: set[str]) -> Claim:
    text, summary = str(raw["claim"]), str(raw.get("text", ""))
    verdict = str(raw["verdict"])
    if verdict not in VERDICTS:
        raise ValueError(f"verdict must be one of {', '.join(VERDICTS)}. Found {verdict[:40]!r}.")
    return Claim(
        key=_unused(f"{study}-{_slug(text)}", keys),
        study=study,
        theme=str(raw.get("theme") or theme_of(study)),
        text=text,
        source=str(raw.get("source", "")),
        verdict=verdict,
        measured=_number(raw.get("measured")),
        interval=_interval(raw.get("interval")),
        bound=_bound(raw.get("bound")),
        equivalence=_number(raw.get("equivalence")),
        unit=_unit(summary),
        seeds=int(raw.get("seeds") or 0),
        decided_by=int(raw["decided_by"]) if raw.get("decided_by") else None,
        repeats=_number(raw.get("repeats")),
        summary=summary,
        why=str(raw.get("why", "")),
        published=str(raw["published"]) if raw.get("published") else None,
        published_value=_number(raw.get("published_value")),
        for_method=bool(raw.get("for_method", True)),
        headline=str(raw["headline"]) if raw.get("headline") else None,
        see=_own_address(raw.get("see")),
    )


def _chart(raw: Mapping[str, Any]) -> Chart:
    return Chart(
        title=str(raw["title"]),
        x_label=str(raw.get("x_label", "")),
        y_label=str(raw.get("y_label", "")),
        x_labels=tuple(map(str, raw.get("x_labels") or ())),
        is_log=raw.get("x_scale") == "log",
        lines=tuple(map(_line, raw["lines"])),
    )


def _line(raw: Mapping[str, Any]) -> Line:
    mean, low, high = (tuple(map(_number, raw[name])) for name in ("mean", "low", "high"))
    return Line(label=str(raw["label"]), x=tuple(map(float, raw["x"])), mean=mean, low=low, high=high)


def _bound(raw: Any) -> Bound:
    """A pair of thresholds, None where there is none."""
    low, high = raw if isinstance(raw, list | tuple) and len(raw) == 2 else (None, None)
    return Bound(low=_number(low), high=_number(high))


def _unit(summary: str) -> str:
    """What the axis counts, from the sentence that says what was measured."""
    if "percentage points" in summary:
        return "percentage points"
    return "percent" if re.search(r"\bpercent\b|%", summary) else ""


def _interval(raw: Any) -> tuple[float, float] | None:
    if not isinstance(raw, list | tuple) or len(raw) != 2:
        return None
    low, high = map(_number, raw)
    return None if low is None or high is None else (low, high)


def _number(raw: Any) -> float | None:
    """A finite number, or None."""
    if isinstance(raw, bool) or not isinstance(raw, int | float) or not math.isfinite(raw):
        return None
    return float(raw)


def _own_address(raw: Any) -> str | None:
    """A path of this server, or None: evidence never links elsewhere."""
    return raw if isinstance(raw, str) and re.match(r"/(?!/)", raw) else None


def _slug(text: str) -> str:
    words = re.findall(r"[a-z0-9]+", text.lower())
    return "-".join(_leading(words, 60))


def _leading(words: list[str], most: int) -> Iterator[str]:
    """Whole words, `most` characters in all."""
    for word in words:
        most -= len(word) + 1
        if most < 0:
            return
        yield word


def _unused(key: str, keys: set[str]) -> str:
    """`key`, numbered where another claim has it."""
    free, number = key, 2
    while free in keys:
        free, number = f"{key}-{number}", number + 1
    keys.add(free)
    return free
