"""Many pages in the test's own process, each of which keeps the step of every row of scalars it was given."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from functools import partial

from bench.audience import BINARY, TEXT, Viewer
from cdsp_core.wire.frames import decode_frame

CONNECT_S = 60.0


class Watcher(Viewer):
    """One page: `steps` in the order in which they came, `events` by their text, `resets`, and `reasons` of the run."""

    def __init__(self, host: str, path: str) -> None:
        super().__init__(host, path)
        self.steps: list[int] = []
        self.events: Counter[str] = Counter()
        self.resets: list[str] = []
        self.reasons: set[str | None] = set()

    def take(self, kind: int, payload: bytes) -> None:
        super().take(kind, payload)
        if kind == BINARY:
            rows = decode_frame(payload).arrays["scalars"]
            self.steps += [int(step) for step in rows[:, 0]]
        elif kind == TEXT:
            message = json.loads(payload)
            match message["type"]:
                case "event":
                    self.events[message["text"]] += 1
                case "reset":
                    self.resets.append(message["reason"])
                case "run":
                    self.reasons.add(message["run"]["reason"])

    @property
    def is_whole(self) -> bool:
        """Whether every step has come once, in order, and nothing was begun anew."""
        return not self.resets and self.steps == list(range(1, len(self.steps) + 1)) and not self.seen.lost_connections


async def watch(url: str, run_id: str, viewers: int) -> list[Watcher]:
    """So many pages, each with its first picture."""
    host = url.removeprefix("http://").rstrip("/")
    name, _, port = host.partition(":")
    loop = asyncio.get_running_loop()
    found = [Watcher(host, f"/ws/runs/{run_id}") for _ in range(viewers)]
    async with asyncio.timeout(CONNECT_S):
        for first in range(0, viewers, 50):
            some = found[first : first + 50]
            await asyncio.gather(*(loop.create_connection(partial(_itself, each), name, int(port)) for each in some))
            await asyncio.gather(*(each.arrived for each in some))
    return found


def _itself(watcher: Watcher) -> Watcher:
    return watcher
