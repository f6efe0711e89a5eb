"""Lessons: six questions as cards, each leading to the Lab, and the gallery of recorded runs below them."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote

import dash_ag_grid as dag
from dash import dcc, html
from dash.development.base_component import Component

from frontend.attributes import aria, data
from frontend.pages.runs import TEXT, shown_by

CARD_PICTURES: Final = 6
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
                    html.A(
                        "Begin", href="/lessons", id="lessons-go-on", className="button button-primary", hidden=True
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


def card(lesson: dict[str, Any], steps: list[int]) -> Component:
    """A lesson as a card that leads to the Lab; `steps` are those of its pictures."""
    look = lesson["look"]
    runs = [run for run in (look["run"], look["beside"]) if run is not None]
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
                            html.Span(
                                [html.Span(letter), *strip(run, look["layer"], CARD_PICTURES)], className="film-row"
                            )
                            for letter, run in zip(letters, runs, strict=True)
                        ],
                        html.Span(
                            [
                                html.Span(""),
                                html.Span([html.Span(f"{step:,}") for step in steps], className="film-steps"),
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


def strip(run: str, layer: int, pictures: int) -> list[Component]:
    """The film of a recorded run, in the colours of both themes, of which one is seen."""
    return [
        html.Img(
            src=film_address(run, layer=layer, pictures=pictures, theme=theme),
            alt="",
            className=f"film-strip only-{theme}",
        )
        for theme in THEMES
    ]


def film_address(run: str, *, layer: int, pictures: int, theme: str) -> str:
    """Where the film of a recorded run is served as a picture."""
    return f"/films/{quote(run, safe='')}.png?layer={layer + 1}&pictures={pictures}&theme={theme}"
