"""The parts of the map's page that depend on a map: its squares, its legend, the card of one square."""

from __future__ import annotations

from html import escape
from statistics import fmean
from typing import Any

from dash import html
from dash.development.base_component import Component

from frontend.figures.map_colours import GROUND, colour, ink_on, thumbnail
from frontend.maps.data import (
    Square,
    View,
    measured_text,
    name_of,
    place_text,
    short_text,
    value_text,
)
from frontend.maps.film import MapFilm
from frontend.rendered import to_html

STATES = {
    "training": "training now",
    "waiting": "waiting",
    "failed": "failed",
    "done": "done",
}
NO_VALUE = {"failed": "×", "done": "–"}
"""what a square says that has ended without the measure"""


def grid(view: View, *, theme: str, layer: int, pictures: bool, film: MapFilm | None = None) -> dict[str, Any]:
    """What assets/pages/map.js draws: what stands around the squares, and every square by its name, all as HTML.

    With a film the squares show what moves and nothing else.
    """
    squares = [
        [each.name, square(view, each, theme=theme, layer=layer, pictures=pictures, film=film)] for each in view.squares
    ]
    return {"map": view.body["sweep_id"], "around": to_html(around(view)), "squares": squares}


def around(view: View) -> list[Component]:
    """The values of both axes, and what they are."""
    across, down = view.axes
    columns, rows = len(across["values"]), len(down["values"])
    found: list[Component] = [
        html.Span(value_text(value), className="map-row", style=at(row + 1, 1))
        for row, value in enumerate(down["values"])
    ]
    found += [
        html.Span(value_text(value), className="map-column", style=at(rows + 1, column + 2))
        for column, value in enumerate(across["values"])
    ]
    label = f"{rows + 2} / 2 / auto / span {columns}"
    return [
        *found,
        html.Span(name_of(down["field"]), className="map-down", style={"gridArea": f"1 / 1 / span {rows} / auto"}),
        html.Span(name_of(across["field"]), className="map-across", style={"gridArea": label}),
    ]


def at(row: int, column: int) -> dict[str, str]:
    """A place in the grid, from 1."""
    return {"gridArea": f"{row} / {column}"}


def square(view: View, shown: Square, *, theme: str, layer: int, pictures: bool, film: MapFilm | None = None) -> str:
    """One square as HTML, which is a button."""
    values, unit = shown.values(view.measure), view.about["unit"]
    state = shown.state
    inside = ""
    picture = shown.picture(layer)
    strip = "" if film is None else film.strip(shown, layer, theme)
    if strip and picture is not None:
        experts, blocks = picture.shape
        look = f"background-image:url({strip});aspect-ratio:{blocks} / {experts}"
        inside += f'<span class="map-moment" data-style="{look}"></span>'
    elif pictures and picture is not None:
        inside += f'<img src="{thumbnail(picture, theme)}" alt="">'
    if values and not strip:
        spread = f" ±{short_text((max(values) - min(values)) / 2, unit)}" if len(values) > 1 else ""
        inside += f"<b>{escape(short_text(fmean(values), unit) + spread)}</b>"
    elif state == "training" and not strip:
        steps = view.body["steps"] * len(shown.cells)
        done = sum(each["step"] for each in shown.cells if each["state"] == "training")
        inside += f'<progress value="{done}" max="{steps}" aria-label="steps"></progress>'
    elif state == "failed" or (state == "done" and not strip):
        inside += f"<b>{NO_VALUE[state]}</b>"
    style = f"grid-area:{shown.y + 1} / {shown.x + 2}"
    if values and not strip:
        ground = colour(GROUND[theme], view.share(fmean(values)))
        style += f";background-color:{ground};color:{ink_on(ground)}"
    said = f"{view.about['label']} {measured_text(fmean(values), unit)}" if values else STATES[state]
    label = escape(f"{place_text(view, shown)}: {said}")
    return (
        f'<button class="map-square is-{state}" type="button" data-square="{shown.name}" data-style="{style}" '
        f'aria-label="{label}">{inside}</button>'
    )


def legend(view: View, *, theme: str) -> list[Component]:
    """What the ground means, and the states."""
    stops = ", ".join(colour(GROUND[theme], share / 4) for share in range(5))
    unit = view.about["unit"]
    return [
        html.Span(f"ground: {view.about['label'].lower()}", title=view.about["text"]),
        html.Span(measured_text(view.bottom, unit)),
        html.Span(className="map-scale", style={"backgroundImage": f"linear-gradient(to right, {stops})"}),
        html.Span(measured_text(view.top, unit)),
        *(html.Span([html.I(className=f"is-{state}"), STATES[state]]) for state in ("training", "waiting")),
        html.Span([html.I("×", className="is-failed"), "failed"]),
    ]
