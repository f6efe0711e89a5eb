"""Runs: every run of the server in one table, to sort, filter, rename, note, stop, delete and open."""

from __future__ import annotations

from typing import Any, Final

import dash_ag_grid as dag
from dash import dcc, html
from dash.development.base_component import Component

from frontend.attributes import aria

CLOCK_MS: Final = 1500
NUMBER: Final = {"type": "rightAligned", "filter": "agNumberColumnFilter"}
TEXT: Final = {"filter": "agTextColumnFilter"}


def shown_by(function: str) -> dict[str, Any]:
    """Has a function of assets/pages/clientside.js say what a cell shows; the value itself sorts and filters."""
    return {"valueFormatter": {"function": f"{function}(params.value)"}}


COLUMNS: Final[list[dict[str, Any]]] = [
    {"field": "name", "headerName": "Name", "editable": True, "pinned": "left", "width": 156, **TEXT},
    {
        "field": "open",
        "headerName": "Open",
        "cellRenderer": "markdown",
        "width": 60,
        "sortable": False,
        "filter": False,
    },
    {"field": "status", "headerName": "State", "width": 104, **TEXT},
    {"field": "preset", "headerName": "Preset", "width": 88, **TEXT},
    {"field": "seed", "headerName": "Seed", "width": 72, **NUMBER},
    {"field": "step", "headerName": "Step", "width": 84, **NUMBER, **shown_by("runCount")},
    {"field": "accuracy", "headerName": "With ID, %", "width": 116, **NUMBER, **shown_by("runPercent")},
    {"field": "blind_accuracy", "headerName": "Without ID, %", "width": 128, **NUMBER, **shown_by("runPercent")},
    {
        "field": "links_cut",
        "headerName": "Links cut",
        "headerTooltip": "Of all layers",
        "width": 100,
        **NUMBER,
        **shown_by("runCount"),
    },
    {
        "field": "started",
        "headerName": "Started",
        "width": 140,
        "filter": "agNumberColumnFilter",
        **shown_by("runTime"),
    },
    {"field": "size_bytes", "headerName": "On disk", "width": 88, **NUMBER, **shown_by("runSize")},
    {"field": "kept", "headerName": "Kept", "headerTooltip": "Stays when the data folder is full", "width": 72, **TEXT},
    {"field": "note", "headerName": "Note", "editable": True, "flex": 1, "minWidth": 96, **TEXT},
]


def layout() -> Component:
    """The table and what is done with the runs chosen in it; runs_live.py fills it."""
    return html.Div(
        [
            dcc.Interval(id="runs-clock", interval=CLOCK_MS),
            dcc.Store(id="runs-seen"),
            dcc.Store(id="runs-asked"),
            dcc.Store(id="runs-done"),
            html.Div(
                [
                    html.Div(
                        [
                            html.H1("Runs"),
                            html.P(
                                "Every run that this server has. Press a heading to sort, its funnel to filter; "
                                "press twice on a name or a note to change it.",
                                id="runs-lead",
                            ),
                            html.P(id="runs-storage", className="note"),
                        ]
                    ),
                    html.Div(
                        [
                            html.Span("none chosen", id="runs-chosen", **aria(live="polite")),
                            html.Button("Keep", id="runs-keep", className="button", type="button", disabled=True),
                            html.Button("Stop", id="runs-stop", className="button", type="button", disabled=True),
                            html.Button("Delete", id="runs-delete", className="button", type="button", disabled=True),
                        ],
                        className="runs-tools",
                        role="group",
                        **aria(label="The chosen runs"),
                    ),
                ],
                className="page-head",
            ),
            html.P(id="runs-note", className="note is-wrong", role="status"),
            dcc.ConfirmDialog(id="runs-confirm"),
            grid(),
        ]
    )


def grid() -> Component:
    """The table. Rows are known by their run, so that a refresh keeps what is chosen and what is being typed."""
    table: Component = dag.AgGrid(
        id="runs-grid",
        columnDefs=COLUMNS,
        rowData=[],
        getRowId="params.data.run_id",
        defaultColDef={"sortable": True, "filter": True, "resizable": True},
        className="runs-grid",
        style={"height": None, "--rows": 8},
        dashGridOptions={
            "rowSelection": {"mode": "multiRow", "enableClickSelection": False},
            "selectionColumnDef": {"pinned": "left", "width": 48},
            "animateRows": False,
            "rowHeight": 40,
            "headerHeight": 40,
            "singleClickEdit": False,
            "stopEditingWhenCellsLoseFocus": True,
            "localeText": {"noRowsToShow": "There are no runs yet. Start one in the Lab."},
            "theme": {"function": "runTheme(themeQuartz)"},
        },
    )
    return table
