"""The Lab: controls on the left, what is in the centre, what it means on the right, time below."""

from __future__ import annotations

from typing import Any

from dash import html
from dash.development.base_component import Component

from cdsp_core.config import PRESETS, schema
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

CHARTS = (
    ("losses", "Losses", ""),
    ("accuracy", "Test accuracy", ""),
    ("structure", "Structure", "how decided σ(A) is"),
    ("oligarchy", "Oligarchy", "do few hold their own?"),
    ("load", "Experts", ""),
    ("conflict", "Conflict", ""),
)

CHART_VIEWS = {
    "losses": (
        "Loss shown",
        {
            "task": "Cross entropy of the labels",
            "penalties": "What is added to it, before its weight",
            "total": "What is minimised",
        },
    ),
    "load": (
        "Shown of the experts",
        {
            "load": "Is the work shared evenly?",
            "tasks": "Has each task its own experts? Clusters: do MNIST and kana share more than either with Fashion?",
        },
    ),
    "conflict": (
        "Shown of the conflict",
        {
            "clash": "Do the experts' gradients clash?",
            "chance": "Squared cosines of the experts' gradients over what chance alone would give, which is 1",
        },
    ),
}
"""Chart: what its switch chooses, and each choice with its meaning. The losses differ by powers of ten."""

ACCURACY_KEY = (
    ("test_accuracy", "ID", "The router is told the task"),
    ("test_accuracy_blind", "blind", "The router is told nothing"),
    ("test_accuracy_deceptive", "wrong", "The router is told a wrong task"),
)

HELP = (
    (
        "σ(A), the topology",
        "A row is an expert, a column a block of the shared backbone. Amber: the expert holds on to that block. "
        "Blue: it lets go. Pale: undecided, 0.5.",
    ),
    (
        "Gradient conflict",
        "Two experts that share dimensions may want to change them in opposite ways. "
        "The redder, the stronger; training then pushes the two apart.",
    ),
    (
        "Blind",
        "The same images without their task's name. If the routing stays the same, the experts know the task by sight.",
    ),
    (
        "Backbone",
        "Experts own no weights. Each holds a fixed number of the shared dimensions, those its σ(A) favours most.",
    ),
    (
        "Own, others', shared",
        "Whose block a held dimension lies in; thin where several experts hold it.",
    ),
    ("Oligarchy", "A few experts hold almost all of their own block while others lose theirs."),
    ("Gini", "0: all experts have the same; towards 1: one has nearly everything."),
    ("Sparsity, entropy", "Sparsity: share of σ(A) below 0.1. Entropy: 1 bit is undecided, 0 is decided."),
    ("93 · 86 · 71", "Test accuracy in %: with the task ID · blind · with a wrong ID, where that was measured."),
    ("nat", "Unit of the loss; guessing among ten classes costs 2.3 nat."),
    (
        "Time",
        "A violet line marks what a person changed, a dashed grey one what the network did by itself, "
        "a dotted one what the run's controller changed.",
    ),
)


def layout() -> Component:
    """The page's three columns."""
    return html.Main(
        id="page",
        className="columns",
        children=[
            html.Div([controls_panel(), facts_panel()], className="column column-left"),
            html.Div(
                id="pictures",
                className="column column-centre",
                tabIndex=-1,
                children=[
                    html.Div(id="notice", className="notice", hidden=True, role="alert"),
                    topology_panel(0),
                    topology_panel(1),
                    conflict_panel(),
                    routing_panel("routing", "Routing with ID", "share of each task's tokens"),
                    routing_panel("routing-blind", "Routing blind", "the same images, task ID removed"),
                    backbone_panel(),
                    time_panel(),
                ],
            ),
            html.Div([events_panel(), help_panel()], className="column column-right"),
        ],
    )


def panel(
    element_id: str, title: str, subtitle: str, body: list[Component], tools: list[Component] | None = None
) -> Component:
    """A titled box: title, one line in plain words, the picture, its legend."""
    return html.Section(
        id=f"panel-{element_id}",
        className=f"panel panel-{element_id}",
        **aria(labelledby=f"title-{element_id}"),
        children=[
            html.Div(
                [html.H2(title, id=f"title-{element_id}"), *(tools or [])],
                className="panel-head",
            ),
            html.P(subtitle, className="subtitle"),
            *body,
        ],
    )


def layer_switch(owner: str) -> Component:
    """Where the page puts one button a layer, once it knows how many there are."""
    return html.Div(id=f"layers-{owner}", className="segments layer-switch", role="group", **aria(label="Layer"))


