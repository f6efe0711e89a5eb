"""The parts of the map's page that depend on a map: its squares, its legend, the card of one square."""

from __future__ import annotations

from statistics import fmean

from dash import html
from dash.development.base_component import Component

from frontend.attributes import aria, data
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

STATES = {
    "training": "training now",
    "waiting": "waiting",
    "failed": "failed",
    "done": "done",
}


def grid(view: View, *, theme: str, layer: int, pictures: bool, film: MapFilm | None = None) -> list[Component]:
    """Every square, row by row, with the values of both axes around them; with a film, what moves and nothing else."""
    across, down = view.axes
    columns = len(across["values"])
    rows = len(down["values"])
    found: list[Component] = []
    for row, value in enumerate(down["values"]):
        found.append(html.Span(value_text(value), className="map-row", style=at(row + 1, 1)))
        found += [
            square(view, each, theme=theme, layer=layer, pictures=pictures, film=film)
            for each in view.squares
            if each.y == row
        ]
    for column, value in enumerate(across["values"]):
        found.append(html.Span(value_text(value), className="map-column", style=at(rows + 1, column + 2)))
    found.append(
        html.Span(name_of(down["field"]), className="map-down", style={"gridArea": f"1 / 1 / span {rows} / auto"})
    )
    label = f"{rows + 2} / 2 / auto / span {columns}"
    found.append(html.Span(name_of(across["field"]), className="map-across", style={"gridArea": label}))
    return found


def at(row: int, column: int) -> dict[str, str]:
    """A place in the grid, from 1."""
    return {"gridArea": f"{row} / {column}"}


def square(
    view: View, shown: Square, *, theme: str, layer: int, pictures: bool, film: MapFilm | None = None
) -> Component:
    """One square, which is a button."""
    values, unit = shown.values(view.measure), view.about["unit"]
    state = shown.state
    parts: list[Component] = []
    cell = shown.pictured
    strip = "" if film is None else film.strip(shown, layer, theme)
    if strip and cell is not None and layer < len(cell["connection"]):
        matrix = cell["connection"][layer]
        look = {"backgroundImage": f"url({strip})", "aspectRatio": f"{len(matrix[0])} / {len(matrix)}"}
        parts.append(html.Span(className="map-moment", style=look))
    elif pictures and cell is not None and layer < len(cell["connection"]):
        parts.append(html.Img(src=thumbnail(cell["connection"][layer], theme), alt=""))
    if values and not strip:
        spread = f" ±{short_text((max(values) - min(values)) / 2, unit)}" if len(values) > 1 else ""
        parts.append(html.B(short_text(fmean(values), unit) + spread))
    elif state == "training" and not strip:
        steps = view.body["steps"] * len(shown.cells)
        done = sum(each["step"] for each in shown.cells if each["state"] == "training")
        parts.append(html.Progress(value=str(done), max=str(steps), **aria(label="steps")))
    elif state == "failed":
        parts.append(html.B("×"))
    style = at(shown.y + 1, shown.x + 2)
    if values and not strip:
        ground = colour(GROUND[theme], view.share(fmean(values)))
        style |= {"backgroundColor": ground, "color": ink_on(ground)}
    said = f"{view.about['label']} {measured_text(fmean(values), unit)}" if values else STATES[state]
    return html.Button(
        parts,
        className=f"map-square is-{state}",
        type="button",
        style=style,
        **data(square=shown.name),
        **aria(label=f"{place_text(view, shown)}: {said}"),
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
