"""What acts, on the left: run, pause and step, the menu, the forces, and the next run."""

from __future__ import annotations

from typing import Final

from dash import html
from dash.development.base_component import Component

from cdsp_core.settings.config import schema
from cdsp_core.settings.presets import PRESETS
from frontend.attributes import aria, data, part
from frontend.page_settings import CONTROLS, key_of

SPEEDS = ("100", "50", "20", "10", "5", "2", "1")
MAIN: Final = ("lambda_conflict", "p_drop", "lr_ratio")
"""The forces that are always seen; the others are folded away."""
ON_THE_BAR: Final = ("lambda_conflict", "p_drop")
"""Those whose values stand on a phone's bar."""


def controls_panel() -> Component:
    """Run, step, menu, the forces, what is compared, the next run, and where and how fast this one trains."""
    others = [name for name in schema()["controls"] if name not in MAIN]
    return html.Section(
        className="panel panel-controls",
        **part("controls"),
        **aria(label="Controls"),
        children=[
            transport(),
            html.Div(
                className="sheet",
                **part("sheet"),
                children=[
                    html.Div([note("transport-note")], className="transport-room"),
                    *[force(name) for name in MAIN],
                    html.Details(
                        [
                            html.Summary(
                                [f"{len(others)} more forces", html.Span("at preset", **part("more-forces-note"))]
                            ),
                            *[force(name) for name in others],
                        ],
                        className="fold",
                        **part("more-forces"),
                    ),
                    html.Section(className="compare", **part("compare"), **aria(label="Compare")),
                    html.Details(
                        [
                            html.Summary(["Probe", html.Span("patch by patch")]),
                            html.Div(className="probe", **part("probe")),
                        ],
                        className="fold probe-fold",
                        **part("probe-fold"),
                    ),
                    html.Details(
                        [html.Summary("About this run"), html.Div(**part("facts"))],
                        className="fold",
                    ),
                    html.Div(
                        className="rail-foot",
                        children=[
                            html.Button(
                                "Start another run…",
                                className="button button-wide",
                                type="button",
                                **part("start-another"),
                            ),
                            html.P(
                                className="rail-facts",
                                children=[
                                    html.Span(title="Training speed and pictures drawn", **part("chip-speed")),
                                    html.Span(title="Where the run trains, how long yet", **part("chip-device")),
                                    html.Span(title="People with this run open", **part("chip-watching")),
                                ],
                            ),
                        ],
                    ),
                ],
            ),
            start_dialog(),
            html.Dialog(className="compare-dialog", **part("compare-dialog"), **aria(label="Compare this run")),
        ],
    )


def transport() -> Component:
    """Run or pause, one step, and a menu of what is needed more rarely."""
    return html.Div(
        className="transport",
        children=[
            button("run-pause", "play", "Run", look="button-primary", hint=hint("Run or pause", "runOrPause")),
            button("step", "step", "Step", look="step-button", hint=hint("One step, then pause", "step")),
            html.Details(
                className="menu",
                **part("menu"),
                children=[
                    html.Summary(
                        html.Span(className="icon icon-more"),
                        className="button",
                        title="Speed, run until, reset",
                        **aria(label="Speed, run until, reset"),
                    ),
                    html.Div(className="menu-sheet", children=menu()),
                ],
            ),
            *[bar_value(name) for name in ON_THE_BAR],
            button("sheet-toggle", "sliders", "Controls", look="sheet-toggle", hint="Show the controls"),
        ],
    )


def menu() -> list[Component]:
    """Speed, a step to stop at, and reset, which asks before it does."""
    return [
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
        html.P(className="note is-wrong", **part("menu-note")),
        html.Div(
            className="reset-row",
            children=[
                html.Button("Reset…", className="button", type="button", **part("reset")),
                html.P(
                    "Back to step 0 with the same seed? Everybody who watches sees it; your sliders stay.",
                    hidden=True,
                    **part("reset-question"),
                ),
                html.Button("Keep", className="button", type="button", hidden=True, **part("reset-no")),
                html.Button(
                    "Reset", className="button button-primary", type="button", hidden=True, **part("reset-yes")
                ),
            ],
        ),
    ]


def start_dialog() -> Component:
    """The next run: its preset and seed, and what it ends."""
    return html.Dialog(
        **part("start-dialog"),
        **aria(label="Start a run"),
        children=[
            html.H2("Start a run"),
            html.Label(
                [
                    html.Span("Preset"),
                    html.Select([html.Option(name, value=name) for name in PRESETS], **part("preset")),
                ],
                className="field",
            ),
            note("preset-note"),
            html.Div([html.Span("Seed"), html.Div(className="seed-field", **part("seed-field"))], className="field"),
            html.Label([html.Span("Data"), html.Select([], **part("data"))], className="field"),
            note("data-note"),
            html.Div(
                className="data-shown",
                tabIndex=0,
                role="region",
                **part("data-shown"),
                **aria(label="What the model sees of the data"),
            ),
            html.P(className="ends", **part("ends"), **aria(live="polite")),
            html.Label(
                [html.Div(className="check-place", **part("keep-place")), "Let it train on beside the new one"],
                className="check",
                hidden=True,
                **part("keep-row"),
            ),
            html.Label(className="button recipe-file", **part("recipe-place")),
            note("new-run-note"),
            html.Div(
                className="dialog-buttons",
                children=[
                    html.Button("Cancel", className="button", type="button", **part("start-cancel")),
                    html.Button("Start", className="button button-primary", type="button", **part("new-run")),
                ],
            ),
        ],
    )


def force(name: str) -> Component:
    """Where the page puts the slider of a control."""
    return html.Div(className="control", **data(control=name))


def bar_value(name: str) -> Component:
    """A force's value, which leads to its slider; only where the page is a phone's."""
    return html.Button(
        [html.Span(CONTROLS[name].label), html.B("\u00a0")],
        className="button bar-value",
        type="button",
        **data(**{"opens-control": name}),
    )


def hint(text: str, action: str) -> str:
    """What a button does, and the key that does the same."""
    return f"{text} ({key_of(action)})"


def note(name: str) -> Component:
    """Where the page says what came of something."""
    return html.P(className="note", **part(name), **aria(live="polite"))


def button(name: str, icon: str, text: str, *, look: str, hint: str) -> Component:
    """One of the buttons that drive the run."""
    return html.Button(
        [html.Span(className=f"icon icon-{icon}"), html.Span(text, className="button-text")],
        className=f"button {look}",
        title=hint,
        type="button",
        **part(name),
    )
