"""Callbacks of the page of maps: it follows the server, and what a person asks for goes to it."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, quote

from dash import ClientsideFunction, Dash, Input, Output, State, ctx, html, no_update
from dash.development.base_component import Component

from cdsp_core.studies.sweeps.spec import axis_of
from frontend.api import Answer, Api
from frontend.figures.map_margins import margin_figure
from frontend.figures.map_svg import map_svg
from frontend.figures.palette import palette_of
from frontend.map_data import View, layers_of, progress_text, sentence, square_of, view_of
from frontend.map_squares import card, grid, legend

PATH = "/map"
KEEP = no_update


def connect(app: Dash, api: Api) -> None:
    """Add the callbacks of the page to `app`."""

    async def shown(search: Any) -> tuple[Mapping[str, Any] | None, list[Mapping[str, Any]], str]:
        """The map that the address names, else the first; every map; and why there is none."""
        listed = await api.ask("GET", "/api/sweeps")
        if not listed.ok or not isinstance(listed.body, dict):
            return None, [], listed.reason
        maps = listed.body["sweeps"]
        asked = parse_qs(str(search or "").removeprefix("?")).get("map", [""])[0]
        name = asked or (maps[0]["sweep_id"] if maps else "")
        if not name:
            return None, maps, listed.body["unavailable"] or ""
        answer = await api.ask("GET", path_of(name))
        return (answer.body if answer.ok else None), maps, "" if answer.ok else answer.reason

    @app.callback(
        Output("map-seen", "data"),
        Output("map-list", "children"),
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
        Output("map-note", "children"),
        Input("map-clock", "n_intervals"),
        Input("map-address", "search"),
        Input("map-measure", "value"),
        Input("map-done", "data"),
        State("map-seen", "data"),
    )
    async def look(ticks: Any, search: Any, measure: Any, done: Any, seen: Any) -> tuple[Any, ...]:
        body, maps, problem = await shown(search)
        stamp = [zlib.crc32(json.dumps([body, maps, problem]).encode()), measure, done, search]
        if stamp == seen:
            return (KEEP,) * 15
        entries = [entry(each, is_shown=body is not None and each["sweep_id"] == body["sweep_id"]) for each in maps]
        if body is None:
            lead = "Choose two settings and train one, or look at one of those on the list."
            return stamp, entries, "Map", lead, "", "", "0", "1", True, True, True, True, ["Layer 1"], KEEP, problem
        view = view_of(body, measure)
        runs, left = progress_text(body)
        lead = (
            f"{body['name']}: {len(view.squares)} small networks of preset {body['preset']}, two settings varied, "
            f"{body['steps']:,} steps each."
        )
        goes = body["state"] in ("waiting", "running", "paused")
        own = not body["recorded"]
        return (
            stamp,
            entries,
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
            [{"label": each["label"], "value": each["name"]} for each in body["measures"]],
            body["reason"] if body["state"] == "failed" else "",
        )

    @app.callback(
        Output("map-grid", "children"),
        Output("map-grid", "aria-busy"),
        Output("map-plot", "style"),
        Output("map-top", "figure"),
        Output("map-beside", "figure"),
        Output("map-legend", "children"),
        Output("map-parquet", "href"),
        Input("map-seen", "data"),
        Input("theme", "data"),
        Input("map-layer", "value"),
        Input("map-view", "value"),
        State("map-address", "search"),
        State("map-measure", "value"),
    )
    async def draw(seen: Any, theme: Any, layer: Any, how: Any, search: Any, measure: Any) -> tuple[Any, ...]:
        body, _, _ = await shown(search)
        if body is None or theme is None:
            return (KEEP,) * 7
        view, palette = view_of(body, measure), palette_of(theme)
        squares = grid(view, theme=theme, layer=number_of(layer), pictures=how != "Numbers")
        across, down = view.axes
        size = {"--columns": len(across["values"]), "--rows": len(down["values"])}
        sides = (margin_figure(view, 0, palette), margin_figure(view, 1, palette))
        parquet = f"{path_of(body['sweep_id'])}/parquet"
        return squares, "false", size, *sides, legend(view, theme=theme), parquet

    @app.callback(
        Output("map-card", "children"),
        Input("map-under", "data"),
        Input("map-seen", "data"),
        Input("theme", "data"),
        Input("map-layer", "value"),
        State("map-address", "search"),
        State("map-measure", "value"),
        prevent_initial_call=True,
    )
    async def tell(under: Any, seen: Any, theme: Any, layer: Any, search: Any, measure: Any) -> Any:
        view, square = await found(under, search, measure)
        if view is None or square is None or theme is None:
            return KEEP
        cell = square.pictured
        recording = await api.ask("GET", f"{cell_path(view, cell['key'])}?format=json") if cell else None
        told = recording.body if recording is not None and recording.ok else None
        return card(view, square, told, theme=theme, layer=number_of(layer))

    @app.callback(
        Output("map-goto", "href"),
        Output("map-note", "children", allow_duplicate=True),
        Input("map-open", "n_clicks"),
        State("map-under", "data"),
        State("map-address", "search"),
        prevent_initial_call=True,
    )
    async def start_run(clicks: Any, under: Any, search: Any) -> tuple[Any, Any]:
        view, square = await found(under, search, None)
        cell = None if square is None else square.pictured
        if not clicks or view is None or cell is None:
            return KEEP, KEEP
        recording = await api.ask("GET", f"{cell_path(view, cell['key'])}?format=json")
        if not recording.ok:
            return KEEP, recording.reason
        answer = await api.ask(
            "POST", "/api/runs", {"config": recording.body["recipe"]["config"], "name": cell["key"][:80]}
        )
        return (f"/#run={quote(answer.body['run_id'], safe='')}", "") if answer.ok else (KEEP, answer.reason)

    @app.callback(
        Output("map-download", "data"),
        Input("map-figure", "n_clicks"),
        State("theme", "data"),
        State("map-layer", "value"),
        State("map-address", "search"),
        State("map-measure", "value"),
        prevent_initial_call=True,
    )
    async def take(clicks: Any, theme: Any, layer: Any, search: Any, measure: Any) -> Any:
        body, _, _ = await shown(search)
        if body is None or not clicks:
            return KEEP
        content = map_svg(view_of(body, measure), theme=str(theme or "light"), layer=number_of(layer))
        return {"content": content, "filename": f"{body['sweep_id']}.svg", "type": "image/svg+xml"}

    @app.callback(
        Output("map-size", "children"),
        Input("map-x", "value"),
        Input("map-x-values", "value"),
        Input("map-y", "value"),
        Input("map-y-values", "value"),
        Input("map-seeds", "value"),
        Input("map-steps", "value"),
    )
    async def size_up(x: Any, x_values: Any, y: Any, y_values: Any, seeds: Any, steps: Any) -> str:
        try:
            across, down = (axis_of(str(field), str(values)) for field, values in ((x, x_values), (y, y_values)))
            runs = len(across.values) * len(down.values) * max(1, int(seeds))
            return f"{runs:,} runs of {int(steps):,} steps."
        except ValueError as error:
            return str(error)

    @app.callback(
        Output("map-done", "data"),
        Output("map-address", "search"),
        Output("map-refused", "children"),
        Input("map-start", "n_clicks"),
        Input("map-extend", "n_clicks"),
        State("map-x", "value"),
        State("map-x-values", "value"),
        State("map-y", "value"),
        State("map-y-values", "value"),
        State("map-preset", "value"),
        State("map-steps", "value"),
        State("map-seeds", "value"),
        State("map-waits", "value"),
        State("map-address", "search"),
        prevent_initial_call=True,
    )
    async def make(
        starts: Any, extends: Any, x: Any, xs: Any, y: Any, ys: Any, preset: Any, steps: Any, seeds: Any, waits: Any,
        search: Any,
    ) -> tuple[Any, Any, Any]:  # fmt: skip
        if not (starts or extends):
            return KEEP, KEEP, KEEP
        try:
            axes = [axis_json(str(field), str(values)) for field, values in ((x, xs), (y, ys))]
            whole = {"seeds": whole_number("Seeds a square", seeds), "steps": whole_number("Steps", steps)}
        except ValueError as error:
            return KEEP, KEEP, str(error)
        if ctx.triggered_id == "map-extend":
            body, _, _ = await shown(search)
            if body is None:
                return KEEP, KEEP, "There is no map to add to."
            answer = await api.ask(
                "POST", f"{path_of(body['sweep_id'])}/extend", {"axes": axes, "seeds": whole["seeds"]}
            )
            return ["extended", extends], KEEP, "" if answer.ok else answer.reason
        asked = {"preset": str(preset), "axes": axes, **whole, "waits": bool(waits)}
        answer = await api.ask("POST", "/api/sweeps", asked)
        if not answer.ok:
            return KEEP, KEEP, answer.reason
        return ["started", starts], f"?map={quote(answer.body['sweep_id'], safe='')}", ""

    @app.callback(
        Output("map-confirm", "message"),
        Output("map-confirm", "displayed"),
        Input("map-delete", "n_clicks"),
        prevent_initial_call=True,
    )
    async def ask(clicks: Any) -> tuple[Any, bool]:
        return (
            ("Delete this map? Every run in it goes with it and cannot be had back.", True) if clicks else (KEEP, False)
        )

    @app.callback(
        Output("map-done", "data", allow_duplicate=True),
        Output("map-address", "search", allow_duplicate=True),
        Output("map-note", "children", allow_duplicate=True),
        Input("map-stop", "n_clicks"),
        Input("map-resume", "n_clicks"),
        Input("map-confirm", "submit_n_clicks"),
        State("map-address", "search"),
        prevent_initial_call=True,
    )
    async def act(stops: Any, resumes: Any, deletes: Any, search: Any) -> tuple[Any, Any, Any]:
        body, _, _ = await shown(search)
        if body is None or not (stops or resumes or deletes):
            return KEEP, KEEP, KEEP
        path = path_of(body["sweep_id"])
        if ctx.triggered_id == "map-confirm":
            answer: Answer = await api.ask("DELETE", path)
        else:
            answer = await api.ask("POST", f"{path}/{'stop' if ctx.triggered_id == 'map-stop' else 'resume'}")
        gone = "" if answer.ok and ctx.triggered_id == "map-confirm" else KEEP
        return [ctx.triggered_id, stops, resumes, deletes], gone, "" if answer.ok else answer.reason

    app.clientside_callback(
        ClientsideFunction("pages", "squares"),
        Output("map-ready", "data"),
        Input("map-grid", "children"),
    )

    async def found(under: Any, search: Any, measure: Any) -> tuple[View | None, Any]:
        body, _, _ = await shown(search) if under else (None, [], "")
        view = None if body is None else view_of(body, measure)
        return view, None if view is None else square_of(view, under)


def entry(each: Mapping[str, Any], *, is_shown: bool) -> Component:
    """A map on the list."""
    state = "recorded" if each["recorded"] else each["state"]
    address = f"{PATH}?map={quote(each['sweep_id'], safe='')}"
    name: Component = html.B(each["name"]) if is_shown else html.A(each["name"], href=address)
    return html.Li([name, html.Span(f"{state}, {each['total']:,} runs")])


def path_of(sweep_id: str) -> str:
    """Where the API has a map."""
    return f"/api/sweeps/{quote(str(sweep_id), safe='')}"


def cell_path(view: View, key: str) -> str:
    """Where the API has a cell's recording."""
    return f"{path_of(view.body['sweep_id'])}/cells/{quote(key, safe='')}"


def number_of(layer: Any) -> int:
    """The layer that "Layer 2" names, from 0."""
    digits = str(layer or "").rpartition(" ")[2]
    return max(0, int(digits) - 1) if digits.isdecimal() else 0


def axis_json(field: str, text: str) -> dict[str, Any]:
    """An axis as the API takes it. Raises ValueError."""
    axis = axis_of(field.strip(), text)
    return {"field": axis.field, "values": list(axis.values)}


def whole_number(name: str, text: Any) -> int:
    """A whole number that a person typed. Raises ValueError."""
    try:
        return int(str(text).replace(",", ""))
    except ValueError:
        raise ValueError(f"{name} must be a whole number. Found {str(text)[:40]!r}.") from None
