"""The studies of docs/preregistration.md once more with other seeds: which verdicts came out the same.

A claim counts where the first time decided it. Nothing is chosen after the fact: every such claim of every repeated
study is compared, and those whose verdict changed are named.

`chance_to_repeat` says beforehand how often that is to be expected. A claim that just passes its bound passes it again
in half of the repetitions only (Goodman, Statistics in Medicine 11, 1992).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from cdsp_core.studies.framework.evidence import Evidence, headline_of
from cdsp_core.studies.framework.numbers import in_short
from cdsp_core.studies.framework.sequential import LEVEL, level_at_look, look_of
from cdsp_core.studies.framework.statistics import interval
from cdsp_core.studies.framework.study import Claim, Table

STUDIES: Final = ("headline", "p-drop", "lr-ratio", "conflict-necessity")
"""named in docs/preregistration.md before they were repeated"""
ASKED: Final = 0.95
"""share of the decided claims that are to have the same verdict"""
DRAWS: Final = 20_000


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
    asked, share = f"{100 * ASKED:.0f} %", f"{100 * same / len(pairs):.0f} %"
    met = "as asked" if same >= ASKED * len(pairs) else f"fewer than the {asked} asked"
    chances = [(chance_to_repeat(pair.first) or 0.0, pair.is_same) for pair in pairs]
    sure = [is_same for chance, is_same in chances if chance >= ASKED]
    said = (
        f"Studies {', '.join(dict.fromkeys(pair.study for pair in pairs))} once more with seeds {' and '.join(seeds)}, "
        f"judged alike: of {len(pairs)} decided claims {same} have the same verdict ({share}, {met}); "
        f"{opposite or 'none'} turned from holds to fails or back."
    )
    mean = sum(chance for chance, _ in chances)
    spread = math.sqrt(sum(chance * (1.0 - chance) for chance, _ in chances))
    expected = (
        f"The means and spreads of the first seeds let one expect {mean:.1f} of {len(pairs)} (worked out afterwards; "
        f"±{spread:.1f} were the claims independent), since a claim that just passes its bound passes it again half of "
        f"the time. Of {len(sure)} claims with a chance of {asked} or more {sum(sure)} have the same verdict."
    )
    return [said, expected]


def changed(first: Sequence[Evidence], again: Sequence[Evidence]) -> list[Repetition]:
    """Those that have another verdict with the other seeds, the headline claims first."""
    return sorted(
        (pair for pair in repeated(first, again) if not pair.is_same), key=lambda pair: pair.first.headline is None
    )


def changed_table(pairs: Sequence[Repetition]) -> Table | None:
    """What each was with the first seeds and with the others; None of nothing."""
    rows = [(_name(pair.first), _cell(pair.first), _cell(pair.again)) for pair in pairs]
    return Table(title="", columns=("verdict changed", "first seeds", "other seeds"), rows=rows) if rows else None


def chance_to_repeat(claim: Claim) -> float | None:
    """The chance that as many other seeds give a decided claim the same verdict, the others of its list as they are.

    Of true mean and spread no more is taken for known than its values tell: both are drawn from what Student's t
    leaves possible (a flat prior), then as many new seeds. It is too high by as much as the claim was lucky to be
    decided. None for a claim that is undecided or of one seed.
    """
    if claim.verdict == "undecided" or len(claim.values) < 2:
        return None
    from scipy.special import stdtr

    seeds, mean = len(claim.values), float(np.mean(claim.values))
    spread = float(np.std(claim.values, ddof=1))
    if spread == 0.0:
        return 1.0
    draw, freedom = np.random.default_rng(0), seeds - 1
    true_spread_N = spread * np.sqrt(freedom / draw.chisquare(freedom, DRAWS))
    mean_N = mean + true_spread_N * math.sqrt(2.0 / seeds) * draw.standard_normal(DRAWS)
    error_N = true_spread_N * np.sqrt(draw.chisquare(freedom, DRAWS) / freedom / seeds)

    def probability(bound: float) -> np.ndarray[Any, Any]:
        found: np.ndarray[Any, Any] = 2.0 * stdtr(freedom, -np.abs(mean_N - bound) / error_N)
        return found

    low, high = claim.bound
    near_N = np.zeros(DRAWS, dtype=bool)
    near_probability_N = np.ones(DRAWS)
    if claim.equivalence is not None:
        near_probability_N = np.maximum(probability(low - claim.equivalence), probability(low + claim.equivalence))
        near_N = (np.abs(mean_N - low) < claim.equivalence) & (near_probability_N < LEVEL)
    level = _level_left(claim)
    is_inside_N = (low < mean_N) & (mean_N < high)
    ends = [probability(end) for end in (low, high) if math.isfinite(end)]
    nearest_N = ends[0] if len(ends) == 1 else np.where(mean_N <= low, ends[0], ends[1])
    same_N = {
        "no effect": near_N & (near_probability_N < level),
        "holds": ~near_N & is_inside_N & (np.max(ends, axis=0) < level),
        "fails": ~near_N & ~is_inside_N & (nearest_N < level),
    }[claim.verdict]
    return float(same_N.mean())


def _level_left(claim: Claim) -> float:
    """The p-value of one look below which this claim is decided: its list's level, 5 % without a list, and of a
    headline claim what is left of that at its look.
    """
    level = LEVEL if claim.level is None else claim.level
    look = look_of(len(claim.values)) if claim.headline else None
    return level if look is None else level_at_look(level, look)


def headline_table(first: Sequence[Evidence], again: Sequence[Evidence]) -> Table:
    """The twelve claims by the other seeds, and by all of them together, which no rule judges."""
    rows = []
    for (claim, _), (other, _) in zip(headline_of(first), headline_of(again), strict=True):
        rows.append((claim.headline or "", _cell(other), _together(claim, other)))
    return Table(title="", columns=("", "other seeds", "together"), rows=rows)


def _together(first: Claim, again: Claim) -> str:
    values = [*first.values, *again.values]
    if not values:
        return "–"
    mean, low, high = interval(values)
    return f"{mean:.3g} [{low:.3g}, {high:.3g}]"


def _cell(claim: Claim) -> str:
    return f"{in_short(claim)} {claim.verdict}" if claim.values else "–"


def _name(claim: Claim) -> str:
    sentence = claim.claim.removesuffix(".")
    return f"{claim.headline}: {sentence}" if claim.headline else sentence


def _seeds(each: Evidence) -> str:
    seeds = sorted({job["seed"] for job in each.metadata["jobs"].values()})
    return f"{seeds[0]} to {seeds[-1]}"
