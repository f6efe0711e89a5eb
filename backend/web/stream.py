"""The sockets: /ws/runs/{run_id}?after=EPOCH:SEQ and /ws/room for pages, /ws/worker for workers. Plain ASGI."""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import Final
from urllib.parse import parse_qs

from fastapi import WebSocket
from pydantic import ValidationError
from starlette.types import ASGIApp, Receive, Scope, Send

from backend.errors import BadInputError, RunNotFoundError
from backend.live.viewers import Viewer
from backend.runs.runs import Runs
from backend.web.bodies import read_json
from backend.web.room import Classroom
from backend.web.room_socket import ROOM_PATH, serve_room
from backend.web.security import MAX_CONTROL_BYTES, WORKER_PATH
from backend.workers.link import serve_worker
from cdsp_core.settings.fields import shown
from cdsp_core.wire.messages.viewer import Ack, ErrorMessage, fast_ack

VIEWER_PATH: Final = "/ws/runs/"
AFTER: Final = re.compile(r"(\d{1,9}):(\d{1,15})")
MAX_ERRORS: Final = 10
"""messages that cannot be read, after which a page's socket is closed"""
UNKNOWN_RUN: Final = 4404
"""close code: there is no such run, or no more"""


class Streams:
    """Takes the websockets of the app; everything else goes on to it."""

    def __init__(self, app: ASGIApp, runs: Runs, worker_token: str, classroom: Classroom) -> None:
        self._app = app
        self._runs = runs
        self._classroom = classroom
        self._worker_token = worker_token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            await self._app(scope, receive, send)
        elif scope["path"] == WORKER_PATH:
            await serve_worker(WebSocket(scope, receive, send), self._runs.placement, self._worker_token)
        elif scope["path"].startswith(VIEWER_PATH):
            after = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True).get("after")
            run_id = scope["path"].removeprefix(VIEWER_PATH)
            await serve_viewer(receive, send, self._runs, run_id, after[0] if after else None)
        elif scope["path"] == ROOM_PATH:
            await serve_room(scope, receive, send, self._classroom)
        else:
            await send({"type": "websocket.close", "code": 1008})


async def serve_viewer(receive: Receive, send: Send, runs: Runs, run_id: str, after: str | None) -> None:
    """Greet a page and stream to it until it goes."""
    await receive()
    await send({"type": "websocket.accept"})

    async def say(message: str | bytes) -> None:
        kind = "bytes" if isinstance(message, bytes) else "text"
        await send({"type": "websocket.send", kind: message})

    try:
        hub = runs.get(run_id)
    except RunNotFoundError as error:
        await say(ErrorMessage(reason=str(error)).to_text())
        await send({"type": "websocket.close", "code": UNKNOWN_RUN})
        return
    try:
        viewer = Viewer(hub, say, after=None if after is None else read_after(after))
    except BadInputError as error:
        viewer = Viewer(hub, say, refused=str(error))
    await hub.join(viewer)

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
    found = fast_ack(text) if text is not None else None
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
