"""Callbacks of the page of runs: the table follows the server, and a person's changes go to it."""

from __future__ import annotations

import json
import secrets
import zlib
from typing import Any
from urllib.parse import quote

from dash import Dash, Input, Output, State, no_update

from frontend.api import Answer, Api
from frontend.runs.rows import has_ended, in_words, named, row, storage_in_words

EDITABLE = ("name", "note")


def connect(app: Dash, api: Api) -> None:
    """Add the callbacks of the page to `app`."""

    @app.callback(
        Output("runs-grid", "rowData"),
        Output("runs-seen", "data"),
        Output("runs-grid", "style"),
        Input("runs-clock", "n_intervals"),
        Input("runs-done", "data"),
        State("runs-seen", "data"),
    )
    async def look(ticks: Any, done: Any, seen: Any) -> tuple[Any, ...]:
        answer = await api.ask("GET", "/api/runs")
        if not answer.ok or not isinstance(answer.body, list):
            return no_update, no_update, no_update
        rows = [row(run) for run in answer.body]
        stamp = [zlib.crc32(json.dumps(rows).encode()), done]
        if stamp == seen:
            return no_update, no_update, no_update
        return rows, stamp, {"height": None, "--rows": max(2, len(rows))}

    @app.callback(
        Output("runs-storage", "children"),
        Input("runs-seen", "data"),
        State("runs-storage", "children"),
    )
    async def measure(seen: Any, shown: Any) -> Any:
        answer = await api.ask("GET", "/api/storage")
        words = storage_in_words(answer.body) if answer.ok and isinstance(answer.body, dict) else ""
        return no_update if words == shown else words

    @app.callback(
        Output("runs-chosen", "children"),
        Output("runs-stop", "disabled"),
        Output("runs-delete", "disabled"),
        Output("runs-delete", "title"),
        Output("runs-keep", "disabled"),
        Output("runs-keep", "children"),
        Input("runs-grid", "selectedRows"),
    )
    async def choose(chosen: Any) -> tuple[Any, ...]:
        rows = rows_of(chosen)
        going = [each for each in rows if not has_ended(each)]
        words = f"{len(rows)} chosen" if rows else "none chosen"
        why = "Stop these runs first: " + in_words([named(each) for each in going]) if going else ""
        return words, not going, not rows or bool(going), why, not rows, "Do not keep" if all_kept(rows) else "Keep"

    @app.callback(
        Output("runs-done", "data", allow_duplicate=True),
        Output("runs-note", "children", allow_duplicate=True),
        Output("runs-grid", "deselectAll", allow_duplicate=True),
        Input("runs-keep", "n_clicks"),
        State("runs-grid", "selectedRows"),
        prevent_initial_call=True,
    )
    async def keep(clicks: Any, chosen: Any) -> tuple[Any, ...]:
        rows = rows_of(chosen)
        if not rows or not clicks:
            return no_update, no_update, no_update
        reasons = []
        for each in rows:
            path = f"/api/runs/{quote(str(each['run_id']), safe='')}"
            answer = await api.ask("PATCH", path, {"kept": not all_kept(rows)})
            reasons += [] if answer.ok else [answer.reason]
        return ["kept", clicks], " ".join(reasons), True

    @app.callback(
        Output("runs-confirm", "message"),
        Output("runs-confirm", "displayed"),
        Output("runs-asked", "data"),
        Input("runs-stop", "n_clicks"),
        Input("runs-delete", "n_clicks"),
        State("runs-grid", "selectedRows"),
        prevent_initial_call=True,
    )
    async def ask(stop: Any, delete: Any, chosen: Any) -> tuple[Any, ...]:
        rows = rows_of(chosen)
        before = (stop or 0) + (delete or 0)
        verb = "delete" if all(map(has_ended, rows)) else "stop"
        asked = rows if verb == "delete" else [each for each in rows if not has_ended(each)]
        if not asked or not before:
            return no_update, False, no_update
        names = in_words([named(each) for each in asked])
        if verb == "delete":
            message = f"Delete {names}? Pictures, curves and checkpoints go with it and cannot be had back."
        else:
            message = f"Stop {names}? It ends for everybody who watches; it can be resumed from its last checkpoint."
        return message, True, {"verb": verb, "runs": [each["run_id"] for each in asked]}

    @app.callback(
        Output("runs-done", "data"),
        Output("runs-note", "children"),
        Output("runs-grid", "deselectAll"),
        Input("runs-confirm", "submit_n_clicks"),
        State("runs-asked", "data"),
        prevent_initial_call=True,
    )
    async def do(clicks: Any, asked: Any) -> tuple[Any, ...]:
        if not isinstance(asked, dict) or not clicks:
            return no_update, no_update, no_update
        reasons = []
        for run_id in asked.get("runs", []):
            answer = await (delete if asked.get("verb") == "delete" else stop)(str(run_id))
            reasons += [] if answer.ok else [answer.reason]
        return ["done", clicks], " ".join(reasons), True

    @app.callback(
        Output("runs-done", "data", allow_duplicate=True),
        Output("runs-note", "children", allow_duplicate=True),
        Input("runs-grid", "cellValueChanged"),
        prevent_initial_call=True,
    )
    async def edit(changes: Any) -> tuple[Any, ...]:
        reasons, last = [], None
        for change in changes if isinstance(changes, list) else []:
            field, run_id = change.get("colId"), change.get("rowId")
            if field in EDITABLE:
                body = {field: str(change.get("value", change.get("newValue")) or "")}
                answer = await api.ask("PATCH", f"/api/runs/{quote(str(run_id), safe='')}", body)
                reasons += [] if answer.ok else [answer.reason]
                last = change.get("timestamp")
        return ["edited", last], " ".join(reasons)

    async def stop(run_id: str) -> Answer:
        command = {"command_id": secrets.token_hex(12), "type": "stop"}
        return await api.ask("POST", f"/api/runs/{quote(run_id, safe='')}/commands", command)

    async def delete(run_id: str) -> Answer:
        return await api.ask("DELETE", f"/api/runs/{quote(run_id, safe='')}")


def all_kept(rows: list[dict[str, Any]]) -> bool:
    """Whether each of some rows is kept when the data folder is full."""
    return bool(rows) and all(each.get("kept") for each in rows)


def rows_of(chosen: Any) -> list[dict[str, Any]]:
    """The rows that a person has chosen."""
    return [each for each in chosen if isinstance(each, dict) and "run_id" in each] if isinstance(chosen, list) else []
