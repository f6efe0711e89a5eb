"""The address of Redis: checked, shown, and named where it cannot be used. Imports no package of the extra `fanout`."""

from __future__ import annotations

import importlib.util
import re
from typing import Final
from urllib.parse import urlsplit

from backend.settings import SettingsError

SCHEMES: Final = ("redis", "rediss")


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
    why = " ".join(str(error).split())[:160].rstrip(".") or type(error).__name__
    return f"Redis at {without_password(url)} cannot be used ({why}); {then}"


def without_password(url: str) -> str:
    """The address as it may be shown."""
    return re.sub(r"//[^@/]*@", "//", url)[:100]
