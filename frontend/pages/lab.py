"""The Lab: what acts on the left, the story, the figure and its film in the centre, what happened on the right.

The page's modules (`assets/lab/`) fill it: the pictures and the charts are declared there, one file each.
"""

from __future__ import annotations

from dash import html
from dash.development.base_component import Component

from frontend.attributes import aria, part
from frontend.lab.controls import controls_panel
from frontend.lab.introduction import introduction
from frontend.lab.panel import panel
from frontend.lab.why import why


def layout() -> Component:
    """The page's three columns."""
    return html.Main(
        id="page",
        className="columns",
        children=[
            html.H1("Topology Lab: experts that borrow blocks of one backbone", className="visually-hidden"),
            html.Div([controls_panel()], className="column column-left"),
            html.Div(
                className="column column-centre",
                tabIndex=-1,
                **part("centre"),
                children=[
                    html.Div(className="notice", hidden=True, role="alert", **part("notice")),
                    html.Div(className="twin-problem", hidden=True, **part("twin-problem")),
                    story_panel(),
                    figure_panel(),
                    film_panel(),
                ],
            ),
            html.Div(
                [lesson_panel(), card_panel(), log_panel(), holds_panel(), take_panel()],
                className="column column-right",
                id="rail",
                **part("rail"),
            ),
        ],
    )


def story_panel() -> Component:
    """What the picture shows, in one sentence made of counts, and the phases."""
    return html.Section(
        className="panel panel-story",
        **aria(label="The story so far"),
        children=[
            html.Div(
                className="story-words",
                children=[
                    html.P("\u00a0", className="story-line", **part("story")),
                    html.P("\u00a0", className="story-below", **part("story-below")),
                    html.P(className="story-below banner", role="status", hidden=True, **part("banner")),
                ],
            ),
            html.Div(className="phases", **part("phases")),
        ],
    )


def figure_panel() -> Component:
    """One figure, whose rows are experts; the modules put a picture into each of its columns."""
    return html.Section(
        className="panel panel-figure",
        **aria(label="Pictures"),
        children=[
            html.Div(
                className="figure-tools",
                children=[
                    html.Div(className="segments layer-switch", role="group", **part("layers"), **aria(label="Layer")),
                    html.Div(className="segments lens-switch", role="group", **part("lenses"), **aria(label="Lens")),
                    html.Div(
                        className="segments twin-lenses",
                        role="group",
                        **part("twin-lenses"),
                        **aria(label="Lens of both runs"),
                    ),
                    html.P(className="figure-reading", **part("reading")),
                    html.P(className="figure-reading twin-reading", **part("twin-reading")),
                ],
            ),
            html.Div(className="pictures", **part("pictures")),
            html.Div(className="twin", hidden=True, **part("twin")),
        ],
    )


def film_panel() -> Component:
    """The film that is the scrubber, and the chart on the same axis; the page makes both."""
    return panel(
        "film",
        "Film and time",
        "",
        [],
        [
            why(
                "Film and time",
                "Steps run from left to right, wider apart early on: drag along the film, and every picture follows.",
            )
        ],
        host="film",
    )


def card_panel() -> Component:
    """What is under the pointer, or who looks for the first time; it covers nothing."""
    return html.Section(
        className="panel panel-card",
        **part("card"),
        **aria(label="Under the pointer"),
        children=[
            html.Div(
                [
                    html.H2("New here?", **part("card-title")),
                    html.Span(className="subtitle", **part("card-how")),
                    html.Button("Got it", className="button card-close", type="button", **part("card-close")),
                    html.Button(
                        html.Span(className="icon icon-close"),
                        className="icon-button card-free",
                        type="button",
                        **part("card-free"),
                        **aria(label="Let go of what is pinned"),
                    ),
                ],
                className="panel-head",
            ),
            html.Div(introduction(), className="introduction", **part("card-introduction")),
            html.P(className="card-text", hidden=True, **part("card-text")),
            html.Div(className="card-facts", **part("card-facts")),
            html.Div(className="inquiry", hidden=True, **part("card-inquiry")),
        ],
    )


def lesson_panel() -> Component:
    """The lesson that a link asks for: its question, and then what happened."""
    return html.Section(className="panel panel-lesson", hidden=True, **part("lesson"), **aria(label="Lesson"))


def log_panel() -> Component:
    """Events in words, newest first."""
    return panel(
        "log",
        "What happened",
        "",
        [html.Ol(className="events", tabIndex=0, **part("events"), **aria(label="Events, newest first"))],
        [
            why("What happened", "Only what changed the picture: changes by people, and by the network itself."),
            close_rail(),
        ],
        host="log",
    )


def holds_panel() -> Component:
    """What was measured over several seeds of what this one run shows."""
    return panel(
        "holds",
        "What holds",
        "over several seeds, not this run alone",
        [html.Div(**part("headlines"))],
        [
            why("What holds", "One run proves little. These claims were measured over several seeds, by fixed rules."),
            html.A("Claims →", href="/claims", className="link"),
            close_rail(),
        ],
    )


def take_panel() -> Component:
    """A link to what is shown, pictures, the film and the run's numbers as files."""
    return panel(
        "take",
        "Take away",
        "each carries seed, changes and step",
        [html.Div(className="take-buttons", **part("take"))],
        [
            why(
                "Take away",
                "The link shows this run, layer and lens. Pictures and film are of that layer, data of every step.",
            ),
            close_rail(),
        ],
    )


def close_rail() -> Component:
    """Puts the right rail away where it lies over the page."""
    return html.Button(
        html.Span(className="icon icon-close"),
        className="icon-button rail-close",
        type="button",
        **part("rail-close"),
        **aria(label="Close"),
    )
