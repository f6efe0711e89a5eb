"""The HTTP API under /api. Thin: reads the question, asks the hub or the store, answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from functools import partial
from typing import Annotated, Any, Final

import numpy as np
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from backend.errors import BadInputError, BusyError, RunNotFoundError, StaleRevisionError
from backend.live.hub import RunHub
from backend.live.texts import CONFIG_SCHEMA
from backend.runs.forks import fork
from backend.runs.recorded import file_of
from backend.runs.runs import Runs
from backend.storage.entries import checked_place, history_of_entry
from backend.storage.film import MOST_PICTURES
from backend.storage.film import film as moving_film
from backend.storage.history import scalars_message
from backend.web.asked import Hub, SomeRuns, answer, binary
from backend.web.bodies import change_of, command_of, new_fork_of, new_run_of
from backend.web.export import csv_lines, frames_json, json_parts
from backend.web.inspector_routes import look_closer
from backend.web.reference import BINARY, TEXT, refusals, takes
from backend.web.roles import WATCH_ONLY
from backend.web.stream import read_after
from cdsp_core import __version__
from cdsp_core.settings.presets import PRESETS
from cdsp_core.wire.frames import MAX_COUNT
from cdsp_core.wire.messages.api import (
    Asker,
    Checkpoint,
    EntryHistory,
    FramesAsJson,
    ListedRun,
    NewFork,
    NewRun,
    Preset,
    RunChange,
)
from cdsp_core.wire.messages.commands import CommandFields
from cdsp_core.wire.messages.run import CommandResult, Event, RunInfo
from cdsp_core.wire.messages.studies import StudyInfo, StudyList
from cdsp_core.wire.recording import SUFFIX

router = APIRouter()

MAX_FRAMES_ANSWER_BYTES: Final = 8_000_000


@router.get("/api/role", response_model=Asker)
async def asker(request: Request) -> Response:
    """Whether who asks may steer; without tokens everybody may."""
    role = request.scope.get("role", "presenter")
    room = request.app.state.classroom.room is not None
    return answer(Asker(role=role, why_not=WATCH_ONLY if role == "viewer" else None, room=room, version=__version__))


@router.get("/api/presets", response_model=list[Preset])
async def presets() -> Response:
    """The named configs."""
    return answer([Preset(name=name, text=text, config=config) for name, (text, config) in PRESETS.items()])


@router.get("/api/schema")
async def config_schema() -> dict[str, Any]:
    """Fields of a config by section: types, bounds, defaults and a line of text."""
    return CONFIG_SCHEMA


@router.get("/api/studies", response_model=StudyList)
async def list_studies(runs: SomeRuns) -> Response:
    """Every study, and why none can be started now, if so."""
    return answer(runs.studies.list())


@router.post("/api/studies/{name}/start", response_model=StudyInfo, responses=refusals(404, 409, 503))
async def start_study(name: str, runs: SomeRuns) -> Response:
    """Run the smallest form of a study on a worker; no body is read."""
    return answer(runs.studies.start(name))


@router.post("/api/studies/{name}/stop", response_model=StudyInfo, responses=refusals(404, 409))
async def stop_study(name: str, runs: SomeRuns) -> Response:
    """End a study; started again, it goes on from its finished jobs. No body is read."""
    return answer(runs.studies.stop(name))


@router.get("/api/runs", response_model=list[ListedRun], responses=refusals(422))
async def list_runs(
    runs: SomeRuns,
    limit: Annotated[int | None, Query(ge=1, le=1000)] = None,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> Response:
    """Runs, newest first; all of them without a limit. The header X-Total-Count says how many there are."""
    hubs = runs.list()
    some = hubs[offset:] if limit is None else hubs[offset : offset + limit]
    text = await runs.listing.text(some)
    return Response(text, media_type="application/json", headers={"X-Total-Count": str(len(hubs))})


@router.post(
    "/api/runs",
    status_code=201,
    response_model=RunInfo,
    responses=refusals(413, 415, 422, 429),
    openapi_extra=takes(NewRun),
)
async def create_run(request: Request, runs: SomeRuns) -> Response:
    """Make a run, which begins as soon as a worker is free."""
    config, asked = new_run_of(await request.body(), data=runs.settings.data)
    config = await asyncio.to_thread(runs.own_data.resolved, config)
    address = request.client.host if request.client is not None else ""
    made = runs.create(
        config, asked.name, address=address, watcher=asked.watcher, edits=asked.edits, pause_at=asked.pause_at
    ).info()
    await runs.store.settled()
    return answer(made, status=201)


@router.get("/api/runs/{run_id}", response_model=ListedRun, responses=refusals(404))
async def one_run(hub: Hub, runs: SomeRuns) -> Response:
    """One run."""
    return answer(await runs.listing.row(hub))


@router.patch(
    "/api/runs/{run_id}",
    response_model=ListedRun,
    responses=refusals(404, 409, 413, 415, 422, 429),
    openapi_extra=takes(RunChange),
)
async def change_run(request: Request, hub: Hub, runs: SomeRuns) -> Response:
    """Give a run another name or note, or keep it when the data folder is full."""
    change = change_of(await request.body())
    if hub.state.unreadable is not None:
        raise BusyError(hub.state.reason or "The run cannot be read.")
    hub.describe(name=change.name, note=change.note, kept=change.kept)
    await runs.store.settled()
    return answer(await runs.listing.row(hub))


@router.delete("/api/runs/{run_id}", status_code=204, response_class=Response, responses=refusals(404, 409, 429))
async def delete_run(run_id: str, runs: SomeRuns) -> Response:
    """Delete an ended run with its history, its checkpoints and the log of its worker."""
    await runs.delete(run_id)
    return Response(status_code=204)


@router.post(
    "/api/runs/{run_id}/commands",
    response_model=CommandResult,
    responses=refusals(404, 409, 413, 415, 422, 429, 503),
    openapi_extra=takes(CommandFields),
)
async def command(request: Request, hub: Hub) -> Response:
    """Carry out a command; answered after the worker applied or refused it. The same command_id is applied once."""
    wanted, began, outcome = command_of(await request.body()), time.monotonic(), "unanswered"
    try:
        result = await hub.steering.command(wanted)
        outcome = result.status
    except StaleRevisionError:
        outcome = "stale"
        raise
    finally:
        hub.tally.answered(outcome, time.monotonic() - began)
    return answer(result)


@router.post(
    "/api/runs/{run_id}/fork",
    status_code=201,
    response_model=RunInfo,
    responses=refusals(404, 409, 413, 415, 422, 429, 503),
    openapi_extra=takes(NewFork),
)
async def fork_run(request: Request, hub: Hub, runs: SomeRuns) -> Response:
    """Make a run that goes on from the exact state of this one, now or at the step of a checkpoint."""
    made = await fork(runs, hub, new_fork_of(await request.body()))
    return answer(made.info(), status=201)


@router.get("/api/runs/{run_id}/checkpoints", response_model=list[Checkpoint], responses=refusals(404))
async def checkpoints(hub: Hub) -> Response:
    """Checkpoints, newest first: what `restore` takes."""
    return answer(await asyncio.to_thread(hub.past.checkpoints))


@router.get("/api/runs/{run_id}/events", response_model=list[Event], responses=refusals(404))
async def events(hub: Hub, runs: SomeRuns) -> Response:
    """All events, oldest first."""
    return Response(await asyncio.to_thread(_flushed_events, runs, hub), media_type="application/json")


@router.get("/api/runs/{run_id}/frames", response_model=FramesAsJson, responses=refusals(404, 422))
async def frames(
    hub: Hub,
    runs: SomeRuns,
    after: Annotated[str, Query(max_length=30)] = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    every: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
) -> Response:
    """Stored frames after EPOCH:SEQ as JSON: at most `limit`, and no more than about 8 MB as they are stored."""
    start = read_after(after) if after else (-1, -1)

    ask = partial(runs.store.archive.frames, limit=limit, every=every, max_bytes=MAX_FRAMES_ANSWER_BYTES)
    bodies, more = await asyncio.to_thread(ask, hub.run_id, start)
    return StreamingResponse(frames_json(bodies, more=more), media_type="application/json")


@router.get("/api/runs/{run_id}/frames/{epoch}/{seq}", response_class=Response, responses=BINARY | refusals(404, 422))
async def frame(hub: Hub, runs: SomeRuns, epoch: int, seq: int) -> Response:
    """One stored frame, binary, the newest at or before seq."""
    body = await asyncio.to_thread(runs.store.archive.frame, hub.run_id, _small(epoch), _small(seq))
    if body is None:
        raise RunNotFoundError(f"There is no stored frame at or before {epoch}:{seq}.")
    return binary(body)


@router.get("/api/runs/{run_id}/moments/{epoch}/{step}", response_class=Response, responses=BINARY | refusals(404, 422))
async def moment(hub: Hub, runs: SomeRuns, epoch: int, step: int) -> Response:
    """The stored frame nearest to a step of an epoch, or of what that was continued from; binary."""
    found = await asyncio.to_thread(runs.store.archive.moments, hub.run_id, _small(epoch), [_small(step)])
    if not found:
        raise RunNotFoundError(f"There is no stored frame of epoch {epoch}.")
    return binary(found[0])


@router.get("/api/runs/{run_id}/film", response_class=Response, responses=BINARY | refusals(404, 422))
async def film(
    hub: Hub,
    runs: SomeRuns,
    epoch: int | None = None,
    first: Annotated[int, Query(alias="from", ge=0, le=MAX_COUNT)] = 0,
    last: Annotated[int | None, Query(alias="to", ge=0, le=MAX_COUNT)] = None,
    count: Annotated[int | None, Query(ge=1, le=MOST_PICTURES)] = None,
) -> Response:
    """Log-spaced moments of sigma(A) between two steps, all layers in one binary message of kind `film`.

    204 while no frame of the epoch is stored yet.
    """
    wanted = max(hub.state.generation, 0) if epoch is None else _small(epoch)
    body = await asyncio.to_thread(
        moving_film, runs.store.archive, hub.run_id, wanted, first=first, last=last, count=count
    )
    if body is not None:
        return binary(body)
    if wanted > max(hub.state.generation, 0):
        raise RunNotFoundError(f"There is no stored frame of epoch {wanted}.")
    return Response(status_code=204)  # it has only begun


@router.get(
    "/api/runs/{run_id}/entries/{epoch}/{layer}/{expert}/{block}",
    response_model=EntryHistory,
    responses=refusals(404, 422),
)
async def entry(
    request: Request, hub: Hub, runs: SomeRuns, epoch: int, layer: int, expert: int, block: int
) -> Response:
    """One entry of A through an epoch and what it was continued from: sigma(A), and what pushed it at each step."""
    place = checked_place(hub.state.config.model, layer=layer, expert=expert, block=block)
    look_closer(hub, request)
    ask = partial(history_of_entry, runs.store.archive, hub.run_id, _small(epoch), place)
    return answer(await asyncio.to_thread(ask, is_told=hub.state.config.model.tells_gradient))


@router.get("/api/runs/{run_id}/scalars", response_class=Response, responses=BINARY | refusals(404, 422))
async def scalars(hub: Hub, runs: SomeRuns, epoch: int | None = None) -> Response:
    """Every step's scalars of an epoch, the newest unless said otherwise: one binary frame of kind `scalars`."""
    wanted = max(hub.state.generation, 0) if epoch is None else _small(epoch)

    def whole() -> Response:
        runs.store.flush()
        rows = runs.store.archive.scalars(hub.run_id, wanted)
        if rows is None:
            raise RunNotFoundError(f"There are no scalars of epoch {wanted}.")
        step = int(np.nanmax(rows[:, 0]))
        last = runs.store.archive.last_seq(hub.run_id, wanted)
        message = scalars_message(hub.run_id, wanted, after_seq=-1, seq=last, rows=rows, step=step)
        return binary(message)

    return await asyncio.to_thread(whole)


