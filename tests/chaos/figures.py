"""What faults and attacks measured: a row each, printed as a table at the end of the tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value, beside what is wanted of it."""

    what: str
    found: str
    wanted: str


FIGURES: Final[list[Figure]] = []


def record(what: str, found: str, wanted: str = "") -> None:
    """Keep a figure for the table."""
    FIGURES.append(Figure(what, found, wanted))


def table(figures: list[Figure]) -> list[str]:
    """The figures as lines of text."""
    rows = [Figure("figure", "found", "wanted"), *figures]
    widths = [max(len(getattr(row, name)) for row in rows) for name in ("what", "found", "wanted")]
    return [f"{row.what:<{widths[0]}}  {row.found:>{widths[1]}}  {row.wanted:<{widths[2]}}".rstrip() for row in rows]
