"""Themes of the page of claims: one sentence each, and the studies whose claims make its verdict.

A claim's own theme, where evidence.json gives it one, goes before that of its study.
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
    Theme(
        key="conflict",
        sentence="Conflict is what shapes the topology.",
        studies=("conflict-necessity", "interference", "beneficial-sharing"),
        leads=True,
    ),
    Theme(
        key="without ID",
        sentence="Inference without the task ID costs little.",
        studies=("blind", "deceptive", "p-drop"),
        leads=True,
    ),
    Theme(
        key="accuracy",
        sentence="The structure costs under one point.",
        studies=("table-full", "table", "neighbours"),
        leads=True,
    ),
    Theme(key="routing", sentence="Tasks that look alike share experts.", studies=("clustering",), leads=True),
    Theme(key="structure", sentence="Structure forms as the paper's theory says.", studies=("theory",), leads=True),
    Theme(key="rates and depth", sentence="It holds at other rates and depths.", studies=("lr-ratio", "depth")),
    Theme(
        key="beyond images",
        sentence="It carries over to tasks in sequence and to text.",
        studies=("continual", "tiny-lm"),
    ),
    Theme(key="cost", sentence="Measuring conflict rarely is enough.", studies=("cost-ladder",)),
)


def theme_of(study: str) -> str:
    """Key of the theme to which a study's claims belong; the study's own name where none has it."""
    return next((theme.key for theme in THEMES if study in theme.studies), study)


def studies_of(key: str) -> tuple[str, ...]:
    """Studies of a theme, the one that weighs most first; none of a theme that is not known here."""
    return next((theme.studies for theme in THEMES if theme.key == key), ())
