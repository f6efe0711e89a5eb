"""The socket of a page: /ws/runs/{run_id}?after=EPOCH:SEQ."""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import Final

from fastapi import WebSocket, WebSocketDisconnect

from backend.commands import read_json, shown
from backend.errors import BadInputError, RunNotFoundError
from backend.runs import Runs
from backend.security import MAX_CONTROL_BYTES
from backend.viewers import Viewer
from cdsp_core.frames import to_json_text

AFTER: Final = re.compile(r"(\d{1,9}):(\d{1,15})")
UNKNOWN_RUN: Final = 4404
"""close code: there is no such run"""


async def serve_viewer(socket: WebSocket, runs: Runs, run_id: str, after: str | None) -> None:
    """Greet a page and stream to it until it goes."""
    await socket.accept()

    async def send(message: str | bytes) -> None:
        if isinstance(message, bytes):
            await socket.send_bytes(message)
        else:
            await socket.send_text(message)

    try:
        hub = runs.get(run_id)
    except RunNotFoundError as error:
        await send(to_json_text({"type": "error", "reason": str(error)}))
        await socket.close(UNKNOWN_RUN)
        return
    viewer = Viewer(hub, send, after=None if after is None else read_after(after) or (-1, -1))
    await hub.join(viewer)
    sender = asyncio.create_task(viewer.serve())
    try:
        while True:
            packet = await socket.receive()
            if packet["type"] == "websocket.disconnect":
                return
            try:
                viewer.acknowledge(*_read_ack(packet.get("text")))
            except BadInputError as error:
                await send(to_json_text({"type": "error", "reason": str(error)}))
    except WebSocketDisconnect:
        pass
    finally:
        hub.leave(viewer)
        sender.cancel()
        with contextlib.suppress(asyncio.CancelledError, WebSocketDisconnect, RuntimeError):
            await sender


def read_after(text: str) -> tuple[int, int] | None:
    """EPOCH:SEQ as two numbers; None when it is not that."""
    match = AFTER.fullmatch(text)
    return (int(match[1]), int(match[2])) if match else None


def _read_ack(text: str | None) -> tuple[int, int]:
    """Epoch and seq of an ack, the only message a page sends. Raises BadInputError, one sentence."""
    if text is None or len(text) > MAX_CONTROL_BYTES:
        raise BadInputError(f"a message must be JSON text of at most {MAX_CONTROL_BYTES} characters.")
    message = read_json(text.encode())
    if message.get("type") != "ack":
        raise BadInputError(f"type must be ack. Found {shown(message.get('type'))}.")
    epoch, seq = message.get("epoch"), message.get("seq")
    if type(epoch) is not int or type(seq) is not int:
        raise BadInputError(f"epoch and seq must be whole numbers. Found {shown(epoch)} and {shown(seq)}.")
    return epoch, seq
