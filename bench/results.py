"""One line of the table, the table, and the machine it was measured on."""

from __future__ import annotations

import os
import platform
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from bench.rounds import Spread

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, kw_only=True, slots=True)
class Bound:
    """What the project asks of a number."""

    limit: float
    kind: Literal["at most", "at least"] = "at most"

    def met_by(self, value: float) -> bool:
        return value <= self.limit if self.kind == "at most" else value >= self.limit


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """One measured number, in `unit`: × for a ratio within this run, % for a share."""

    part: str
    name: str
    value: Spread
    unit: str
    beside: str = ""
    """absolute figures behind a ratio, for this machine only"""
    bound: Bound | None = None

    def to_json(self) -> dict[str, Any]:
        met = None if self.bound is None else self.bound.met_by(self.value.median)
        return {**asdict(self), "bound_met": met}


def table(results: list[Result]) -> str:
    """The results as text, in aligned columns, one block a part."""
    head = ("", "median", "quartiles", "asked", "on this machine")
    rows = [_cells(result) for result in results]
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    lines = []
    for number, (result, row) in enumerate(zip(results, rows, strict=True)):
        if number == 0 or results[number - 1].part != result.part:
            lines += ["", _line((result.part, *head[1:]), widths)]
        lines.append(_line(row, widths))
    return "\n".join(lines)


def machine() -> dict[str, Any]:
    """Where and on what was measured."""
    import torch

    from cdsp_core.training.device import choose_device, describe_device

    revision = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True)
    return {
        **describe_device(choose_device("auto")),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "revision": revision.stdout.strip() or None,
        "load_before": round(os.getloadavg()[0], 2),
    }


def machine_line(found: dict[str, Any]) -> str:
    """The machine in a line for people; a second one when something else is at work on it."""
    line = f"{found['name']}, {found['cores']} cores, torch {found['torch']}, threads: {found['threads']}"
    if found["revision"]:
        line += f", revision {found['revision']}"
    if found["load_before"] > 0.5 * found["cores"]:
        line += f"\nThe machine is busy (load {found['load_before']}): trust only ratios with a narrow spread."
    return line


def _cells(result: Result) -> tuple[str, ...]:
    value, bound = result.value, result.bound
    quartiles = f"{_figure(value.low)} – {_figure(value.high)}" if value.rounds > 1 else ""
    asked = ""
    if bound is not None:
        sign = "≤" if bound.kind == "at most" else "≥"
        asked = f"{sign} {bound.limit:g} {'met' if bound.met_by(value.median) else 'MISSED'}"
    return f"  {result.name}", f"{_figure(value.median)} {result.unit}", quartiles, asked, result.beside


def _figure(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    name, value, *rest = cells
    padded = [name.ljust(widths[0]), value.rjust(widths[1])]
    padded += [cell.ljust(width) for cell, width in zip(rest, widths[2:], strict=True)]
    return "  ".join(padded).rstrip()
