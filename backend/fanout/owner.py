"""The owner of the runs, as a viewer process asks it: by a page's socket, and over HTTP for whatever is under /api."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import httpx
import numpy as np
from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from backend.errors import NotNowError, RunNotFoundError
from backend.settings import Settings
from backend.storage.history import scalars_message
from cdsp_core.wire.frames import decode_frame

PATIENCE_S: Final = 5.0
"""for a word of the owner"""
ANSWER_S: Final = 70.0
"""for an answer: a command that waits for a worker takes up to a minute"""
FORWARDED: Final = ("content-type", "accept")
RETURNED: Final = ("content-type", "content-disposition", "content-length", "x-total-count", "retry-after")
MOST_ASKED_AT_ONCE: Final = 100

Message = str | bytes


class OwnerAwayError(NotNowError):
    """The owner cannot be asked."""


class Owner:
    """Knows its address and the tokens that both have. Raises OwnerAwayError for what cannot be asked now."""

    def __init__(self, settings: Settings) -> None:
        self._url = settings.owner
        self._tokens: dict[str, str | None] = {"presenter": settings.token, "viewer": settings.viewer_token}
        self._http = httpx.AsyncClient(
            base_url=settings.owner,
            timeout=httpx.Timeout(ANSWER_S, connect=PATIENCE_S),
            limits=httpx.Limits(max_connections=MOST_ASKED_AT_ONCE),
            trust_env=False,
        )

    async def close(self) -> None:
        """Ask nothing more."""
        await self._http.aclose()

    # HTTP

    async def answer(self, request: Request) -> Response:
        """What the owner answers to this request, with the rights of who has sent it to this process."""
        headers = {name: request.headers[name] for name in FORWARDED if name in request.headers}
        headers |= self._authorization(request.scope.get("role"))
        path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        asked = self._http.build_request(request.method, path, headers=headers, content=await request.body())
        try:
            given = await self._http.send(asked, stream=True)
        except httpx.HTTPError as error:
            raise self._away(error) from None
        headers = {name: given.headers[name] for name in RETURNED if name in given.headers}
        return StreamingResponse(_pieces(given), status_code=given.status_code, headers=headers)

    # sockets

    async def told(self, run_id: str, after: tuple[int, int] | None, *, upto: int = -1) -> list[Message]:
        """What a page is told that comes now and has drawn frame `after`, until it has frame `upto`.

        Its first picture, where it has none; without `after` and a picture, whatever comes at once. Raises
        RunNotFoundError.
        """
        messages: list[Message] = []
        seq, resumes, greeted = (-1 if after is None else after[1]), after is not None, False
        try:
            async with self._socket(run_id, after) as socket, asyncio.timeout(PATIENCE_S):
                async for message in socket:
                    messages.append(message)
                    if isinstance(message, bytes):
                        seq = decode_frame(message).seq
                        if greeted and (seq >= upto or not resumes):
                            return messages
                        continue
                    match text := parsed(message):
                        case {"type": "reset"}:
                            resumes = False
                        case {"type": "error"}:
                            raise RunNotFoundError(text["reason"])
                        case {"type": "hello"}:
                            greeted = True
                            has_picture = bool(text["scalar_names"])  # else no worker has begun it
                            if not has_picture or (resumes and seq >= upto):
                                return messages
        except TimeoutError:
            if not greeted:
                raise OwnerAwayError(f"The server at {self._url} that trains says nothing of the run.") from None
        except (OSError, ConnectionClosed, InvalidHandshake, ValueError) as error:
            raise self._away(error) from None
        return messages

    async def scalars(self, run_id: str, after: tuple[int, int], upto: int) -> tuple[int, bytes] | None:
        """The scalars of the frames after `after`, at least as far as `upto`: how far, and one message.

        None when the owner cannot give exactly those.
        """
        told = await self.told(run_id, after, upto=upto)
        if any(isinstance(message, str) and parsed(message)["type"] == "reset" for message in told):
            return None
        frames = [decode_frame(message) for message in told if isinstance(message, bytes)]
        if not frames or frames[-1].seq < upto or frames[0].after_seq != after[1]:
            return None
        rows = np.concatenate([frame.arrays["scalars"] for frame in frames])
        reached = frames[-1].seq
        step = frames[-1].step
        return reached, scalars_message(run_id, after[0], after_seq=after[1], seq=reached, rows=rows, step=step)

    @asynccontextmanager
    async def _socket(self, run_id: str, after: tuple[int, int] | None) -> AsyncIterator[ClientConnection]:
        query = "" if after is None else f"?after={after[0]}:{after[1]}"
        url = f"{self._url.replace('http', 'ws', 1)}/ws/runs/{run_id}{query}"
        role = "presenter" if self._tokens["viewer"] is None else "viewer"
        async with connect(
            url,
            additional_headers=self._authorization(role),
            compression=None,
            proxy=None,
            max_size=None,
            open_timeout=PATIENCE_S,
            close_timeout=0.1,
        ) as socket:
            yield socket

    def _authorization(self, role: str | None) -> dict[str, str]:
        token = self._tokens[role] if role is not None else self._tokens["presenter"]
        return {} if token is None else {"Authorization": f"Bearer {token}"}

    def _away(self, error: Exception) -> OwnerAwayError:
        why = " ".join(str(error).split())[:120].rstrip(".") or type(error).__name__
        return OwnerAwayError(f"The server that trains cannot be asked at {self._url} ({why}); try again in a moment.")


async def _pieces(given: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for piece in given.aiter_raw():
            yield piece
    finally:
        await given.aclose()


def parsed(text: str) -> dict[str, Any]:
    """A text message of the owner."""
    found: dict[str, Any] = json.loads(text)
    return found
