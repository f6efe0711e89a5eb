"""The Lab: controls on the left, what is in the centre, what it means on the right, time below."""

from __future__ import annotations

from dash import html
from dash.development.base_component import Component

from frontend.attributes import aria, data
from frontend.pages.lab_charts import time_panel
from frontend.pages.lab_controls import controls_panel
from frontend.panel import layer_switch, panel

HELP = (
    (
        "σ(A), the topology",
        "A row is an expert, a column a block of the shared backbone. Amber: the expert holds on to that block. "
        "Blue: it lets go. In between: undecided, 0.5.",
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


def picture(name: str) -> Component:
    """The box of one canvas, of fixed size before data comes."""
    return html.Div(id=f"picture-{name}", className=f"picture picture-{name.rstrip('01-')}")


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
