"""A moment of a long run: how soon the page has drawn one of 100,000 stored frames."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from backend.storage.archive import Archive
from backend.storage.store import Store
from bench.page import measured_in_a_browser
from bench.results import Bound, Result
from bench.rounds import spread
from bench.served import Server, wait_until
from cdsp_core.wire.frames import decode_frame

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PART: Final = "moments, preset live"
HISTORY: Final = "history.sqlite"
ENOUGH_MIB: Final = 4096
AT_ONCE: Final = 2_000
"""frames between two waits for the store, so that they need not all fit into memory"""
SEEK: Final = """async (steps) => {
  const { scrubber, pictures } = topologyLab.views[0];
  const took = [];
  for (const step of steps) {
    const began = performance.now();
    await scrubber.seekStep(step);
    if (scrubber.pinned?.step !== step || pictures.frame !== scrubber.pinned) throw new Error(`no picture of ${step}`);
    await new Promise(requestAnimationFrame);
    took.push(performance.now() - began);
  }
  return took;
}"""


@dataclass(frozen=True, kw_only=True, slots=True)
class MomentsBench:
    """How many frames are stored, and how many of them are looked at, in any order."""

    frames: int = 100_000
    looks: int = 200

    def run(self) -> list[Result]:
        return measured_in_a_browser(self._measured)

    def _measured(self, browser: Browser, folder: Path) -> list[Result]:
        run_id, last = _ended_run(folder)
        steps = fill(folder / HISTORY, run_id, after=last, frames=self.frames)
        wanted = random.Random(0).choices(steps, k=self.looks)
        with Server(folder, "--no-autostart") as server:
            page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
            page.goto(f"{server.url}/#run={run_id}")
            wait_until(lambda: page.evaluate("window.topologyLab?.stats.frames > 0"), "the run's picture")
            took_ms: list[float] = page.evaluate(SEEK, wanted)
        most = float(np.quantile(took_ms, 0.95))
        part = f"{PART}, {self.frames:,} stored frames"
        return [
            Result(part=part, name="asked for to drawn", value=spread(took_ms), unit="ms", bound=Bound(limit=100)),
            Result(part=part, name="the same, p95", value=spread([most]), unit="ms", bound=Bound(limit=100)),
        ]


def _ended_run(folder: Path) -> tuple[str, int]:
    """A run of a few steps that was stopped, and its last stored step."""
    with Server(folder, "--no-autostart") as server:
        run_id = server.begin_long_run()
        command = {"command_id": f"bench-{time.monotonic_ns()}", "type": "stop"}
        server.ask("POST", f"/api/runs/{run_id}/commands", command)
        wait_until(lambda: server.ask("GET", f"/api/runs/{run_id}")["status"] == "interrupted", "the run to end")
        return run_id, decode_frame(server.newest_frame(run_id)).step


def fill(history: Path, run_id: str, *, after: int, frames: int) -> list[int]:
    """Store so many frames more of a run that no server holds, one a step; their steps."""
    archive = Archive(history)
    (body,) = archive.moments(run_id, 0, [after])
    last = decode_frame(body)
    rows = archive.scalars(run_id, 0, upto_step=after)
    assert rows is not None, "the run has no curves"
    row = rows[-1:].copy()
    arrays = last.arrays | {"scalars": np.empty((0, 0), dtype=np.float32)}
    store = Store(history, gather_s=0.0, frames_mib_a_run=ENOUGH_MIB)
    store.open()
    try:
        for number in range(1, frames + 1):
            step = after + number
            row[0, 0] = step
            frame = replace(last, seq=last.seq + number, step=step, arrays=arrays)
            before = last.seq + number - 1
            store.save_frame(
                run_id, 0, frame.seq, after_seq=before, step=step, message=frame.encode(), scalars=row.copy()
            )
            if number % AT_ONCE == 0:
                store.flush()
        store.flush()
        assert store.error is None, store.error
    finally:
        store.close()
    return list(range(after + 1, after + frames + 1))
