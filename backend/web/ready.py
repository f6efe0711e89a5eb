"""What FastAPI makes at the first request, made before there is one: until then that request holds up all others."""

from __future__ import annotations

from typing import Final

from fastapi import FastAPI
from starlette.types import Message, Scope

from backend.settings import Settings

NOWHERE: Final = "/api/nowhere"
"""a path that no route has, so that every router is asked whether it has it, and makes its routes to say so"""


async def make_ready(app: FastAPI, settings: Settings) -> None:
    """Ask for what is nowhere, as a visitor who may."""
    headers = [(b"host", sorted(settings.hosts)[0].encode())]
    if settings.token is not None:
        headers.append((b"authorization", f"Bearer {settings.token}".encode()))
    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": NOWHERE,
        "raw_path": NOWHERE.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": headers,
        "client": None,
        "server": None,
    }

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        """Nobody reads the answer."""

    await app(scope, receive, send)
