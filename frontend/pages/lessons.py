"""Lessons: six questions as cards, each leading to the Lab, and the gallery of recorded runs below them."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote

import dash_ag_grid as dag
from dash import dcc, html
from dash.development.base_component import Component

from cdsp_core.wire.recording import Recording
from frontend.attributes import aria, data
from frontend.figures.film_strip import shown_steps
from frontend.pages.runs import TEXT, shown_by

CARD_PICTURES: Final = 6
CARD_SHOWN: Final = 4
"""at most, of those: what comes after the moment at which a lesson begins is what it asks for"""
ROW_PICTURES: Final = 8
THEMES: Final = ("light", "dark")
PLAIN: Final = {"type": "rightAligned", "filter": False}
"""a column of numbers: there are few runs, so sorting does"""

COLUMNS: Final[list[dict[str, Any]]] = [
    {"field": "name", "headerName": "Run", "cellRenderer": "RecordedName", "width": 208, **TEXT},
    {
        "field": "film",
        "headerName": "Film, layer 1",
        "cellRenderer": "RecordedFilm",
        "width": 316,
        "sortable": False,
        "filter": False,
    },
    {"field": "special", "headerName": "What is special", "flex": 1, "minWidth": 192, "wrapText": True, **TEXT},
    {"field": "steps", "headerName": "Steps", "width": 78, **PLAIN, **shown_by("runCount")},
    {"field": "cut", "headerName": "Links cut, all layers", "width": 104, **PLAIN, **shown_by("runCount")},
    {"field": "told", "headerName": "With ID, %", "width": 104, **PLAIN, **shown_by("runPercent")},
    {"field": "blind", "headerName": "Without ID, %", "width": 122, **PLAIN, **shown_by("runPercent")},
    {
        "field": "open",
        "headerName": "Look",
        "cellRenderer": "RecordedLinks",
        "width": 180,
        "sortable": False,
        "filter": False,
    },
]


def layout() -> Component:
    """The page; lessons_live.py fills it."""
    return html.Div(
        [
            dcc.Store(id="lessons-asked", data="all"),
            html.Div(
                [
                    html.Div(
                        [
                            html.H1("Six questions, and a network that answers them", id="lessons-title"),
                            html.P(
                                "You predict first, then the Lab moves to the moment that decides. "
                                "Lessons play recorded runs: nothing to wait for.",
                                id="lessons-lead",
                            ),
                        ]
                    ),
                    html.Div(
                        [
                            html.A("For a class", href="/#class=new", className="button"),
                            html.A(
                                "Begin",
                                href="/lessons",
                                id="lessons-go-on",
                                className="button button-primary",
                                hidden=True,
                            ),
                        ],
                        className="lessons-buttons",
                    ),
                ],
                className="page-head",
            ),
            html.Div(id="lessons-note", className="note is-wrong", role="status"),
            html.Ol(id="lessons-cards", className="lesson-cards"),
            html.Div(
                [
                    html.H2("Recorded runs"),
                    html.Span("open one and scrub; start your own from its settings", id="recorded-lead"),
                ],
                id="recorded",
                className="recorded-head",
                tabIndex=-1,
            ),
            grid(),
            html.P("Kana is drawn by a program and stands in for KMNIST.", className="recorded-foot"),
        ]
    )


def grid() -> Component:
    """The gallery. A row is known by its recording's name."""
    table: Component = dag.AgGrid(
        id="recorded-grid",
        columnDefs=COLUMNS,
        rowData=[],
        getRowId="params.data.name",
        defaultColDef={"sortable": True, "filter": True, "resizable": True, "wrapHeaderText": True},
        className="recorded-grid",
        style={"height": None},
        dashGridOptions={
            "animateRows": False,
            "rowHeight": 60,
            "headerHeight": 40,
            "suppressCellFocus": False,
            "localeText": {"noRowsToShow": "Reading the recorded runs…"},
            "theme": {"function": "runTheme(themeQuartz)"},
        },
    )
    return table


def card_steps(lesson: dict[str, Any], recording: Recording) -> list[int]:
    """The steps of a card's pictures: those up to where the lesson begins, which give no answer away."""
    return shown_steps(recording, CARD_SHOWN, lesson["look"]["begin"])


def card(lesson: dict[str, Any], runs: list[str], steps: list[int]) -> Component:
    """A lesson as a card that leads to the Lab; `runs` have a film, `steps` are those of its pictures."""
    look = lesson["look"]
    letters = ["A", "B"] if len(runs) > 1 else [""]
    return html.Li(
        html.A(
            [
                html.Span(
                    [
                        html.Span(f"Lesson {lesson['place']}"),
                        html.Span(
                            f"{lesson['minutes']} min",
                            className="lesson-state",
                            **data(**{"lesson-state": lesson["key"]}),
                        ),
                    ],
                    className="lesson-top",
                ),
                html.B(lesson["title"], className="lesson-title"),
                html.Span(lesson["card"], className="lesson-text"),
                html.Span(
                    [
                        *[
                            html.Span([html.Span(letter), begun(run, look["layer"], steps)], className="film-row")
                            for letter, run in zip(letters, runs, strict=True)
                        ],
                        html.Span(
                            [
                                html.Span(""),
                                html.Span([html.Span(text) for text in named_steps(steps)], className="film-begun"),
                            ],
                            className="film-row",
                            **aria(hidden="true"),
                        ),
                    ],
                    className="lesson-film",
                ),
            ],
            href=f"/#lesson={quote(lesson['key'], safe='')}",
            className="lesson-card",
            id=f"lesson-{lesson['key']}",
        )
    )


def named_steps(steps: list[int]) -> list[str]:
    """What stands under the pictures of a card."""
    return [f"step {step:,}" if not at else f"{step:,}" for at, step in enumerate(steps)]


def begun(run: str, layer: int, steps: list[int]) -> Component:
    """The film of a recorded run up to where a lesson begins, and empty places for what is to be foretold.

    In the colours of both themes, of which one is seen.
    """
    columns = {"gridColumn": f"span {len(steps)}"}
    pictures = [
        html.Img(
            src=film_address(run, layer=layer, pictures=CARD_SHOWN, theme=theme, until=steps[-1]),
            alt="",
            className=f"film-strip only-{theme}",
            style=columns,
        )
        for theme in THEMES
    ]
    hidden = [html.Span("?", className="film-hidden", **aria(hidden="true")) for _ in range(CARD_PICTURES - len(steps))]
    return html.Span([*pictures, *hidden], className="film-begun")


def film_address(run: str, *, layer: int, pictures: int, theme: str, until: int) -> str:
    """Where the film of a recorded run up to a step is served as a picture."""
    return f"/films/{quote(run, safe='')}.png?layer={layer + 1}&pictures={pictures}&theme={theme}&until={until}"
