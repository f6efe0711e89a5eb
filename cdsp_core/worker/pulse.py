"""Whether the main thread goes round, as the thread of the link may tell the backend."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

BEAT_LASTS_S: Final = 2.0
LONG_WORK_S: Final = 300.0
"""for what may take long and shows nothing meanwhile: reading data, making a model, its first step"""


class Pulse:
    """The main thread beats between any two steps, and while it waits; a thread that hangs does not.

    `lasts_s`: how long after a beat the next one is due.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, *, lasts_s: float = BEAT_LASTS_S) -> None:
        self._clock = clock
        self._lasts_s = lasts_s
        self._lasts_until = clock() + lasts_s

    def beat(self) -> None:
        """The main thread has come round."""
        self._lasts_until = self._clock() + self._lasts_s

    @contextmanager
    def long_work(self) -> Iterator[None]:
        """For what is done here no beat is due for `LONG_WORK_S`."""
        self._lasts_until = self._clock() + LONG_WORK_S
        try:
            yield
        finally:
            self.beat()

    @property
    def is_beating(self) -> bool:
        """Whether the main thread has come round lately, or is at long work."""
        return self._clock() <= self._lasts_until
