"""The "?" beside a title: one plain sentence for someone who sees this for the first time."""

from __future__ import annotations

from dash import html
from dash.development.base_component import Component

from frontend.attributes import aria


def why(title: str, sentence: str, *, opens_left: bool = False) -> Component:
    """A question mark that opens `sentence`, which says what `title` shows."""
    return html.Details(
        [html.Summary("?", **aria(label=f"What is this: {title}")), html.P(sentence)],
        className="why why-left" if opens_left else "why",
    )
