"""The sockets: /ws/runs/{run_id}?after=EPOCH:SEQ and /ws/room for pages, /ws/worker for workers. Plain ASGI."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable
from typing import Final, Protocol
from urllib.parse import parse_qs

from fastapi import WebSocket
from pydantic import ValidationError
from starlette.types import ASGIApp, Receive, Scope, Send

from backend.direct import DIRECT, Direct
from backend.errors import BadInputError, NotNowError, RunNotFoundError
from backend.live.viewers import Viewer, Watched
from backend.web.bodies import read_json
from backend.web.bounds import MAX_CONTROL_BYTES
from backend.web.room import Classroom
from backend.web.room_socket import ROOM_PATH, serve_room
from backend.web.security import WORKER_PATH
from cdsp_core.settings.fields import shown
from cdsp_core.wire.messages.viewer import Ack, ErrorMessage, fast_ack

VIEWER_PATH: Final = "/ws/runs/"
AFTER: Final = re.compile(r"(\d{1,9}):(\d{1,15})")
MAX_ERRORS: Final = 10
"""messages that cannot be read, after which a page's socket is closed"""
UNKNOWN_RUN: Final = 4404
"""close code: there is no such run, or no more"""
NOT_NOW: Final = 1013
"""close code: come again"""


class Shown(Watched, Protocol):
    """A run that pages come to and leave."""

    async def join(self, viewer: Viewer) -> None:
        """A viewer has come."""

    def leave(self, viewer: Viewer) -> None:
        """A viewer has gone."""


Find = Callable[[str], Awaitable[Shown]]
"""The run of an id. Raises RunNotFoundError, NotNowError."""


class Streams:
    """Takes the websockets of the app; everything else goes on to it. `worker` takes those of workers."""

    def __init__(
        self,
        app: ASGIApp,
        find: Find,
        worker: Callable[[WebSocket], Awaitable[None]] | None = None,
        classroom: Classroom | None = None,
    ) -> None:
        self._app = app
        self._find = find
        self._worker = worker
        self._classroom = classroom

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            await self._app(scope, receive, send)
        elif scope["path"] == WORKER_PATH and self._worker is not None:
            await self._worker(WebSocket(scope, receive, send))
        elif scope["path"].startswith(VIEWER_PATH):
            after = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True).get("after")
            run_id = scope["path"].removeprefix(VIEWER_PATH)
            direct = scope["extensions"].get(DIRECT)
            await serve_viewer(receive, send, self._find, run_id, after[0] if after else None, direct)
        elif scope["path"] == ROOM_PATH and self._classroom is not None:
            await serve_room(scope, receive, send, self._classroom)
        else:
            await send({"type": "websocket.close", "code": 1008})


async def serve_viewer(
    receive: Receive, send: Send, find: Find, run_id: str, after: str | None, direct: Direct | None
) -> None:
    """Greet a page and stream to it until it goes, where it can be by the short way of its socket."""
    await receive()
    await send({"type": "websocket.accept"})

    async def say(message: str | bytes) -> None:
        kind = "bytes" if isinstance(message, bytes) else "text"
        await send({"type": "websocket.send", kind: message})

    try:
        hub = await find(run_id)
    except (RunNotFoundError, NotNowError) as error:
        await say(ErrorMessage(reason=str(error)).to_text())
        await send({"type": "websocket.close", "code": UNKNOWN_RUN if isinstance(error, RunNotFoundError) else NOT_NOW})
        return
    write = None if direct is None else direct.write
    try:
        viewer = Viewer(hub, say, write=write, after=None if after is None else read_after(after))
    except BadInputError as error:
        viewer = Viewer(hub, say, write=write, refused=str(error))
    await hub.join(viewer)

    def take(text: bytes) -> bool:
        ack = fast_ack(text)
        if ack is not None:
            viewer.acknowledge(*ack)
        return ack is not None

    if direct is not None:
        direct.listen(take)

    async def stream() -> None:
        await viewer.serve()
        await send({"type": "websocket.close", "code": UNKNOWN_RUN})

    sender = asyncio.create_task(stream())
    errors = 0
    try:
        while errors < MAX_ERRORS:
            packet = await receive()
            if packet["type"] == "websocket.disconnect":
                return
            try:
                viewer.acknowledge(*read_ack(packet.get("text")))
            except BadInputError as error:
                errors += 1
                await say(ErrorMessage(reason=str(error)).to_text())
        await send({"type": "websocket.close", "code": 1008})
    except (OSError, RuntimeError):  # the page has gone while it was told of an error
        return
    finally:
        if direct is not None:
            direct.listen(None)
        hub.leave(viewer)
        sender.cancel()
        with contextlib.suppress(asyncio.CancelledError, OSError, RuntimeError):
            await sender


def read_after(text: str) -> tuple[int, int]:
    """EPOCH:SEQ as two numbers. Raises BadInputError, one sentence."""
    match = AFTER.fullmatch(text)
    if match is None:
        raise BadInputError(f"after must be EPOCH:SEQ, two whole numbers. Found {shown(text)}.")
    return int(match[1]), int(match[2])


def read_ack(text: str | None) -> tuple[int, int]:
    """Epoch and seq of an ack, the only message a page sends. Raises BadInputError, one sentence."""
    found = fast_ack(text.encode()) if text is not None else None
    if found is not None:
        return found
    if text is None or len(text) > MAX_CONTROL_BYTES:
        raise BadInputError(f"a message must be JSON text of at most {MAX_CONTROL_BYTES} characters.")
    message = read_json(text.encode())
    if message.get("type") != "ack":
        raise BadInputError(f"type must be ack. Found {shown(message.get('type'))}.")
    try:
        ack = Ack.model_validate({name: message.get(name) for name in Ack.model_fields})
    except ValidationError:
        found_epoch, found_seq = shown(message.get("epoch")), shown(message.get("seq"))
        raise BadInputError(f"epoch and seq must be whole numbers. Found {found_epoch} and {found_seq}.") from None
    return ack.epoch, ack.seq
