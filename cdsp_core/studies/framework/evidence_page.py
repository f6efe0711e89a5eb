"""evidence.json: what the page Claims reads, with every field named once."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from cdsp_core.studies.framework import causal, coverage, repetition
from cdsp_core.studies.framework.evidence import NOT_MEASURED, Evidence, headline_of
from cdsp_core.studies.framework.evidence_sections import VERDICTS
from cdsp_core.studies.framework.evidence_text import CAVEAT, first_page
from cdsp_core.studies.framework.preregistration import digest
from cdsp_core.studies.framework.study import Chart, Claim, Table, Theme

FORMAT: Final = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class ClaimOnPage:
    """A claim; null where a number has no value."""

    claim: str
    source: str
    origin: str
    """paper, program, memo or project"""
    published: str | None
    published_value: float | None
    """the published figure in the unit of `estimate`"""
    verdict: str
    """holds, fails, no effect or undecided"""
    theme: str | None
    for_method: bool
    """whether `holds` speaks for the method"""
    headline: str | None
    """H1 to H12"""
    bound: list[float | None]
    """the claim says: between these; null is no bound"""
    equivalence: float | None
    """within this of the lower bound is no effect"""
    text: str
    """what was measured, one sentence"""
    measured: float | None
    """the same as `estimate`; older pages read it"""
    estimate: float | None
    interval: list[float | None]
    """95 % Student-t"""
    values: list[float | None]
    """one a seed"""
    seeds: int
    form: str | None
    """e.g. `whole form, full data`"""
    probability: float | None
    adjusted: float | None
    """p-value before and after the adjustment for the other claims"""
    sign_probability: float | None
    decided_by: int | None
    """seeds that would decide an undecided claim"""
    repeats: float | None
    """chance that as many other seeds give a decided claim the same verdict"""
    why: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ThemeOnPage:
    """How the claims of a theme stand."""

    theme: str
    verdicts: dict[str, int]
    claims: list[str]
    """their sentences, which name them"""


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyOnPage:
    """A study with its claims and charts."""

    study: str
    command: str
    title: str
    question: str
    data: str
    form: str
    """smallest or whole"""
    seeds: int
    claims: list[ClaimOnPage]
    checks: list[ClaimOnPage]
    """what must be so if program and measures are right; counted with no claims"""
    charts: list[dict[str, Any]]
    notes: list[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class TableOnPage:
    """Words in columns; every row is as long as `columns`."""

    columns: list[str]
    rows: list[list[str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class EvidenceOnPage:
    """The whole file."""

    format: int
    caveat: str
    preregistration: str
    """SHA-256 of docs/preregistration.md"""
    summary: list[str]
    """three sentences"""
    causal: list[str]
    """what the causal test says, a paragraph for each set of rules"""
    causal_table: TableOnPage | None
    """the numbers that the causal test is judged by"""
    repetition: list[str]
    """what came of repeating the studies with other seeds"""
    repetition_table: TableOnPage | None
    """the claims whose verdict changed"""
    headline: list[ClaimOnPage]
    themes: list[ThemeOnPage]
    coverage: list[dict[str, Any]]
    """every claim and idea of the paper and its surroundings, and where it is measured, or why not"""
    studies: list[StudyOnPage]


def evidence_json(gathered: Sequence[Evidence], again: Sequence[Evidence] = ()) -> str:
    """The file. `again`: the repetition with other seeds."""
    content = EvidenceOnPage(
        format=FORMAT,
        caveat=CAVEAT,
        preregistration=digest(),
        summary=first_page(gathered),
        causal=causal.conclusion(gathered),
        causal_table=_table(causal.table(gathered)),
        repetition=repetition.paragraphs(gathered, again),
        repetition_table=_table(repetition.changed_table(repetition.changed(gathered, again))),
        headline=[
            claim_on_page(claim, form=None if form == NOT_MEASURED else form) for claim, form in headline_of(gathered)
        ],
        themes=_themes(gathered),
        coverage=[asdict(row) for row in coverage.ROWS],
        studies=[_study(evidence) for evidence in gathered],
    )
    return json.dumps(asdict(content), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def claim_json(claim: Claim) -> dict[str, Any]:
    """A claim on the wire, of a study that stands alone."""
    return asdict(claim_on_page(claim))


def claim_on_page(claim: Claim, *, theme: Theme | None = None, form: str | None = None) -> ClaimOnPage:
    """A claim as the page reads it."""
    return ClaimOnPage(
        claim=claim.claim,
        source=claim.source,
        origin=claim.origin,
        published=claim.published,
        published_value=claim.published_value,
        verdict=claim.verdict,
        theme=claim.theme or theme,
        for_method=claim.for_method,
        headline=claim.headline,
        bound=[_number(end) for end in claim.bound],
        equivalence=claim.equivalence,
        text=claim.measured,
        measured=_number(claim.value),
        estimate=_number(claim.value),
        interval=[_number(end) for end in claim.interval],
        values=[_number(value) for value in claim.values],
        seeds=claim.seeds,
        form=form,
        probability=_number(claim.probability),
        adjusted=None if claim.adjusted is None else _number(claim.adjusted),
        sign_probability=None if claim.sign_probability is None else _number(claim.sign_probability),
        decided_by=claim.decided_by,
        repeats=None if (chance := repetition.chance_to_repeat(claim)) is None else round(chance, 2),
        why=claim.why,
    )


def _study(evidence: Evidence) -> StudyOnPage:
    def on_page(claim: Claim) -> ClaimOnPage:
        return claim_on_page(claim, theme=evidence.theme_of(claim), form=evidence.form)

    return StudyOnPage(
        study=evidence.name,
        command=evidence.command,
        title=evidence.title,
        question=evidence.study.question,
        data=evidence.metadata["data"],
        form="smallest" if evidence.is_smallest else "whole",
        seeds=evidence.metadata["seeds"],
        claims=[on_page(claim) for claim in evidence.findings.claims],
        checks=[on_page(claim) for claim in evidence.findings.checks],
        charts=[_chart_json(chart) for chart in evidence.findings.charts],
        notes=list(evidence.findings.notes),
    )


def _themes(gathered: Sequence[Evidence]) -> list[ThemeOnPage]:
    by_theme: dict[str, list[Claim]] = {}
    for each in gathered:
        for claim in each.findings.claims:
            by_theme.setdefault(each.theme_of(claim), []).append(claim)
    return [
        ThemeOnPage(
            theme=theme,
            verdicts={verdict: Counter(claim.verdict for claim in claims)[verdict] for verdict in VERDICTS},
            claims=[claim.claim for claim in claims],
        )
        for theme, claims in sorted(by_theme.items())
    ]


def _table(table: Table | None) -> TableOnPage | None:
    return TableOnPage(columns=list(table.columns), rows=[list(row) for row in table.rows]) if table else None


def _chart_json(chart: Chart) -> dict[str, Any]:
    return {
        "title": chart.title,
        "x_label": chart.x_label,
        "y_label": chart.y_label,
        "x_labels": list(chart.x_labels),
        "x_scale": chart.x_scale,
        "lines": [
            {
                "label": line.label,
                **{name: [_number(value) for value in getattr(line, name)] for name in ("x", "mean", "low", "high")},
            }
            for line in chart.lines
        ],
    }


def _number(value: float) -> float | None:
    """Five digits are enough for a page; JSON has no NaN."""
    return float(f"{value:.5g}") if math.isfinite(value) else None
