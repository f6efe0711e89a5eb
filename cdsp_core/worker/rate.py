"""How fast a run trains, as its frames tell it."""

from __future__ import annotations

import math
from collections.abc import Callable


class Rate:
    """Steps a second over the last second or so."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._marks: list[tuple[float, int]] = []

    def restart(self, step: int) -> None:
        self._marks = [(self._clock(), step)]

    def count(self, step: int) -> None:
        now = self._clock()
        if not self._marks or now - self._marks[-1][0] >= 0.1:
            self._marks = [*self._marks[-20:], (now, step)]

    def value(self) -> float:
        if len(self._marks) < 2:
            return math.nan
        (first_time, first_step), (last_time, last_step) = self._marks[0], self._marks[-1]
        return (last_step - first_step) / max(last_time - first_time, 1e-9)
