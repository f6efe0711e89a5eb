"""The process that answers questions about models is begun before somebody asks: importing torch takes it seconds.

It begins some seconds after a page has drawn a run, so that no page waits for it, and lives on while pages draw. A page
in the background draws nothing, so a browser that was left open keeps no process.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final

from backend.jobs.inspector import Inspector, kept_state
from backend.live.hub import RunHub
from cdsp_core.wire.messages.inspect import AskImages

LOOK_S: Final = 1.0
AFTER_DRAWN_S: Final = 4.0
"""a page that has just come has all cores to itself, and one that goes at once costs nothing"""
AFTER_START_S: Final = 20.0
"""after which a server that begins a run by itself is ready, page or no page; the page that it opens has long drawn"""


async def keep_ready(
    inspector: Callable[[], Inspector],
    hubs: Callable[[], Sequence[RunHub]],
    *,
    after_start_s: float | None,
    after_drawn_s: float = AFTER_DRAWN_S,
    look_s: float = LOOK_S,
) -> None:
    """Begin the process for the run that a page draws, until cancelled. `after_start_s`: once without a page, then."""
    first_at = None if after_start_s is None else time.monotonic() + after_start_s
    begins_at: float | None = None
    while True:
        await asyncio.sleep(look_s)
        found = [hub for hub in hubs() if _take_drawn(hub)]
        if found and not inspector().is_running:
            begins_at = begins_at or time.monotonic() + after_drawn_s
            found = []
        if begins_at is not None and time.monotonic() >= begins_at:
            begins_at = None
            found = [hub for hub in hubs() if hub.viewers]
        if not found and first_at is not None and time.monotonic() >= first_at:
            found = [hub for hub in hubs() if hub.state.active]
        if found:
            warm(inspector(), found[0])
        if inspector().is_running:
            first_at = None


def warm(inspector: Inspector, hub: RunHub) -> None:
    """Have a run's newest state loaded by a process that answers, unless one is there already."""

    async def question() -> AskImages:
        return AskImages(run=hub.run_id, state=await kept_state(hub, None, None))

    inspector.warm(question)


def _take_drawn(hub: RunHub) -> bool:
    """Whether a page has drawn a frame of the run since it was asked last."""
    drawn = [viewer for viewer in hub.viewers if viewer.has_drawn]
    for viewer in drawn:
        viewer.has_drawn = False
    return bool(drawn)
