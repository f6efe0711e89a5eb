"""How much one address or one token may ask in a while, and have at once.

What goes beyond is refused with 429 and a sentence.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

ADDRESS: Final = "one address"
TOKEN: Final = "those with one token"
MAX_ADDRESSES: Final = 10_000
"""that are remembered; beyond it those go that have used nothing for the longest"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Of one address, and of all who have one token. Behind a proxy all its visitors are one address."""

    changes_per_s: float = 50.0
    """commands, new runs, forks, edits and deletions"""
    changes_at_once: int = 200
    guesses_per_s: float = 0.5
    """of tokens that are wrong"""
    guesses_at_once: int = 20
    sockets: int = 2000
    """open at the same time"""
    runs: int = 100
    """that train or wait"""
    token_changes_per_s: float = 200.0
    token_changes_at_once: int = 800
    token_sockets: int = 3000


class Bucket:
    """Fills by `rate` a second up to `size`, and is full at first."""

    def __init__(self, rate: float, size: float, now: float) -> None:
        self._rate = rate
        self._size = size
        self._left = size
        self.used_at = now

    def wait_s(self, now: float) -> float:
        """Seconds until there is one again; 0 when there is now."""
        self._fill(now)
        return max(0.0, (1.0 - self._left) / self._rate)

    def take(self, now: float) -> None:
        """Take one, also where there is none."""
        self._fill(now)
        self._left = max(0.0, self._left - 1.0)

    def _fill(self, now: float) -> None:
        self._left = min(self._size, self._left + max(0.0, now - self.used_at) * self._rate)
        self.used_at = now


class Quotas:
    """Of every address and token. All on the event loop.

    Who asks is an address and, where this server has tokens, the role whose token it is, under which all share.
    """

    def __init__(self, limits: Limits, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.limits = limits
        self._clock = clock
        self._changes: dict[str, Bucket] = {}
        self._guesses: dict[str, Bucket] = {}
        self._sockets: dict[str, int] = {}

    def change(self, address: str, role: str | None = None) -> tuple[float, str]:
        """Count a change. Seconds to wait where there are too many, 0 where it may be made; and whose too many."""
        limits = self.limits
        asked = [
            (self._bucket(self._changes, address, limits.changes_per_s, limits.changes_at_once), ADDRESS),
        ]
        if role is not None:
            rate, size = limits.token_changes_per_s, limits.token_changes_at_once
            asked.append((self._bucket(self._changes, _token(role), rate, size), TOKEN))
        now = self._clock()
        wait_s, whose = max(((bucket.wait_s(now), whose) for bucket, whose in asked), key=lambda each: each[0])
        if wait_s == 0.0:
            for bucket, _ in asked:
                bucket.take(now)
        return wait_s, whose

    def may_guess(self, address: str) -> float:
        """Seconds to wait before another token may be tried; 0 where it may be now."""
        bucket = self._guesses.get(address)
        return 0.0 if bucket is None else bucket.wait_s(self._clock())

    def guessed_wrong(self, address: str) -> None:
        """A token was tried and is not this server's."""
        limits = self.limits
        self._bucket(self._guesses, address, limits.guesses_per_s, limits.guesses_at_once).take(self._clock())

    def open_socket(self, address: str, role: str | None = None) -> bool:
        """Count a socket; False, and not counted, where there are too many."""
        most = {address: self.limits.sockets}
        if role is not None:
            most[_token(role)] = self.limits.token_sockets
        if any(self._sockets.get(who, 0) >= limit for who, limit in most.items()):
            return False
        for who in most:
            self._sockets[who] = self._sockets.get(who, 0) + 1
        return True

    def close_socket(self, address: str, role: str | None = None) -> None:
        """A socket that was counted is closed."""
        for who in (address, *(() if role is None else (_token(role),))):
            left = self._sockets[who] - 1
            if left:
                self._sockets[who] = left
            else:
                del self._sockets[who]

    def _bucket(self, buckets: dict[str, Bucket], address: str, rate: float, size: float) -> Bucket:
        bucket = buckets.pop(address, None) or Bucket(rate, size, self._clock())
        buckets[address] = bucket  # last, as the one used last
        while len(buckets) > MAX_ADDRESSES:
            del buckets[next(iter(buckets))]
        return bucket


def _token(role: str) -> str:
    """The name under which all who have one token are counted; no address looks like it."""
    return f"token of a {role}"
