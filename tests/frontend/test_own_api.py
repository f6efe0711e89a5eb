"""A page's callback asks the application in which it stands."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from frontend.api import _exchange


async def test_an_answer_in_pieces_comes_and_the_loop_goes_round_meanwhile() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"[1"
        await asyncio.sleep(0)
        yield b"]"

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        looked = 0

        async def counted() -> dict[str, object]:
            nonlocal looked
            looked += 1
            assert looked < 100, "who waits for the page to go is answered without end"
            return dict(await receive())

        await StreamingResponse(pieces())(scope, counted, send)

    answer = await _exchange(app, {"type": "http", "asgi": {"spec_version": "2.3"}}, b"")
    assert answer.body == [1]
