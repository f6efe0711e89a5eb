"""What surrounds every page: header, connection banner, keyboard help, live region for screen readers."""

from __future__ import annotations

from dash import html
from dash.development.base_component import Component

from frontend.attributes import aria, data, part
from frontend.lab.introduction import introduced, introduction
from frontend.page_settings import SHORTCUTS, key_of
from frontend.pages import LAB, RUNS, TABS, Page

THEME_BUTTON = ("theme-toggle", "contrast", f"Light or dark ({key_of('theme')})")
CLASS_BUTTON = ("class-open", "people", "For a class")
PRESENT_BUTTON = ("present-toggle", "present", f"Present: hide controls and enlarge ({key_of('present')})")
HELP_BUTTON = ("help-open", "help", "Help")
SHORTCUTS_BUTTON = ("shortcuts-open", "help", f"Help and keys ({key_of('help')})")


def lab_body() -> Component:
    """The whole body of the Lab: what is of the page, around what is of the one run that it shows."""
    return html.Div(
        id="app",
        **data(**{"run-view": ""}),
        children=[
            html.A("Skip to the pictures", href="#page", className="skip-link"),
            header(LAB, chips=run_chips(), buttons=[CLASS_BUTTON, PRESENT_BUTTON, THEME_BUTTON, SHORTCUTS_BUTTON]),
            LAB.layout(),
            announcer(),
            shortcuts_dialog(),
            html.Dialog(id="room-dialog", **aria(label="For a class")),
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
    """The run, what it does, and the two buttons that open the right rail where the page is narrow."""
    return [
        html.Div(
            [
                html.Div(
                    [
                        html.Span(**part("chip-model")),
                        html.Span(className="other-runs", **part("other-runs")),
                    ],
                    className="chip chip-model",
                ),
                html.Select([], className="run-list", disabled=True, **part("run-list"), **aria(label="Run shown")),
            ],
            className="run-choice",
        ),
        html.A("All runs", href=RUNS.path, className="chip chip-link"),
        html.Div(
            [
                html.Span(className="dot"),
                html.Span(
                    [
                        html.B("Connecting…", **part("chip-words")),
                        html.Span(**part("chip-step")),
                        html.Span(className="total", **part("chip-total")),
                    ],
                    **part("chip-status"),
                ),
            ],
            className="chip chip-main",
            **part("chip-main"),
        ),
        rail_button("log", "What happened"),
        rail_button("take", "Take away"),
    ]


def rail_button(name: str, text: str) -> Component:
    """Opens a part of the right rail where the page is too narrow to show it."""
    return html.Button(
        [html.Span(text), html.Span(**part(f"rail-{name}-count"))],
        className="button rail-toggle",
        type="button",
        **part(f"rail-{name}"),
        **aria(controls="rail", expanded="false"),
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


def help_dialog(page: Page) -> Component:
    """What a Dash page shows and how it is used, opened with the `?` in its header."""
    return html.Dialog(
        id="help",
        **aria(label="Help"),
        children=[
            html.H2(page.name),
            html.P(page.help),
            html.H2("What this is"),
            html.P(introduced()),
            html.Div(
                html.Button("Close", id="help-close", className="button", type="button"), className="dialog-buttons"
            ),
        ],
    )


def shortcuts_dialog() -> Component:
    """What can be done by keyboard, opened with `?`; keys of one letter can be switched off here."""
    rows = [html.Tr([html.Td(html.Kbd(key.shown)), html.Td(key.meaning)]) for key in SHORTCUTS]
    return html.Dialog(
        id="shortcuts",
        **aria(label="Help and keys"),
        children=[
            html.H2("What this is"),
            html.Div(introduction(), className="introduction"),
            html.H2("Keys"),
            html.Table(html.Tbody(rows)),
            html.Label(
                [html.Div(id="keys-place"), "Keys of one character act on the whole page"],
                className="check",
            ),
            html.Button("Close", id="shortcuts-close", className="button", type="button"),
        ],
    )
