"""The Lab's controls: what drives the run, its sliders, and the next run."""

from __future__ import annotations

from typing import Any

from dash import html
from dash.development.base_component import Component

from cdsp_core.settings.config import schema
from cdsp_core.settings.presets import PRESETS
from frontend.attributes import aria, data

CONTROLS = {
    "p_drop": ("p_drop", "task dropout", ""),
    "lambda_conflict": ("λ", "conflict weight", ""),
    "lr_ratio": ("rate ratio", "A : weights", "×"),
    "lr_base": ("base rate", "of learning", ""),
    "l1": ("L1", "pressure on A", ""),
    "binarize": ("binarisation", "of σ(A)", ""),
    "sharing": ("sharing", "offset on A", ""),
}
"""Control name: its one name on the page, what that means, its unit. The schema says which there are."""

LOG0_DECADES = {"l1": 6, "binarize": 6}
"""How many powers of ten a slider with a zero covers below its highest value, where it is not 4."""

RESET_HINT = "From the start, same seed; keeps your sliders (R)"

SPEEDS = ("100", "50", "20", "10", "5", "2", "1")


def controls_panel() -> Component:
    """Run, step, reset, speed, run until a step, preset, seed and the sliders."""
    return html.Section(
        id="panel-controls",
        className="panel panel-controls",
        **aria(label="Controls"),
        children=[
            html.Div(
                className="transport",
                children=[
                    transport_button("run-pause", "play", "Run", primary=True, hint="Run or pause (Space)"),
                    transport_button("step", "step", "Step", hint="One step, then pause (S)"),
                    transport_button("reset", "reset", "Reset", hint=RESET_HINT),
                    transport_button("sheet-toggle", "sliders", "Controls", hint="Show the controls"),
                ],
            ),
            html.Div(
                id="sheet",
                className="sheet",
                children=[
                    html.P(id="transport-note", className="note", **aria(live="polite")),
                    html.Div(
                        [
                            html.Label("Speed", htmlFor="speed"),
                            html.Select(
                                [html.Option("as fast as it goes", value="")]
                                + [html.Option(f"{s} steps/s", value=s) for s in SPEEDS],
                                id="speed",
                            ),
                        ],
                        className="field",
                    ),
                    html.Div(
                        [
                            html.Label("Run until step", htmlFor="until"),
                            html.Div(id="until-field", className="seed-field"),
                        ],
                        className="field",
                    ),
                    html.H3("Forces", className="section-title"),
                    *[slider(name, spec) for name, spec in schema()["controls"].items()],
                    html.H3("New run", className="section-title"),
                    html.Div(
                        [
                            html.Label("Preset", htmlFor="preset"),
                            html.Select([html.Option(name, value=name) for name in PRESETS], id="preset"),
                        ],
                        className="field",
                    ),
                    html.P(id="preset-note", className="note", **aria(live="polite")),
                    html.Div(
                        [html.Label("Seed", htmlFor="seed"), html.Div(id="seed-field", className="seed-field")],
                        className="field",
                    ),
                    html.Button("Start new run", id="new-run", className="button", type="button"),
                    html.P(id="new-run-note", className="note", **aria(live="polite")),
                ],
            ),
        ],
    )


def transport_button(element_id: str, icon: str, text: str, *, hint: str, primary: bool = False) -> Component:
    """One of the buttons that drive the run."""
    return html.Button(
        [html.Span(className=f"icon icon-{icon}"), html.Span(text, className="button-text")],
        id=element_id,
        className="button button-primary" if primary else "button",
        title=hint,
        type="button",
    )


def slider(name: str, spec: dict[str, Any]) -> Component:
    """The frame of one control of the schema; `sliders.js` adds the inputs and posts the changes."""
    label, gloss, unit = CONTROLS.get(name, (name, "", ""))
    return html.Div(
        className="control",
        id=f"control-{name}",
        title=f"{spec['doc']}; double-click the slider for the preset's value",
        **data(
            control=name,
            label=label,
            gloss=gloss,
            unit=unit,
            low=str(spec["low"]),
            high=str(spec["high"]),
            scale=spec["scale"],
            decades=str(LOG0_DECADES.get(name, 4)),
        ),
    )
