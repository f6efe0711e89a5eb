"""Dash's HTML components as a document, for a page that needs no Dash in the browser."""

from __future__ import annotations

from html import escape
from typing import Any, Final

from dash.development.base_component import Component

NAMES: Final = {"className": "class", "htmlFor": "for", "tabIndex": "tabindex"}
VOID: Final = ("input", "br", "hr", "img", "meta", "link")


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
    named = NAMES.get(name, name)
    return f" {named}" if value is True else f' {named}="{escape(str(value))}"'
