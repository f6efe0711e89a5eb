"""What people take away of a run beside its CSV and JSON: a table as Parquet, and all of it as one HTML file."""

from __future__ import annotations

import asyncio
import io
from typing import Final

from fastapi import APIRouter, Response

from backend.errors import BadInputError, NotNowError, RunNotFoundError
from backend.runs.recorded import recording_of
from backend.storage.archive import Archive
from backend.web.asked import Hub, Recorded, SomeRuns, binary
from backend.web.reference import refusals
from cdsp_core.wire.one_file import one_file
from cdsp_core.wire.recording import Recording, decode

router = APIRouter()

PARQUET: Final = "application/vnd.apache.parquet"


@router.get("/api/runs/{run_id}/page", response_class=Response, responses=refusals(404, 422))
async def page(hub: Hub, runs: SomeRuns) -> Response:
    """The run as far as it has come as one HTML file that needs no server: film, two lenses, curves and a scrubber."""
    content = await asyncio.to_thread(recording_of, runs.store, hub)
    recording = decode(content, called=hub.run_id)
    return _html(recording, hub.run_id, hub.state.name)


@router.get("/api/recorded/{name}/page", response_class=Response, responses=refusals(404, 422))
async def recorded_page(name: str, recorded: Recorded) -> Response:
    """A recorded run as the same file."""
    return _html(await asyncio.to_thread(recorded.get, name), name, name)


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


def _file(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}
