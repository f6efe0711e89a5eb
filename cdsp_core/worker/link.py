"""The worker's end of the link: one thread, one websocket, dialled again whenever it is lost."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import platform
import queue
import threading
import time
from pathlib import Path
from typing import Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from cdsp_core.settings.model import MAX_FRAME_BYTES
from cdsp_core.wire.messages.link import (
    BACKEND_MESSAGE,
    Alive,
    BackendMessage,
    Drop,
    End,
    Held,
    Order,
    Saved,
    StudyMessage,
    Welcome,
    WorkerHello,
)
from cdsp_core.wire.messages.sentences import MessageError, read_text
from cdsp_core.wire.messages.studies import StudyReport
from cdsp_core.wire.messages.vocabulary import ALIVE_EVERY_S, LINK_PROTOCOL, MAX_SENTENCE, REFUSED_CODE
from cdsp_core.worker.outbox import Outbox
from cdsp_core.worker.pulse import Pulse

logger = logging.getLogger(__name__)

FIRST_RETRY_S: Final = 0.1
LONGEST_RETRY_S: Final = 1.0
LOST_AFTER_S: Final = 60.0
HEALTH_EVERY_S: Final = 5.0
UNFIT_CODES: Final = (1002, 1009)
"""of a close frame (RFC 6455, 7.4.1): what was said is against the protocol, or too long"""
MOST_REFUSALS: Final = 3


class Link:
    """Carries the outbox to the backend and its messages to the inbox, from a thread of its own.

    `inbox` receives what the main thread has to do, in order; an `End` when the backend has been away for
    `lost_after_s`, has refused the token, or closes the link again and again at the same message. `health_file` is
    touched every few seconds while the link is up.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str,
        worker_id: str,
        outbox: Outbox,
        inbox: queue.SimpleQueue[Order],
        lost_after_s: float = LOST_AFTER_S,
        health_file: Path | None = None,
        pulse: Pulse | None = None,
    ) -> None:
        self._url = url
        self._token = token
        self._worker_id = worker_id
        self._outbox = outbox
        self._inbox = inbox
        self._lost_after_s = lost_after_s
        self._health_file = health_file
        self._sent = 0
        self._received = 0
        self._refusals: tuple[int, int] = (
            0,
            0,
        )  # what the backend had received, and how often it closed the link there
        self._connected = False
        self._held: Held | None = None
        self._study: StudyReport | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._news = asyncio.Event()
        self._closing = False
        self.pulse = pulse or Pulse()
        self.refused: str | None = None
        """why the backend will never take this worker; None while it may"""
        self._thread = threading.Thread(target=self._run, name="worker-link", daemon=True)
        outbox.on_put = self._wake

    def start(self) -> None:
        """Begin dialling."""
        self._thread.start()

    def hold(self, run_id: str | None, generation: int = 0) -> None:
        """Say which run this worker holds: what the next hello reports."""
        self._held = None if run_id is None else Held(run_id=run_id, epoch=generation)

    def tell_study(self, state: StudyReport) -> None:
        """Deliver a study's state; every hello reports it too, since messages are lost with a run that is dropped."""
        self._study = state
        self._outbox.put(StudyMessage(study=state))

    def close(self, *, flush_s: float = 2.0) -> None:
        """Send what waits, for at most `flush_s`, and end the thread."""
        deadline = time.monotonic() + flush_s
        while self._outbox.after(self._sent) and self._connected and time.monotonic() < deadline:
            time.sleep(0.02)
        self._closing = True
        self._wake()
        self._thread.join(timeout=flush_s)

    def _wake(self) -> None:
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has closed: nobody is left to wake
                self._loop.call_soon_threadsafe(self._news.set)

    def _run(self) -> None:
        asyncio.run(self._dial())

    async def _dial(self) -> None:
        self._loop = asyncio.get_running_loop()
        last_heard = time.monotonic()
        retry_s = FIRST_RETRY_S
        while not self._closing:
            try:
                async with connect(
                    self._url,
                    additional_headers={"Authorization": f"Bearer {self._token}"},
                    compression=None,
                    proxy=None,
                    max_size=4 * MAX_FRAME_BYTES,
                    open_timeout=5,
                    close_timeout=1,
                ) as socket:
                    await self._talk(socket)
                    if socket.close_code in UNFIT_CODES and self._is_refused_again():
                        return self._give_up(_unfit(socket))
                last_heard = time.monotonic()
                retry_s = FIRST_RETRY_S
            except InvalidStatus as error:
                if error.response.status_code in (401, 403):
                    return self._give_up("The backend refused the worker token.")
            except ConnectionClosed as error:
                if error.rcvd is not None and error.rcvd.code == REFUSED_CODE:
                    return self._give_up(f"The backend refused this worker: {error.rcvd.reason}")
                last_heard, retry_s = self._lost(error, last_heard, retry_s)
            except (OSError, InvalidHandshake, TimeoutError) as error:
                last_heard, retry_s = self._lost(error, last_heard, retry_s)
            except MessageError as error:
                logger.warning("the link is closed, as the backend said something that is no message: %s", error)
            self._connected = False
            away_s = time.monotonic() - last_heard
            if away_s > self._lost_after_s:
                reason = f"The backend at {self._url} has been away for {away_s:.0f} s."
                self._inbox.put(End(reason=reason))
                return
            await asyncio.sleep(retry_s)
            retry_s = min(2 * retry_s, LONGEST_RETRY_S)

    def _lost(self, error: Exception, last_heard: float, retry_s: float) -> tuple[float, float]:
        """When the backend was last heard, and when to dial again, after the link was lost or did not come about."""
        logger.debug("no link: %s", error)
        return (time.monotonic(), FIRST_RETRY_S) if self._connected else (last_heard, retry_s)

    def _is_refused_again(self) -> bool:
        """Whether the backend has closed the link at the same message too often for it to be an accident."""
        at, times = self._refusals
        self._refusals = (self._received, times + 1 if at == self._received else 1)
        return self._refusals[1] >= MOST_REFUSALS

    def _give_up(self, reason: str) -> None:
        self.refused = reason
        self._inbox.put(End(reason=reason[:MAX_SENTENCE]))

    async def _talk(self, socket: ClientConnection) -> None:
        hello = WorkerHello(
            protocol=LINK_PROTOCOL,
            worker_id=self._worker_id,
            pid=os.getpid(),
            versions={"python": platform.python_version()},
            run=self._held,
            study=self._study,
        )
        await socket.send(hello.to_text())
        welcome = _read(await socket.recv())
        if not isinstance(welcome, Welcome):
            raise MessageError(f"the backend must first say welcome. Found {welcome.type}.")
        self._connected = True
        if not welcome.keep and hello.run is not None:
            self._inbox.put(Drop())
        self._sent = self._received = welcome.received
        self._outbox.forget(self._sent)
        work = (self._receive(socket), self._send(socket), self._say_alive(socket), self._touch())
        tasks = [asyncio.create_task(part) for part in work]
        try:
            await asyncio.wait(tasks[:2], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, Exception) and not isinstance(outcome, ConnectionClosed):
                raise outcome

    async def _receive(self, socket: ClientConnection) -> None:
        async for text in socket:
            match _read(text):
                case Saved(n=number):
                    self._outbox.forget(number)
                case Welcome():
                    raise MessageError("the backend must say welcome once. Found it again.")
                case order:
                    self._inbox.put(order)

    async def _send(self, socket: ClientConnection) -> None:
        while not self._closing:
            self._news.clear()
            for number, message in self._outbox.after(self._sent):
                await socket.send(message)
                self._sent = number
            await self._news.wait()

    async def _say_alive(self, socket: ClientConnection) -> None:
        text = Alive().to_text()
        while True:
            if self.pulse.is_beating:
                await socket.send(text)
            await asyncio.sleep(ALIVE_EVERY_S)

    async def _touch(self) -> None:
        while self._health_file is not None:
            self._health_file.touch()
            await asyncio.sleep(HEALTH_EVERY_S)


def _read(text: str | bytes) -> BackendMessage:
    """A message of the backend. Raises MessageError."""
    message: BackendMessage = read_text(BACKEND_MESSAGE, text)
    return message


def _unfit(socket: ClientConnection) -> str:
    """Why this worker gives up, in the backend's own words where it said some."""
    why = (socket.close_reason or "").strip().rstrip(".") or "a message was too long"
    return f"The backend closed the link {MOST_REFUSALS} times at the same message of this worker: {why}."
