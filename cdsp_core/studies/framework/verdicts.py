"""From one value a seed to a claim's verdict, by a rule that is fixed before anything is measured."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from cdsp_core.studies.framework.sequential import LEVEL, LOOKS, look_of, repeated_probability
from cdsp_core.studies.framework.statistics import (
    estimate,
    interval,
    seeds_to_decide,
    sign_probability,
    t_probability,
)
from cdsp_core.studies.framework.study import Claim, Line, Row, Table, Theme, Value, Verdict

_HALVINGS: Final = 30
HEADLINES: Final = 12
"""how many claims docs/preregistration.md names"""
LAMBDA_0_NOTE = "Lambda also multiplies the two small regularisers of A, so with lambda 0 these are gone too."


def judged(
    value_of_seed: Mapping[int, float],
    *,
    claim: str,
    source: str,
    what: str,
    above: float | None = None,
    within: tuple[float, float] | None = None,
    equivalence: float | None = None,
    published: str | None = None,
    published_value: float | None = None,
    reason: str = "",
    cause: str = "",
    for_method: bool = True,
    theme: Theme | None = None,
    headline: str | None = None,
) -> Claim:
    """The claim that a value lies above a threshold, or within two bounds.

    A difference smaller than `equivalence` counts as none, on whichever side of the threshold it lies. A headline
    claim is judged on the first 3, 6 or 10 seeds, at O'Brien and Fleming's bounds, other claims once on all seeds.

    Args:
        value_of_seed: what was measured, one number a seed; numbers that are not finite have no value and are left out.
        what: the name and unit of the value, for people; it begins a sentence.
        above: the threshold; or
        within: lower and upper bound.
        equivalence: distance from the threshold within which a difference is no effect.
        reason: what was measured beside it or belongs to the rule, in whole sentences; said whatever the verdict is.
        cause: why the claim does not hold, in whole sentences; said only then.
        headline: its name in docs/preregistration.md.

    Raises ValueError unless exactly one of `above` and `within` is given.
    """
    if (above is None) == (within is None):
        raise ValueError(f"exactly one of above and within must be given. Found {above} and {within}.")
    bound = within if within is not None else (above if above is not None else math.nan, math.inf)
    values = [value_of_seed[seed] for seed in sorted(value_of_seed) if math.isfinite(value_of_seed[seed])]
    without = len(value_of_seed) - len(values)
    look = look_of(len(values)) if headline else None
    values = values[:look]
    mean, low, high = interval(values) if values else (math.nan, math.nan, math.nan)
    verdict, probability = decided(values, bound, equivalence)
    if headline:
        probability = repeated_probability(probability, look) if look else math.nan
    if not probability < LEVEL:
        verdict = "undecided"
    band = f" [{low:.3f}, {high:.3f}]" if math.isfinite(low) else " without an interval"
    found = f"{mean:.3f}{band}, {_seeds(len(values))}" if values else "no value"
    return Claim(
        claim=claim,
        source=source,
        published=published,
        published_value=published_value,
        measured=f"{what}: {found if value_of_seed else 'not measured yet'}"
        + (f"; {_seeds(without)} without a value." if without else "."),
        value=mean,
        interval=(low, high),
        seeds=len(values),
        verdict=verdict,
        why=" ".join(filter(None, (_rule(bound, equivalence), reason, cause if verdict != "holds" else ""))),
        bound=bound,
        equivalence=equivalence,
        probability=probability,
        sign_probability=sign_probability(values, bound[0]) if values else None,
        decided_by=_needed(values, bound, equivalence, headline) if verdict == "undecided" else None,
        for_method=for_method,
        theme=theme,
        headline=headline,
        values=tuple(values),
    )


def adjusted(claims: Sequence[Claim], adjust: Callable[[Sequence[float]], list[float]]) -> list[Claim]:
    """These claims as one list: each has its adjusted p-value, and is undecided where that is 5 % or more."""
    raw = [claim.probability for claim in claims]
    return [
        replace(claim, adjusted=probability, level=_level_in(raw, at, adjust))
        if probability < LEVEL or claim.verdict == "undecided"
        else replace(
            claim,
            adjusted=probability,
            verdict="undecided",
            decided_by=_needed_after_adjusting(claim, claims=len(claims)),
        )
        for at, (claim, probability) in enumerate(zip(claims, adjust(raw), strict=True))
    ]


def _level_in(
    probabilities: Sequence[float], at: int, adjust: Callable[[Sequence[float]], list[float]]
) -> float | None:
    """The p-value below which this one is decided in its list, the others as they are; None where it is not now.

    Its own adjusted p-value does not tell: of a claim that is surer than others it is by a stricter step of Holm's or
    of Benjamini and Hochberg's than the last one that the list would let it pass by.
    """
    with_it = list(probabilities)

    def passes(probability: float) -> bool:
        with_it[at] = probability
        return adjust(with_it)[at] < LEVEL

    if not passes(probabilities[at]):
        return None
    low, high = probabilities[at], LEVEL
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        low, high = (middle, high) if passes(middle) else (low, middle)
    return high


def _needed_after_adjusting(claim: Claim, *, claims: int) -> int | None:
    """More seeds than there are, or for a headline claim its next look: with so many alone it would be decided now."""
    if claim.headline is not None:
        return _needed(claim.values, claim.bound, claim.equivalence, claim.headline)
    needed = _seeds_needed(claim.values, claim.bound, claim.equivalence, level=LEVEL / claims)
    return needed and max(needed, claim.seeds + 1)


def decided(values: Sequence[float], bound: tuple[float, float], equivalence: float | None) -> tuple[Verdict, float]:
    """The verdict nearest to these values, and its two-sided p-value: its 95 % interval says it where that is < 5 %."""
    if len(values) < 2:
        return "undecided", math.nan
    mean = sum(values) / len(values)
    low, high = bound
    sure = {end: t_probability(values, end) for end in bound if math.isfinite(end)}
    if equivalence is not None:
        near = max(t_probability(values, low - equivalence), t_probability(values, low + equivalence))
        if abs(mean - low) < equivalence and near < LEVEL:
            return "no effect", near
    if low < mean < high:
        return "holds", max(sure.values())
    return "fails", sure[low] if mean <= low else sure[high]


def _needed(
    values: Sequence[float], bound: tuple[float, float], equivalence: float | None, headline: str | None
) -> int | None:
    """Seeds that would decide; for a headline claim at Holm's strictest step, and not before its next look."""
    if headline is None:
        return _seeds_needed(values, bound, equivalence)
    needed = _seeds_needed(values, bound, equivalence, level=LEVEL / HEADLINES)
    later = next((look for look in LOOKS if look > len(values)), len(values) + 1)
    return needed and max(needed, later)


