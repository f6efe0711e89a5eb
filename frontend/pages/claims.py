"""Claims: what the paper says, what was measured here, and each study to be measured again in its smallest form."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from dash import dcc, html
from dash.development.base_component import Component

from frontend.attributes import aria
from frontend.claims.evidence import VERDICTS, Evidence, WordTable
from frontend.claims.themes import THEMES, Theme
from frontend.claims.verdicts import MEANINGS, TONES, counted, shape
from frontend.numbers import minus

CLOCK_MS: Final = 1000
OTHERS: Final = ""
"""Themes that themes.py does not know stand in one place, the last."""


def layout() -> Component:
    """What does not depend on results; the callbacks of claims_live.py fill in the rest."""
    return html.Div(
        [
            dcc.Location(id="claims-address", refresh=False),
            dcc.Interval(id="claims-clock", interval=CLOCK_MS),
            *(
                dcc.Store(id=name)
                for name in (
                    "claims-shown",
                    "claims-opened",
                    "claims-goto",
                    "claims-asked",
                    "claims-drawn",
                    "studies-seen",
                )
            ),
            html.Div(html.H1("Claims"), id="claims-head", className="claims-head"),
            html.Div(
                [
                    html.Div(id="filter", className="choice", role="group", **aria(label="Show claims")),
                    dcc.Input(
                        id="claims-search",
                        type="search",
                        value="",
                        placeholder="Search the claims",
                        debounce=0.2,
                        className="search",
                        maxLength=80,
                    ),
                    legend(),
                ],
                className="claims-tools",
            ),
            html.P(id="claims-unavailable", className="note is-wrong", role="status"),
            html.P(id="claims-unknown", className="note is-wrong", role="status"),
            html.Div(
                [*(html.Div(skeleton(theme), **cards(theme.key)) for theme in THEMES), html.Div(**cards(OTHERS))],
                id="themes",
                tabIndex=-1,
                **aria(busy="true"),
            ),
            html.Div(id="claims-rest"),
            html.Div(id="claims-foot", className="claims-foot"),
        ]
    )


def cards(theme: str) -> dict[str, Any]:
    """What names the place of a theme's card."""
    return {"id": {"type": "theme-cards", "theme": theme}, "className": "theme-cards"}


def skeleton(theme: Theme) -> list[Component]:
    """What stands in the place of a theme until it is drawn."""
    return [html.Div(className="panel theme-skeleton")] if theme.leads else []


def head(evidence: Evidence) -> list[Component]:
    """The page's sentence, what lies under it, and how the claims came out."""
    if evidence.missing:
        return [html.Div([html.H1("Claims"), html.P(evidence.missing, id="made")])]
    claims = evidence.claims
    studied = len({study.name.removesuffix("-full") for study in evidence.studies})
    of_paper = sum(claim.is_of_paper for claim in claims)
    made = (
        f"{len(claims)} claims of {studied} studies, {of_paper} of them the paper's or drawn from its text. "
        "One sentence a theme; under it the claims that make its verdict."
    )
    return [
        html.Div(
            [
                html.H1(minus(evidence.sentences[0]) if evidence.sentences else "Claims"),
                *(html.P(minus(sentence)) for sentence in evidence.sentences[1:]),
                html.P(made, id="made"),
            ]
        ),
        tally(evidence),
    ]


def in_a_row(parts: list[str]) -> str:
    """Parts of a sentence: a, b and c."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def tally(evidence: Evidence) -> Component:
    """How many claims for the method have each verdict, as a bar and in numbers; those for a baseline apart; the way to
    all numbers.
    """
    ours = Counter(claim.verdict for claim in evidence.claims if claim.for_method)
    others = Counter(claim.verdict for claim in evidence.claims if not claim.for_method)
    words = [word for word in VERDICTS if ours[word]]
    bar = [html.Span(className=f"tone-{TONES[word]}", style={"flexGrow": ours[word]}) for word in words]
    numbers = [
        html.Li(
            [shape(word, TONES[word]), html.B(str(ours[word]), id=f"tally-{word.replace(' ', '-')}"), counted(word)],
            title=MEANINGS[word],
        )
        for word in words
    ]
    aside = in_a_row([f"{others[word]} {counted(word)}" for word in VERDICTS if others[word]])
    return html.Div(
        [
            html.Div(bar, className="tally-bar", **aria(hidden="true")),
            html.Ul(numbers, className="tallies"),
            *([html.P(f"Claims for a baseline, counted apart: {aside}.", id="tally-aside")] if aside else []),
            html.A(
                [html.Span(className="icon icon-save"), "All as a table"],
                href="/claims/claims.csv",
                download="claims.csv",
                className="button",
            ),
        ],
        className="tally",
    )


def foot(evidence: Evidence) -> list[Component]:
    """What holds for all numbers."""
    if evidence.missing:
        return []
    said = {
        "causal": ("Does conflict carry information?", evidence.causal, evidence.causal_table),
        "repetition": ("The same with other seeds", evidence.repetition, evidence.repetition_table),
    }
    return [
        *(
            html.Section([html.H2(title), *(html.P(minus(text)) for text in texts), *numbers(table)], id=name)
            for name, (title, texts, table) in said.items()
            if texts
        ),
        html.P(minus(evidence.caveat), id="caveat"),
    ]


def numbers(table: WordTable | None) -> list[Component]:
    """A table of words and numbers, which scrolls by itself where it is wider than its place."""
    if table is None:
        return []
    head = html.Thead(html.Tr([html.Th(minus(name), scope="col") for name in table.columns]))
    rows = [
        html.Tr([html.Th(minus(first), scope="row"), *(html.Td(minus(cell)) for cell in cells)])
        for first, *cells in table.rows
    ]
    return [html.Div(html.Table([head, html.Tbody(rows)]), className="foot-table", tabIndex=0)]


def choices(evidence: Evidence, chosen: str) -> list[Component]:
    """One button for each kind of claims that can be shown alone, the chosen one pressed."""
    if evidence.missing:
        return []
    return [
        html.Button(
            word,
            id={"type": "claims-show", "word": word},
            type="button",
            **aria(pressed=str(word == chosen).lower()),
        )
        for word in kinds(evidence)
    ]


def kinds(evidence: Evidence) -> list[str]:
    """What can be shown alone."""
    used = {claim.verdict for claim in evidence.claims}
    of_paper = sum(claim.is_of_paper for claim in evidence.claims)
    verdicts = [counted(word).capitalize() for word in VERDICTS if word in used]
    baseline = ["For a baseline"] if any(not claim.for_method for claim in evidence.claims) else []
    return ["All", *([f"The paper's {of_paper}"] if of_paper else []), *verdicts, *baseline]


def legend() -> Component:
    """How to read the dots."""
    items = (
        ("side", "the claim's side of its threshold"),
        ("dot", "measured here: mean, interval"),
        ("diamond", "published value"),
    )
    return html.Ul(
        [html.Li([html.Span(className=f"key key-{name}"), text]) for name, text in items], className="claims-legend"
    )
