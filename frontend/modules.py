"""Serve a folder of ES modules under an address that names their content, so that versions never mix.

The address of a module is /PREFIX/HASH/PATH. HASH is of all files of the folder together: an import is relative, so a
page that began with one version asks for nothing of another. Under an old hash there is nothing any more (404), and the
page, which is never cached, is loaded again by the entry's `onerror`.
"""

from __future__ import annotations

import base64
import hashlib
import html
from pathlib import Path
from typing import Final

from fastapi import FastAPI
from fastapi.responses import JSONResponse, Response
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

FOREVER: Final = "public, max-age=31536000, immutable"
ASK_AGAIN: Final = "no-cache"
HASH_DIGITS: Final = 16

RELOAD_ONCE: Final = (
    "if(sessionStorage.getItem('modules')!=='{hash}'){{sessionStorage.setItem('modules','{hash}');location.reload()}}"
    "else document.body.append('A part of the page is missing: load it again.')"
)
"""Where a module is missing the server has newer ones: the page is asked for anew, once for each version it names."""


class ModuleFolder:
    """The modules of a folder, read once; `entry` is the one that a page names."""

    def __init__(self, folder: Path, *, prefix: str, entry: str) -> None:
        self._bytes = {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*.js"))}
        digest = hashlib.sha256()
        for name, content in self._bytes.items():
            digest.update(f"{name}\0{len(content)}\0".encode())
            digest.update(content)
        self.hash = digest.hexdigest()[:HASH_DIGITS]
        self._prefix = prefix
        self._entry = entry

    @property
    def names(self) -> list[str]:
        """Paths of the modules inside the folder, sorted."""
        return list(self._bytes)

    def address(self, name: str) -> str:
        """Address of a module on this server."""
        return f"/{self._prefix}/{self.hash}/{name}"

    def preloads(self) -> str:
        """Links that fetch every module at once, rather than each when the one that imports it was read."""
        return "".join(f'<link rel="modulepreload" href="{self.address(name)}">' for name in self._bytes)

    def script(self) -> str:
        """The page's one script element."""
        reload_once = RELOAD_ONCE.format(hash=self.hash)
        return f'<script type="module" src="{self.address(self._entry)}" onerror="{reload_once}"></script>'

    def script_hash(self) -> str:
        """What a Content-Security-Policy has to name for the one thing that stands in `script`, its onerror."""
        handler = html.unescape(RELOAD_ONCE.format(hash=self.hash))
        return f"'sha256-{base64.b64encode(hashlib.sha256(handler.encode()).digest()).decode()}'"

    def mount(self, app: FastAPI) -> None:
        """Serve the modules."""

        @app.get(f"/{self._prefix}/{{version}}/{{name:path}}", include_in_schema=False)
        def module(version: str, name: str) -> Response:
            content = self._bytes.get(name) if version == self.hash else None
            if content is None:
                sentence = f"There is no module {name} in version {version} of the page."
                return JSONResponse({"error": sentence}, 404, headers={"Cache-Control": "no-store"})
            return Response(content, media_type="text/javascript", headers={"Cache-Control": FOREVER})


class FreshPages:
    """Has browsers ask for every HTML document anew: it names the modules of this version."""

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
