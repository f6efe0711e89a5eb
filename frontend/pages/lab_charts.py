"""The Lab's charts over time, and the way back in time."""

from __future__ import annotations

from dash import html
from dash.development.base_component import Component

from frontend.attributes import aria, data
from frontend.panel import layer_switch, panel

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
