"""The HTTP API under /api. Thin: reads the question, asks the hub or the store, answers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from backend.commands import read_command, read_json, read_new_run
from backend.errors import BadInputError, RunNotFoundError
from backend.export import csv_lines, json_parts
from backend.history import scalars_message
from backend.hub import RunHub
from backend.runs import Runs
from backend.stream import read_after
from cdsp_core.settings.config import schema, to_dict
from cdsp_core.settings.presets import PRESETS
from cdsp_core.wire.frames import decode_frame, json_ready

router = APIRouter()


def the_runs(request: Request) -> Runs:
    runs = request.app.state.runs
    assert isinstance(runs, Runs)
    return runs


def the_hub(run_id: str, runs: Annotated[Runs, Depends(the_runs)]) -> RunHub:
    return runs.get(run_id)


SomeRuns = Annotated[Runs, Depends(the_runs)]
Hub = Annotated[RunHub, Depends(the_hub)]
"""The run of the path's run_id, looked up; 404 when there is none."""


@router.get("/healthz")
async def healthz(runs: SomeRuns) -> dict[str, Any]:
    active = sum(hub.state.active for hub in runs.list())
    return {"status": "ok", "workers": len(runs.workers), "runs": active, "store": runs.store.error}


@router.get("/api/presets")
async def presets() -> list[dict[str, Any]]:
    return [{"name": name, "text": text, "config": to_dict(config)} for name, (text, config) in PRESETS.items()]


@router.get("/api/schema")
async def config_schema() -> dict[str, Any]:
    return schema()


@router.get("/api/studies")
async def list_studies(runs: SomeRuns) -> dict[str, Any]:
    return runs.studies.list()


@router.post("/api/studies/{name}/start")
async def start_study(name: str, runs: SomeRuns) -> dict[str, Any]:
    return runs.studies.start(name)


@router.post("/api/studies/{name}/stop")
async def stop_study(name: str, runs: SomeRuns) -> dict[str, Any]:
    return runs.studies.stop(name)


@router.get("/api/runs")
async def list_runs(runs: SomeRuns) -> JSONResponse:
    return JSONResponse(json_ready([hub.to_json() for hub in runs.list()]))


@router.post("/api/runs")
async def create_run(request: Request, runs: SomeRuns) -> JSONResponse:
    config, name = read_new_run(read_json(await request.body()), data=runs.settings.data)
    return JSONResponse(json_ready(runs.create(config, name).to_json()), status_code=201)


@router.get("/api/runs/{run_id}")
async def one_run(hub: Hub) -> JSONResponse:
    return JSONResponse(json_ready(hub.to_json()))


@router.post("/api/runs/{run_id}/commands")
async def command(request: Request, hub: Hub) -> JSONResponse:
    return JSONResponse(json_ready(await hub.steering.command(read_command(read_json(await request.body())))))


@router.get("/api/runs/{run_id}/checkpoints")
async def checkpoints(hub: Hub) -> list[dict[str, Any]]:
    return await asyncio.to_thread(hub.past.checkpoints)


@router.get("/api/runs/{run_id}/events")
async def events(hub: Hub, runs: SomeRuns) -> JSONResponse:
    return JSONResponse(await asyncio.to_thread(_flushed_events, runs, hub))


@router.get("/api/runs/{run_id}/frames")
async def frames(
    hub: Hub,
    runs: SomeRuns,
    after: Annotated[str, Query(max_length=30)] = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    every: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
) -> Response:
    start = read_after(after) if after else (-1, -1)

    def answer() -> Response:
        bodies = runs.store.archive.frames(hub.run_id, start, limit=limit, every=every)
        found = [decode_frame(body) for body in bodies]
        end = f"{found[-1].epoch}:{found[-1].seq}" if len(found) == limit else None
        return JSONResponse({"frames": [frame.to_json() for frame in found], "next": end})

    return await asyncio.to_thread(answer)


@router.get("/api/runs/{run_id}/frames/{epoch}/{seq}")
async def frame(hub: Hub, runs: SomeRuns, epoch: int, seq: int) -> Response:
    body = await asyncio.to_thread(runs.store.archive.frame, hub.run_id, _small(epoch), _small(seq))
    if body is None:
        raise RunNotFoundError(f"There is no stored frame at or before {epoch}:{seq}.")
    return Response(body, media_type="application/octet-stream")


@router.get("/api/runs/{run_id}/scalars")
async def scalars(hub: Hub, runs: SomeRuns, epoch: int | None = None) -> Response:
    wanted = max(hub.state.epoch, 0) if epoch is None else _small(epoch)

    def answer() -> Response:
        runs.store.flush()
        rows = runs.store.archive.scalars(hub.run_id, wanted)
        if rows is None:
            raise RunNotFoundError(f"There are no scalars of epoch {wanted}.")
        step = int(np.nanmax(rows[:, 0]))
        last = runs.store.archive.last_seq(hub.run_id, wanted)
        message = scalars_message(hub.run_id, wanted, after_seq=-1, seq=last, rows=rows, step=step)
        return Response(message, media_type="application/octet-stream")

    return await asyncio.to_thread(answer)


@router.get("/api/runs/{run_id}/export")
async def export(hub: Hub, runs: SomeRuns, format: Annotated[str, Query(max_length=20)] = "csv") -> Response:
    if format not in ("csv", "json"):
        raise BadInputError(f"format must be csv or json. Found {format!r}.")
    await asyncio.to_thread(runs.store.flush)
    parts: Iterator[str] = (csv_lines if format == "csv" else json_parts)(runs.store.archive, hub.state, hub.to_json())
    media = "text/csv; charset=utf-8" if format == "csv" else "application/json"
    name = f"{hub.run_id}.{format}"
    return StreamingResponse(parts, media_type=media, headers={"Content-Disposition": f'attachment; filename="{name}"'})


def _flushed_events(runs: Runs, hub: RunHub) -> list[dict[str, Any]]:
    runs.store.flush()
    return runs.store.archive.events(hub.run_id)


def _small(number: int) -> int:
    """A number that SQLite can hold. Raises BadInputError."""
    if not 0 <= number < 2**62:
        raise BadInputError(f"epoch and seq must be whole numbers from 0. Found {str(number)[:40]}.")
    return number
