"""Themes of the page of claims: one sentence each, and the studies whose claims make its verdict.

They apply where evidence.json does not say to which theme a claim belongs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True, slots=True)
class Theme:
    """A sentence that its claims bear out or not. `leads` themes are open from the start."""

    key: str
    sentence: str
    studies: tuple[str, ...]
    leads: bool = False


THEMES: Final = (
    Theme(key="sparsity", sentence="Conflict carves the topology.", studies=("conflict-necessity",), leads=True),
    Theme(
        key="blind",
        sentence="Inference without the task ID costs little.",
        studies=("blind", "deceptive"),
        leads=True,
    ),
    Theme(key="dropout", sentence="Hiding the ID teaches inference without it.", studies=("p-drop",), leads=True),
    Theme(key="cost", sentence="The structure costs under one point.", studies=("table-full", "table"), leads=True),
    Theme(key="clustering", sentence="Tasks that look alike share experts.", studies=("clustering",), leads=True),
    Theme(key="speeds", sentence="A faster topology decides itself further.", studies=("lr-ratio",)),
    Theme(key="continual", sentence="It forgets less than a dense net.", studies=("continual",)),
    Theme(key="opposite", sentence="It learns opposite tasks that a shared net cannot.", studies=("interference",)),
    Theme(key="depth", sentence="Deeper layers share less.", studies=("depth",)),
    Theme(key="sharing", sentence="Sharing stays where it helps.", studies=("beneficial-sharing",)),
    Theme(key="theory", sentence="Conflict follows the paper's theory.", studies=("theory",)),
    Theme(key="language", sentence="It tells code from prose by itself.", studies=("tiny-lm",)),
    Theme(key="neighbours", sentence="It keeps up with related methods.", studies=("neighbours",)),
    Theme(key="cheap", sentence="Measuring conflict rarely is enough.", studies=("cost-ladder",)),
)

NOT_FOR_METHOD: Final = ("A standard mixture that is told", "Standard MoE reaches", "Blind MoE reaches")
"""How claims begin that speak for a baseline: one that holds is no success of the method."""


def theme_of(study: str) -> str:
    """Key of the theme to which a study's claims belong; the study's own name where none has it."""
    return next((theme.key for theme in THEMES if study in theme.studies), study)


def studies_of(key: str) -> tuple[str, ...]:
    """Studies of a theme, the one that weighs most first; none of a theme that is not known here."""
    return next((theme.studies for theme in THEMES if theme.key == key), ())


def is_for_method(claim: str) -> bool:
    """Whether the method is the better for it when the claim holds."""
    return not claim.startswith(NOT_FOR_METHOD)
