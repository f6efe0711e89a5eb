"""The backend's end of the worker link; the messages are `cdsp_core.wire.messages.link`."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import logging
from typing import Any, Final, Protocol

from fastapi import WebSocket, WebSocketDisconnect
from pydantic import TypeAdapter

from cdsp_core.settings.model import MAX_FRAME_BYTES
from cdsp_core.wire.frames import MAX_COUNT
from cdsp_core.wire.messages.fields import Message
from cdsp_core.wire.messages.link import (
    WORKER_HELLO,
    WORKER_MESSAGE,
    Alive,
    EventMessage,
    Leaving,
    ResultMessage,
    Started,
    StoredMessage,
    StudyMessage,
    WorkerHello,
    WorkerMessage,
)
from cdsp_core.wire.messages.run import Event
from cdsp_core.wire.messages.sentences import MessageError, read_text
from cdsp_core.wire.messages.studies import StudyReport
from cdsp_core.wire.messages.vocabulary import LINK_PROTOCOL, REFUSED_CODE, WATCHER

logger = logging.getLogger(__name__)

HELLO_TIMEOUT_S: Final = 10.0
MAX_TEXT_BYTES: Final = 256_000
MAX_REASON_BYTES: Final = 123
"""of a close frame's reason (RFC 6455, 5.5): a code of two bytes and this are its 125"""


class LinkError(ValueError):
    """A worker said something that the link does not allow."""


class RefusedWorkerError(LinkError):
    """A worker that this backend can never use; it is told so and does not dial again."""


class Trained(Protocol):
    """A run, as what its worker says changes it."""

    @property
    def run_id(self) -> str: ...
    @property
    def active(self) -> bool: ...
    async def on_started(self, message: Started) -> None: ...
    def on_frame(self, message: bytes) -> None: ...
    def on_event(self, event: Event, source: str, n: int) -> None: ...
    def on_result(self, message: ResultMessage) -> None: ...
    async def on_stored(self, message: StoredMessage) -> None: ...


class Desk(Protocol):
    """Where workers report, and where what they say is kept."""

    async def worker_arrived(self, socket: WebSocket, hello: WorkerHello) -> WorkerConnection: ...
    def worker_leaves(self, connection: WorkerConnection, reason: str) -> None:
        """The worker ends, in order; its run has a checkpoint."""

    def worker_left(self, connection: WorkerConnection) -> None: ...
    def trained_by(self, worker_id: str, run_id: str) -> Trained | None:
        """The run of that id, if this worker is the one that trains it or was the last to."""

    def release(self, connection: WorkerConnection) -> None:
        """The worker's run has ended; it is free for another."""

    def study_reported(self, worker_id: str, report: StudyReport) -> None: ...
    def received(self, worker_id: str, n: int) -> None:
        """Everything up to message `n` has been handed over."""


class WorkerConnection:
    """One worker that is connected now."""

    def __init__(self, socket: WebSocket, *, worker_id: str, pid: int, received: int) -> None:
        self.worker_id = worker_id
        self.pid = pid
        self.received = received
        self.silent_s = 0.0
        """seconds without a word of it; others count them up"""
        self.run: Trained | None = None
        """what it trains"""
        self._socket = socket
        self._outgoing: asyncio.Queue[Message] = asyncio.Queue()

    @property
    def only_watches(self) -> bool:
        """Whether it is a program of somebody's own, which takes its own run and no other work."""
        return self.worker_id.startswith(WATCHER)

    def send(self, message: Message) -> None:
        """Hand over a message; it goes out in order."""
        self._outgoing.put_nowait(message)

    async def close(self) -> None:
        """End the connection."""
        await _closed(self._socket)

    async def serve(self, desk: Desk) -> None:
        """Carry messages both ways until the worker is gone. Raises LinkError."""
        sender = asyncio.create_task(self._send())
        try:
            while True:
                packet = await self._socket.receive()
                if packet["type"] == "websocket.disconnect":
                    return
                self.silent_s = 0.0
                await self._take(packet, desk)
        finally:
            sender.cancel()
            with contextlib.suppress(asyncio.CancelledError, WebSocketDisconnect, RuntimeError):
                await sender

    async def _send(self) -> None:
        while True:
            message = await self._outgoing.get()
            await self._socket.send_text(message.to_text())

    async def _take(self, packet: Any, desk: Desk) -> None:
        """One numbered message; one that was received before is passed over."""
        binary: bytes | None = packet.get("bytes")
        message: WorkerMessage | None = None
        if binary is not None:
            if not 8 < len(binary) <= MAX_FRAME_BYTES + 8:
                raise LinkError(f"a frame must have at most {MAX_FRAME_BYTES} bytes. Found {len(binary) - 8}.")
            n = int.from_bytes(binary[:8], "little")
            if n > MAX_COUNT:
                raise LinkError(f"n must be a whole number from 0 to {MAX_COUNT}. Found {n}.")
        else:
            said: WorkerMessage | Alive = _read(WORKER_MESSAGE, packet["text"])
            if isinstance(said, Alive):
                return
            message, n = said, said.n
        if n <= self.received:
            return
        self.received = n
        if message is not None:
            await self._take_text(message, desk)
        elif binary is not None and self.run is not None:
            self.run.on_frame(binary[8:])
        desk.received(self.worker_id, n)

    async def _take_text(self, message: WorkerMessage, desk: Desk) -> None:
        if isinstance(message, StudyMessage):
            desk.study_reported(self.worker_id, message.study)
            return
        if isinstance(message, Leaving):
            desk.worker_leaves(self, message.reason)
            return
        run = desk.trained_by(self.worker_id, message.run)
        if run is None:
            return
        match message:
            case Started():
                await run.on_started(message)
            case EventMessage():
                run.on_event(message.event, self.worker_id, message.n)
            case ResultMessage():
                run.on_result(message)
            case StoredMessage():
                await run.on_stored(message)
        if self.run is run and not run.active:
            desk.release(self)


