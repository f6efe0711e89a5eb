"""A titled box, and what panels of different kinds have in common."""

from __future__ import annotations

from dash import html
from dash.development.base_component import Component

from frontend.attributes import aria, part


def panel(
    name: str, title: str, subtitle: str, body: list[Component], tools: list[Component] | None = None
) -> Component:
    """A titled box: title, one line in plain words, and what is in it."""
    return html.Section(
        className=f"panel panel-{name}",
        **aria(label=title),
        children=[
            html.Div([html.H2(title), *(tools or [])], className="panel-head"),
            html.P(subtitle, className="subtitle"),
            *body,
        ],
    )


def layer_switch(name: str) -> Component:
    """Where the page puts one button a layer, once it knows how many there are."""
    return html.Div(className="segments layer-switch", role="group", **part(f"layers-{name}"), **aria(label="Layer"))
