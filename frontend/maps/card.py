"""The square at the side: its picture with numbers, its measures, its film, and what can be done with it."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import fmean
from typing import Any, Final
from urllib.parse import quote

import numpy as np
from dash import html
from dash.development.base_component import Component

from cdsp_core.wire.frames import Array
from cdsp_core.wire.recording import CUT_BELOW
from frontend.attributes import aria
from frontend.figures.map_colours import SIGMA, colour, ink_on, thumbnail
from frontend.maps.api import cell_path
from frontend.maps.data import Square, View, links_of, measured_text, place_text

MOST_NUMBERED: Final = 10
"""experts or blocks up to which every entry of sigma(A) has its number"""
CUT_FROM: Final = CUT_BELOW * 255


def card(
    view: View,
    shown: Square,
    recording: Mapping[str, Any] | None,
    *,
    beside: Square | None,
    theme: str,
    layer: int,
) -> list[Component]:
    """A square at the side. `beside` is the one picked before it, with which it can be compared."""
    begun = shown.begun
    cell = begun or shown.cells[0]
    shown_now = shown.picture(layer)
    seeds = [each["seed"] for each in shown.cells]
    said, which = (f"seed {seeds[0]}", "") if len(seeds) == 1 else (f"{len(seeds)} seeds", f"seed {cell['seed']}, ")
    parts: list[Component] = [
        html.Div([html.H2(place_text(view, shown)), html.Span(said)], className="map-card-head"),
        html.P(f"{which}{_layer_text(shown, layer)}step {cell['step']:,}", className="map-hint"),
    ]
    if shown_now is not None:
        parts.append(picture(shown_now, theme=theme, layer=layer))
    if cell["reason"]:
        parts.append(html.P(cell["reason"], className="note is-wrong"))
    parts.append(html.Dl([part for about in view.body["measures"] for part in _measured(view, shown, about)]))
    if recording is not None and recording["steps"]:
        parts.append(html.Div(_film(recording, theme=theme, layer=layer), className="map-film"))
    if begun is not None:
        tools = [
            *_opening(shown, None if beside is None or beside.name == shown.name else beside, view),
            html.Button("Go on from here", id="map-open", className="button", type="button"),
            html.A("Recording", href=f"{cell_path(view, cell['key'])}?format=file", className="button", download=""),
        ]
        parts.append(html.Div(tools, className="map-tools"))
    if cell["step"]:
        again = f"Going on trains the same {cell['step']:,} steps again, as a run of your own, then pauses for you."
        parts.append(html.P(again, className="map-hint"))
    return parts


def _layer_text(shown: Square, layer: int) -> str:
    """Which layer is shown; one that the square's model has not is named, nothing where it shows none."""
    if shown.pictured is None:
        return ""
    return f"layer {layer + 1}, " if shown.picture(layer) is not None else f"no layer {layer + 1}, "


def picture(connection: Array, *, theme: str, layer: int) -> Component:
    """sigma(A) of a layer in 255ths: with every number where there are few, else as an image."""
    experts, blocks = connection.shape
    said = f"sigma(A) of layer {layer + 1}: {experts} experts by {blocks} blocks"
    if max(experts, blocks) > MOST_NUMBERED:
        return html.Img(src=thumbnail(connection, theme), alt=said, className="map-large")
    head = html.Tr([html.Td(), *(html.Th(f"B{block}", scope="col") for block in range(blocks))])
    rows = [
        html.Tr([html.Th(f"E{expert}", scope="row"), *(_entry(value, theme) for value in row)])
        for expert, row in enumerate(connection.tolist())
    ]
    return html.Table(
        [html.Caption(said, className="visually-hidden"), html.Tbody([head, *rows])], className="map-held"
    )


def _entry(value: int, theme: str) -> Component:
    """One link: cut ones are a dash, as in the Lab."""
    ground = colour(SIGMA[theme], value / 255)
    if value < CUT_FROM:
        return html.Td("–", className="is-cut", style={"backgroundColor": ground})
    text = f"{value / 255:.2f}".removeprefix("0")
    return html.Td(text, style={"backgroundColor": ground, "color": ink_on(ground)})


def _opening(shown: Square, beside: Square | None, view: View) -> list[Component]:
    """What leads to the Lab: this one, and both where two are picked."""
    own = _replay(shown)
    if not own:
        return []
    look = "button" if beside is not None and _replay(beside) else "button button-primary"
    found: list[Component] = [html.A("Open in the Lab", href=f"/#recorded={own}", className=look)]
    if beside is not None and _replay(beside):
        twin = f"/#recorded={_replay(beside)}&with=recorded:{own}"
        said = f"Compare {place_text(view, beside)} with {place_text(view, shown)} in the Lab"
        compare = html.A(
            f"Compare with {place_text(view, beside)}", href=twin, className="button button-primary", **aria(label=said)
        )
        found.insert(0, compare)
    return found


def _replay(square: Square) -> str:
    """What the Lab calls the run that a square shows; empty where it shows none."""
    cell = square.begun
    return quote(cell["replay"], safe="") if cell is not None and cell["replay"] else ""


def _measured(view: View, shown: Square, about: Mapping[str, Any]) -> list[Component]:
    values = shown.values(about["name"])
    if not values:
        return []
    text = measured_text(fmean(values), about["unit"])
    if len(values) > 1:
        text += f" ({measured_text(min(values), about['unit'])} to {measured_text(max(values), about['unit'])})"
    if about["unit"] == "links":
        text += f" of {links_of(view.body, shown)}"
    return [html.Dt(about["label"], title=about["text"]), html.Dd(text)]


def _film(recording: Mapping[str, Any], *, theme: str, layer: int) -> list[Component]:
    """Six moments from the first picture to the last."""
    last = len(recording["steps"]) - 1
    moments = sorted({round(last * i / 5) for i in range(6)})
    return [
        html.Figure(
            [
                html.Img(src=thumbnail(np.array(recording["connection"][at][layer], np.uint8), theme), alt=""),
                html.Figcaption(f"{recording['steps'][at]:,}"),
            ]
        )
        for at in moments
        if layer < len(recording["connection"][at])
    ]