async def serve_worker(socket: WebSocket, desk: Desk, token: str) -> None:
    """The endpoint of /ws/worker."""
    given = socket.headers.get("authorization", "").removeprefix("Bearer ")
    if socket.headers.get("origin") is not None or not hmac.compare_digest(given.encode(), token.encode()):
        await socket.close()
        return
    await socket.accept()
    connection: WorkerConnection | None = None
    try:
        async with asyncio.timeout(HELLO_TIMEOUT_S):
            hello = read_hello(await socket.receive_text())
        connection = await desk.worker_arrived(socket, hello)
        await connection.serve(desk)
    except (WebSocketDisconnect, TimeoutError):
        pass
    except RefusedWorkerError as error:
        logger.warning("a worker is refused: %s", error)
        await _closed(socket, REFUSED_CODE, str(error))
    except (LinkError, MessageError) as error:
        logger.warning("the link to a worker is closed: %s", str(error)[:300])
        await _closed(socket, 1002, str(error))
    except (KeyError, TypeError, ValueError) as error:
        logger.exception("the link to a worker is closed")
        await _closed(socket, 1002, str(error))
    finally:
        if connection is not None:
            desk.worker_left(connection)


async def _closed(socket: WebSocket, code: int = 1000, reason: str = "") -> None:
    """Close a socket, unless it is closed already or its other end has gone. Of the reason goes out what fits."""
    fitting = reason.encode(errors="replace")[:MAX_REASON_BYTES].decode(errors="ignore")
    with contextlib.suppress(RuntimeError, WebSocketDisconnect):
        await socket.close(code, fitting)


def read_hello(text: str) -> WorkerHello:
    """The first message of a worker. Raises RefusedWorkerError for another version's, LinkError, MessageError."""
    try:
        found = json.loads(text)["protocol"] if len(text) <= MAX_TEXT_BYTES else LINK_PROTOCOL
    except (ValueError, KeyError, TypeError, RecursionError):
        found = LINK_PROTOCOL
    if found != LINK_PROTOCOL:
        raise RefusedWorkerError(
            f"a hello must have protocol {LINK_PROTOCOL} and a worker_id of 1 to 64 characters. "
            f"Found protocol {str(found)[:20]}."
        )
    hello: WorkerHello = _read(WORKER_HELLO, text)
    if not 1 <= len(hello.worker_id) <= 64:
        raise RefusedWorkerError(
            f"a hello must have protocol {LINK_PROTOCOL} and a worker_id of 1 to 64 characters. "
            f"Found one of {len(hello.worker_id)}."
        )
    return hello


def _read(adapter: TypeAdapter[Any], text: Any) -> Any:
    if not isinstance(text, str) or len(text) > MAX_TEXT_BYTES:
        raise LinkError(f"a worker's text message must have at most {MAX_TEXT_BYTES} characters.")
    return read_text(adapter, text)
