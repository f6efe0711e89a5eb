"""From one value a seed to a claim's verdict, by a rule that is fixed before anything is measured."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from cdsp_core.studies.framework.statistics import estimate, interval
from cdsp_core.studies.framework.study import Claim, Line, Row, Table, Value, Verdict

LAMBDA_0_NOTE = "Lambda also multiplies the two small regularisers of A, so with lambda 0 these are gone too."


def judged(
    value_of_seed: Mapping[int, float],
    *,
    claim: str,
    source: str,
    what: str,
    above: float | None = None,
    within: tuple[float, float] | None = None,
    published: str | None = None,
    reason: str = "",
    cause: str = "",
) -> Claim:
    """The claim that a value lies above a threshold, or within two bounds.

    Args:
        value_of_seed: what was measured, one number a seed; numbers that are not finite have no value and are left out.
        what: the name and unit of the value, for people; it begins a sentence.
        above: the threshold; or
        within: lower and upper bound.
        reason: what was measured beside it or belongs to the rule, in whole sentences; said whatever the verdict is.
        cause: why the claim does not hold, in whole sentences; said only then.

    Raises ValueError unless exactly one of `above` and `within` is given.
    """
    if (above is None) == (within is None):
        raise ValueError(f"exactly one of above and within must be given. Found {above} and {within}.")
    low_bound, high_bound = within if within is not None else (above, math.inf)
    assert low_bound is not None
    side, other = f"above {low_bound:g}", f"below {low_bound:g}"
    if within is not None:
        side, other = f"between {low_bound:g} and {high_bound:g}", "on one side of that"
    values = [value for value in value_of_seed.values() if math.isfinite(value)]
    mean, low, high = interval(values) if values else (math.nan, math.nan, math.nan)
    verdict: Verdict = "mixed"
    if low > low_bound and high < high_bound:
        verdict = "holds"
    elif high < low_bound or low > high_bound:
        verdict = "fails"
    without = len(value_of_seed) - len(values)
    band = f" [{low:.3f}, {high:.3f}]" if math.isfinite(low) else " without an interval"
    return Claim(
        claim=claim,
        source=source,
        published=published,
        measured=f"{what}: {mean:.3f}{band}, {_seeds(len(values))}"
        + (f"; {_seeds(without)} without a value." if without else "."),
        value=mean,
        interval=(low, high),
        seeds=len(values),
        verdict=verdict,
        why=" ".join(filter(None, (_rule(side, other), reason, cause if verdict != "holds" else ""))),
    )


def _rule(side: str, other: str) -> str:
    return f"Holds when the whole interval lies {side}, fails when it lies {other}, otherwise mixed."


def by_seed(rows: Sequence[Row], column: str, **where: str | int | float | bool) -> dict[int, float]:
    """One number a seed: the mean of a column over the seed's rows that have these values; None counts as NaN."""
    found: dict[int, list[float]] = {}
    for row in rows:
        if _has(row, where):
            value = row[column]
            found.setdefault(int(row["seed"] or 0), []).append(math.nan if value is None else float(value))
    return {seed: _mean(values) for seed, values in found.items()}


def difference(first: Mapping[int, float], second: Mapping[int, float]) -> dict[int, float]:
    """First minus second, seed by seed, over the seeds that both have."""
    return {seed: first[seed] - second[seed] for seed in first if seed in second}


def curve(rows: Sequence[Row], label: str, *, x: str, y: str, **where: str | int | float | bool) -> Line:
    """Mean and band of column y over seeds, of the rows that have these values, where x and y have a value."""
    values: dict[float, list[float]] = {}
    for row in rows:
        place, value = row.get(x), row.get(y)
        if place is not None and value is not None and _has(row, where) and math.isfinite(float(value)):
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


def _has(row: Row, where: Mapping[str, Value]) -> bool:
    return all(row.get(name) == value for name, value in where.items())


def _mean(values: Sequence[float]) -> float:
    finite = [value for value in values if math.isfinite(value)]
    return sum(finite) / len(finite) if finite else math.nan


def _seeds(count: int) -> str:
    return "1 seed" if count == 1 else f"{count} seeds"
