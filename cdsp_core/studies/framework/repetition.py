"""The studies of docs/preregistration.md once more with other seeds: which verdicts came out the same.

A claim counts where the first time decided it. Nothing is chosen after the fact: every such claim of every repeated
study is compared, and those whose verdict changed are named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cdsp_core.studies.framework.evidence import Evidence, headline_of
from cdsp_core.studies.framework.numbers import in_short
from cdsp_core.studies.framework.statistics import interval
from cdsp_core.studies.framework.study import Claim, Table

STUDIES: Final = ("headline", "p-drop", "lr-ratio", "conflict-necessity")
"""named in docs/preregistration.md before they were repeated"""
ASKED: Final = 0.95
"""share of the decided claims that are to have the same verdict"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Repetition:
    """A claim that was decided, and the same measured with other seeds."""

    study: str
    first: Claim
    again: Claim

    @property
    def is_same(self) -> bool:
        """Whether both have one verdict."""
        return self.first.verdict == self.again.verdict

    @property
    def is_opposite(self) -> bool:
        """Whether one holds where the other fails."""
        return {self.first.verdict, self.again.verdict} == {"holds", "fails"}


def repeated(first: Sequence[Evidence], again: Sequence[Evidence]) -> list[Repetition]:
    """Every claim of the repeated studies that the first time decided, beside its repetition."""
    found_again = {
        (each.study.name, claim.claim): claim for each in again for claim in each.findings.claims if claim.values
    }
    return [
        Repetition(study=each.study.name, first=claim, again=found_again[each.study.name, claim.claim])
        for each in first
        if each.study.name in STUDIES
        for claim in each.findings.claims
        if claim.verdict != "undecided" and (each.study.name, claim.claim) in found_again
    ]


def paragraphs(first: Sequence[Evidence], again: Sequence[Evidence]) -> list[str]:
    """What came of it, in words; nothing where no study was repeated."""
    pairs = repeated(first, again)
    if not pairs:
        return []
    same = sum(pair.is_same for pair in pairs)
    opposite = sum(pair.is_opposite for pair in pairs)
    seeds = sorted({_seeds(each) for each in again if each.study.name in {pair.study for pair in pairs}})
    met = "as asked" if same >= ASKED * len(pairs) else f"fewer than the {ASKED:.0%} asked"
    changed = [_changed(pair) for pair in pairs if not pair.is_same]
    said = (
        f"Studies {', '.join(dict.fromkeys(pair.study for pair in pairs))} once more with seeds {' and '.join(seeds)}, "
        f"judged alike: of {len(pairs)} decided claims {same} have the same verdict ({same / len(pairs):.0%}, {met}); "
        f"{opposite or 'none'} turned from holds to fails or back."
    )
    return [said, *([f"Changed: {'; '.join(changed)}."] if changed else [])]


def headline_table(first: Sequence[Evidence], again: Sequence[Evidence]) -> Table:
    """The twelve claims by the first seeds, by the others, and by all of them together, which no rule judges."""
    rows = []
    for (claim, _), (other, _) in zip(headline_of(first), headline_of(again), strict=True):
        rows.append((claim.headline or "", _cell(claim), _cell(other), _together(claim, other)))
    return Table(title="", columns=("", "first seeds", "other seeds", "together"), rows=rows)


def _together(first: Claim, again: Claim) -> str:
    values = [*first.values, *again.values]
    if not values:
        return "–"
    mean, low, high = interval(values)
    return f"{mean:.3g} [{low:.3g}, {high:.3g}]"


def _cell(claim: Claim) -> str:
    return f"{in_short(claim)} {claim.verdict}" if claim.values else "–"


def _changed(pair: Repetition) -> str:
    name = pair.first.headline or f"“{pair.first.claim.removesuffix('.')}”"
    return f"{name} {pair.first.verdict} {in_short(pair.first)}, then {pair.again.verdict} {in_short(pair.again)}"


def _seeds(each: Evidence) -> str:
    seeds = sorted({job["seed"] for job in each.metadata["jobs"].values()})
    return f"{seeds[0]} to {seeds[-1]}"
