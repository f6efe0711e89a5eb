"""Redis as both sides use it: its commands and names of keys."""

from __future__ import annotations

import contextlib
from collections import Counter
from typing import Any, Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

AWAY: Final = (RedisError, OSError)
"""raised by what Redis cannot do now"""
BEGIN: Final = "0-0"
"""a position before every entry"""
VIEWERS: Final = "topology-lab:viewers:"
"""before a viewer process's name: the key under which it says how many watch"""
MOST_COUNTED: Final = 1_000_000
"""pages of one viewer process, whatever it says"""
TRIAL: Final = "topology-lab:trial"
"""a key to try at the start whether all may be done"""

TEXT: Final = b"text"
BINARY: Final = b"binary"
"""fields of an entry: it has one of them"""
BLOCK_S: Final = 2.0
"""a reader waits so long in Redis for news"""
ANSWER_S: Final = 5.0
"""longer than `BLOCK_S`, or waiting would count as failing"""
AGAIN_S: Final = 0.5
"""between two attempts"""


def stream_of(run_id: str) -> str:
    """Name of the stream with everything that is told of a run."""
    return f"topology-lab:run:{run_id}"


class Streams:
    """A client of Redis. Nothing is dialled before the first command, and none is tried again by itself.

    Every method raises `AWAY` when Redis cannot do it now.
    """

    def __init__(self, url: str) -> None:
        # what its methods give depends on the protocol and is not told by their types
        self._redis: Any = Redis.from_url(
            url,
            protocol=2,
            socket_timeout=ANSWER_S,
            socket_connect_timeout=ANSWER_S,
            socket_keepalive=True,
            retry=Retry(NoBackoff(), 0),
        )

    async def close(self) -> None:
        """Hang up."""
        with contextlib.suppress(*AWAY):
            await self._redis.aclose()

    async def try_as_owner(self) -> None:
        """Do once whatever an owner does; of that, nothing stays longer than a second."""
        await self.keep(TRIAL, 1)  # before there is anything: who may not would leave it
        await self.add(TRIAL, "*", "", most=1)
        await self.keep(TRIAL, 1)
        await self.has(TRIAL, await self.newest(TRIAL))
        await self.counts()
        await self._redis.hgetall(f"{VIEWERS}{TRIAL}")  # counts() asks only for those that are there

    async def try_as_viewer(self) -> None:
        """Do once whatever a viewer process does; of that, nothing stays longer than a second."""
        await self.newest(TRIAL)
        await self._redis.xread({TRIAL: BEGIN}, count=1)
        await self.say_counts(TRIAL, {TRIAL: 0}, seconds=1)
        await self.say_counts(TRIAL, {}, seconds=1)

    async def add(self, key: str, entry_id: str, message: str | bytes, *, most: int) -> bool:
        """Append a message under an id; False where the stream's newest id is no smaller."""
        field = TEXT if isinstance(message, str) else BINARY
        try:
            await self._redis.xadd(key, {field: message}, id=entry_id, maxlen=most)
        except ResponseError as error:
            if "equal or smaller" in str(error):
                return False
            raise
        return True

    async def has(self, key: str, entry_id: str) -> bool:
        """Whether a stream has the entry of this id."""
        return bool(await self._redis.xrange(key, entry_id, entry_id))

    async def newest(self, key: str) -> str:
        """The id of a stream's newest entry; `BEGIN` where there is none."""
        found = await self._redis.xrevrange(key, count=1)
        return str(found[0][0].decode()) if found else BEGIN

    async def after(self, key: str, position: str, *, most: int) -> list[tuple[str, str | bytes]]:
        """Ids and messages of the entries after a position, the oldest first; waits `BLOCK_S` for one."""
        found = await self._redis.xread({key: position}, count=most, block=int(1000 * BLOCK_S))
        entries = found[0][1] if found else []
        return [(entry_id.decode(), _message(fields)) for entry_id, fields in entries]

    async def keep(self, key: str, seconds: int) -> None:
        """Delete a key after so long, unless it is kept again."""
        await self._redis.expire(key, seconds)

    async def say_counts(self, process: str, counts: dict[str, int], *, seconds: int) -> None:
        """Say how many watch each run at a viewer process; forgotten after so long."""
        async with self._redis.pipeline(transaction=True) as asked:
            asked.delete(key := f"{VIEWERS}{process}")
            if counts:
                asked.hset(key, mapping=counts)
                asked.expire(key, seconds)
            await asked.execute()

    async def counts(self) -> Counter[str]:
        """How many watch each run at all viewer processes together."""
        found: Counter[str] = Counter()
        async for key in self._redis.scan_iter(match=f"{VIEWERS}*", count=1000):
            for run_id, count in (await self._redis.hgetall(key)).items():
                found[run_id.decode()] += max(0, min(int(count), MOST_COUNTED))
        return found


def _message(fields: dict[bytes, bytes]) -> str | bytes:
    text = fields.get(TEXT)
    return fields.get(BINARY, b"") if text is None else text.decode(errors="replace")
