"""What all studies found, judged together: which results count, and every claim once.

A claim that the whole form measured is not shown in the smallest form beside it, and one on the full data not on the
embedded. The headline claims are one list under Holm, all others one list under Benjamini and Hochberg. Nothing here
knows the time or the machine: the same results give the same evidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from cdsp_core.studies import NAMES, load_study
from cdsp_core.studies.framework.preregistration import HEADLINE
from cdsp_core.studies.framework.results import combined_path, options_of, read_combined
from cdsp_core.studies.framework.rows_file import ResultsError
from cdsp_core.studies.framework.statistics import benjamini_hochberg, holm
from cdsp_core.studies.framework.study import Claim, Findings, Study, Theme
from cdsp_core.studies.framework.verdicts import adjusted, judged

NOT_MEASURED: Final = "not measured yet"


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """One finished study."""

    study: Study
    findings: Findings
    metadata: dict[str, Any]

    @property
    def on_full_data(self) -> bool:
        """Not on the data in the repository."""
        return bool(self.metadata["form"]["data"] == "full")

    @property
    def is_smallest(self) -> bool:
        """In the form that is too short to speak of levels."""
        return bool(self.metadata["form"]["smallest"])

    @property
    def name(self) -> str:
        """The study's name; another one on the full data, beside which the other may stand."""
        return f"{self.study.name}-full" if self.on_full_data else self.study.name

    @property
    def title(self) -> str:
        """The study's title, and whether its data are the full ones."""
        return f"{self.study.title}, full data" if self.on_full_data else self.study.title

    @property
    def form(self) -> str:
        """How large and on what, in two words."""
        return f"{'smallest' if self.is_smallest else 'whole'} form{', full data' if self.on_full_data else ''}"

    @property
    def waiting(self) -> int:
        """How many headline claims it promises and has no value of."""
        return sum(not claim.values for claim in self.findings.claims)

    @property
    def command(self) -> str:
        """What runs it, without the options for its size."""
        return f"study {self.study.name}{' --data full' if self.on_full_data else ''}"

    def theme_of(self, claim: Claim) -> Theme:
        """The claim's own theme, or its study's."""
        return claim.theme or self.study.theme


def gather(folders: Sequence[Path]) -> list[Evidence]:
    """Every finished study in these results folders, in the order of the names, then of the folders, judged together.

    Raises ResultsError when there is none.
    """
    found = []
    for name in NAMES:
        for path in (combined_path(folder, name) for folder in folders):
            if path.exists():
                rows, metadata = read_combined(path)
                this = load_study(name)
                found.append(Evidence(study=this, findings=this.find(rows, options_of(metadata)), metadata=metadata))
    if not found:
        searched = " or ".join(map(str, folders))
        raise ResultsError(
            f"{searched} must hold a finished study. Found none; run python -m cdsp_core study NAME first."
        )
    return judged_together(found)


def judged_together(found: Sequence[Evidence]) -> list[Evidence]:
    """The same without what a larger form supersedes, and with p-values adjusted over all claims.

    A headline claim is promised and stays also where nothing was measured of it yet; any other has then nothing to be
    judged by, and is left out.
    """
    current = _each_claim_once([_measured(each) for each in found if not _superseded(each, found)])
    claims = [(number, claim) for number, each in enumerate(current) for claim in each.findings.claims]
    kept: dict[int, list[Claim]] = {number: [] for number in range(len(current))}
    headline = iter(adjusted([claim for _, claim in claims if claim.headline], holm))
    others = iter(adjusted([claim for _, claim in claims if not claim.headline], benjamini_hochberg))
    for number, claim in claims:
        kept[number].append(next(headline if claim.headline else others))
    return [replace(each, findings=replace(each.findings, claims=kept[number])) for number, each in enumerate(current)]


def headline_of(gathered: Sequence[Evidence]) -> list[tuple[Claim, str]]:
    """The twelve headline claims in their order, each with its form in words; undecided where nobody measured it."""
    there = {claim.headline: (claim, each.form) for each in gathered for claim in each.findings.claims}
    return [
        there.get(promise.name)
        or (
            judged(
                {},
                claim=promise.claim,
                source=promise.source,
                what=promise.measure,
                above=promise.above,
                within=promise.within,
                equivalence=promise.equivalence,
                published=promise.published,
                published_value=promise.published_value,
                theme=promise.theme,
                headline=promise.name,
            ),
            NOT_MEASURED,
        )
        for promise in HEADLINE
    ]


def _measured(this: Evidence) -> Evidence:
    claims = [claim for claim in this.findings.claims if claim.headline or claim.values]
    return replace(this, findings=replace(this.findings, claims=claims))


def _superseded(this: Evidence, found: Sequence[Evidence]) -> bool:
    return this.is_smallest and any(
        other.study.name == this.study.name and other.on_full_data == this.on_full_data and not other.is_smallest
        for other in found
    )


def _each_claim_once(found: Sequence[Evidence]) -> list[Evidence]:
    """Of claims in the same words, or in two studies of the same values under the same threshold, one.

    A headline claim first, then the one on the largest data and in the largest form: studies that share trainings ask
    the same of them, in words of their own.
    """
    order = sorted(
        ((number, at) for number, each in enumerate(found) for at in range(len(each.findings.claims))),
        key=lambda place: (
            found[place[0]].findings.claims[place[1]].headline is None,
            not found[place[0]].on_full_data,
            found[place[0]].is_smallest,
        ),
    )
    first_in_words: dict[str, int] = {}
    first_of_values: dict[object, int] = {}
    kept: set[tuple[int, int]] = set()
    for number, at in order:
        claim = found[number].findings.claims[at]
        in_words = first_in_words.setdefault(claim.claim, number)
        varies = len(set(claim.values)) > 1  # else two may be the same by chance
        of_values = first_of_values.setdefault((claim.values, claim.bound), number) if varies else number
        if in_words == of_values == number:
            kept.add((number, at))
    return [
        replace(
            each,
            findings=replace(
                each.findings, claims=[claim for at, claim in enumerate(each.findings.claims) if (number, at) in kept]
            ),
        )
        for number, each in enumerate(found)
    ]
