"""The Lab: controls on the left, what is in the centre, what it means on the right, time below.

The page's modules (`assets/lab/`) fill it: the pictures and the charts are declared there, one file each.
"""

from __future__ import annotations

from dash import html
from dash.development.base_component import Component

from frontend.attributes import aria, part
from frontend.pages.lab_controls import controls_panel
from frontend.panel import panel

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
                className="column column-centre",
                tabIndex=-1,
                **part("centre"),
                children=[
                    html.Div(className="notice", hidden=True, role="alert", **part("notice")),
                    html.Div(className="phases", **part("phases")),
                    html.Div(className="pictures", **part("pictures")),
                    film_panel(),
                ],
            ),
            html.Div([log_panel(), help_panel()], className="column column-right"),
        ],
    )


def facts_panel() -> Component:
    """Which run this is: tasks, sizes, data."""
    return panel("facts", "This run", "what is being trained", [html.Div(**part("facts"))])


def film_panel() -> Component:
    """The film that is the scrubber, and the chart on the same axis; the page makes both."""
    return html.Section(
        [html.Div([html.H2("Film and time")], className="panel-head")],
        className="panel panel-film",
        **part("film"),
        **aria(label="Film and time"),
    )


def log_panel() -> Component:
    """What changed the picture, newest first."""
    return html.Section(
        [
            html.Div([html.H2("What happened")], className="panel-head"),
            html.Ol(className="events", tabIndex=0, **part("events"), **aria(label="Events, newest first")),
        ],
        className="panel panel-log",
        **part("log"),
        **aria(label="What happened"),
    )


def help_panel() -> Component:
    """A few plain words for someone who sees this for the first time."""
    entries: list[Component] = []
    for term, text in HELP:
        entries += [html.Dt(term), html.Dd(text)]
    return panel("help", "How to read", "for the first look", [html.Dl(entries, className="help")])
