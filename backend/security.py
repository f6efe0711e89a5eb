"""Who may ask what: Host and Origin, the token, sizes of bodies, headers of answers. One ASGI layer before the app."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Sequence
from typing import Final
from urllib.parse import parse_qs

from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend.settings import Settings

COOKIE: Final = "topology_lab"
WORKER_PATH: Final = "/ws/worker"
HEALTH_PATH: Final = "/healthz"
MAX_HEAD_BYTES: Final = 16_384
"""names and values of all headers"""
MAX_URL_BYTES: Final = 4096
MAX_CONTROL_BYTES: Final = 4096
MAX_BODY_BYTES: Final = 16_384
"""bodies of the pages' own callbacks, which hold inputs and a few chosen rows"""

# 'unsafe-hashes' lets a hash allow what an element runs when loading it fails, which the Lab's entry has one of
CONTENT_SECURITY_POLICY: Final = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self'SCRIPTS",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
HEADERS: Final = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


class Guard:
    """Wraps the whole app. Requests that are let through have the right Host, Origin and token."""

    def __init__(self, app: ASGIApp, settings: Settings, script_hashes: Callable[[], Sequence[str]] = tuple) -> None:
        self._app = app
        self._settings = settings
        self._script_hashes = script_hashes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        too_long = _too_long(scope)
        if too_long is not None:
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
            else:
                await too_long(scope, receive, self._sealed(send))
            return
        if scope["type"] == "websocket" and scope["path"] == WORKER_PATH:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers)
        if scope["type"] == "websocket":
            if refusal is not None:
                await send({"type": "websocket.close", "code": 1008})
                return
            await self._app(scope, receive, send)
            return
        sealed = self._sealed(send)
        if refusal is None and self._settings.token is not None and (given := _query_token(scope)) is not None:
            refusal = self._login(scope, given)
        if refusal is not None:
            await refusal(scope, receive, sealed)
            return
        limit = MAX_CONTROL_BYTES if scope["path"].startswith("/api/") else MAX_BODY_BYTES
        try:
            body = await _read_body(receive, headers, limit)
        except ConnectionError:
            return
        if body is None:
            sentence = f"The body must have at most {limit} bytes. Found more."
            await JSONResponse({"error": sentence}, status_code=413)(scope, receive, sealed)
            return
        await self._app(scope, _replay(body, receive), sealed)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        """Why this request is not let through; None when it is."""
        settings = self._settings
        for name in ("host", "origin"):
            if len(headers.getlist(name)) > 1:
                return _refused(scope, 400, f"{name.capitalize()} must be said once. Found it twice.")
        host = headers.get("host", "").lower()
        if host not in settings.hosts:
            return _refused(scope, 403, _host_sentence(host))
        origin = headers.get("origin")
        if origin is not None and origin not in (f"http://{host}", f"https://{host}"):
            return _refused(scope, 403, f"Origin must be this server. Found {origin[:60]!r}.")
        guarded = scope["path"].startswith(("/api/", "/ws/")) or scope.get("method", "GET") not in ("GET", "HEAD")
        if guarded and headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return _refused(scope, 403, "This may be asked only from this server's own page.")
        if settings.token is None or scope["path"] == HEALTH_PATH:
            return None
        if _query_token(scope) is not None and scope["type"] == "http" and scope.get("method") == "GET":
            return None
        if _may_enter(headers, settings.token):
            return None
        return _refused(
            scope, 401, "This server needs its token: open it as /?token=TOKEN, or send Authorization: Bearer TOKEN."
        )

    def _sealed(self, send: Send) -> Send:
        """A send that adds the headers; only a page of ours may run the scripts that stand in it, each by its hash."""

        async def sealed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                hashes = self._script_hashes() if headers.get("content-type", "").startswith("text/html") else ()
                allowed = "".join(f" {each}" for each in ("'unsafe-hashes'", *hashes)) if hashes else ""
                headers.setdefault("content-security-policy", CONTENT_SECURITY_POLICY.replace("SCRIPTS", allowed))
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        return sealed

    def _login(self, scope: Scope, given: str) -> Response:
        """Answer a link with ?token=: a cookie and the way to the page.

        The way is a page that loads the next one, because a cookie that is SameSite=Strict is not sent along a
        redirect that began on another site, such as a link in a mail.
        """
        token = self._settings.token
        assert token is not None
        if not hmac.compare_digest(given.encode(), token.encode()):
            return _refused(scope, 401, "The token is not this server's.")
        response = HTMLResponse('<!doctype html><meta http-equiv="refresh" content="0;url=/"><a href="/">Go on</a>')
        response.headers["cache-control"] = "no-store"
        response.set_cookie(COOKIE, _cookie_value(token), httponly=True, samesite="strict", path="/")
        return response


def _too_long(scope: Scope) -> Response | None:
    """Why the head of this request is not read any further; None when it is short enough."""
    if len(scope.get("raw_path") or b"") + len(scope.get("query_string", b"")) > MAX_URL_BYTES:
        return _refused(scope, 414, f"The address must have at most {MAX_URL_BYTES} bytes. Found more.")
    if sum(len(name) + len(value) for name, value in scope["headers"]) > MAX_HEAD_BYTES:
        return _refused(scope, 431, f"The headers must have at most {MAX_HEAD_BYTES} bytes. Found more.")
    return None


def _host_sentence(host: str) -> str:
    return f"Host must be one of this server's names. Found {host[:60]!r}; CDSP_ALLOWED_HOSTS can name more."


def _may_enter(headers: Headers, token: str) -> bool:
    """Whether the request carries the token, as a header or as the cookie that a login gave."""
    bearer = headers.get("authorization", "").removeprefix("Bearer ")
    if hmac.compare_digest(bearer.encode(), token.encode()):
        return True
    wanted = _cookie_value(token).encode()
    for part in headers.get("cookie", "").split(";"):
        name, _, value = part.strip().partition("=")
        if name == COOKIE:
            return hmac.compare_digest(value.encode(), wanted)
    return False


def _cookie_value(token: str) -> str:
    """What the cookie holds: not the token, so that a stolen cookie does not give it away."""
    return hmac.new(token.encode(), b"page", hashlib.sha256).hexdigest()


def _query_token(scope: Scope) -> str | None:
    given = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token")
    return given[0] if given else None


def _refused(scope: Scope, status: int, sentence: str) -> Response:
    if scope["path"].startswith("/api/"):
        return JSONResponse({"error": sentence}, status_code=status)
    return HTMLResponse(f"<!doctype html><title>{status}</title><p>{_escaped(sentence)}</p>", status_code=status)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


async def _read_body(receive: Receive, headers: Headers, limit: int) -> bytes | None:
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


def _replay(body: bytes, receive: Receive) -> Receive:
    """A receive that gives `body` first, then what comes."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return waiting.pop() if waiting else await receive()

    return replayed
