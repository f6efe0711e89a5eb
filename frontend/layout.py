"""What surrounds every page: header, connection banner, keyboard help, live region for screen readers."""

from __future__ import annotations

from dash import html
from dash.development.base_component import Component

from frontend.attributes import aria
from frontend.pages import PAGES

SHORTCUTS = (
    ("Space", "run or pause"),
    ("S", "one step"),
    ("R", "reset with the same seed; keeps your sliders"),
    ("1 to 8", "choose the layer"),
    ("L", "σ(A) or raw logits"),
    ("D", "light or dark"),
    ("Arrows", "read cells of a picture that has the focus"),
    ("End", "back to live"),
    ("?", "this list"),
)


def page_layout() -> Component:
    """The whole document body."""
    return html.Div(
        id="app",
        children=[
            html.A("Skip to the pictures", href="#pictures", className="skip-link"),
            header(),
            html.Div(id="banner", role="status", hidden=True),
            PAGES[0].layout(),
            html.Div(id="tooltip", hidden=True, **aria(hidden="true")),
            html.Div(id="announcer", className="visually-hidden", **aria(live="polite")),
            shortcuts_dialog(),
        ],
    )


def header() -> Component:
    """Name, one tab a page, the run's status, theme and help buttons."""
    return html.Header(
        className="topbar",
        children=[
            html.Span("Topology Lab", className="brand"),
            html.Nav(
                [html.A(page.name, href=page.path, className="tab", **aria(current="page")) for page in PAGES],
                **aria(label="Pages"),
            ),
            html.Div(
                className="chips",
                children=[
                    html.Div(id="chip-model", className="chip chip-model"),
                    html.Div(
                        [html.Span(className="dot"), html.Span("Connecting…", id="chip-status")],
                        className="chip",
                        id="chip-main",
                    ),
                    html.Div(id="chip-speed", className="chip", title="Training speed and pictures drawn"),
                    html.Div(
                        id="chip-device", className="chip", title="Where the run trains, and how long it will take"
                    ),
                    html.Div(id="chip-watching", className="chip", title="People with this run open"),
                ],
            ),
            html.Div(
                className="topbar-buttons",
                children=[
                    icon_button("theme-toggle", "contrast", "Light or dark (D)"),
                    icon_button("shortcuts-open", "keyboard", "Keyboard shortcuts (?)"),
                ],
            ),
        ],
    )


def icon_button(element_id: str, icon: str, label: str) -> Component:
    """A square button with a local SVG icon; `label` is its accessible name and its tooltip."""
    return html.Button(
        html.Span(className=f"icon icon-{icon}"),
        id=element_id,
        className="icon-button",
        title=label,
        type="button",
        **aria(label=label),
    )


def shortcuts_dialog() -> Component:
    """The list of keyboard shortcuts, opened with `?`."""
    rows = [html.Tr([html.Td(html.Kbd(key)), html.Td(meaning)]) for key, meaning in SHORTCUTS]
    return html.Dialog(
        id="shortcuts",
        **aria(label="Keyboard shortcuts"),
        children=[
            html.H2("Keyboard"),
            html.Table(html.Tbody(rows)),
            html.Button("Close", id="shortcuts-close", className="button", type="button"),
        ],
    )
