"""Numbers as people read them."""

from __future__ import annotations

import math
import re
from typing import Final

MINUS: Final = "\N{MINUS SIGN}"
_HYPHEN = re.compile(r"(?<![\w.)-])-(?=\.?\d)")


def minus(text: str) -> str:
    """A minus sign in place of the hyphen before a number: "-0.5" becomes "−0.5"; ranges and names stay."""
    return _HYPHEN.sub(MINUS, text)


def measure(value: float, *, digits: int = 3) -> str:
    """A value with the digits that matter: 0.1234 is "0.123", 12.34 "12.3", 1234.5 "1,235"; 0.00001 is "1e−05"."""
    size = abs(value)
    if size and size < 1e-3:
        return minus(f"{value:.1g}").replace("e-", f"e{MINUS}")
    decimals = digits if size == 0 else max(0, digits - 1 - math.floor(math.log10(size)))
    return minus(f"{value:,.{min(decimals, digits)}f}" if size else "0")


def decimals(width: float) -> int:
    """Decimals that are worth reading in an interval of this width."""
    return next((places for places, least in enumerate((100, 1, 0.05, 0.005)) if width >= least), 4)


def fixed(value: float, places: int | None, *, sign: bool = False) -> str:
    """A value with so many decimals, or as `measure` has it; a positive one with its sign if asked for."""
    rounded = value if places is None else round(value, places) + 0.0  # never a zero below zero
    text = measure(value) if places is None else minus(f"{rounded:,.{places}f}")
    return f"+{text}" if sign and rounded > 0 else text


def plain(value: float) -> str:
    """A threshold or a tick, as short as it is: 0, −1.22, 0.8."""
    return minus(f"{value:.6g}")
