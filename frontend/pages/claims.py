"""Claims: what the paper says, what was measured here, and each study to be run again in its smallest form."""

from __future__ import annotations

from dash import html
from dash.development.base_component import Component

from frontend.attributes import aria, data

STYLES = ("tokens", "base", "header", "controls", "panels", "claims")
SCRIPTS = (
    "theme_switch",
    "format",
    "tooltip",
    "commands",
    "claims_whisker",
    "claims_chart",
    "claims_study",
    "claims_page",
)
"""The page's parts of `assets/`, in the order they are loaded."""

VERDICTS = (
    ("holds", "hold", "the whole interval lies on the claim's side"),
    ("mixed", "mixed", "the interval lies on both sides"),
    ("fails", "fail", "none of the interval lies on the claim's side"),
)
"""A verdict, how it reads after a number, and the rule."""


def layout() -> Component:
    """What does not depend on results; `claims_page.js` fills in the rest."""
    return html.Main(
        id="page",
        className="claims",
        children=[
            html.Div(
                className="claims-head",
                children=[
                    html.H1("Claims"),
                    html.P("What the paper says of CDSP-MoE, and what was measured here over seeds."),
                    html.Ul([tally(*verdict) for verdict in VERDICTS], id="tallies", className="tallies", hidden=True),
                    verdict_filter(),
                    html.P(id="made", className="claims-made"),
                    html.P(id="caveat", className="claims-caveat"),
                    html.P(id="unavailable", className="note", role="status"),
                    html.P(id="unknown", className="note is-wrong", role="status"),
                ],
            ),
            html.Div(
                [html.Div(className="panel study-skeleton") for _ in range(3)],
                id="studies",
                tabIndex=-1,
                **aria(busy="true"),
            ),
        ],
    )


def verdict_filter() -> Component:
    """Which claims to show: all, or those with one verdict."""
    return html.Div(
        [
            html.Span("Show", className="segments-label"),
            html.Div(
                [
                    html.Button(word, type="button", **data(verdict=word), **aria(pressed=str(word == "all").lower()))
                    for word in ("all", *(word for word, *_ in VERDICTS))
                ],
                className="segments",
            ),
        ],
        id="filter",
        className="claims-filter",
        role="group",
        hidden=True,
        **aria(label="Show claims"),
    )


def tally(word: str, counted: str, meaning: str) -> Component:
    """A verdict, its shape, and how many claims have it."""
    return html.Li(
        [
            html.Span(className=f"shape shape-{word}"),
            html.B("–", id=f"tally-{word}"),
            html.Span([html.Span(counted), html.Span(f": {meaning}", className="tally-meaning")]),
        ],
        className="tally",
    )
