"""What faults and attacks measured: a row each, printed as a table at the end of the tests and kept in the document.

CDSP_FIGURES names a document, in which the rows take the place of those between its two marks (`make test-chaos`).
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

BEGIN: Final = "<!-- figures of `make test-chaos` -->"
END: Final = "<!-- end of the figures -->"


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value, beside what is wanted of it."""

    what: str
    found: str
    wanted: str


FIGURES: Final[list[Figure]] = []


def record(what: str, found: str, wanted: str = "") -> None:
    """Keep a figure for the table, and say it at once."""
    FIGURES.append(Figure(what, found, wanted))
    print(f"{what}: {found}", flush=True)


def table(figures: list[Figure]) -> list[str]:
    """The figures as lines of text."""
    rows = [Figure("figure", "found", "wanted"), *figures]
    widths = [max(len(getattr(row, name)) for row in rows) for name in ("what", "found", "wanted")]
    return [f"{row.what:<{widths[0]}}  {row.found:>{widths[1]}}  {row.wanted:<{widths[2]}}".rstrip() for row in rows]


def renew(document: Path, figures: list[Figure], *, took_s: float, failed: int) -> None:
    """Put the figures into a document between its marks, with the machine's load. Raises ValueError without marks."""
    text = document.read_text()
    before, mark, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (mark and end):
        raise ValueError(f"{document} must have the lines {BEGIN} and {END}.")
    load = " ".join(f"{each:.1f}" for each in os.getloadavg())
    day = time.strftime("%Y-%m-%d", time.gmtime())
    tests = "every test passed" if not failed else f"{failed} tests failed"
    head = (
        f"{day}, {os.cpu_count()} cores, load {load} at the end (1, 5, 15 minutes), {took_s / 60:.0f} minutes, {tests}."
    )
    rows = "\n".join(f"| {row.what} | {row.found} | {row.wanted} |" for row in figures)
    lines = f"{head}\n\n| figure | found | wanted |\n|---|---|---|\n{rows}\n"
    document.write_text(f"{before}{mark}\n{lines}{end}{after}")
