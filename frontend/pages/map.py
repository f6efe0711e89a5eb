"""Map: a grid of small runs over two settings, seen filling in. map_live.py fills what depends on one."""

from __future__ import annotations

from typing import Final

from dash import dcc, html
from dash.development.base_component import Component

from cdsp_core.settings.presets import PRESETS
from cdsp_core.studies.sweeps.measures import MEASURES
from cdsp_core.studies.sweeps.spec import axis_fields
from frontend.attributes import aria, data

CLOCK_MS: Final = 1500
VIEWS: Final = ("Pictures", "Numbers")


def layout() -> Component:
    """Left what varies and what is measured, in the middle the map, right the square under the pointer."""
    return html.Div(
        [
            dcc.Location(id="map-address", refresh=False),
            dcc.Location(id="map-goto", refresh=True),
            dcc.Interval(id="map-clock", interval=CLOCK_MS),
            *(dcc.Store(id=f"map-{name}") for name in ("seen", "under", "done", "ready")),
            html.Div([story(), picture()], className="map-middle"),
            html.Div([maps(), asked()], className="map-left"),
            html.Div([card(), reading(), taking()], className="map-right"),
        ],
        className="map-columns",
    )


def story() -> Component:
    """What the map says, and how far it is."""
    return html.Section(
        [
            html.Div([html.H1("Map", id="map-sentence"), html.P("", id="map-lead")]),
            html.Div(
                [
                    html.Div([html.B("", id="map-runs"), html.Span("", id="map-left")], className="map-far"),
                    html.Progress(id="map-progress", value="0", max="1", **aria(label="Runs that have ended")),
                    html.Div(
                        [
                            html.Button("Stop", id="map-stop", className="button", type="button", hidden=True),
                            html.Button("Go on", id="map-resume", className="button", type="button", hidden=True),
                            html.Button("Delete", id="map-delete", className="button", type="button", hidden=True),
                        ],
                        className="map-tools",
                        role="group",
                        **aria(label="This map"),
                    ),
                ],
                className="map-progress",
            ),
            html.P(id="map-note", className="note is-wrong", role="status"),
            dcc.ConfirmDialog(id="map-confirm"),
        ],
        className="panel map-story",
    )


def picture() -> Component:
    """The squares with both margins."""
    return html.Section(
        [
            html.Div(
                [
                    choice("map-layer", ["Layer 1"], "Layer"),
                    choice("map-view", list(VIEWS), "What a square shows"),
                    html.P("Point at a square to enlarge it, press it to keep it at the side."),
                ],
                className="map-switches",
            ),
            html.Div(
                [
                    html.Div(
                        margin("map-top"),
                        className="map-top",
                    ),
                    html.Div("mean and range of the finished runs", className="map-corner"),
                    html.Div(id="map-grid", className="map-grid", role="group", **aria(label="The map", busy="true")),
                    html.Div(
                        margin("map-beside"),
                        className="map-beside",
                    ),
                ],
                id="map-plot",
                className="map-plot",
            ),
            html.Div(id="map-legend", className="map-legend"),
        ],
        className="panel map-picture",
        **aria(label="The map"),
    )


def margin(name: str) -> Component:
    """The figure of one margin."""
    return dcc.Graph(
        id=name, figure={}, config={"displayModeBar": False, "responsive": True}, className="map-graph", responsive=True
    )


def choice(name: str, words: list[str], label: str) -> Component:
    """A few words of which one is chosen."""
    return html.Div(
        dcc.RadioItems(id=name, options=words, value=words[0], className="choice map-choice", inline=True),
        **data(choice=label),
    )


def maps() -> Component:
    """Which map is shown, and under which measure."""
    measures = [{"label": about.label, "value": name} for name, about in MEASURES.items()]
    return html.Section(
        [
            html.H2("Measure"),
            html.Div(
                dcc.RadioItems(id="map-measure", options=measures, value=next(iter(MEASURES)), className="map-radios"),
                **data(choice="Measure"),
            ),
            html.H2("Maps"),
            html.Ul(id="map-list", className="map-list"),
        ],
        className="panel",
    )


def asked() -> Component:
    """What a new map is, and what this one is extended by."""
    return html.Section(
        [
            html.H2("A new map"),
            *axis("x", "across", "lambda_conflict", "0, 1, 10, 100"),
            *axis("y", "down", "p_drop", "0, 0.5, 1"),
            html.Datalist([html.Option(value=name) for name in axis_fields()], id="map-fields"),
            html.Datalist([html.Option(value=name) for name in PRESETS], id="map-presets"),
            html.Div(
                [
                    labelled("Preset", dcc.Input(id="map-preset", value="live", list="map-presets", maxLength=40)),
                    labelled("Steps", dcc.Input(id="map-steps", value="1000", inputMode="numeric", maxLength=8)),
                    labelled("Seeds a square", dcc.Input(id="map-seeds", value="1", inputMode="numeric", maxLength=4)),
                ],
                className="map-fields",
            ),
            html.Div(
                dcc.Checklist(
                    id="map-waits",
                    options=[{"label": "Wait while a run trains", "value": "waits"}],
                    value=[],
                    className="map-check",
                ),
                **data(choice="Beside runs"),
            ),
            html.P("Values: 0, 1, 10; or a range 0.1:100:7, with :log for log spacing.", className="map-hint"),
            html.P("", id="map-size", className="map-hint"),
            html.Div(
                [
                    html.Button("Train it", id="map-start", className="button button-primary", type="button"),
                    html.Button("Add to this map", id="map-extend", className="button", type="button", disabled=True),
                ],
                className="map-tools",
            ),
            html.P(id="map-refused", className="note is-wrong", role="status"),
        ],
        className="panel map-asked",
    )


def axis(name: str, where: str, field: str, values: str) -> list[Component]:
    """One setting and its values."""
    return [
        labelled(f"Varies {where}", dcc.Input(id=f"map-{name}", value=field, list="map-fields", maxLength=40)),
        labelled(
            "Values",
            dcc.Input(
                id=f"map-{name}-values",
                value=values,
                maxLength=400,
            ),
        ),
    ]


def labelled(text: str, field: Component) -> Component:
    """A field under its name."""
    return html.Label([html.Span(text), field], className="map-field")


def card() -> Component:
    """The square under the pointer, or the one that was pressed."""
    return html.Section(
        html.P("Point at a square, or go to one by Tab.", className="map-hint"),
        id="map-card",
        className="panel map-card",
        **aria(label="The square"),
    )


def reading() -> Component:
    """What the picture means."""
    return html.Section(
        [
            html.H2("How to read"),
            html.P(
                "Every square is a network of its own: rows are experts, columns blocks of the backbone, amber a link "
                "that is held. The ground is the measure. Follow a row to see what the setting across does."
            ),
        ],
        className="panel",
    )


def taking() -> Component:
    """What can be taken away."""
    return html.Section(
        [
            html.H2("Take away"),
            html.P("the map, or every run in it", className="map-hint"),
            html.Div(
                [
                    html.Button("Figure (SVG)", id="map-figure", className="button", type="button"),
                    html.A("Data (Parquet)", id="map-parquet", className="button", href="/map", download=""),
                ],
                className="map-tools",
            ),
            dcc.Download(id="map-download"),
        ],
        className="panel",
    )
