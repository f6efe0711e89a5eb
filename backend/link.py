"""The backend's end of the worker link; the messages are described in `cdsp_core.worker`."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import logging
from typing import TYPE_CHECKING, Any, Final

from fastapi import WebSocket, WebSocketDisconnect

from cdsp_core.settings.config import MAX_FRAME_BYTES
from cdsp_core.wire.frames import to_json_text

if TYPE_CHECKING:
    from backend.hub import RunHub
    from backend.runs import Runs

logger = logging.getLogger(__name__)

HELLO_TIMEOUT_S: Final = 10.0
MAX_TEXT_BYTES: Final = 256_000


class LinkError(ValueError):
    """A worker said something that the link does not allow."""


class WorkerConnection:
    """One worker that is connected now."""

    def __init__(self, socket: WebSocket, *, worker_id: str, pid: int, received: int) -> None:
        self.worker_id = worker_id
        self.pid = pid
        self.received = received
        self.hub: RunHub | None = None
        self._socket = socket
        self._outgoing: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    def send(self, message: dict[str, Any]) -> None:
        """Hand over a message; it goes out in order."""
        self._outgoing.put_nowait(message)

    async def close(self) -> None:
        """End the connection."""
        with contextlib.suppress(RuntimeError):  # it is closed already
            await self._socket.close()

    async def serve(self, runs: Runs) -> None:
        """Carry messages both ways until the worker is gone. Raises LinkError."""
        sender = asyncio.create_task(self._send())
        try:
            while True:
                packet = await self._socket.receive()
                if packet["type"] == "websocket.disconnect":
                    return
                await self._take(packet, runs)
        finally:
            sender.cancel()
            with contextlib.suppress(asyncio.CancelledError, WebSocketDisconnect, RuntimeError):
                await sender

    async def _send(self) -> None:
        while True:
            message = await self._outgoing.get()
            await self._socket.send_text(to_json_text(message))

    async def _take(self, packet: Any, runs: Runs) -> None:
        """One numbered message; one that was received before is passed over."""
        binary = packet.get("bytes")
        if binary is not None:
            if not 8 < len(binary) <= MAX_FRAME_BYTES + 8:
                raise LinkError(f"a frame must have at most {MAX_FRAME_BYTES} bytes. Found {len(binary) - 8}.")
            n = int.from_bytes(binary[:8], "little")
            message = None
        else:
            message = _object(packet["text"])
            n = message["n"]
        if n <= self.received:
            return
        self.received = n
        if self.hub is not None and message is None:
            self.hub.on_frame(binary[8:])
        elif message is not None and message["type"] == "study":
            runs.studies.reported(self.worker_id, message["study"])
        elif message is not None and (hub := runs.trained_by(self.worker_id, message["run"])) is not None:
            await self._take_text(hub, message, n)
            if self.hub is hub and not hub.state.active:
                runs.release(self)
        runs.store.save_received(self.worker_id, n)

    async def _take_text(self, hub: RunHub, message: dict[str, Any], n: int) -> None:
        match message["type"]:
            case "started":
                await hub.on_started(message)
            case "event":
                hub.on_event(message["event"], self.worker_id, n)
            case "result":
                hub.on_result(message)
            case kind:
                raise LinkError(f"a worker's message must be started, event, result or study. Found {kind!r}.")


async def serve_worker(socket: WebSocket, runs: Runs, token: str) -> None:
    """The endpoint of /ws/worker."""
    given = socket.headers.get("authorization", "").removeprefix("Bearer ")
    if socket.headers.get("origin") is not None or not hmac.compare_digest(given.encode(), token.encode()):
        await socket.close()
        return
    await socket.accept()
    connection: WorkerConnection | None = None
    try:
        async with asyncio.timeout(HELLO_TIMEOUT_S):
            hello = _object(await socket.receive_text())
        connection = await runs.worker_arrived(socket, hello)
        await connection.serve(runs)
    except (WebSocketDisconnect, TimeoutError):
        pass
    except (LinkError, KeyError, TypeError, ValueError) as error:
        logger.exception("the link to a worker is closed")
        with contextlib.suppress(RuntimeError):  # it is closed already
            await socket.close(1002, str(error)[:120])
    finally:
        if connection is not None:
            runs.worker_left(connection)


def _object(text: Any) -> dict[str, Any]:
    if not isinstance(text, str) or len(text) > MAX_TEXT_BYTES:
        raise LinkError(f"a worker's text message must have at most {MAX_TEXT_BYTES} characters.")
    message = json.loads(text)
    if not isinstance(message, dict):
        raise LinkError("a worker's message must be an object.")
    return message
