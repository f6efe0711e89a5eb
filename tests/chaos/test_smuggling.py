"""Heads that a proxy in front may read otherwise than the server: each is at most one request, most are none at all."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from pathlib import Path

from tests.chaos.processes import PATIENCE_S, Server

SECOND = b"GET /api/second HTTP/1.1\r\nHost: HOST\r\n\r\n"
"""what would be taken for a request of its own, if a body were thought to end before it"""
CHUNKED = b"Transfer-Encoding: chunked\r\n"
STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
ENDS = b"0\r\n\r\n"
POST = b"POST /api/runs HTTP/1.1\r\nHost: HOST\r\n"
NONE_AT_ALL = {
    "two lengths": POST + b"Content-Length: 0\r\nContent-Length: 5\r\n\r\n" + SECOND,
    "two lengths in one": POST + b"Content-Length: 0, 5\r\n\r\n" + SECOND,
    "a length with a sign": POST + b"Content-Length: +0\r\n\r\n" + SECOND,
    "a length below zero": POST + b"Content-Length: -1\r\n\r\n" + SECOND,
    "a length in hexadecimal": POST + b"Content-Length: 0x5\r\n\r\n" + SECOND,
    "a length and a coding": POST + b"Content-Length: 5\r\n" + CHUNKED + b"\r\n" + ENDS + SECOND,
    "a coding and a length": POST + CHUNKED + b"Content-Length: 5\r\n\r\n" + ENDS + SECOND,
    "a coding that is none": POST + b"Transfer-Encoding: xchunked\r\n\r\n" + ENDS + SECOND,
    "two codings": POST + CHUNKED + b"Transfer-Encoding: identity\r\n\r\n" + ENDS + SECOND,
    "lines that end with a bare LF": b"GET /api/runs HTTP/1.1\nHost: HOST\n\n" + SECOND,
    "one line that ends with a bare LF": POST + b"X-Much: a\nContent-Length: 5\r\n\r\n" + SECOND,
    "an empty line of a bare LF": POST + b"Content-Length: 0\r\n\n" + SECOND,
    "a folded line": POST + b"X-Much: a\r\n Content-Length: 5\r\n\r\n" + SECOND,
    "a line folded by a tab": POST + b"X-Much: a\r\n\tContent-Length: 5\r\n\r\n" + SECOND,
    "a folded coding": POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n" + ENDS + SECOND,
    "a folded length": POST + b"Content-Length: 1\r\n 0\r\n\r\n0123456789" + SECOND,
    "a chunk whose size ends with a bare LF": POST + CHUNKED + b"\r\n2\n{}\r\n" + ENDS + SECOND,
    "a space before the colon": POST + b"Content-Length : 5\r\n\r\n" + SECOND,
    "a space before the coding's colon": POST + b"Transfer-Encoding : chunked\r\n\r\n" + ENDS + SECOND,
    "a tab in a name": POST + b"Content\tLength: 5\r\n\r\n" + SECOND,
    "a null in a value": POST + b"X-Much: a\x00b\r\n\r\n" + SECOND,
    "a bare CR in a value": POST + b"X-Much: a\rContent-Length: 5\r\n\r\n" + SECOND,
    "a space before the first name": POST.replace(b"Host", b" Host") + b"\r\n" + SECOND,
    "a chunk whose size is none": POST + CHUNKED + b"\r\nzz\r\n" + SECOND,
    "a chunk that is longer than it says": POST + CHUNKED + b"\r\n2\r\nabcd\r\n" + ENDS + SECOND,
    "no host": b"GET /api/runs HTTP/1.1\r\n\r\n" + SECOND,
}
"""by what is wrong with it: refused, and the connection closed, before anything behind it is read"""


async def answers(port: int, said: bytes, *, at_once: int = 65_536) -> list[int]:
    """Statuses of all that is answered in one connection, which the server closes. So many bytes are sent at once."""
    said = said.replace(b"HOST", b"127.0.0.1:%d" % port)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    heard = b""
    with suppress(ConnectionError):
        for at in range(0, len(said), at_once):
            writer.write(said[at : at + at_once])
            await writer.drain()
            await asyncio.sleep(0)
    with suppress(ConnectionError):
        async with asyncio.timeout(PATIENCE_S):
            while piece := await reader.read(65_536):
                heard += piece
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()
    return [int(status) for status in STATUS.findall(heard)]


async def test_a_head_that_two_programs_may_read_differently_is_refused_and_nothing_behind_it_is_read(
    tmp_path: Path,
) -> None:
    server = Server(tmp_path, launcher="pool")
    await server.start()
    try:
        for what, said in NONE_AT_ALL.items():
            for at_once in (65_536, 9):
                assert await answers(server.port, said, at_once=at_once) in ([400], []), what
        inside = SECOND.replace(b"HOST", b"127.0.0.1:%d" % server.port)
        behind = b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(inside)
        assert await answers(server.port, POST + behind + inside) == [422], "what is in a body is no request"
        asked = b"GET /api/runs HTTP/1.1\r\nHost: HOST\r\n\r\n"
        assert await answers(server.port, asked + SECOND) == [200, 404], "what is behind a whole request is one"
        assert await server.get("/api/runs") == []
    finally:
        await server.stop()
