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
    """The main thread beats between any two steps, and while it waits; a thread that hangs does not."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lasts_until = clock() + BEAT_LASTS_S

    def beat(self) -> None:
        """The main thread has come round."""
        self._lasts_until = self._clock() + BEAT_LASTS_S

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
