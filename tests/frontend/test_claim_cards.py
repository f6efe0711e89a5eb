"""Cards of the page of claims: what is a component, and what stays and is written as HTML."""

from __future__ import annotations

import json
from typing import Any

from dash import html
from dash.development.base_component import Component

from frontend.claims.cards import card
from frontend.claims.evidence import Evidence, read_evidence
from frontend.claims.live import as_cards
from frontend.claims.study_state import LiveStudy, read_study
from frontend.claims.theme_views import is_all, shown_of, themes
from frontend.figures.palette import palette_of
from frontend.rendered import to_html, written
from tests.frontend.components import components

IDLE = {"study": "table", "title": "Table", "question": "Which?", "state": "idle", "total": 4, "done": 1}


def evidence_of(count: int, *, text: str = "It is as good") -> Evidence:
    claims = [
        {
            "claim": f"{text}, case {n}.",
            "verdict": "holds",
            "measured": 0.5,
            "interval": [0.1, 0.9],
            "bound": [0, None],
            "why": "Above.",
        }
        for n in range(count)
    ]
    chart = {
        "title": "T",
        "lines": [{"label": "a", "x": [1, 2], "mean": [1, 2], "low": [None] * 2, "high": [None] * 2}],
    }
    return read_evidence(
        json.dumps({"format": 2, "studies": [{"study": "table", "claims": claims, "charts": [chart] * 3}]})
    )


def made(evidence: Evidence, live: LiveStudy | None = None, unfolded: tuple[str, ...] = ()) -> Component:
    (view,) = themes(evidence, {live.name: live} if live else {}, shown_of("All", ""), ["accuracy"])
    return card(view, palette_of("light"), unavailable=None, unfolded=unfolded)


def test_a_theme_of_many_claims_has_no_more_components_than_one_of_few() -> None:
    few, many = (len(list(components(made(evidence_of(count))))) for count in (3, 300))
    assert few == many < 30


def test_a_studys_charts_are_figures_only_where_they_are_unfolded() -> None:
    def graphs(*unfolded: str) -> int:
        return sum(type(each).__name__ == "Graph" for each in components(made(evidence_of(3), unfolded=unfolded)))

    assert (graphs(), graphs("table")) == (1, 4)


def test_a_theme_is_drawn_again_when_its_claims_change_and_not_when_a_study_goes_on() -> None:
    def version(evidence: Evidence, **live: Any) -> str:
        study = read_study({**IDLE, **live})
        (view,) = themes(evidence, {study.name: study}, shown_of("All", ""), ["accuracy"])
        return view.version

    before = version(evidence_of(3))
    assert version(evidence_of(3), state="running", done=3, text="step 4") == before
    assert version(evidence_of(3), state="failed", reason="It fell over.") == before
    assert version(evidence_of(4)) != before
    new = {"claims": [{"claim": "It is as good, case 1.", "verdict": "fails", "measured": -1}], "ended_ms": 2}
    assert version(evidence_of(3), state="finished", result=new) != before


def test_a_search_hides_an_opened_theme_without_a_match_but_none_that_is_measured_now() -> None:
    def drawn(words: str, **live: Any) -> list[str]:
        study = read_study({**IDLE, **live})
        views = themes(evidence_of(3), {study.name: study}, shown_of("All", words), ["accuracy"])
        return list(as_cards(views, is_all("All", words))[0])

    assert drawn("") == drawn("case 2") == ["accuracy"]
    assert drawn("nowhere said") == []
    assert drawn("nowhere said", state="running", done=3, text="step 4") == ["accuracy"]


def test_what_is_written_as_html_is_escaped() -> None:
    sentence = '<img src=x onerror="alert(1)">'
    text = written(html.P(sentence, style={"--place": 2, "flexGrow": 1})).to_plotly_json()["props"]["data-html"]
    assert text == ('<p data-style="--place:2;flex-grow:1">&lt;img src=x onerror=&quot;alert(1)&quot;&gt;</p>')
    places = [each for each in components(made(evidence_of(1, text=sentence))) if hasattr(each, "data-html")]
    assert places
    assert not any("<img" in to_html(each) for each in places)
