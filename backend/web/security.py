"""Who may ask what: Host and Origin, the token, quotas, headers of answers. One ASGI layer before the app."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final
from urllib.parse import parse_qs

from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend.live.tally import Tally
from backend.nonces import give_nonce
from backend.quotas import ADDRESS, Quotas
from backend.settings import Settings
from backend.web.bounds import most_bytes, not_json, read_body, replay, too_long
from backend.web.refusals import refused
from backend.web.roles import COOKIE, COOKIE_S, NO_ROOM, WATCH_ONLY, Doors, Role

WORKER_PATH: Final = "/ws/worker"
HEALTH_PATH: Final = "/healthz"
CALLBACKS_PATH: Final = "/_dash-update-component"

# 'unsafe-hashes' lets a hash allow what an element runs when loading it fails, which the Lab's entry has one of
CONTENT_SECURITY_POLICY: Final = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self'SCRIPTS",
        "style-src 'self'STYLES",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
WAY_ON: Final = (
    '<!doctype html><link rel="icon" href="data:,"><meta http-equiv="refresh" content="0;url=/"><a href="/">Go on</a>'
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

    def __init__(
        self,
        app: ASGIApp,
        settings: Settings,
        script_hashes: Callable[[], Sequence[str]] = tuple,
        tally: Tally | None = None,
        room_keys: Callable[[], Mapping[Role, str]] = dict,
    ) -> None:
        self._app = app
        self._settings = settings
        self._doors = Doors(settings, room_keys)
        self._quotas = Quotas(settings.limits)
        self._tally = tally or Tally()
        self._script_hashes = script_hashes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._socket(scope, receive, send)
        else:
            await self._request(scope, receive, self._sealed(send, give_nonce(scope)))

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        address = _address(scope)
        if too_long(scope) is not None or not (
            scope["path"] == WORKER_PATH or self._refusal(scope, Headers(scope=scope)) is None
        ):
            await send({"type": "websocket.close", "code": 1008})
        elif not self._quotas.open_socket(address, scope.get("role")):
            self._tally.refuse("sockets")
            await send({"type": "websocket.close", "code": 1013})
        else:
            try:
                await self._app(scope, receive, send)
            finally:
                self._quotas.close_socket(address, scope.get("role"))

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        refusal = too_long(scope) or self._refusal(scope, headers) or not_json(scope, headers)
        if refusal is None and (key := _in_query(scope, "room")) is not None:
            refusal = self._enter_room(scope, headers, key)
        elif refusal is None and not self._doors.is_open and (given := _in_query(scope, "token")) is not None:
            refusal = self._login(scope, headers, given)
        refusal = refusal or self._too_many(scope)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        limit = most_bytes(scope["path"])
        try:
            body = await read_body(receive, headers, limit)
        except ConnectionError:
            return
        if body is None:
            sentence = f"The body must have at most {limit} bytes. Found more."
            await JSONResponse({"error": sentence}, status_code=413)(scope, receive, send)
            return
        await self._app(scope, replay(body, receive), send)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        """Why this request is not let through; None when it is."""
        settings = self._settings
        for name in ("host", "origin"):
            if len(headers.getlist(name)) > 1:
                return refused(scope, 400, f"{name.capitalize()} must be said once. Found it twice.")
        host = headers.get("host", "").lower()
        if host not in settings.hosts:
            return refused(scope, 403, _host_sentence(host))
        origin = headers.get("origin")
        if origin is not None and origin not in (f"http://{host}", f"https://{host}"):
            return refused(scope, 403, f"Origin must be this server. Found {origin[:60]!r}.")
        guarded = scope["path"].startswith(("/api/", "/ws/")) or scope.get("method", "GET") not in ("GET", "HEAD")
        if guarded and headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return refused(scope, 403, "This may be asked only from this server's own page.")
        if scope["path"] == HEALTH_PATH:
            return None
        is_link = _in_query(scope, "token") is not None or _in_query(scope, "room") is not None
        if is_link and scope["type"] == "http" and scope.get("method") == "GET":
            return None
        return self._not_allowed(scope, headers)

    def _not_allowed(self, scope: Scope, headers: Headers) -> Response | None:
        """Why who asks may not; None when they may. A viewer may watch alone."""
        known = self._doors.known(headers)
        role = None
        if known is not None:
            role, scope["person"] = known.role, known.person
        elif self._doors.is_open:
            return None
        elif headers.get("authorization"):
            guessed = self._role_of_guess(scope, headers["authorization"].removeprefix("Bearer "))
            if isinstance(guessed, Response):
                return guessed
            role = guessed
        if role == "presenter" or (role == "viewer" and not _is_change(scope)):
            scope["role"] = role
            return None
        if role == "viewer":
            return refused(scope, 403, WATCH_ONLY)
        return refused(
            scope, 401, "This server needs its token: open it as /?token=TOKEN, or send Authorization: Bearer TOKEN."
        )

    def _role_of_guess(self, scope: Scope, given: str) -> Role | Response | None:
        """Whose token this is; an answer where it is not looked at, as too many were wrong."""
        address = _address(scope)
        wait_s = self._quotas.may_guess(address)
        if wait_s > 0.0:
            return self._beyond(scope, "guesses", wait_s, "Too many tokens were tried from this address")
        role = self._doors.role_of_token(given)
        if role is None:
            self._quotas.guessed_wrong(address)
        return role

    def _too_many(self, scope: Scope) -> Response | None:
        """Why a change is not made, where this address or token has made too many; None where it may be."""
        if (
            scope.get("method", "GET") in ("GET", "HEAD") or scope["client"] is None
        ):  # a callback's own request has none
            return None
        wait_s, whose = self._quotas.change(_address(scope), scope.get("role"))
        if wait_s == 0.0:
            return None
        limits = self._quotas.limits
        per_s = limits.changes_per_s if whose == ADDRESS else limits.token_changes_per_s
        return self._beyond(scope, "changes", wait_s, f"At most {per_s:g} changes a second may come from {whose}")

    def _beyond(self, scope: Scope, limit: str, wait_s: float, sentence: str) -> Response:
        self._tally.refuse(limit)
        seconds = math.ceil(wait_s)
        response = refused(scope, 429, f"{sentence}: wait {seconds} s.")
        response.headers["retry-after"] = str(seconds)
        return response

    def _sealed(self, send: Send, nonce: str) -> Send:
        """A send that adds the headers.

        Only a page of ours may run the scripts that stand in it, each by its hash, and only style elements that carry
        the nonce of this one answer count in it.
        """

        async def sealed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                is_page = headers.get("content-type", "").startswith("text/html")
                hashes = self._script_hashes() if is_page else ()
                scripts = "".join(f" {each}" for each in ("'unsafe-hashes'", *hashes)) if hashes else ""
                styles = f" 'nonce-{nonce}'" if is_page else ""
                policy = CONTENT_SECURITY_POLICY.replace("SCRIPTS", scripts).replace("STYLES", styles)
                headers.setdefault("content-security-policy", policy)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        return sealed

    def _login(self, scope: Scope, headers: Headers, given: str) -> Response:
        """Answer a link with ?token=: a cookie and the way to the page, in whose address the token is no more.

        The way is a page that loads the next one, because a cookie that is SameSite=Strict is not sent along a
        redirect that began on another site, such as a link in a mail.
        """
        role = self._role_of_guess(scope, given)
        if isinstance(role, Response):
            return role
        if role is None:
            return refused(scope, 401, "The token is not this server's.")
        response = _way_on()
        set_session(response, scope, headers, self._doors.cookie(role))
        return response

    def _enter_room(self, scope: Scope, headers: Headers, key: str) -> Response:
        """Answer a link with ?room=: as that with ?token=, but nobody becomes less than they are already.

        A key has 128 random bits, so wrong ones are not counted: a class may come from one address.
        """
        role = self._doors.role_of_room_key(key)
        if role is None:
            return refused(scope, 404, NO_ROOM)
        known = self._doors.known(headers)
        response = _way_on()
        if known is None or (role == "presenter" and known.role == "viewer"):
            set_session(response, scope, headers, self._doors.room_cookie(role))
        return response


def _way_on() -> Response:
    response = HTMLResponse(WAY_ON)
    response.headers["cache-control"] = "no-store"
    return response


def set_session(response: Response, scope: Scope, headers: Headers, value: str) -> None:
    """Give who asks a cookie of `Doors`."""
    is_safe = is_https(scope, headers)
    response.set_cookie(COOKIE, value, max_age=COOKIE_S, httponly=True, secure=is_safe, samesite="strict", path="/")


def is_https(scope: Scope, headers: Headers) -> bool:
    """Whether the visitor's browser came by https, perhaps to a proxy in front."""
    return scope.get("scheme") == "https" or headers.get("x-forwarded-proto") == "https"


def _is_change(scope: Scope) -> bool:
    """Whether a request would change something, by itself; callbacks of pages ask the API again."""
    return scope.get("method", "GET") not in ("GET", "HEAD") and not scope["path"].startswith(CALLBACKS_PATH)


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return "" if client is None else str(client[0])


def _host_sentence(host: str) -> str:
    return f"Host must be one of this server's names. Found {host[:60]!r}; CDSP_ALLOWED_HOSTS can name more."


def _in_query(scope: Scope, name: str) -> str | None:
    given = parse_qs(scope.get("query_string", b"").decode("latin-1")).get(name)
    return given[0] if given else None
