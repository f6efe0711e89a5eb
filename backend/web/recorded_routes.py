"""Recorded runs under /api/recorded: listed, read, and answering what a page asks of a run. Nothing trains."""

from __future__ import annotations

import asyncio
from typing import Annotated, Final

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse

from backend.errors import BadInputError, RunNotFoundError
from backend.runs.replays import film_of, hello_of, moment_of, snapshot_of
from backend.web.asked import Recorded, answer, binary
from backend.web.reference import BINARY, refusals
from cdsp_core.settings.config import MAX_STEPS
from cdsp_core.wire.messages.api import RecordedRuns
from cdsp_core.wire.messages.viewer import Hello
from cdsp_core.wire.recording import SUFFIX

router = APIRouter()

MAX_ALSO: Final = 1000
"""characters of the names that are asked for beside those listed"""


@router.get("/api/recorded", response_model=RecordedRuns)
async def list_recorded(recorded: Recorded, also: Annotated[str, Query(max_length=MAX_ALSO)] = "") -> Response:
    """The recorded runs that come with the program, and why a file is none; cells of maps where `also` names them.

    `also` is names with commas between them; a name that is of nothing is left out.
    """
    return answer(await asyncio.to_thread(recorded.rows, [name for name in also.split(",") if name]))


@router.get("/api/recorded/{name}", response_class=Response, responses=BINARY | refusals(404, 422))
async def one_recorded(
    name: str, recorded: Recorded, format: Annotated[str, Query(max_length=20)] = "binary"
) -> Response:
    """A recorded run: one safetensors message whose metadata hold its recipe, or the same as json."""
    if format not in ("binary", "json"):
        raise BadInputError(f"format must be binary or json. Found {format!r}.")
    found = await asyncio.to_thread(recorded.get, name)
    if format == "json":
        return JSONResponse(found.to_json())
    return Response(found.message(), media_type="application/octet-stream")


@router.get("/api/recorded/{name}/hello", response_model=Hello, responses=refusals(404, 422))
async def recorded_hello(name: str, recorded: Recorded) -> Response:
    """What the socket of a run says first, of a recorded run: its run_id is `recorded:` and its name."""
    return await asyncio.to_thread(lambda: answer(hello_of(name, *recorded.get_called(name))))


@router.get("/api/recorded/{name}/snapshot", response_class=Response, responses=BINARY | refusals(404, 422))
async def recorded_snapshot(name: str, recorded: Recorded) -> Response:
    """The last picture and all scalars of a recorded run: one binary frame of kind `snapshot`."""
    return await asyncio.to_thread(lambda: binary(snapshot_of(name, recorded.get(name))))


@router.get("/api/recorded/{name}/film", response_class=Response, responses=BINARY | refusals(404, 422))
async def recorded_film(name: str, recorded: Recorded) -> Response:
    """Every picture of a recorded run in one binary message of kind `film`."""
    return await asyncio.to_thread(lambda: binary(film_of(name, recorded.get(name))))


@router.get(
    "/api/recorded/{name}/moments/{epoch}/{step}", response_class=Response, responses=BINARY | refusals(404, 422)
)
async def recorded_moment(name: str, recorded: Recorded, epoch: int, step: int) -> Response:
    """The picture of a recorded run nearest to a step, as a binary frame; it has one epoch, 0."""
    if epoch != 0:
        raise RunNotFoundError(f"A recorded run has one epoch, 0. Found {epoch}.")
    return await asyncio.to_thread(lambda: binary(moment_of(name, recorded.get(name), _step(step))))


@router.get("/api/recorded/{name}/recording", response_class=Response, responses=BINARY | refusals(404, 422))
async def recorded_file(name: str, recorded: Recorded) -> Response:
    """A recorded run as the content of its file."""
    content = await asyncio.to_thread(lambda: recorded.get(name).encode())
    return binary(content, headers={"Content-Disposition": f'attachment; filename="{name}{SUFFIX}"'})


def _step(number: int) -> int:
    """A step that a run may have. Raises BadInputError."""
    if not 0 <= number <= MAX_STEPS:
        raise BadInputError(f"a step must be a whole number from 0 to {MAX_STEPS}. Found {str(number)[:40]}.")
    return number
