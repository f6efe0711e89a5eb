"""Colours of figures, light and dark: the values of the page's style sheets, which Plotly cannot read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True, slots=True)
class Palette:
    """Colours as #rrggbb; `lines` are of curves, in the order they are drawn."""

    panel: str
    ink: str
    muted: str
    line: str
    accent: str
    holds: str
    fails: str
    undecided: str
    aside: str
    lines: tuple[str, ...]

    def of(self, tone: str) -> str:
        """Colour of a verdict's tone: holds, fails, undecided, or what is neither for nor against the method."""
        return {"holds": self.holds, "fails": self.fails, "undecided": self.undecided}.get(tone, self.aside)


LIGHT: Final = Palette(
    panel="#ffffff",
    ink="#1b2430",
    muted="#5a6470",
    line="#e3e4df",
    accent="#2f5fd0",
    holds="#1a7546",
    fails="#b3362b",
    undecided="#a04d0a",
    aside="#4d5a78",
    lines=("#2f6fb7", "#b0488f", "#1f8070", "#7c42c6", "#5a6470", "#a04d0a"),
)
DARK: Final = Palette(
    panel="#171c23",
    ink="#e7ebf0",
    muted="#9aa5b2",
    line="#2a313a",
    accent="#7ea2ff",
    holds="#5cc490",
    fails="#ff8f82",
    undecided="#f0a868",
    aside="#a9b8dd",
    lines=("#6aa6ea", "#e58cc6", "#56c2b1", "#b893f2", "#9aa5b2", "#f0a868"),
)


def theme_of(said: object) -> str:
    """The theme that a browser says it shows: light where it is not "dark"."""
    return "dark" if said == "dark" else "light"


def palette_of(theme: str | None) -> Palette:
    """The colours of a theme; light where it is not "dark"."""
    return DARK if theme_of(theme) == "dark" else LIGHT


def faded(colour: str, share: float) -> str:
    """A colour at an opacity between 0 and 1."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{share:g})"
