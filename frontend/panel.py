"""A titled box, and what panels of different kinds have in common."""

from __future__ import annotations

from dash import html
from dash.development.base_component import Component

from frontend.attributes import aria


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
