"""How long and for how many the server waits: uvicorn's HTTP with a limit on open connections and on slow requests.

uvicorn bounds the head of a request (`h11_max_incomplete_event_size`) and closes idle connections between two
requests, but it waits for ever for a first request and for a body.
"""

from __future__ import annotations

import asyncio
import resource
from typing import Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

MAX_HEAD_BYTES: Final = 16_384
WHOLE_REQUEST_S: Final = 10.0
MAX_CONNECTIONS: Final = 4096
OTHER_FILES: Final = 128
"""descriptors left for the store, the logs and the workers"""


def connection_cap() -> int:
    """How many connections fit into the descriptors this process may have, once it has asked for as many as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_CONNECTIONS + OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return MAX_CONNECTIONS if soft == resource.RLIM_INFINITY else max(16, min(MAX_CONNECTIONS, soft - OTHER_FILES))


class PatientHttp(H11Protocol):
    """Closes a connection that has not sent a whole request in `whole_request_s`, and those beyond `cap`."""

    whole_request_s = WHOLE_REQUEST_S
    cap = MAX_CONNECTIONS

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.cap:
            transport.abort()
        else:
            self._wait_for_a_request()

    def on_response_complete(self) -> None:
        self._wait_for_a_request()
        super().on_response_complete()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        self._stop_waiting()
        super().handle_websocket_upgrade(event)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait_for_a_request(self) -> None:
        self._stop_waiting()
        self._timer = self.loop.call_later(self.whole_request_s, self._close_unless_whole)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _close_unless_whole(self) -> None:
        is_whole = bool(self.cycle) and not self.cycle.response_complete and not self.cycle.more_body
        if not is_whole and not self.transport.is_closing():
            self.transport.abort()
