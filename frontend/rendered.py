"""Dash's HTML components as HTML: for a page that needs no Dash in the browser, and for the parts of one that stay."""

from __future__ import annotations

import re
from html import escape
from typing import Any, Final

from dash import html
from dash.development.base_component import Component

from frontend.attributes import data

NAMES: Final = {"className": "class", "htmlFor": "for", "tabIndex": "tabindex"}
VOID: Final = ("input", "br", "hr", "img", "meta", "link")


def written(*content: Any) -> Component:
    """A place for what no callback changes; the page writes it there as HTML, without a box of its own.

    Every component of Dash hears of every change on a page, so a page with thousands of them answers slowly. The place
    must not become one with components of Dash in it, whose React knows nothing of what is written there.
    """
    return html.Div(className="written", **data(html=to_html(content)))


def to_html(content: Any) -> str:
    """A component, text, or a list of both, as HTML. Text and attributes are escaped."""
    if content is None:
        return ""
    if isinstance(content, list | tuple):
        return "".join(map(to_html, content))
    if not isinstance(content, Component):
        return escape(str(content))
    described = content.to_plotly_json()
    tag, properties = described["type"].lower(), dict(described["props"])
    inside = to_html(properties.pop("children", None))
    opening = f"<{tag}{''.join(_attribute(name, value) for name, value in properties.items())}>"
    return opening if tag in VOID else f"{opening}{inside}</{tag}>"


def _attribute(name: str, value: Any) -> str:
    if value is None or value is False:
        return ""
    if name == "style":  # as text it would not count: the page sets it
        name = "data-style"
        value = ";".join(f"{_css(key)}:{given}" for key, given in value.items())
    assert name != "id" or isinstance(value, str), "what a callback names is no HTML but a component"
    named = NAMES.get(name, name)
    return f" {named}" if value is True else f' {named}="{escape(str(value))}"'


def _css(name: str) -> str:
    """React's name of a property of a style, as CSS has it."""
    return name if name.startswith("--") else re.sub("[A-Z]", lambda capital: f"-{capital[0].lower()}", name)
