"""How the evidence writes an estimate and a count."""

from __future__ import annotations

import math

from cdsp_core.studies.framework.study import Claim


def in_full(claim: Claim) -> str:
    """`mean [low, high]`; a dash without a value."""
    if not math.isfinite(claim.value):
        return "–"
    low, high = claim.interval
    band = f" [{low:.3g}, {high:.3g}]" if math.isfinite(low) else ""
    return f"{claim.value:.3g}{band}"


def in_short(claim: Claim) -> str:
    """`mean±half`, half being half the width of the 95 % interval; a dash without a value."""
    if not math.isfinite(claim.value):
        return "–"
    low, high = claim.interval
    return f"{claim.value:.3g}" + (f"±{(high - low) / 2.0:.2g}" if math.isfinite(low) else "")


def with_unit(count: int, unit: str) -> str:
    """`1 seed`, `3 seeds`."""
    return f"{count} {unit}{'' if count == 1 else 's'}"


def in_percent(chance: float) -> str:
    """A chance as `52`, or `over 99`: of no verdict of a few seeds more is told."""
    return "over 99" if chance > 0.99 else f"{100 * chance:.0f}"
