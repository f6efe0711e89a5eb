"""What people take away of a run beside its CSV and JSON: a table, its film as MP4, and all of it as one HTML file."""

from __future__ import annotations

import asyncio
import io
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response

from backend.errors import BadInputError, NotNowError, RunNotFoundError
from backend.runs.film_mp4 import Encoder
from backend.runs.recorded import recording_of
from backend.storage.archive import Archive
from backend.web.asked import Hub, Recorded, SomeRuns, binary
from backend.web.reference import refusals
from cdsp_core.wire.one_file import one_file
from cdsp_core.wire.recording import Recording

router = APIRouter()

PARQUET: Final = "application/vnd.apache.parquet"
MP4: Final = "video/mp4"
Layer = Annotated[int, Query(ge=1, le=64)]
Theme = Annotated[str, Query(pattern="^(light|dark)$")]


@router.get("/api/runs/{run_id}/page", response_class=Response, responses=refusals(404, 422))
async def page(hub: Hub, runs: SomeRuns) -> Response:
    """The run as far as it has come as one HTML file that needs no server: film, two lenses, curves and a scrubber."""
    recording = await asyncio.to_thread(recording_of, runs.store, hub)
    return _html(recording, hub.run_id, hub.state.name)


@router.get("/api/recorded/{name}/page", response_class=Response, responses=refusals(404, 422))
async def recorded_page(name: str, recorded: Recorded) -> Response:
    """A recorded run as the same file."""
    return _html(await asyncio.to_thread(recorded.get, name), name, name)


@router.get("/api/runs/{run_id}/film.mp4", response_class=Response, responses=refusals(404, 422, 429, 503))
async def film(request: Request, hub: Hub, runs: SomeRuns, layer: Layer = 1, theme: Theme = "light") -> Response:
    """The film of a layer of the run as far as it has come, as MP4."""
    recording = await asyncio.to_thread(recording_of, runs.store, hub)
    content = await _encoder(request).film(recording, layer=layer - 1, theme=theme)
    return binary(content, media=MP4, headers=_file(f"{hub.run_id}-layer{layer}.mp4"))


@router.get("/api/recorded/{name}/film.mp4", response_class=Response, responses=refusals(404, 422, 429, 503))
async def recorded_film(
    request: Request, name: str, recorded: Recorded, layer: Layer = 1, theme: Theme = "light"
) -> Response:
    """The film of a layer of a recorded run as MP4."""
    recording = await asyncio.to_thread(recorded.get, name)
    content = await _encoder(request).film(recording, layer=layer - 1, theme=theme)
    return binary(content, media=MP4, headers=_file(f"{name}-layer{layer}.mp4"))


@router.get("/api/runs/{run_id}/parquet", response_class=Response, responses=refusals(404, 503))
async def parquet(hub: Hub, runs: SomeRuns) -> Response:
    """Every step's scalars as a Parquet table: epoch, then the columns of the newest epoch and of those before."""
    await asyncio.to_thread(runs.store.flush)
    content = await asyncio.to_thread(table_of, runs.store.archive, hub.run_id)
    return binary(content, media=PARQUET, headers=_file(f"{hub.run_id}.parquet"))


def table_of(archive: Archive, run_id: str) -> bytes:
    """A run's scalars as a Parquet file. Raises RunNotFoundError without any, NotNowError where pyarrow is missing."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise NotNowError("Parquet needs pyarrow, which this server has not: take CSV, or install pyarrow.") from None
    tables = []
    for generation, (_, names) in sorted(archive.generations(run_id).items(), reverse=True):
        rows = archive.scalars(run_id, generation)
        if rows is None or not len(rows):
            continue
        columns = {"epoch": pyarrow.array([generation] * len(rows), pyarrow.int32())}
        columns |= {name: pyarrow.array(rows[:, place], from_pandas=True) for place, name in enumerate(names)}
        tables.append(pyarrow.table(columns))
    if not tables:
        raise RunNotFoundError("The run has no scalars yet.")
    file = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.concat_tables(tables[::-1], promote_options="default"), file)
    return file.getvalue()


def _html(recording: Recording, name: str, title: str) -> Response:
    try:
        content = one_file(recording, title=title)
    except ValueError as error:
        raise BadInputError(f"The run does not fit: {error}") from None
    return Response(content, media_type="text/html; charset=utf-8", headers=_file(f"{name}.html"))


def _encoder(request: Request) -> Encoder:
    encoder = request.app.state.encoder
    assert isinstance(encoder, Encoder)
    return encoder


def _file(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}
