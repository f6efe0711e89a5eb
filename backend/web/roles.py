"""Who asks: a presenter, who may watch and steer, or a viewer, who may watch. Known by a token, or a cookie it gave."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from typing import Final, Literal

from starlette.datastructures import Headers

from backend.settings import Settings

Role = Literal["presenter", "viewer"]
COOKIE: Final = "topology_lab"
WATCH_ONLY: Final = "You may watch here. To steer, open the page with the presenter's token."
"""what a viewer is told who would change something"""
COOKIE_S: Final = 30 * 24 * 3600
"""how long a cookie lets its owner in"""


class Doors:
    """The tokens of one server. Without any everybody is a presenter."""

    def __init__(self, settings: Settings) -> None:
        known: tuple[tuple[Role, str | None], ...] = (
            ("presenter", settings.token),
            ("viewer", settings.viewer_token),
        )
        self._tokens: dict[Role, str] = {role: token for role, token in known if token is not None}

    @property
    def is_open(self) -> bool:
        """Whether nobody needs a token."""
        return not self._tokens

    def role_of_token(self, given: str) -> Role | None:
        """Whose token this is; None for nobody's. Takes as long for any."""
        found: Role | None = None
        for role, token in self._tokens.items():
            if hmac.compare_digest(given.encode(), token.encode()):
                found = role
        return found

    def role_of_cookie(self, headers: Headers) -> Role | None:
        """Who has sent these headers, by the cookie that a login gave. Takes time that grows with its length alone."""
        for part in headers.get("cookie", "").split(";"):
            name, _, value = part.strip().partition("=")
            if name == COOKIE:
                return self._role_of_sealed(value)
        return None

    def cookie(self, role: Role) -> str:
        """What a new session's cookie holds: never the token, each time another, and good for `COOKIE_S`."""
        head = f"{role}.{int(time.time()) + COOKIE_S}.{secrets.token_urlsafe(12)}"
        return f"{head}.{self._seal(role, head)}"

    def _role_of_sealed(self, value: str) -> Role | None:
        head, _, seal = value.rpartition(".")
        name, _, rest = head.partition(".")
        until = rest.partition(".")[0]
        for role in self._tokens:
            if name == role and hmac.compare_digest(seal.encode(), self._seal(role, head).encode()):
                return role if until.isdecimal() and int(until[:12]) > time.time() else None
        return None

    def _seal(self, role: Role, head: str) -> str:
        return hmac.new(self._tokens[role].encode(), head.encode(), hashlib.sha256).hexdigest()
