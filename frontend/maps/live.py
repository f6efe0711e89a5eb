"""Callbacks of the page of maps that follow the server: the map as it fills in, and the square at the side."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from dash import ClientsideFunction, Dash, Input, Output, State, ctx, no_update

from cdsp_core.settings.config import MAX_STEPS
from cdsp_core.wire.messages.vocabulary import MAX_NAME
from frontend.api import Api
from frontend.figures.map_film_svg import map_film_svg
from frontend.figures.map_margins import NOTHING_YET, margin_figure
from frontend.figures.map_svg import map_svg
from frontend.figures.palette import palette_of, theme_of
from frontend.maps.api import MapApi, Shown, number_of, path_of
from frontend.maps.asked import GOES, connect_form
from frontend.maps.card import card
from frontend.maps.data import field_label, label_px, layers_of, progress_text, square_of, told_measures, view_of
from frontend.maps.film import Films, MapFilm
from frontend.maps.squares import grid, legend
from frontend.maps.story import seeds_text, sentence
from frontend.pages.map import measure_options, nothing_at_the_side

KEEP = no_update
GOES_ON_TIMES: Final = 10
"""as long as a cell a run goes on that began from it"""


def connect(app: Dash, api: Api) -> None:
    """Add the callbacks of the page to `app`."""
    maps = MapApi(api)
    films = Films(maps)
    connect_form(app, maps)
    connect_card(app, maps)

    @app.callback(
        Output("map-seen", "data"),
        Output("map-shown", "data"),
        Output("map-choice", "options"),
        Output("map-choice", "value"),
        Output("map-sentence", "children"),
        Output("map-lead", "children"),
        Output("map-runs", "children"),
        Output("map-left", "children"),
        Output("map-progress", "value"),
        Output("map-progress", "max"),
        Output("map-stop", "hidden"),
        Output("map-resume", "hidden"),
        Output("map-delete", "hidden"),
        Output("map-extend", "disabled"),
        Output("map-layer", "options"),
        Output("map-measure", "options"),
        Output("map-place", "children"),
        Output("map-note", "children"),
        Input("map-clock", "n_intervals"),
        Input("map-address", "search"),
        Input("map-measure", "value"),
        Input("map-done", "data"),
        State("map-seen", "data"),
        State("map-shown", "data"),
    )
    async def look(ticks: Any, search: Any, measure: Any, done: Any, seen: Any, before: Any) -> tuple[Any, ...]:
        shown = await maps.shown(search)
        stamp = [shown.stamp, measure, done, search]
        if stamp == seen:
            return (KEEP,) * 18
        return stamp, *await asyncio.to_thread(looked, shown, measure, before)

    @app.callback(
        Output("map-drawn", "data"),
        Output("map-grid", "aria-busy"),
        Output("map-plot", "style"),
        Output("map-top", "figure"),
        Output("map-beside", "figure"),
        Output("map-legend", "children"),
        Output("map-parquet", "href"),
        Output("map-moments", "data"),
        Output("map-film-bar", "hidden"),
        Input("map-seen", "data"),
        Input("theme", "data"),
        Input("map-layer", "value"),
        Input("map-view", "value"),
        State("map-address", "search"),
        State("map-measure", "value"),
        State("map-moments", "data"),
    )
    async def draw(
        seen: Any, theme: Any, layer: Any, how: Any, search: Any, measure: Any, before: Any
    ) -> tuple[Any, ...]:
        body = await maps.map(search)
        if theme is None:
            return (KEEP,) * 9
        if body is None:
            return {"map": "", "around": "", "squares": []}, "false", KEEP, NOTHING_YET, NOTHING_YET, [], KEEP, [], True
        look, shown = theme_of(theme), number_of(layer)
        view = await asyncio.to_thread(view_of, body, measure)
        film = await films.of(view) if how == "Film" else MapFilm()
        squares = await films.drawn(lambda: grid(view, theme=look, layer=shown, pictures=how != "Numbers", film=film))
        sides = await asyncio.to_thread(lambda: [margin_figure(view, axis, palette_of(theme)) for axis in (0, 1)])
        across, down = view.axes
        steps = list(film.steps)
        size = {
            "--columns": len(across["values"]),
            "--rows": len(down["values"]),
            "--label": f"{label_px(view)}px",
            "--moments": len(steps),
        }
        parquet = f"{path_of(body['sweep_id'])}/parquet"
        moved = KEEP if steps == before else steps
        below = [] if how == "Film" else legend(view, theme=look)
        return squares, "false", size, *sides, below, parquet, moved, how != "Film"

    @app.callback(
        Output("map-download", "data"),
        Input("map-figure", "n_clicks"),
        Input("map-film", "n_clicks"),
        State("theme", "data"),
        State("map-layer", "value"),
        State("map-address", "search"),
        State("map-measure", "value"),
        prevent_initial_call=True,
    )
    async def take(figures: Any, moving: Any, theme: Any, layer: Any, search: Any, measure: Any) -> Any:
        body = await maps.map(search)
        if body is None or not (figures or moving):
            return KEEP
        view, look, which = await asyncio.to_thread(view_of, body, measure), theme_of(theme), number_of(layer)
        if ctx.triggered_id == "map-film":
            film, name = await films.of(view), "-film"
            content = await films.drawn(lambda: map_film_svg(view, film, theme=look, layer=which))
        else:
            content, name = await films.drawn(lambda: map_svg(view, theme=look, layer=which)), ""
        file = {"content": content, "filename": f"{body['sweep_id']}{name}.svg", "type": "image/svg+xml"}
        return file if content else KEEP


def connect_card(app: Dash, maps: MapApi) -> None:
    """Add the callbacks of the square at the side. `map-under` is its name, and that of the one picked before it."""

    @app.callback(
        Output("map-card", "children"),
        Input("map-under", "data"),
        Input("map-seen", "data"),
        Input("theme", "data"),
        Input("map-layer", "value"),
        State("map-address", "search"),
        State("map-measure", "value"),
    )
    async def tell(under: Any, seen: Any, theme: Any, layer: Any, search: Any, measure: Any) -> Any:
        shown, before = names_of(under)
        view, square = await maps.square(shown, search, measure)
        if view is None or theme is None:
            return KEEP
        if square is None:
            return nothing_at_the_side()
        recording = await maps.recording(view, square)
        told = recording.body if recording is not None and recording.ok else None
        beside = square_of(view, before)
        return card(view, square, told, beside=beside, theme=theme_of(theme), layer=number_of(layer))

    @app.callback(
        Output("map-goto", "href"),
        Output("map-note", "children", allow_duplicate=True),
        Input("map-going", "data"),
        State("map-under", "data"),
        State("map-address", "search"),
        State("map-measure", "value"),
        prevent_initial_call=True,
    )
    async def go_on(clicks: Any, under: Any, search: Any, measure: Any) -> tuple[Any, Any]:
        view, square = await maps.square(names_of(under)[0], search, measure)
        recording = None if view is None or square is None else await maps.recording(view, square)
        if not clicks or square is None or square.begun is None or recording is None:
            return KEEP, KEEP
        if not recording.ok:
            return KEEP, recording.reason
        answer = await maps.ask("POST", "/api/runs", going_on(recording.body["recipe"]["config"], square.begun))
        return (f"/#run={quote(answer.body['run_id'], safe='')}", "") if answer.ok else (KEEP, answer.reason)

    app.clientside_callback(
        ClientsideFunction("map", "asked"),
        Output("map-measure", "value"),
        Output("map-layer", "value"),
        Output("map-view", "value"),
        Input("map-address", "search"),
    )
    app.clientside_callback(
        ClientsideFunction("map", "copy"),
        Output("map-copy", "children"),
        Input("map-copy", "n_clicks"),
        State("map-shown", "data"),
        State("map-measure", "value"),
        State("map-layer", "value"),
        State("map-view", "value"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction("map", "squares"),
        Output("map-ready", "data"),
        Input("map-drawn", "data"),
    )
    for name in ("layer", "measure"):  # another map may lack the one that was chosen, and so may the one of a link
        app.clientside_callback(
            ClientsideFunction("map", "among"),
            Output(f"map-{name}", "value", allow_duplicate=True),
            Input(f"map-{name}", "options"),
            State(f"map-{name}", "value"),
            prevent_initial_call=True,
        )
    app.clientside_callback(
        ClientsideFunction("map", "film"),
        Output("map-moment", "max"),
        Output("map-moment", "value"),
        Output("map-play", "children"),
        Input("map-moments", "data"),
        Input("map-play", "n_clicks"),
        State("map-moment", "value"),
    )
    app.clientside_callback(
        ClientsideFunction("map", "moment"),
        Output("map-step", "children"),
        Input("map-moment", "value"),
        Input("map-moments", "data"),
    )


def looked(shown: Shown, measure: Any, before: Any) -> tuple[Any, ...]:
    """What the page says of a map. `before`: the map that it showed."""
    options = [option(each) for each in shown.listed]
    body = shown.body
    if body is None:
        lead = "Choose two settings and train one, or look at one of those on the list."
        said = ("Map", lead, "", "", "0", "1", True, True, True, True)
        return (KEEP, options, None, *said, ["Layer 1"], KEEP, "", shown.problem)
    view = view_of(body, measure)
    runs, left = progress_text(body)
    lead = (
        f"A map of when modules emerge: {len(view.squares):,} small networks of preset {body['preset']}, "
        f"two settings varied, {body['steps']:,} steps each, {seeds_text(view)}."
    )
    goes, own = body["state"] in GOES, not body["recorded"]
    return (
        KEEP if body["sweep_id"] == before else body["sweep_id"],
        options,
        body["sweep_id"],
        sentence(view),
        lead,
        runs,
        left,
        str(body["done"]),
        str(body["total"]),
        not (own and goes),
        not (own and body["state"] in ("stopped", "failed")),
        not (own and not goes),
        not own,
        [f"Layer {n + 1}" for n in range(layers_of(body))],
        measure_options(told_measures(body)),
        where_text(body),
        body["reason"] if body["state"] == "failed" else "",
    )


def going_on(config: Mapping[str, Any], cell: Mapping[str, Any]) -> dict[str, Any]:
    """The run that goes on from a cell: a cell keeps no weights, so it is trained again as far, and then waits."""
    step = int(cell["step"])
    train = {**config["train"], "steps": min(GOES_ON_TIMES * max(1, step), MAX_STEPS)}
    asked = {"config": {**config, "train": train}, "name": cell["key"][:MAX_NAME]}
    return asked | ({"pause_at": step} if step else {})


def names_of(under: Any) -> tuple[str, str]:
    """The square that is shown at the side, and the one picked before it; empty where there is none."""
    names = [str(name) for name in under] if isinstance(under, list) else []
    first, second = (*names, "", "")[:2]
    return first, second


def where_text(body: Mapping[str, Any]) -> str:
    """Where the map trains, as a sentence."""
    place = str(body["place"] or ("trains when it is its turn" if body["state"] == "waiting" else "trains no more"))
    return f"{place[:1].upper()}{place[1:]}."


def option(each: Mapping[str, Any]) -> dict[str, str]:
    """A map on the list."""
    across, down = (field_label(axis["field"]) for axis in each["axes"])
    name = f"{across} by {down}" if each["recorded"] else each["name"]
    return {"label": f"{name}, {each['total']:,} runs", "value": each["sweep_id"], "title": each["state"]}
