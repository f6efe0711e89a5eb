"""Timing that stands a busy machine: contenders take turns, and only times of the same round are compared."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

WARM_UP_CALLS: Final = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Spread:
    """Median and quartiles of what the rounds gave."""

    median: float
    low: float
    high: float
    rounds: int

    def times(self, factor: float) -> Spread:
        """The same, in another unit."""
        return Spread(median=self.median * factor, low=self.low * factor, high=self.high * factor, rounds=self.rounds)


def spread(values: Sequence[float]) -> Spread:
    """Median and quartiles of at least one value."""
    if len(values) == 1:
        return Spread(median=values[0], low=values[0], high=values[0], rounds=1)
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return Spread(median=median, low=low, high=high, rounds=len(values))


@dataclass(frozen=True, kw_only=True, slots=True)
class Timings:
    """Seconds a call, by contender and round."""

    seconds: dict[str, list[float]]

    def median_s(self, name: str) -> float:
        """Median seconds of one call."""
        return statistics.median(self.seconds[name])

    def ratio(self, name: str, reference: str) -> Spread:
        """How many times the reference's time a call takes, round by round."""
        pairs = zip(self.seconds[name], self.seconds[reference], strict=True)
        return spread([took / other for took, other in pairs])

    def fastest(self, *names: str) -> str:
        """The name with the smallest median."""
        return min(names, key=self.median_s)


def take_turns(
    contenders: Mapping[str, Callable[[], object]],
    *,
    rounds: int,
    turn_s: float,
    wait_for_device: Callable[[], None] = lambda: None,
    clock: Callable[[], float] = time.perf_counter,
) -> Timings:
    """Let every contender work for about `turn_s` in every round, in an order that is reversed each time.

    `clock` is `time.process_time` where only this process's own work counts, whatever else the machine does.
    """
    for work in contenders.values():
        for _ in range(WARM_UP_CALLS):
            work()
    wait_for_device()
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    order = list(contenders)
    for _ in range(rounds):
        for name in order:
            seconds[name].append(_seconds_a_call(contenders[name], turn_s, wait_for_device, clock))
        order.reverse()
    return Timings(seconds=seconds)


def _seconds_a_call(
    work: Callable[[], object], turn_s: float, wait_for_device: Callable[[], None], clock: Callable[[], float]
) -> float:
    calls = 0
    began_s = clock()
    while calls == 0 or clock() - began_s < turn_s:
        work()
        calls += 1
    wait_for_device()
    return (clock() - began_s) / calls
