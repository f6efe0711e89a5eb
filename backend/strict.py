"""Reading heads of requests so that no proxy in front can read another request in them: what is ambiguous is refused.

h11 takes a bare LF for the end of a line, joins a folded line to the one before, and goes on after a request that says
both a length and a coding. RFC 9112 lets a server do the first two, and wants the connection closed after the third.
"""

from __future__ import annotations

import re
from typing import Final

import h11

END_OF_HEAD: Final = re.compile(rb"\n\r?\n")


class StrictConnection(h11.Connection):
    """Of a server; as h11 has it, but for heads that may be read in two ways."""

    def next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        """The next event. Raises h11.RemoteProtocolError for a head that is none, or none for sure."""
        if self.their_state is h11.IDLE:
            received, _ = self.trailing_data
            end = END_OF_HEAD.search(received)
            head = received if end is None else received[: end.end()]
            if head.count(b"\n") > head.count(b"\r\n") or b"\n " in head or b"\n\t" in head:
                raise h11.RemoteProtocolError("a line of the head is folded, or ends without CR")
        event = super().next_event()
        if isinstance(event, h11.Request):
            names = {name for name, _ in event.headers}
            if {b"content-length", b"transfer-encoding"} <= names:
                raise h11.RemoteProtocolError("both Content-Length and Transfer-Encoding are said")
        return event
