"""How much of a request is read: sizes of its head and body, and a body that is JSON."""

from __future__ import annotations

from typing import Final

from fastapi.responses import Response
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope

from backend.web.refusals import refused

NEW_RUN_PATH: Final = "/api/runs"
MAX_HEAD_BYTES: Final = 16_384
"""names and values of all headers"""
MAX_URL_BYTES: Final = 4096
MAX_CONTROL_BYTES: Final = 4096
MAX_BODY_BYTES: Final = 16_384
"""bodies of the pages' own callbacks, which hold inputs and a few chosen rows, and of new runs, which hold a recipe"""


def too_long(scope: Scope) -> Response | None:
    """Why the head of this request is not read any further; None when it is short enough."""
    if len(scope.get("raw_path") or b"") + len(scope.get("query_string", b"")) > MAX_URL_BYTES:
        return refused(scope, 414, f"The address must have at most {MAX_URL_BYTES} bytes. Found more.")
    if sum(len(name) + len(value) for name, value in scope["headers"]) > MAX_HEAD_BYTES:
        return refused(scope, 431, f"The headers must have at most {MAX_HEAD_BYTES} bytes. Found more.")
    return None


def not_json(scope: Scope, headers: Headers) -> Response | None:
    """Why a body is not read that says it is no JSON; None where it says nothing, or that it is."""
    said = headers.get("content-type", "").partition(";")[0].strip().lower()
    if scope.get("method", "GET") in ("GET", "HEAD") or said in ("", "application/json"):
        return None
    return refused(scope, 415, f"Content-Type must be application/json. Found {said[:60]!r}.")


def most_bytes(path: str) -> int:
    """Of a body: a new run may have a recipe in it, and so many bytes as a page's callback."""
    return MAX_CONTROL_BYTES if path.startswith("/api/") and path != NEW_RUN_PATH else MAX_BODY_BYTES


async def read_body(receive: Receive, headers: Headers, limit: int) -> bytes | None:
    """The whole body; None when it is longer than `limit`. Raises ConnectionError when the other end has gone."""
    declared = headers.get("content-length", "0")
    if not declared.isdigit() or int(declared) > limit:
        return None
    body = b""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionError("the request was not finished")
        body += message.get("body", b"")
        if len(body) > limit:
            return None
        more = message.get("more_body", False)
    return body


def replay(body: bytes, receive: Receive) -> Receive:
    """A receive that gives `body` first, then what comes."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return waiting.pop() if waiting else await receive()

    return replayed
