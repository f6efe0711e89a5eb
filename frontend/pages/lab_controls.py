"""The Lab's controls: what drives the run, its sliders, and the next run."""

from __future__ import annotations

from dash import html
from dash.development.base_component import Component

from cdsp_core.settings.config import schema
from cdsp_core.settings.presets import PRESETS
from frontend.attributes import aria, data, part
from frontend.page_settings import key_of

SPEEDS = ("100", "50", "20", "10", "5", "2", "1")


def controls_panel() -> Component:
    """Run, step, reset, speed, run until a step, preset, seed and the sliders."""
    return html.Section(
        className="panel panel-controls",
        **part("controls"),
        **aria(label="Controls"),
        children=[
            html.Div(
                className="transport",
                children=[
                    transport_button("run-pause", "play", "Run", primary=True, hint=hint("Run or pause", "runOrPause")),
                    transport_button("step", "step", "Step", hint=hint("One step, then pause", "step")),
                    transport_button(
                        "reset",
                        "reset",
                        "Reset",
                        hint=hint("From the start, same seed; keeps your sliders", "reset"),
                    ),
                    transport_button("sheet-toggle", "sliders", "Controls", hint="Show the controls"),
                ],
            ),
            html.Div(
                className="sheet",
                **part("sheet"),
                children=[
                    note("transport-note"),
                    html.Label(
                        [
                            html.Span("Speed"),
                            html.Select(
                                [html.Option("as fast as it goes", value="")]
                                + [html.Option(f"{s} steps/s", value=s) for s in SPEEDS],
                                **part("speed"),
                            ),
                        ],
                        className="field",
                    ),
                    html.Label(
                        [html.Span("Run until step"), html.Div(className="seed-field", **part("until-field"))],
                        className="field",
                    ),
                    html.H3("Forces", className="section-title"),
                    *[html.Div(className="control", **data(control=name)) for name in schema()["controls"]],
                    html.H3("New run", className="section-title"),
                    html.Label(
                        [
                            html.Span("Preset"),
                            html.Select([html.Option(name, value=name) for name in PRESETS], **part("preset")),
                        ],
                        className="field",
                    ),
                    note("preset-note"),
                    html.Div(
                        [html.Span("Seed"), html.Div(className="seed-field", **part("seed-field"))],
                        className="field",
                    ),
                    html.Button("Start new run", className="button button-wide", type="button", **part("new-run")),
                    note("new-run-note"),
                ],
            ),
        ],
    )


def hint(text: str, action: str) -> str:
    """What a button does, and the key that does the same."""
    return f"{text} ({key_of(action)})"


def note(name: str) -> Component:
    """Where the page says what came of something."""
    return html.P(className="note", **part(name), **aria(live="polite"))


def transport_button(name: str, icon: str, text: str, *, hint: str, primary: bool = False) -> Component:
    """One of the buttons that drive the run."""
    return html.Button(
        [html.Span(className=f"icon icon-{icon}"), html.Span(text, className="button-text")],
        className=" ".join(
            ["button", *(["button-primary"] if primary else []), *(["sheet-toggle"] if name == "sheet-toggle" else [])]
        ),
        title=hint,
        type="button",
        **part(name),
    )
