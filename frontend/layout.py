"""What surrounds every page: header, connection banner, keyboard help, live region for screen readers."""

from __future__ import annotations

from dash import html
from dash.development.base_component import Component

from frontend.attributes import aria
from frontend.pages import LAB, RUNS, TABS, Page

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

THEME_BUTTON = ("theme-toggle", "contrast", "Light or dark (D)")
SHORTCUTS_BUTTON = ("shortcuts-open", "keyboard", "Keyboard shortcuts (?)")


def lab_body() -> Component:
    """The whole body of the Lab."""
    return html.Div(
        id="app",
        children=[
            html.A("Skip to the pictures", href="#pictures", className="skip-link"),
            header(LAB, chips=run_chips(), buttons=[THEME_BUTTON, SHORTCUTS_BUTTON]),
            html.Div(id="banner", role="status", hidden=True),
            LAB.layout(),
            html.Div(id="tooltip", hidden=True, **aria(hidden="true")),
            announcer(),
            shortcuts_dialog(),
        ],
    )


def announcer() -> Component:
    """What screen readers are told."""
    return html.Div(id="announcer", className="visually-hidden", **aria(live="polite"))


def header(current: Page, *, chips: list[Component], buttons: list[tuple[str, str, str]]) -> Component:
    """Name, one tab a page, what the page says of itself, and its buttons (id, icon, label)."""
    return html.Header(
        className="topbar",
        children=[
            html.Span("Topology Lab", className="brand"),
            html.Nav(
                [tab(page, is_current=page is current) for page in TABS],
                **aria(label="Pages"),
            ),
            html.Div(chips, className="chips"),
            html.Div([icon_button(*button) for button in buttons], className="topbar-buttons"),
        ],
    )


def tab(page: Page, *, is_current: bool) -> Component:
    """The link to a page."""
    return html.A(page.name, href=page.path, className="tab", **(aria(current="page") if is_current else {}))


def run_chips() -> list[Component]:
    """The model, and what its run does."""
    return [
        html.Div(
            [
                html.Div(
                    [html.Span(id="chip-model"), html.Span(id="other-runs", className="other-runs")],
                    className="chip chip-model",
                ),
                html.Select([], id="run-list", disabled=True, **aria(label="Run shown")),
            ],
            className="run-choice",
        ),
        html.A("All runs", href=RUNS.path, className="chip chip-link"),
        html.Div(
            [html.Span(className="dot"), html.Span("Connecting…", id="chip-status")], className="chip", id="chip-main"
        ),
        html.Div(id="chip-speed", className="chip", title="Training speed and pictures drawn"),
        html.Div(id="chip-device", className="chip", title="Where the run trains, and how long it will take"),
        html.Div(id="chip-watching", className="chip", title="People with this run open"),
    ]


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