def _seeds_needed(
    values: Sequence[float], bound: tuple[float, float], equivalence: float | None, *, level: float = LEVEL
) -> int | None:
    if not values:
        return None
    mean = sum(values) / len(values)
    nearest = min((end for end in bound if math.isfinite(end)), key=lambda end: abs(end - mean))
    return seeds_to_decide(values, bound=nearest, equivalence=equivalence, level=level)


def _rule(bound: tuple[float, float], equivalence: float | None) -> str:
    low, high = bound
    if math.isfinite(high):
        return f"Holds between {low:g} and {high:g}, fails outside."
    return f"Holds above {low:g}, fails below" + (
        f"; no effect within {equivalence:g} of it." if equivalence is not None else "."
    )


def by_seed(rows: Sequence[Row], column: str, **where: str | int | float | bool) -> dict[int, float]:
    """One number a seed: the mean of a column over the seed's rows that have these values; None counts as NaN."""
    found: dict[int, list[float]] = {}
    for row in _having(rows, where):
        value = row[column]
        found.setdefault(int(row["seed"] or 0), []).append(math.nan if value is None else float(value))
    return {seed: _mean(values) for seed, values in found.items()}


def difference(first: Mapping[int, float], second: Mapping[int, float]) -> dict[int, float]:
    """First minus second, seed by seed, over the seeds that both have."""
    return {seed: first[seed] - second[seed] for seed in first if seed in second}


def curve(rows: Sequence[Row], label: str, *, x: str, y: str, **where: str | int | float | bool) -> Line:
    """Mean and band of column y over seeds, of the rows that have these values, where x and y have a value."""
    values: dict[float, list[float]] = {}
    for row in _having(rows, where):
        place, value = row.get(x), row.get(y)
        if place is not None and value is not None and math.isfinite(float(value)):
            values.setdefault(float(place), []).append(float(value))
    places = sorted(values)
    bands = [interval(values[place]) for place in places]
    return Line(
        label=label,
        x=places,
        mean=[mean for mean, _, _ in bands],
        low=[low for _, low, _ in bands],
        high=[high for _, _, high in bands],
    )


def means_table(title: str, rows: Sequence[Row], *, by: Sequence[str], of: Sequence[str]) -> Table:
    """Mean over seeds, with interval, of the columns `of`; one line for every combination of the columns `by`."""
    kinds = dict.fromkeys(tuple(row[name] for name in by) for row in rows)
    lines = []
    for kind in kinds:
        same = [row for row in rows if tuple(row[name] for name in by) == kind]
        lines.append([*map(str, kind), *(estimate(list(by_seed(same, name).values())) for name in of)])
    return Table(title=title, columns=(*by, *of), rows=lines)


def mean_over_seeds(value_of_seed: Mapping[int, float]) -> float:
    """Mean of the finite values; NaN without one."""
    return _mean(list(value_of_seed.values()))


def _having(rows: Sequence[Row], where: Mapping[str, Value]) -> Sequence[Row]:
    """The rows that have all of these values; a pass a value is faster than asking each row for all."""
    for name, value in where.items():
        rows = [row for row in rows if row.get(name) == value]
    return rows


def _mean(values: Sequence[float]) -> float:
    finite = [value for value in values if math.isfinite(value)]
    return sum(finite) / len(finite) if finite else math.nan


def _seeds(count: int) -> str:
    return "1 seed" if count == 1 else f"{count} seeds"
