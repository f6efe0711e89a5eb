"""How a verdict is shown: its word after a number, its shape, and what it says of the method."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from dash import html
from dash.development.base_component import Component

from frontend.claims.evidence import VERDICTS, Claim

COUNTED: Final = {"holds": "hold", "fails": "fail"}
"""A verdict after a number, where it changes."""
TONES: Final = {
    "holds": "holds",
    "fails": "fails",
    "undecided": "undecided",
    "no effect": "neutral",
}
MEANINGS: Final = {
    "holds": "the whole interval lies on the claim's side of its threshold",
    "fails": "none of the interval lies on the claim's side",
    "no effect": "the interval lies inside what counts as no difference",
    "undecided": "the interval lies on both sides: more seeds would decide",
}


def tone_of(claim: Claim) -> str:
    """Colour of a claim's verdict: "aside" where it speaks for something else than the method."""
    return TONES[claim.verdict] if claim.for_method else "aside"


def verdict(claim: Claim) -> Component:
    """A claim's verdict, its shape before it; one that does not speak for the method says so."""
    tone = tone_of(claim)
    beside = [] if claim.for_method else [html.Small("for a baseline")]
    return html.Span(
        [shape(claim.verdict, tone), html.Span([claim.verdict, *beside])],
        className=f"verdict tone-{tone}",
        title=MEANINGS[claim.verdict],
    )


MIXED: Final = "mixed"


def of_theme(claims: Iterable[Claim]) -> tuple[str, str] | None:
    """A theme's verdict in words and its tone: the one of more than half of its claims for the method, else mixed.

    None where no claim is for the method.
    """
    words = Counter(claim.verdict for claim in claims if claim.for_method)
    if not words:
        return None
    word, count = words.most_common(1)[0]
    if 2 * count <= words.total():
        return MIXED, "undecided"
    return (word if count == words.total() else f"mostly {counted(word)}"), TONES[word]


def theme_verdict(claims: Iterable[Claim]) -> list[Component]:
    """The verdict of a theme with its shape; nothing where there is none."""
    found = of_theme(claims)
    if found is None:
        return []
    words, tone = found
    return [
        html.Span(
            [shape(next((word for word, its in TONES.items() if its == tone), MIXED), tone), words],
            className=f"verdict theme-verdict tone-{tone}",
            title="the verdict of more than half of its claims that speak for the method; mixed where none has so many",
        )
    ]


def shape(word: str, tone: str) -> Component:
    """A verdict's mark: told apart by shape as well as by colour."""
    return html.Span(className=f"shape shape-{word.replace(' ', '-')} tone-{tone}")


def counts(claims: Iterable[Claim]) -> list[Component]:
    """How many claims have each verdict, those for the method first, then those for a baseline in one number."""
    claims = list(claims)
    words = Counter(claim.verdict for claim in claims if claim.for_method)
    shown: list[Component] = [
        html.Span([shape(word, TONES[word]), f"{words[word]} {counted(word)}"], className=f"verdict tone-{TONES[word]}")
        for word in VERDICTS
        if words[word]
    ]
    if others := sum(not claim.for_method for claim in claims):
        shown.append(html.Span([shape("aside", "aside"), f"{others} for a baseline"], className="verdict tone-aside"))
    return shown


def counted(word: str) -> str:
    """A verdict after a number: 3 hold."""
    return COUNTED.get(word, word)
