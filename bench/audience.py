"""Many pages in one process: sockets that read every message as a page does and acknowledge every picture.

`python -m bench.audience URL RUN --viewers N --warm-up-s W --seconds S` connects them, prints `watching`, watches for
S seconds, prints what it saw as JSON, and ends. It speaks the websocket protocol itself, so that a thousand
viewers cost less than the backend that serves them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from functools import partial
from types import TracebackType
from typing import Final, cast

import uvloop

from bench.results import ROOT

LATE_MS: Final = 100.0
CONNECT_S: Final = 60.0
AT_ONCE: Final = 50
METADATA: Final = re.compile(rb'"(\w+)":"([^"]*)"')
METADATA_BYTES: Final = 256
"""a frame's metadata comes first and fits"""
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


@dataclass(kw_only=True, slots=True)
class Seen:
    """What all viewers together saw while they watched."""

    viewers: int = 0
    seconds: float = 0.0
    cpu_s: float = 0.0
    pictures: int = 0
    passed_over: int = 0
    """frames of which a viewer got the scalars only, as it was too slow for the picture"""
    late: int = 0
    """pictures that came more than LATE_MS after their step"""
    gaps: int = 0
    """messages that did not continue where the one before ended"""
    lost_connections: int = 0
    ages_ms: list[float] = field(default_factory=list)
    """of every picture, from the end of its step"""

    @property
    def late_share(self) -> float:
        return self.late / max(self.pictures, 1)

    @property
    def passed_over_share(self) -> float:
        return self.passed_over / max(self.passed_over + self.pictures, 1)


class Viewer(asyncio.Protocol):
    """One page. `arrived` is done when it has its first picture; what it sees is counted in `seen`."""

    def __init__(self, host: str, path: str) -> None:
        self.arrived: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.seen = Seen()
        self._host = host
        self._path = path
        self._buffer = bytearray()
        self._open = False
        self._seq: int | None = None
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one by its methods only
        lines = (
            f"GET {self._path} HTTP/1.1",
            f"Host: {self._host}",
            f"Origin: http://{self._host}",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dG9wb2xvZ3ktbGFiLWJlbg==",
        )
        self._transport.write("\r\n".join((*lines, "", "")).encode())

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._open:
            head, found, rest = self._buffer.partition(b"\r\n\r\n")
            if not found:
                return
            if b" 101 " not in head.split(b"\r\n")[0]:
                self._fail(f"The backend refused a viewer: {head[:60].decode('latin-1')}.")
                return
            self._open, self._buffer = True, rest
        for kind, payload in self._messages():
            self.take(kind, payload)

    def take(self, kind: int, payload: bytes) -> None:
        """A message has come."""
        if kind == BINARY:
            self._take(payload)
        elif kind == PING:
            self._send(PONG, payload)
        elif kind == CLOSE:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.seen.lost_connections += 1
        self._fail("The backend closed a viewer's connection.")

    def leave(self) -> None:
        """Go without a word; nothing counts from here on."""
        self.seen = Seen()
        self._transport.abort()

    def _messages(self) -> Iterator[tuple[int, bytes]]:
        """The complete messages in the buffer; the server sends none in parts."""
        buffer, start = self._buffer, 0
        while len(buffer) >= start + 2:
            size, begin = buffer[start + 1], start + 2
            if size > 125:
                begin += 2 if size == 126 else 8
                size = int.from_bytes(buffer[start + 2 : begin])
            if len(buffer) < begin + size:
                break
            yield buffer[start] & 15, bytes(buffer[begin : begin + size])
            start = begin + size
        del buffer[:start]

    def _take(self, message: bytes) -> None:
        head = dict(METADATA.findall(message, 8, 8 + METADATA_BYTES))
        seq, after_seq, kind = int(head[b"seq"]), int(head[b"after_seq"]), head[b"kind"]
        seen = self.seen
        if kind != b"snapshot" and after_seq != self._seq:
            seen.gaps += 1
        self._seq = seq
        if kind == b"scalars":
            seen.passed_over += seq - after_seq
            return
        age_ms = time.time() * 1000 - float(head[b"time_ms"])
        seen.pictures += 1
        seen.late += age_ms > LATE_MS
        seen.ages_ms.append(age_ms)
        self._send(TEXT, b'{"type":"ack","epoch":%s,"seq":%d}' % (head[b"epoch"], seq))
        if not self.arrived.done():
            self.arrived.set_result(None)

    def _send(self, kind: int, payload: bytes) -> None:
        """A short message, masked with zeros, which leaves it as it is."""
        self._transport.write(bytes((0x80 | kind, 0x80 | len(payload), 0, 0, 0, 0)) + payload)

    def _fail(self, reason: str) -> None:
        if not self.arrived.done():
            self.arrived.set_exception(OSError(reason))


class Audience:
    """The process of `python -m bench.audience`, as long as the block lasts; it watches while the block waits."""

    def __init__(self, url: str, run_id: str, *, viewers: int, warm_up_s: float, seconds: float) -> None:
        options = ["--viewers", str(viewers), "--warm-up-s", str(warm_up_s), "--seconds", str(seconds)]
        command = [sys.executable, "-m", "bench.audience", url, run_id, *options]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Audience:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()

    def watching(self) -> None:
        """Return when every viewer is there, has warmed up and begins to watch. Raises OSError."""
        self._line()

    def seen(self) -> Seen:
        """What they saw, as soon as they have. Raises OSError."""
        return Seen(**json.loads(self._line()))

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise OSError("The viewers' process ended before its time; it says why above.")
        return line


def _itself(viewer: Viewer) -> Viewer:
    return viewer


async def watch(url: str, run_id: str, *, viewers: int, warm_up_s: float, seconds: float) -> Seen:
    """Connect that many viewers and watch for a while."""
    loop = asyncio.get_running_loop()
    host = url.removeprefix("http://")
    name, _, port = host.partition(":")
    audience: list[Viewer] = []
    async with asyncio.timeout(CONNECT_S):
        while len(audience) < viewers:
            more = min(AT_ONCE, viewers - len(audience))
            some = [Viewer(host, f"/ws/runs/{run_id}") for _ in range(more)]
            await asyncio.gather(*(loop.create_connection(partial(_itself, v), name, int(port)) for v in some))
            await asyncio.gather(*(viewer.arrived for viewer in some))
            audience += some
    await asyncio.sleep(warm_up_s)
    seen = Seen(viewers=viewers)
    for viewer in audience:
        viewer.seen = seen
    began_s, cpu_began_s = time.perf_counter(), time.process_time()
    print("watching", flush=True)
    await asyncio.sleep(seconds)
    seen.seconds, seen.cpu_s = time.perf_counter() - began_s, time.process_time() - cpu_began_s
    for viewer in audience:
        viewer.leave()
    return seen


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.audience", description=__doc__)
    parser.add_argument("url", help="of the backend, http://HOST:PORT")
    parser.add_argument("run", help="id of the run to watch")
    parser.add_argument("--viewers", type=int, required=True)
    parser.add_argument("--warm-up-s", type=float, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    options = parser.parse_args()
    watching = watch(
        options.url, options.run, viewers=options.viewers, warm_up_s=options.warm_up_s, seconds=options.seconds
    )
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        seen = runner.run(watching)
    print(json.dumps(asdict(seen)))


if __name__ == "__main__":
    main()