def picture(name: str) -> Component:
    """The box of one canvas, of fixed size before data comes."""
    return html.Div(id=f"picture-{name}", className=f"picture picture-{name.rstrip('01-')}")


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
                    transport_button(
                        "reset", "reset", "Reset", hint="From the start, same seed; keeps your sliders (R)"
                    ),
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


def facts_panel() -> Component:
    """Which run this is: tasks, sizes, data."""
    return panel("facts", "This run", "what is being trained", [html.Div(id="facts")])


def topology_panel(slot: int) -> Component:
    """sigma(A) of one layer."""
    return panel(
        f"topology{slot}",
        f"Topology, layer {slot + 1}",
        "which expert holds which block",
        [picture(f"topology{slot}"), html.Div(id=f"legend-topology{slot}", className="legend")],
        [
            html.Div(
                id=f"slots-topology{slot}", className="segments layer-switch", role="group", **aria(label="Layer")
            ),
            html.Div(
                [
                    html.Button(
                        "σ(A)",
                        type="button",
                        title="Between 0 and 1 (L)",
                        **data(raw="false"),
                        **aria(pressed="true"),
                    ),
                    html.Button(
                        "A", type="button", title="Raw logits (L)", **data(raw="true"), **aria(pressed="false")
                    ),
                ],
                className="segments view-switch",
                role="group",
                **aria(label="Values"),
            ),
        ],
    )


def conflict_panel() -> Component:
    """Conflict of last step's expert gradients."""
    return panel(
        "conflict",
        "Gradient conflict",
        "last step, shared dimensions only",
        [picture("conflict"), html.Div(id="legend-conflict", className="legend")],
        [layer_switch("conflict")],
    )


def routing_panel(name: str, title: str, subtitle: str) -> Component:
    """Which experts each task's tokens go to."""
    return panel(name, title, subtitle, [picture(name)], [layer_switch(name)])


def backbone_panel() -> Component:
    """Which backbone dimensions each expert holds."""
    return panel(
        "backbone",
        "Backbone",
        "who holds which dimensions",
        [picture("backbone"), html.Div(id="legend-backbone", className="legend")],
        [layer_switch("backbone")],
    )


def time_panel() -> Component:
    """Small multiples over the same steps, and the way back in time."""
    charts = [
        html.Figure(
            className="chart",
            id=f"figure-{name}",
            children=[
                html.Figcaption([html.B(title), beside_title(name, subtitle)]),
                html.Div(id=f"chart-{name}", className="chart-plot"),
            ],
        )
        for name, title, subtitle in CHARTS
    ]
    return panel(
        "time",
        "Time",
        "steps from left to right; drag below, or click a chart, to go back",
        [html.Div(charts, className="charts", id="charts"), html.Div(id="scrubber", className="scrubber")],
        [layer_switch("time")],
    )


def beside_title(name: str, subtitle: str) -> Component:
    """Beside a chart's title: the choice of what it shows, the key of its lines, or what it is about."""
    if name in CHART_VIEWS:
        return chart_switch(name)
    if name == "accuracy":
        return html.Div([line_key(*key) for key in ACCURACY_KEY], className="line-keys")
    return html.Span(subtitle)


def chart_switch(name: str) -> Component:
    """Which of several things a chart shows."""
    label, views = CHART_VIEWS[name]
    buttons = [
        html.Button(view, type="button", title=hint, **data(chart=name, view=view), **aria(pressed=str(not i).lower()))
        for i, (view, hint) in enumerate(views.items())
    ]
    return html.Div(buttons, className="segments", role="group", **aria(label=label))


def line_key(scalar: str, text: str, hint: str) -> Component:
    """One style of line and what it means; hidden where a run has no such scalar."""
    return html.Span(
        [html.Span(className=f"line-sample line-{text}"), text],
        className="line-key",
        title=hint,
        **data(key=scalar),
    )


def events_panel() -> Component:
    """Events in words, newest first."""
    return panel(
        "events",
        "What is happening",
        "newest first",
        [html.Ol(id="events", className="events", tabIndex=0, **aria(label="Events, newest first"))],
    )


def help_panel() -> Component:
    """A few plain words for someone who sees this for the first time."""
    entries: list[Component] = []
    for term, text in HELP:
        entries += [html.Dt(term), html.Dd(text)]
    return panel("help", "How to read", "for the first look", [html.Dl(entries, className="help")])
