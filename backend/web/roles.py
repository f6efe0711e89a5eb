"""Who asks: a presenter, who may watch and steer, or a viewer, who may watch. Known by a token, or a cookie it gave."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from starlette.datastructures import Headers

from backend.settings import Settings

Role = Literal["presenter", "viewer"]
COOKIE: Final = "topology_lab"
WATCH_ONLY: Final = "You may watch here. To steer, open the page with the presenter's token."
"""what a viewer is told who would change something"""
NO_ROOM: Final = "This link leads into no room that is open: ask whoever presents for the present one."
COOKIE_S: Final = 30 * 24 * 3600
"""how long a cookie lets its owner in"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """Who has sent a cookie: a role, and a random name that a browser keeps as long as its session."""

    role: Role
    person: str


class Doors:
    """The tokens of one server, and the keys of the room that is open. Without any token everybody is a presenter.

    `room_keys` gives a key for each role while a room is open, nothing otherwise.
    """

    def __init__(self, settings: Settings, room_keys: Callable[[], Mapping[Role, str]] = dict) -> None:
        self._room_keys = room_keys
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
        return _role_of(given, self._tokens)

    def role_of_room_key(self, given: str) -> Role | None:
        """What a link with this key lets people do in the room; None for a key of no room, or of one that has ended."""
        return _role_of(given, self._room_keys())

    def known(self, headers: Headers) -> Known | None:
        """Who has sent these headers, by the cookie that a login gave. Takes time that grows with its length alone."""
        for part in headers.get("cookie", "").split(";"):
            name, _, value = part.strip().partition("=")
            if name == COOKIE:
                return self._known_by_seal(value)
        return None

    def cookie(self, role: Role) -> str:
        """What a new session's cookie holds: never the token, each time another, and good for `COOKIE_S`."""
        return sealed(role, self._tokens[role])

    def room_cookie(self, role: Role) -> str:
        """The same of who comes by a link into the room; it is good until the room ends."""
        return sealed(role, self._room_keys()[role])

    def _known_by_seal(self, value: str) -> Known | None:
        head, _, seal = value.rpartition(".")
        name, _, rest = head.partition(".")
        until, _, person = rest.partition(".")
        for role, secret in self._secrets():
            if name == role and hmac.compare_digest(seal.encode(), _seal(secret, head).encode()):
                is_over = not until.isdecimal() or int(until[:12]) <= time.time()
                return None if is_over else Known(role=role, person=person)
        return None

    def _secrets(self) -> Iterator[tuple[Role, str]]:
        yield from self._tokens.items()
        yield from self._room_keys().items()


def _role_of(given: str, known: Mapping[Role, str]) -> Role | None:
    found: Role | None = None
    for role, secret in known.items():
        if hmac.compare_digest(given.encode(), secret.encode()):
            found = role
    return found


def sealed(role: Role, secret: str) -> str:
    """A cookie for a role under the secret that let somebody in: good as long as that is, and at most `COOKIE_S`."""
    head = f"{role}.{int(time.time()) + COOKIE_S}.{secrets.token_urlsafe(12)}"
    return f"{head}.{_seal(secret, head)}"


def _seal(secret: str, head: str) -> str:
    return hmac.new(secret.encode(), head.encode(), hashlib.sha256).hexdigest()