@router.get("/api/runs/{run_id}/recording", response_class=Response, responses=BINARY | refusals(404, 422))
async def recording(hub: Hub, runs: SomeRuns) -> Response:
    """The run as a recorded one, as far as it has come: the content of a file, a zlib stream under 10 kB."""
    content = await asyncio.to_thread(file_of, runs.store, hub)
    named = {"Content-Disposition": f'attachment; filename="{hub.run_id}{SUFFIX}"'}
    return binary(content, headers=named)


@router.get("/api/runs/{run_id}/export", response_class=Response, responses=TEXT | refusals(404, 422))
async def export(hub: Hub, runs: SomeRuns, format: Annotated[str, Query(max_length=20)] = "csv") -> Response:
    """Scalars and events as a file, csv or json."""
    if format not in ("csv", "json"):
        raise BadInputError(f"format must be csv or json. Found {format!r}.")
    await asyncio.to_thread(runs.store.flush)
    parts: Iterator[str] = (csv_lines if format == "csv" else json_parts)(
        runs.store.archive, hub.state, hub.info().to_json()
    )
    media = "text/csv; charset=utf-8" if format == "csv" else "application/json"
    name = f"{hub.run_id}.{format}"
    return StreamingResponse(parts, media_type=media, headers={"Content-Disposition": f'attachment; filename="{name}"'})


def _flushed_events(runs: Runs, hub: RunHub) -> str:
    runs.store.flush()
    return f"[{','.join(runs.store.archive.event_texts(hub.run_id))}]"


def _small(number: int) -> int:
    """A number that SQLite can hold. Raises BadInputError."""
    if not 0 <= number < 2**62:
        raise BadInputError(f"epoch and seq must be whole numbers from 0. Found {str(number)[:40]}.")
    return number
