"""Texts under addresses that name their content, so that browsers keep them for ever and versions never mix.

The address of a text is /PREFIX/HASH/NAME. Under an old hash there is nothing any more (404), and a page, which is
never kept, names the new one.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

FOREVER: Final = "public, max-age=31536000, immutable"
ASK_AGAIN: Final = "no-cache"
HASH_DIGITS: Final = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Text:
    """What is served: as it is, and compressed for who takes it so."""

    plain: bytes
    compressed: bytes
    media_type: str

    @classmethod
    def of(cls, text: str, media_type: str) -> Text:
        """A text in UTF-8."""
        plain = text.encode()
        return cls(plain=plain, compressed=gzip.compress(plain, mtime=0), media_type=media_type)

    def answer(self, request: Request) -> Response:
        """It, for the browser that asks."""
        headers = {"Cache-Control": FOREVER, "Vary": "Accept-Encoding"}
        if "gzip" not in request.headers.get("accept-encoding", ""):
            return Response(self.plain, media_type=self.media_type, headers=headers)
        headers["Content-Encoding"] = "gzip"
        return Response(self.compressed, media_type=self.media_type, headers=headers)


class KeptTexts:
    """Texts of one version; the first one's content names it."""

    def __init__(self, prefix: str, texts: Mapping[str, Text]) -> None:
        self._prefix = prefix
        self._texts = dict(texts)
        first = next(iter(self._texts.values()))
        self.hash = hashlib.sha256(first.plain).hexdigest()[:HASH_DIGITS]

    def address(self, name: str) -> str:
        """Address of a text on this server."""
        return f"/{self._prefix}/{self.hash}/{name}"

    def mount(self, app: FastAPI) -> None:
        """Serve them."""

        @app.get(f"/{self._prefix}/{{version}}/{{name:path}}", include_in_schema=False)
        def text(request: Request, version: str, name: str) -> Response:
            found = self._texts.get(name) if version == self.hash else None
            if found is None:
                sentence = f"There is no {name[:80]} in version {version[:80]} of the page."
                return JSONResponse({"error": sentence}, 404, headers={"Cache-Control": "no-store"})
            return found.answer(request)


class FreshPages:
    """Has browsers ask for every HTML document anew: it names the texts of this version."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def said(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if headers.get("content-type", "").startswith("text/html"):
                    headers.setdefault("cache-control", ASK_AGAIN)
            await send(message)

        await self._app(scope, receive, said if scope["type"] == "http" else send)
