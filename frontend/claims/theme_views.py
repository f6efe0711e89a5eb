"""What the page of claims shows now: every theme with those of its claims that are asked for, in their order."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from frontend.claims.cards import DRAWN, Row, ThemeView, any_running
from frontend.claims.evidence import Claim, Evidence, Study
from frontend.claims.study_state import LiveStudy, when
from frontend.claims.themes import THEMES, studies_of, theme_of
from frontend.claims.verdicts import counted

Live = dict[str, LiveStudy]
"""Studies as GET /api/studies tells of them, by name."""


class Shown:
    """Which claims are asked for: those of a choice, with all of some words."""

    def __init__(self, chosen: str, words: list[str]) -> None:
        self._chosen = chosen.lower()
        self._words = words

    def __call__(self, row: Row) -> bool:
        claim = row.claim
        said = f"{claim.text} {claim.source} {claim.summary} {claim.study}".lower()
        if not all(word in said for word in self._words):
            return False
        if self._chosen.startswith("the paper"):
            return claim.is_of_paper
        if self._chosen.startswith("for a baseline"):
            return not claim.for_method
        return self._chosen == "all" or self._chosen in {counted(word) for word in row.verdicts}


def shown_of(chosen: Any, words: Any) -> Shown:
    """What the page's choice and its search ask for."""
    return Shown(chosen if isinstance(chosen, str) else "All", str(words or "").lower().split())


def is_all(chosen: Any, words: Any) -> bool:
    """Whether nothing is filtered."""
    return chosen in (None, "All") and not str(words or "").strip()


def themes(evidence: Evidence, live: Live, shown: Shown, opened: Iterable[str]) -> list[ThemeView]:
    """Every theme with its claims, in the order of themes.py, then those that it does not know."""
    rows: dict[str, list[Row]] = {}
    studies: dict[str, dict[str, None]] = {}
    stored = {study.name: study for study in evidence.studies}
    for claim in evidence.claims:
        rows.setdefault(claim.theme, []).append(row_of(claim, live.get(claim.study)))
        studies.setdefault(claim.theme, {})[claim.study] = None
    for name, study in live.items():
        theme = next((claim.theme for claim in evidence.claims if claim.study == name), theme_of(name))
        studies.setdefault(theme, {})[name] = None
        known = {claim.text for claim in evidence.claims if claim.study == name}
        new = [claim for claim in study.fresh if claim.text not in known]
        rows.setdefault(theme, []).extend(Row(stored=None, fresh=claim, when=when(study.ended_ms)) for claim in new)
    order = {theme.key: (i, theme.sentence) for i, theme in enumerate(THEMES)}
    views = []
    for key in sorted(rows, key=lambda key: order.get(key, (len(order), key))):
        each = tuple((name, stored.get(name), live.get(name)) for name in studies.get(key, {}))
        is_open = key in opened or any_running(each)
        place = {name: i for i, name in enumerate(studies_of(key))}
        ranked = sorted(rows[key], key=lambda row: place.get(row.claim.study, len(place)))
        matching = [row for row in ranked if shown(row)]
        some = matching if is_open else leading(matching)
        views.append(
            ThemeView(
                key=key,
                sentence=order[key][1] if key in order else title_of(key, each),
                all_claims=tuple(row.claim for row in rows[key]),
                claims=tuple(row.claim for row in matching),
                rows=tuple(some),
                hidden=len(rows[key]) - len(some),
                studies=each,
                is_open=is_open,
            )
        )
    return views


def title_of(key: str, studies: Iterable[tuple[str, Study | None, LiveStudy | None]]) -> str:
    """What a theme is called that themes.py does not know: as its first study."""
    titles = (study.title for _, stored, live in studies for study in (stored, live) if study is not None)
    return next(titles, key)


def row_of(claim: Claim, live: LiveStudy | None) -> Row:
    """A stored claim with what its study has just found of it."""
    fresh = next((each for each in live.fresh if each.text == claim.text), None) if live else None
    return Row(stored=claim, fresh=fresh, when=when(live.ended_ms) if live else "")


def leading(rows: list[Row]) -> list[Row]:
    """The rows of a theme that is not open: its headline claims first."""
    return sorted(rows, key=lambda row: not row.claim.is_headline)[:DRAWN]
