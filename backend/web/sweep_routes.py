"""The HTTP API of maps, under /api/sweeps. Thin, as `routes.py`; a map of two thousand cells is read in threads."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import FileResponse, JSONResponse

from backend.errors import BadInputError, NotNowError
from backend.web.asked import SomeRuns, answer, binary
from backend.web.bodies import more_of_sweep_of, new_sweep_of, sweep_change_of
from backend.web.reference import BINARY, refusals, takes
from cdsp_core.wire.messages.sweeps import MoreOfSweep, NewSweep, SweepChange, SweepDetail, SweepList
from cdsp_core.wire.recording import SUFFIX, RecordingError, read_recording

router = APIRouter(prefix="/api/sweeps")

PARQUET: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "The file.", "content": {"application/vnd.apache.parquet": {}}}
}


async def told(detail: SweepDetail, *, status: int = 200) -> Response:
    """A map with its cells as JSON, made in a thread cell by cell: there may be thousands, each with pictures."""
    text = await asyncio.to_thread(cell_by_cell, detail)
    return binary(text.encode(), status=status, media="application/json")


def cell_by_cell(detail: SweepDetail) -> str:
    """What `detail.to_text()` says; no other thread waits for more than one cell."""
    before, after = _without_cells(detail).split('"cells":[]')
    return f'{before}"cells":[{",".join(cell.to_text() for cell in detail.cells)}]{after}'


def lines_of(detail: SweepDetail) -> str:
    """The map without its cells, then every cell, a line each."""
    return "\n".join([_without_cells(detail), *(cell.to_text() for cell in detail.cells)])


def _without_cells(detail: SweepDetail) -> str:
    return detail.model_copy(update={"cells": []}).to_text()


@router.get("", response_model=SweepList)
async def list_sweeps(runs: SomeRuns) -> Response:
    """Every map, newest first, and why none can be started now, if so."""
    return answer(await runs.sweeps.list())


@router.post(
    "",
    status_code=201,
    response_model=SweepDetail,
    responses=refusals(413, 415, 422, 429, 503),
    openapi_extra=takes(NewSweep),
)
async def create_sweep(request: Request, runs: SomeRuns) -> Response:
    """Train a map: a grid of small runs over two settings. One trains at a time, others wait."""
    sweep, asked = await asyncio.to_thread(new_sweep_of, await request.body(), data=runs.settings.data)
    own = await asyncio.to_thread(runs.own_data.resolved, sweep.base)
    sweep = replace(sweep, base=own)
    await asyncio.to_thread(runs.admission.check_sweep, sweep)
    return await told(await runs.sweeps.create(sweep, asked.name, waits=asked.waits), status=201)


@router.get("/{sweep_id}", response_model=SweepDetail, responses=refusals(404, 422, 503))
async def one_sweep(sweep_id: str, runs: SomeRuns, format: Annotated[str, Query(max_length=20)] = "json") -> Response:
    """One map with its cells, each as far as it has come. `lines`: JSON Lines, the map and then a cell a line.

    Of the lines each picture is packed, and each can be read by itself: nobody must read two thousand cells at once.
    """
    if format not in ("json", "lines"):
        raise BadInputError(f"format must be json or lines. Found {format!r}.")
    if format == "json":
        return await told(await runs.sweeps.get(sweep_id))
    detail = await runs.sweeps.get(sweep_id, packed=True)
    return binary((await asyncio.to_thread(lines_of, detail)).encode(), media="application/jsonl")


@router.patch(
    "/{sweep_id}",
    response_model=SweepDetail,
    responses=refusals(404, 409, 413, 415, 422, 429),
    openapi_extra=takes(SweepChange),
)
async def change_sweep(request: Request, sweep_id: str, runs: SomeRuns) -> Response:
    """Give a map another name, or say whether it waits while a run trains."""
    change = sweep_change_of(await request.body())
    return await told(await runs.sweeps.change(sweep_id, name=change.name, waits=change.waits))


@router.delete("/{sweep_id}", status_code=204, response_class=Response, responses=refusals(404, 409, 429))
async def delete_sweep(sweep_id: str, runs: SomeRuns) -> Response:
    """Delete a map that does not go on, with everything of it."""
    await runs.sweeps.delete(sweep_id)
    return Response(status_code=204)


@router.post("/{sweep_id}/stop", response_model=SweepDetail, responses=refusals(404, 409, 429))
async def stop_sweep(sweep_id: str, runs: SomeRuns) -> Response:
    """End a map's training; at most the cells under way are lost. No body is read."""
    return await told(await runs.sweeps.stop(sweep_id))


@router.post("/{sweep_id}/resume", response_model=SweepDetail, responses=refusals(404, 409, 422, 429, 503))
async def resume_sweep(sweep_id: str, runs: SomeRuns) -> Response:
    """Go on with a map from its finished cells, where its data are still here. No body is read."""
    sweep = await asyncio.to_thread(runs.sweeps.sweep, sweep_id)
    await asyncio.to_thread(runs.own_data.resolved, sweep.base)
    return await told(await runs.sweeps.resume(sweep_id))


@router.post(
    "/{sweep_id}/extend",
    response_model=SweepDetail,
    responses=refusals(404, 409, 413, 415, 422, 429, 503),
    openapi_extra=takes(MoreOfSweep),
)
async def extend_sweep(request: Request, sweep_id: str, runs: SomeRuns) -> Response:
    """Give a map further values or seeds; what is done is not done again."""
    before = await asyncio.to_thread(runs.sweeps.sweep, sweep_id)
    sweep = await asyncio.to_thread(more_of_sweep_of, await request.body(), before)
    await asyncio.to_thread(runs.own_data.resolved, sweep.base)
    await asyncio.to_thread(runs.admission.check_sweep, sweep)
    return await told(await runs.sweeps.extend(sweep_id, sweep))


@router.get("/{sweep_id}/cells/{key}", response_class=Response, responses=BINARY | refusals(404, 422, 503))
async def one_cell(
    sweep_id: str, key: str, runs: SomeRuns, format: Annotated[str, Query(max_length=20)] = "binary"
) -> Response:
    """A cell as a recorded run, as far as it has come: one safetensors message, the content of a file, or json."""
    if format not in ("binary", "file", "json"):
        raise BadInputError(f"format must be binary, file or json. Found {format!r}.")
    path = await asyncio.to_thread(runs.sweeps.recording, sweep_id, key)
    if format == "file":
        return FileResponse(path, media_type="application/octet-stream", filename=f"{key}{SUFFIX}")
    try:
        found = await asyncio.to_thread(read_recording, path)
    except RecordingError as error:
        raise NotNowError(f"The cell cannot be read: {error}") from None
    if format == "json":
        return JSONResponse(await asyncio.to_thread(found.to_json))
    return Response(found.message(), media_type="application/octet-stream")


@router.get("/{sweep_id}/parquet", response_class=Response, responses=PARQUET | refusals(404))
async def parquet(sweep_id: str, runs: SomeRuns) -> Response:
    """Every finished cell as a row, with its config and version: written when the map ends or is stopped."""
    path = runs.sweeps.parquet(sweep_id)
    return FileResponse(path, media_type="application/vnd.apache.parquet", filename=f"{sweep_id}.parquet")
