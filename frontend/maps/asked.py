"""Callbacks of the form of a map: what it is filled with, what it would train, and what is asked of the server."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from dash import Dash, Input, Output, State, ctx, no_update

from cdsp_core.settings.presets import preset
from cdsp_core.studies.sweeps.spec import Sweep, axis_of
from frontend.api import Answer
from frontend.maps.api import MapApi, address_of, path_of
from frontend.maps.choices import kept_or_suggested, typed

KEEP = no_update
GOES = ("waiting", "running", "paused")


def connect_form(app: Dash, maps: MapApi) -> None:
    """Add the callbacks of the form to `app`."""

    @app.callback(
        Output("map-x", "value"),
        Output("map-x-values", "value"),
        Output("map-y", "value"),
        Output("map-y-values", "value"),
        Output("map-preset", "value"),
        Output("map-steps", "value"),
        Output("map-seeds", "value"),
        Output("map-waits", "value"),
        Input("map-shown", "data"),
        Input("map-x", "value"),
        Input("map-y", "value"),
        Input("map-preset", "value"),
        State("map-x-values", "value"),
        State("map-y-values", "value"),
        State("map-address", "search"),
        prevent_initial_call=True,
    )
    async def fill(
        shown: Any, x: Any, y: Any, chosen: Any, xs: Any, ys: Any, search: Any
    ) -> tuple[Any, Any, Any, Any, Any, Any, Any, Any]:
        if ctx.triggered_id == "map-shown":
            body = await maps.map(search)
            return (KEEP,) * 8 if body is None else filled(body)
        try:
            base = preset(str(chosen))
            across, down = (kept_or_suggested(str(field), str(text), base) for field, text in ((x, xs), (y, ys)))
        except ValueError:  # a preset or a setting that there is not, which no page asks for
            return (KEEP,) * 8
        return KEEP, across, KEEP, down, KEEP, KEEP, KEEP, KEEP

    @app.callback(
        Output("map-size", "children"),
        Input("map-x", "value"),
        Input("map-x-values", "value"),
        Input("map-y", "value"),
        Input("map-y-values", "value"),
        Input("map-preset", "value"),
        Input("map-seeds", "value"),
        Input("map-steps", "value"),
    )
    async def size_up(x: Any, x_values: Any, y: Any, y_values: Any, chosen: Any, seeds: Any, steps: Any) -> str:
        return await asyncio.to_thread(size_text, (x, x_values), (y, y_values), chosen, seeds, steps)

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
        starts: Any, extends: Any, x: Any, xs: Any, y: Any, ys: Any, chosen: Any, steps: Any, seeds: Any, waits: Any,
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
            body = await maps.map(search)
            if body is None:
                return KEEP, KEEP, "There is no map to add to."
            answer = await maps.ask(
                "POST", f"{path_of(body['sweep_id'])}/extend", {"axes": axes, "seeds": whole["seeds"]}
            )
            return ["extended", extends], KEEP, "" if answer.ok else answer.reason
        asked = {"preset": str(chosen), "axes": axes, **whole, "waits": waits == "waits"}
        answer = await maps.ask("POST", "/api/sweeps", asked)
        if not answer.ok:
            return KEEP, KEEP, answer.reason
        return ["started", starts], address_of(answer.body["sweep_id"]), ""

    @app.callback(
        Output("map-address", "search", allow_duplicate=True),
        Input("map-choice", "value"),
        State("map-shown", "data"),
        prevent_initial_call=True,
    )
    async def choose(chosen: Any, shown: Any) -> Any:
        return KEEP if not chosen or chosen == shown else address_of(str(chosen))

    @app.callback(
        Output("map-done", "data", allow_duplicate=True),
        Output("map-note", "children", allow_duplicate=True),
        Input("map-waits", "value"),
        State("map-address", "search"),
        prevent_initial_call=True,
    )
    async def hold(waits: Any, search: Any) -> tuple[Any, Any]:
        """A map that goes on waits, or goes on, from now."""
        body = await maps.map(search)
        if body is None or body["recorded"] or body["state"] not in GOES or body["waits"] == (waits == "waits"):
            return KEEP, KEEP
        answer = await maps.ask("PATCH", path_of(body["sweep_id"]), {"waits": waits == "waits"})
        return ["waits", waits], "" if answer.ok else answer.reason

    @app.callback(
        Output("map-confirm", "message"),
        Output("map-confirm", "displayed"),
        Input("map-delete", "n_clicks"),
        prevent_initial_call=True,
    )
    async def confirm(clicks: Any) -> tuple[Any, bool]:
        question = "Delete this map? Every run in it goes with it and cannot be had back."
        return (question, True) if clicks else (KEEP, False)

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
        body = await maps.map(search)
        if body is None or not (stops or resumes or deletes):
            return KEEP, KEEP, KEEP
        path = path_of(body["sweep_id"])
        if ctx.triggered_id == "map-confirm":
            answer: Answer = await maps.ask("DELETE", path)
        else:
            answer = await maps.ask("POST", f"{path}/{'stop' if ctx.triggered_id == 'map-stop' else 'resume'}")
        gone = "" if answer.ok and ctx.triggered_id == "map-confirm" else KEEP
        return [ctx.triggered_id, stops, resumes, deletes], gone, "" if answer.ok else answer.reason


def size_text(across: tuple[Any, Any], down: tuple[Any, Any], chosen: Any, seeds: Any, steps: Any) -> str:
    """How much a map would be to train, or why it cannot be. An axis is its field and its values, as they were typed.

    Every cell is checked: two thousand take half a second.
    """
    try:
        x, y = (axis_of(str(field), str(values)) for field, values in (across, down))
        sweep = Sweep(
            base=preset(str(chosen)),
            x=x,
            y=y,
            seeds=whole_number("Seeds a square", seeds),
            steps=whole_number("Steps", steps),
        )
    except ValueError as error:
        return str(error)
    return f"{sweep.size:,} runs of {sweep.steps:,} steps."


def filled(body: Mapping[str, Any]) -> tuple[Any, Any, Any, Any, Any, Any, Any, Any]:
    """The form as it would ask for this map again."""
    across, down = body["axes"]
    return (
        *(part for axis in (across, down) for part in (axis["field"], ", ".join(map(typed, axis["values"])))),
        body["preset"],
        str(body["steps"]),
        body["seeds"],
        "waits" if body["waits"] else "shares",
    )


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
