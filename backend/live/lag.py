"""How long the event loop is held up: for so long every viewer, command and worker waits."""

from __future__ import annotations

import asyncio
import gc
import time
from typing import Final

EVERY_S: Final = 0.02
HELD_S: Final = 0.05
"""beyond which a request holds up others"""


def settle_memory() -> None:
    """What is loaded by now stays. Python's collections of garbage hold up the loop: they look at what comes later."""
    gc.collect()
    gc.freeze()


class LoopWatch:
    """Looks again and again whether the loop comes round in time.

    What it is late by counts as held only as far as the loop's own thread was busy meanwhile: a machine that gives its
    processors to others holds up everybody, but that is no request's doing.
    """

    def __init__(self) -> None:
        self.longest_held_s = 0.0
        self.longest_late_s = 0.0
        """the same with what the machine and other threads took"""
        self.times_held = 0
        """longer than `HELD_S`"""

    async def work(self) -> None:
        """Look until cancelled."""
        while True:
            began, busy_before_s = time.monotonic(), time.thread_time()
            await asyncio.sleep(EVERY_S)
            late_s = time.monotonic() - began - EVERY_S
            held_s = min(late_s, time.thread_time() - busy_before_s)
            self.longest_late_s = max(self.longest_late_s, late_s)
            self.longest_held_s = max(self.longest_held_s, held_s)
            self.times_held += held_s > HELD_S
