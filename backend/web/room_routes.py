"""Opening and ending the room of a class, under /api/room, for presenters alone. Its socket has what goes on in it."""

from __future__ import annotations

import asyncio
from typing import Annotated, Final

import segno
from fastapi import APIRouter, Depends, Request, Response

from backend.web.asked import answer
from backend.web.reference import refusals
from backend.web.roles import sealed
from backend.web.room import Classroom
from backend.web.security import is_https, set_session
from cdsp_core.wire.messages.room import RoomCode, RoomLinks

router = APIRouter()

BORDER: Final = 4
"""modules of white around a QR code, which readers need"""


def _the_classroom(request: Request) -> Classroom:
    classroom = request.app.state.classroom
    assert isinstance(classroom, Classroom)
    return classroom


SomeClassroom = Annotated[Classroom, Depends(_the_classroom)]


@router.post("/api/room/start", response_model=RoomLinks, responses=refusals(429))
async def open_room(request: Request, classroom: SomeClassroom) -> Response:
    """Open a room, or tell of the one that is open; no body is read. Who opens it may present in it from now on."""
    room = classroom.open()
    scheme = "https" if is_https(request.scope, request.headers) else "http"
    viewer, presenter = (
        f"{scheme}://{request.headers['host']}/?room={room.keys[role]}" for role in ("viewer", "presenter")
    )
    code = await asyncio.to_thread(code_of, viewer)
    response = answer(RoomLinks(viewer=viewer, presenter=presenter, code=code))
    response.headers["cache-control"] = "no-store"
    if "role" not in request.scope:  # who needs no token is known by this, should it follow the viewers' link
        set_session(response, request.scope, request.headers, sealed("presenter", room.keys["presenter"]))
    return response


@router.post("/api/room/stop", status_code=204, response_class=Response, responses=refusals(429))
async def end_room(classroom: SomeClassroom) -> Response:
    """End the room: its links lead nowhere, and who came by them is let in no more. No body is read."""
    classroom.end()
    return Response(status_code=204)


def code_of(link: str) -> RoomCode:
    """A link as a QR code."""
    rows = [bytes(row) for row in segno.make(link, error="m", micro=False).matrix_iter(border=BORDER)]
    path = "".join(f"M{x} {y}h1v1h-1z" for y, row in enumerate(rows) for x, dark in enumerate(row) if dark)
    return RoomCode(modules=len(rows), path=path)
