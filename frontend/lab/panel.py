"""A titled box, and what panels of different kinds have in common."""

from __future__ import annotations

from dash import html
from dash.development.base_component import Component

from frontend.attributes import aria, part


def panel(
    name: str,
    title: str,
    subtitle: str,
    body: list[Component],
    tools: list[Component] | None = None,
    *,
    host: str | None = None,
) -> Component:
    """A titled box: title, one line in plain words, and what is in it; `host` names it for the page's modules."""
    return html.Section(
        className=f"panel panel-{name}",
        **aria(label=title),
        **(part(host) if host else {}),
        children=[
            html.Div([html.H2(title), *(tools or [])], className="panel-head"),
            *([html.P(subtitle, className="subtitle")] if subtitle else []),
            *body,
        ],
    )
