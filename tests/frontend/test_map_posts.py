"""What the page of maps answers to posts that no page sends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse

from frontend.app import mount
from tests.frontend.test_map import CELLS, a_map, cell


def client_of(folder: Path, told: dict[str, Any]) -> httpx.AsyncClient:
    """The pages on an API that knows one map."""
    app = FastAPI()

    @app.get("/api/sweeps")
    async def listed() -> dict[str, Any]:
        return {"unavailable": None, "sweeps": [told]}

    @app.get("/api/sweeps/{sweep_id}")
    async def one(sweep_id: str) -> Response:
        if sweep_id != told["sweep_id"]:
            return JSONResponse({"error": f"There is no map {sweep_id!r}."}, status_code=404)
        lines = [{**told, "cells": []}, *told["cells"]]
        return Response("\n".join(map(json.dumps, lines)), media_type="application/jsonl")

    @app.get("/api/sweeps/{sweep_id}/cells/{key}")
    async def recording(sweep_id: str, key: str) -> dict[str, Any]:
        return {"steps": [], "connection": [], "recipe": {"config": {"train": {"steps": 100}, "of": key}}}

    @app.post("/api/runs")
    async def begin(asked: dict[str, Any]) -> dict[str, Any]:
        return {"run_id": asked["config"]["of"]}

    mount(app, evidence=folder / "evidence.json")
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://127.0.0.1")


async def posted(client: httpx.AsyncClient, output: str, **values: Any) -> httpx.Response:
    """What a callback answers whose inputs and states have these values, by "id.property"; the first named changed."""
    callbacks = (await client.get("/_dash-dependencies")).json()
    found = next(each for each in callbacks if output in each["output"] and not each.get("clientside_function"))
    names = [each.split(".") for each in found["output"].strip(".").split("...")]
    outputs = [{"id": name, "property": part.partition("@")[0]} for name, part in names]
    asked = {
        kind: [{**each, "value": values.get(f"{each['id']}.{each['property']}")} for each in found[kind]]
        for kind in ("inputs", "state")
    }
    many = found["output"].startswith("..")
    body = {"output": found["output"], "outputs": outputs if many else outputs[0], **asked}
    content = json.dumps(body | {"changedPropIds": [next(iter(values))]})  # as ASCII, which can say half a character
    return await client.post("/_dash-update-component", content=content, headers={"Content-Type": "application/json"})


async def test_a_run_goes_on_from_the_square_that_is_shown_as_an_example(tmp_path: Path) -> None:
    """Before one is pointed at it is that of the highest measure, whichever measure is chosen."""
    cells = [cell(0, 0, 4), cell(1, 0, 0, measures={"links_cut": 0, "accuracy": 0.9})]
    client = client_of(tmp_path, a_map(cells))
    for measure, shown in (("links_cut", "0-0-0"), ("accuracy", "1-0-0")):
        values = {"map-going.data": 1, "map-measure.value": measure}
        answer = await posted(client, "map-goto.href", **values)
        assert answer.json()["response"]["map-goto"]["href"] == f"/#run={shown}"


SETTINGS = {"map-x.value": "lambda_conflict", "map-y.value": "p_drop", "map-preset.value": "live"}


@pytest.mark.parametrize("name", SETTINGS)
async def test_a_form_with_a_setting_that_there_is_not_stays_as_it_is(tmp_path: Path, name: str) -> None:
    client = client_of(tmp_path, a_map(CELLS))
    odds: tuple[Any, ...] = (None, "", "<b>", [], {"a": 1}, "\ud800", "9" * 6000, -0.0)
    for odd in odds:
        answer = await posted(client, "map-x-values.value", **{name: odd} | SETTINGS | {name: odd})
        assert answer.json()["response"] == {}, odd


@pytest.mark.parametrize("output", ["map-seen.data", "map-drawn.data", "map-card.children", "map-download.data"])
async def test_an_address_that_names_no_map_breaks_nothing(tmp_path: Path, output: str) -> None:
    client = client_of(tmp_path, a_map(CELLS))
    for search in ("?map=\ud800", "?map=%00", "?map=../x", "?map=a?format=x", ["?map=\ud800"]):
        values = {"map-address.search": search, "theme.data": "light", "map-figure.n_clicks": 1}
        assert (await posted(client, output, **values)).status_code in (200, 204), search


async def test_a_map_that_is_gone_leaves_no_squares_behind(tmp_path: Path) -> None:
    values = {"map-seen.data": [1], "theme.data": "light", "map-address.search": "?map=gone"}
    answer = (await posted(client_of(tmp_path, a_map(CELLS)), "map-drawn.data", **values)).json()["response"]
    assert answer["map-drawn"]["data"]["squares"] == []
    assert answer["map-top"]["figure"]["data"] == []
