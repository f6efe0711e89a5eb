"""Before anything is served: whether Redis and, for a viewer process, the owner can be used as they are named.

Whoever starts a server reads why not in one sentence, and the process ends; but an owner, which has runs to train, only
says that Redis is away and serves. What fails later is told to those who watch (`address.away`), and is tried again.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import httpx
from redis.exceptions import (
    AuthenticationError,
    InvalidResponse,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)

from backend.fanout.address import in_a_line, reason_of, without_password
from backend.fanout.streams import Streams
from backend.settings import RoleName, Settings, SettingsError
from cdsp_core import __version__

TRIAL_S: Final = 10.0
"""what does not answer within it is not there"""
RIGHTS: Final[dict[RoleName, str]] = {
    "owner": "~topology-lab:* +xadd +xrange +xrevrange +expire +scan +hgetall",
    "viewer": "~topology-lab:* +xread +xrevrange +del +hset +expire +multi +exec",
}
"""what a user of Redis needs, as ACL SETUSER takes it"""
NO_TRANSACTION: Final = ("EXEC without MULTI", "NOPERM")
"""how it is said that MULTI was refused, or EXEC"""
TAKES_NO_WRITES: Final = ("MISCONF", "NOREPLICAS")
"""how Redis begins to say it, beside the errors that have a type"""


class RedisAwayError(SettingsError):
    """Redis does not answer, or takes no writes, which can pass by itself."""


async def try_fanout(settings: Settings) -> None:
    """Use Redis as this server will, and ask the owner. Raises SettingsError, one sentence and a way out."""
    assert settings.fanout is not None
    await _try_redis(settings.fanout, settings.role)
    if settings.role == "viewer":
        await _try_owner(settings)


async def _try_redis(url: str, role: RoleName) -> None:
    try:
        streams = Streams(url)
        try:
            async with asyncio.timeout(TRIAL_S):
                await (streams.try_as_owner() if role == "owner" else streams.try_as_viewer())
        finally:
            await streams.close()
    except (TypeError, ValueError) as error:
        why = reason_of(error).partition("() got an ")
        raise SettingsError(
            f"What follows the ? of --fanout (CDSP_FANOUT) cannot be used ({why[2] or why[0]}). Leave it out."
        ) from None
    except (RedisError, OSError) as error:
        raise _why_not(error, url, role) from None


def _why_not(error: Exception, url: str, role: RoleName) -> SettingsError:
    at, why = without_password(url), reason_of(error, url=url)
    match error:
        case AuthenticationError():
            return SettingsError(
                f"Redis at {at} does not let this server in ({why}). "
                "Give the user and the password in CDSP_FANOUT: redis://USER:PASSWORD@HOST:6379/0."
            )
        case NoPermissionError():
            return _lacks_a_right(at, why, role)
        case ResponseError() if any(each in why for each in NO_TRANSACTION):
            return _lacks_a_right(at, why, role)
        case InvalidResponse():
            return SettingsError(
                f"What answers at {at} is no Redis ({why}). Give another address by --fanout (CDSP_FANOUT)."
            )
        case OutOfMemoryError() | ReadOnlyError():
            return _takes_no_writes(at, why)
        case ResponseError() if why.startswith(TAKES_NO_WRITES):
            return _takes_no_writes(at, why)
        case ResponseError():
            return SettingsError(
                f"Redis at {at} cannot be used ({why}). Give one from version 5 on by --fanout, and its database 0."
            )
        case _:
            return RedisAwayError(
                f"No Redis answers at {at} ({why}). Start it, or give another address by --fanout (CDSP_FANOUT)."
            )


def _lacks_a_right(at: str, why: str, role: RoleName) -> SettingsError:
    return SettingsError(f"The user at Redis {at} lacks a right ({why}). Let it have {RIGHTS[role]} by ACL SETUSER.")


def _takes_no_writes(at: str, why: str) -> SettingsError:
    return RedisAwayError(
        f"Redis at {at} takes no writes ({why}). Give it more memory (maxmemory) and disk, "
        "or name one that is no replica."
    )


async def _try_owner(settings: Settings) -> None:
    try:
        async with httpx.AsyncClient(base_url=settings.owner, timeout=TRIAL_S, trust_env=False) as client:
            await _try_token(client, settings.owner, "CDSP_TOKEN", settings.token)
            if settings.viewer_token is not None:
                await _try_token(client, settings.owner, "CDSP_VIEWER_TOKEN", settings.viewer_token)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        why = reason_of(error)
        raise SettingsError(
            f"No owner answers at {settings.owner} ({why}). Start it, or give another address by --owner (CDSP_OWNER)."
        ) from None


async def _try_token(client: httpx.AsyncClient, at: str, name: str, token: str | None) -> None:
    """Raise SettingsError where the owner does not answer whoever presents this token, or is another version's."""
    answer = await client.get("/api/role", headers={} if token is None else {"authorization": f"Bearer {token}"})
    said = _parsed(answer)
    if answer.status_code == 401 and "error" in said:
        found = "needs a token" if token is None else f"knows another {name}"
        raise SettingsError(f"The owner at {at} {found}. Set {name} to the one that it has.")
    if answer.status_code >= 400 and "error" in said:
        raise SettingsError(f"The owner at {at} does not answer this server: {in_a_line(str(said['error']))[:160]}")
    if answer.status_code != 200 or "role" not in said:
        raise SettingsError(
            f"What answers at {at} is no owner (status {answer.status_code}). Give its address by --owner (CDSP_OWNER)."
        )
    if (found := said.get("version", "an older one")) != __version__:
        raise SettingsError(
            f"The owner at {at} must have this server's version, {__version__}. Found {in_a_line(str(found))[:40]}."
        )


def _parsed(answer: httpx.Response) -> dict[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
