"""The short way between a page's socket and its viewer: no task, no queue and no parser for what comes and goes most.

uvicorn hands each message of a socket to a task through a queue, reads nothing meanwhile, and has websockets frame
every message for every socket. 20 pictures a second to a thousand pages are 20,000 of each a second. Here a picture is
framed once, written to each transport at once, and an acknowledgement is read where it arrives. Whatever is unusual
goes the long way, in its order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Request

DIRECT: Final = "topology_lab.direct"
"""name of the extension in a websocket's ASGI scope"""
WHOLE_TEXT: Final = 0x80 | Opcode.TEXT
"""first byte of a text that comes in one piece"""
MASKED: Final = 0x80
SHORT: Final = 125
"""bytes of a message whose length stands in the second byte"""
HEAD_BYTES: Final = 6
"""of a short message as browsers send it: kind, length, mask"""

Take = Callable[[bytes], bool]
"""Takes a short text; False leaves it to the long way."""


class Direct(Protocol):
    """A socket's short way, as its scope holds it."""

    def listen(self, take: Take | None) -> None:
        """Give short texts to `take` as they arrive; None: to nobody any more."""

    def write(self, packet: bytes) -> bool:
        """Write what `packet` has made; False, and nothing is written, where the socket takes nothing now."""


def packet(message: bytes) -> bytes:
    """A binary message as it stands on the wire to a page: the same for each."""
    return Frame(Opcode.BINARY, message).serialize(mask=False)


class DirectSockets(WebSocketsSansIOProtocol):
    """Offers `Direct` to the application that serves it."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._take: Take | None = None
        self._rest = b""

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if not self.close_sent:
            self.scope["extensions"] = {**(self.scope["extensions"] or {}), DIRECT: cast(Any, self)}

    def listen(self, take: Take | None) -> None:
        """Give short texts to `take` as they arrive; None: to nobody any more."""
        self._take = take

    def write(self, packet: bytes) -> bool:
        """Write what `packet` has made; False, and nothing is written, where the socket takes nothing now."""
        if self.close_sent or self.disconnected or not self.writable.is_set() or self.transport.is_closing():
            return False
        self.transport.write(packet)
        return True

    def data_received(self, data: bytes) -> None:
        """Take whole short messages one by one; from the first that is anything else on the library reads them all."""
        if self._take is None:
            super().data_received(data)
            return
        if self._rest:
            data, self._rest = self._rest + data, b""
        start, end = 0, len(data)
        while start < end:
            size = data[start + 1] ^ MASKED if end - start > 1 else 0
            if data[start] & 0xF0 != 0x80 or size > SHORT:
                self._take = None
                break
            stop = start + HEAD_BYTES + size
            if stop > end:
                self._rest = data[start:]
                return
            if data[start] != WHOLE_TEXT or not self._take(_unmasked(data, start + 2, stop)):
                super().data_received(data[start:stop])
            start = stop
        if start < end:
            super().data_received(data[start:])


def _unmasked(data: bytes, start: int, stop: int) -> bytes:
    """The text between, which begins with its four bytes of mask."""
    size = stop - start - 4
    mask = (data[start : start + 4] * (size // 4 + 1))[:size]
    plain = int.from_bytes(data[start + 4 : stop], "little") ^ int.from_bytes(mask, "little")
    return plain.to_bytes(size, "little")
