"""The address of Redis: checked, shown, and named where it cannot be used. Imports no package of the extra `fanout`."""

from __future__ import annotations

import importlib.util
import os
import re
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

from backend.settings import SettingsError

SCHEMES: Final = ("redis", "rediss")
PIPELINED: Final = re.compile(r"""^Command # .* of pipeline caused error: (?:\(['"])?(.*?)(?:['"],\))?$""")
"""what redis-py writes around what Redis says of one of several commands"""


def check_url(url: str) -> None:
    """Refuse an address that cannot be one of Redis, or a missing package. Raises SettingsError, one sentence."""
    try:
        parts = urlsplit(url)
        is_one = parts.scheme in SCHEMES and bool(parts.hostname) and re.fullmatch(r"(/\d*)?", parts.path) is not None
        port = parts.port
    except ValueError:
        is_one, port = False, None
    if not is_one or port == 0:
        found = without_password(url)
        raise SettingsError(f"--fanout (CDSP_FANOUT) must be like redis://HOST:6379/0. Found {found!r}.")
    for package in ("redis", "httpx"):
        if importlib.util.find_spec(package) is None:
            raise SettingsError(f"--fanout needs the package {package}: pip install 'topology-lab[fanout]'.")


def away(url: str, error: Exception, *, then: str) -> str:
    """Why Redis cannot be used and what that means, in one sentence."""
    return f"Redis at {without_password(url)} cannot be used ({reason_of(error, url=url)}); {then}"


def reason_of(error: BaseException, *, url: str = "") -> str:
    """What an error says, in a line: what the system said first, if it did. `url`: its password is not repeated.

    Something in between may answer with the command that it was given, as a Redis does to one that it has not.
    """
    known: BaseException | None = error
    while known is not None and not (isinstance(known, OSError) and known.errno is not None):
        known = known.__cause__ or known.__context__
    if isinstance(known, OSError) and known.errno is not None:
        found = os.strerror(known.errno) if known.errno > 0 else known.strerror or ""
    else:
        said = str(error)
        for secret in _secrets(url):
            said = said.replace(secret, "***")
        found = PIPELINED.sub(r"\1", in_a_line(said))[:160].rstrip(".")
    return found or type(error).__name__


def in_a_line(text: str) -> str:
    """What somebody else says, without what a terminal or a log would take for more than letters."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def without_password(url: str) -> str:
    """The address as it may be shown, also one that is none: whatever is before an @ may be a password."""
    scheme = re.match(r"[a-z]*://", url)
    start = scheme[0] if scheme else ""
    secret, _, rest = url[len(start) :].rpartition("@")
    rest = "..." if "?" in secret else rest.partition("?")[0]  # else its end might be that of ?password=
    return in_a_line(start + rest)[:100]


def _secrets(url: str) -> list[str]:
    """The password in an address, as it is written there and as it is meant, too long to be part of another word."""
    try:
        parts = urlsplit(url)
        written = [parts.password or "", *parse_qs(parts.query).get("password", [])]
    except ValueError:
        return []
    return [secret for each in written for secret in (unquote(each), each) if len(secret) >= 4]
