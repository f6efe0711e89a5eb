"""Map: a grid of small runs over two settings, seen filling in. map_live.py fills what depends on one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from dash import dcc, html
from dash.development.base_component import Component

from cdsp_core.settings.presets import PRESETS, preset
from cdsp_core.studies.sweeps.measures import MEASURES
from cdsp_core.wire.messages.sweeps import MAX_CELLS
from frontend.attributes import aria, data
from frontend.figures.map_margins import NOTHING_YET
from frontend.maps.choices import setting_options, suggested_values

CLOCK_MS: Final = 1500
VIEWS: Final = ("Pictures", "Numbers", "Film")
PRESET: Final = "live"
STORES: Final = ("seen", "shown", "drawn", "under", "going", "done", "ready", "moments")
HOW_TO_READ: Final = (
    "Every square is a network of its own: rows are experts, columns blocks of the backbone, amber a held link. "
    "Follow a row to see what the setting across does."
)
BESIDE: Final = {"shares": "Shares the cores with a run", "waits": "Waits while a run trains"}


def layout() -> Component:
    """Left what varies and what is measured, in the middle the map, right the square under the pointer."""
    return html.Div(
        [
            dcc.Location(id="map-address", refresh=False),
            dcc.Location(id="map-goto", refresh=True),
            dcc.Interval(id="map-clock", interval=CLOCK_MS),
            *(dcc.Store(id=f"map-{name}") for name in STORES),
            html.Div([story(), picture()], className="map-middle"),
            html.Section(
                [*maps(), *axes(), *each_run(), *measures(), *where(), *going()],
                className="panel map-left",
                **aria(label="What the map is"),
            ),
            html.Div([card(), taking()], className="map-right"),
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
                    html.P("Point at a square to enlarge it; press two to compare them."),
                ],
                className="map-switches",
            ),
            film_bar(),
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
            html.P(HOW_TO_READ, className="map-hint"),
        ],
        className="panel map-picture",
        **aria(label="The map"),
    )


def film_bar() -> Component:
    """What moves through the film of the map; there only where squares show it."""
    moment = dcc.Input(id="map-moment", type="range", value=0, min=0, max=1, step=1)
    return html.Div(
        [
            html.Button("Play", id="map-play", className="button", type="button"),
            html.Label([html.Span("Moment of the film", className="visually-hidden"), moment]),
            html.Span("", id="map-step", className="map-hint"),
        ],
        id="map-film-bar",
        className="map-film-bar",
        hidden=True,
    )


def margin(name: str) -> Component:
    """The figure of one margin."""
    return dcc.Graph(
        id=name,
        figure=NOTHING_YET,
        config={"displayModeBar": False, "responsive": True},
        className="map-graph",
        responsive=True,
    )


def choice(name: str, words: list[str], label: str) -> Component:
    """A few words of which one is chosen."""
    return html.Div(
        dcc.RadioItems(id=name, options=words, value=words[0], className="choice map-choice", inline=True),
        **data(choice=label),
    )


def maps() -> list[Component]:
    """Which map is shown."""
    return [html.H2("Map"), chooser("map-choice", [], None, "Map shown")]


def axes() -> list[Component]:
    """What varies: a setting of a list, and the values that are tried."""
    base = preset(PRESET)
    found: list[Component] = [html.H2("Two axes")]
    for name, where, field in (("x", "across", "lambda_conflict"), ("y", "down", "p_drop")):
        setting = chooser(f"map-{name}", setting_options(), field, f"Varies {where}")
        values = dcc.Input(
            id=f"map-{name}-values", value=suggested_values(field, base), maxLength=400, className="map-values"
        )
        found += [
            html.Div([html.Span(where), setting], className="map-field"),
            html.Label([html.Span(f"Values {where}", className="visually-hidden"), values]),
        ]
    hint = "Values: 0, 1, 10 or a range 0.1:100:7:log"
    return [*found, html.P(hint, className="map-hint")]


def each_run() -> list[Component]:
    """What a run of it is."""
    steps = dcc.Input(id="map-steps", value="1000", inputMode="numeric", maxLength=8)
    seeds = dcc.Input(id="map-seeds", type="number", value=1, min=1, max=MAX_CELLS, step=1)
    return [
        html.H2("Each run"),
        html.Div([html.Span("Preset"), chooser("map-preset", list(PRESETS), PRESET, "Preset")], className="map-line"),
        html.Label([html.Span("Steps"), steps], className="map-line"),
        html.Label([html.Span("Seeds a square"), seeds], className="map-line"),
        html.P("", id="map-size", className="map-hint"),
    ]


def measures() -> list[Component]:
    """What the ground of a square says."""
    known = [{"name": name, "label": each.label, "unit": each.unit} for name, each in MEASURES.items()]
    options = measure_options(known)
    radios = dcc.RadioItems(id="map-measure", options=options, value=next(iter(MEASURES)), className="map-radios")
    return [html.H2("Measure"), html.Div(radios, **data(choice="Measure"))]


def measure_options(shown: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Measures as radio buttons, each with its unit."""
    return [
        {
            "label": html.Span([html.Span(each["label"]), html.Small(each["unit"])], className="map-measure"),
            "value": each["name"],
        }
        for each in shown
    ]


def where() -> list[Component]:
    """Where it trains, and what it does beside a run."""
    options = [{"label": label, "value": value} for value, label in BESIDE.items()]
    radios = dcc.RadioItems(id="map-waits", options=options, value="shares", className="map-radios")
    return [
        html.H2("Where"),
        html.P("", id="map-place", className="map-hint"),
        html.Div(radios, **data(choice="While a run trains")),
    ]


def going() -> list[Component]:
    """What is done with all that."""
    return [
        html.Div(
            [
                html.Button("Train as a new map", id="map-start", className="button button-primary", type="button"),
                html.Button("Add to this map", id="map-extend", className="button", type="button", disabled=True),
            ],
            className="map-tools map-going",
        ),
        html.P(id="map-refused", className="note is-wrong", role="status"),
    ]


def chooser(name: str, options: list[Any], value: str | None, label: str) -> Component:
    """One of a list, which can be searched by typing."""
    found = dcc.Dropdown(
        id=name, options=options, value=value, clearable=False, className="map-dropdown", maxHeight=320
    )
    return html.Div(found, **data(choice=label))


def card() -> Component:
    """The square under the pointer, or the one that was pressed."""
    return html.Section(
        nothing_at_the_side(),
        id="map-card",
        className="panel map-card",
        **aria(label="The square"),
    )


def nothing_at_the_side() -> Component:
    """What stands there as long as there is no square to show."""
    return html.P("Point at a square, or go to one by Tab.", className="map-hint")


def taking() -> Component:
    """What can be taken away."""
    return html.Section(
        [
            html.H2("Take away"),
            html.P("the map, or every run in it", className="map-hint"),
            html.Div(
                [
                    html.Button("Copy link", id="map-copy", className="button", type="button", **aria(live="polite")),
                    html.Button("Figure (SVG)", id="map-figure", className="button", type="button"),
                    html.Button("Film (SVG)", id="map-film", className="button", type="button"),
                    html.A("Data (Parquet)", id="map-parquet", className="button", href="/map", download=""),
                ],
                className="map-tools",
            ),
            dcc.Download(id="map-download"),
        ],
        className="panel",
    )
