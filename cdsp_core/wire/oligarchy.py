"""A rule for "oligarchy": which number of sigma(A) tells that the conflict game acts, and how often it errs.

The candidates stand here in the order in which they were written down, before any run was looked at.
`cdsp_core/studies/framework/oligarchy.py` chooses one of them, with its threshold, on ten seeds and tests it on ten
others; what it found is `oligarchy.json` beside this file, which the page tells by. Imports no torch.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np

from cdsp_core.wire.frames import Array

FOUND: Final = Path(__file__).with_name("oligarchy.json")
CUT_BELOW: Final = 0.1
STRONG_ABOVE: Final = 0.8


def own_gini(connection_EP: Array) -> float:
    """Gini coefficient of the diagonal."""
    return _gini(np.diagonal(connection_EP))


def held_gini(connection_EP: Array) -> float:
    """Gini coefficient of what the experts hold in all: the rows' sums."""
    return _gini(connection_EP.sum(axis=1))


def own_strong(connection_EP: Array) -> float:
    """Share of the experts whose own block is above 0.8."""
    return float((np.diagonal(connection_EP) > STRONG_ABOVE).mean())


def own_above_half(connection_EP: Array) -> float:
    """Share of the experts whose own block is above 0.5."""
    return float((np.diagonal(connection_EP) > 0.5).mean())


def own_lead(connection_EP: Array) -> float:
    """Mean of the diagonal minus mean of all other entries."""
    is_own = np.eye(len(connection_EP), dtype=bool)
    return float(connection_EP[is_own].mean() - connection_EP[~is_own].mean())


def link_gini(connection_EP: Array) -> float:
    """Gini coefficient of all entries."""
    return _gini(connection_EP.ravel())


def share_cut(connection_EP: Array) -> float:
    """Share of all entries below 0.1 (Eq. 18)."""
    return float((connection_EP < CUT_BELOW).mean())


def crossing(connection_EP: Array) -> float:
    """Share of the links to blocks of others that are not cut."""
    return float((connection_EP[~np.eye(len(connection_EP), dtype=bool)] >= CUT_BELOW).mean())


def widest_gap(connection_EP: Array) -> float:
    """Largest entry minus smallest."""
    return float(connection_EP.max() - connection_EP.min())


CANDIDATES: Final[dict[str, Callable[[Array], float]]] = {
    measure.__name__: measure
    for measure in (
        own_gini,
        held_gini,
        own_strong,
        own_above_half,
        own_lead,
        link_gini,
        share_cut,
        crossing,
        widest_gap,
    )
}
"""by name: a number of one layer's sigma(A) [E, P] with P = E"""
IN_WORDS: Final = {
    "own_gini": "Inequality of what experts keep of their own blocks (Gini)",
    "held_gini": "Inequality of what experts hold in all (Gini)",
    "own_strong": "Share of the experts that keep over .80 of their own block",
    "own_above_half": "Share of the experts that keep over half of their own block",
    "own_lead": "Lead of own blocks over others'",
    "link_gini": "Inequality of all links (Gini)",
    "share_cut": "Share of the links that are cut",
    "crossing": "Share of the links to others' blocks that are left",
    "widest_gap": "Gap between the strongest link and the weakest",
}
"""The candidates as the page tells of them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """A network is an oligarchy where the measure, mean of its layers, lies on this side of the threshold."""

    measure: str
    threshold: float
    above: bool
    from_step: int
    """before it the rule errs more often than at the end"""

    def __post_init__(self) -> None:
        if self.measure not in CANDIDATES:
            raise ValueError(f"the measure must be one of {', '.join(CANDIDATES)}. Found {self.measure!r}.")

    def value(self, layers: list[Array]) -> float:
        """The measure of a network, by its layers' sigma(A)."""
        return float(np.mean([CANDIDATES[self.measure](connection_EP) for connection_EP in layers]))

    def says(self, layers: list[Array], *, step: int) -> bool | None:
        """Whether the network is an oligarchy; None before the rule can say."""
        if step < self.from_step or any(each.shape[0] != each.shape[1] for each in layers) or not layers:
            return None
        return bool((self.value(layers) > self.threshold) == self.above)


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """The rule, on which runs it was chosen, and how often it erred on others."""

    rule: Rule
    rules: str
    """preset of the runs, e.g. `live`"""
    steps: int
    """their length"""
    chosen_on: list[int]
    """seeds"""
    tested_on: list[int]
    """seeds; empty where no others are there yet, and then each chosen one was left out in turn"""
    runs: int
    """two for each seed tested: with conflict and without"""
    errors: int
    interval: tuple[float, float]
    """exact 95 % of the error rate (Clopper and Pearson)"""

    def sentence(self) -> str:
        """All of it, for people."""
        what = (CANDIDATES[self.rule.measure].__doc__ or "").rstrip(".")
        where = (
            f"on seeds {in_words(self.tested_on)}"
            if self.tested_on
            else "with each seed left out in turn, since no others were recorded"
        )
        low, high = self.interval
        return (
            f"A network is called an oligarchy where this is {'above' if self.rule.above else 'below'} "
            f"{self.rule.threshold:.3g}, mean of the layers, from step {self.rule.from_step:,} on: "
            f"{what[0].lower()}{what[1:]}. Chosen by its errors on seeds {in_words(self.chosen_on)} of `{self.rules}` "
            f"({self.steps:,} steps, lambda 10 against lambda 0); {where} it errs in {self.errors} of {self.runs} runs "
            f"(95 %: {100 * low:.0f} to {100 * high:.0f} %)."
        )

    def to_json(self) -> str:
        """The content of the file."""
        return json.dumps(asdict(self), indent=1) + "\n"


def in_words(seeds: list[int]) -> str:
    """`0 to 9`, or each one where they are no range."""
    if len(seeds) > 2 and seeds == list(range(seeds[0], seeds[-1] + 1)):
        return f"{seeds[0]} to {seeds[-1]}"
    return ", ".join(map(str, seeds))


def read_found(path: Path = FOUND) -> Found | None:
    """What was found; None where nobody has chosen a rule yet. Raises ValueError for a file that is none."""
    try:
        raw = json.loads(path.read_text())
        return Found(**{**raw, "rule": Rule(**raw["rule"]), "interval": tuple(raw["interval"])})
    except FileNotFoundError:
        return None
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path.name} must be what `python -m cdsp_core oligarchy` writes. Found {error}.") from error


def _gini(values: Array) -> float:
    """0 where all are equal, towards 1 where one holds everything."""
    ordered = np.sort(values.astype(np.float64))
    total, n = ordered.sum(), len(ordered)
    return float((2 * np.arange(1, n + 1) - n - 1) @ ordered / (n * total)) if total > 0 else 0.0
