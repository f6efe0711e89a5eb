"""The API of docs/protocol.md, asked inside the process by a page's callbacks.

A question goes through the whole application as if the page's visitor had sent it, with the visitor's Host, Origin and
token: a callback may do what its visitor may do. Nothing of the backend is imported, and nothing waits in a thread.
"""

from __future__ import annotations

import asyncio
import json
import zlib
from dataclasses import dataclass
from typing import Any, Final, Protocol

from dash import ctx
from starlette.types import ASGIApp, Message

CARRIED: Final = ("host", "origin", "cookie", "authorization", "sec-fetch-site")
"""Headers of the visitor by which the server knows who asks."""
LINES: Final = b"application/jsonl"


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What the server said: its status and the JSON, None where there was none; of JSON Lines a list."""

    status: int
    body: Any
    stamp: int = 0
    """of the text of the body: another where that has changed"""

    @property
    def ok(self) -> bool:
        """Whether it was done."""
        return self.status < 400 and not (isinstance(self.body, dict) and self.body.get("status") == "rejected")

    @property
    def reason(self) -> str:
        """One sentence that says why not."""
        body = self.body if isinstance(self.body, dict) else {}
        return str(body.get("error") or body.get("reason") or f"The server answered {self.status}.")


class Api(Protocol):
    """Asks the API."""

    async def ask(self, method: str, path: str, body: Any = None) -> Answer:
        """The answer to a request whose body is JSON."""


class OwnApi:
    """Asks the application in which the page stands."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def ask(self, method: str, path: str, body: Any = None) -> Answer:
        """The answer to a request, made with the rights of the visitor whose callback runs; `path` may have a query."""
        path, _, query = path.partition("?")
        content = b"" if body is None else json.dumps(body).encode()
        headers = [(name, str(ctx.headers[name])) for name in CARRIED if name in ctx.headers]
        headers += [("content-type", "application/json"), ("content-length", str(len(content)))]
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers],
            "client": None,
            "server": None,
        }
        return await _exchange(self._app, scope, content)


async def _exchange(app: ASGIApp, scope: dict[str, Any], content: bytes) -> Answer:
    """One request and its whole answer."""
    status, lines = 500, False
    parts: list[bytes] = []

    asked = iter([{"type": "http.request", "body": content, "more_body": False}])

    async def receive() -> Message:
        """The request; after it nothing comes, which who writes piece by piece waits for in a loop."""
        message = next(asked, None)
        return await asyncio.Future() if message is None else message

    async def send(message: Message) -> None:
        nonlocal status, lines
        if message["type"] == "http.response.start":
            status = message["status"]
            lines = (b"content-type", LINES) in message["headers"]
        elif message["type"] == "http.response.body":
            parts.append(message.get("body", b""))

    await app(scope, receive, send)
    content = b"".join(parts)
    try:
        body = await asyncio.to_thread(_each_line, content) if lines else json.loads(content)
        return Answer(status=status, body=body, stamp=zlib.crc32(content))
    except ValueError:
        return Answer(status=status, body=None)


def _each_line(content: bytes) -> list[Any]:
    """JSON Lines, of which nothing else waits for more than one."""
    return [json.loads(line) for line in content.splitlines()]
