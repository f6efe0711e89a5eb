"""How long and for how many the server waits: uvicorn's HTTP with a limit on open connections and on slow requests,
and with heads that are read strictly.

uvicorn bounds the head of a request (`h11_max_incomplete_event_size`) and closes idle connections between two
requests, but it waits for ever for a first request and for a body.
"""

from __future__ import annotations

import asyncio
import math
import resource
from typing import Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from backend.direct import DirectSockets
from backend.strict import StrictConnection

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


class PatientSockets(DirectSockets):
    """Closes a socket that pings more than `pings` times in `pings_within_s`: each has to be answered."""

    pings = 100
    pings_within_s = 10.0

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._counted_since = -math.inf
        self._pings = 0

    def handle_ping(self) -> None:
        now = self.loop.time()
        if now - self._counted_since > self.pings_within_s:
            self._counted_since, self._pings = now, 0
        self._pings += 1
        if self._pings > self.pings or self.transport.is_closing():
            self.conn.data_to_send()  # the answers that are not given
            self.transport.abort()
        else:
            super().handle_ping()


class PatientHttp(H11Protocol):
    """Closes a connection that has not sent a whole request in `whole_request_s`, and those beyond `cap`."""

    whole_request_s = WHOLE_REQUEST_S
    cap = MAX_CONNECTIONS
    address_share = 0.5
    """of the cap that one address may have"""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.conn = StrictConnection(h11.SERVER, self.config.h11_max_incomplete_event_size or MAX_HEAD_BYTES)
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.cap or self._is_greedy():
            transport.abort()
        else:
            self._wait_for_a_request()

    def _is_greedy(self) -> bool:
        """Whether this address has more than its share of the connections."""
        most = max(4, int(self.address_share * self.cap))
        if len(self.connections) <= most or self.client is None:
            return False
        clients = (getattr(each, "client", None) for each in self.connections)
        own = sum(client is not None and client[0] == self.client[0] for client in clients)
        return bool(own > most)

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
