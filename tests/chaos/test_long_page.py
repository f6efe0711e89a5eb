"""Eight hours of `live` in a real browser, replayed fast: the page's memory stays flat after the first hour."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from playwright.async_api import CDPSession, Page, async_playwright

from tests.chaos.fast_worker import fast_worker
from tests.chaos.figures import record
from tests.chaos.processes import PATIENCE_S, Server, resident_mib

pytestmark = pytest.mark.slow  # a browser at eight hours of frames

HOURS: Final = 8
STEPS_PER_S: Final = 67
"""that `live` makes on two cores"""
MOST_GROWN: Final = 0.15
"""of what it was after the first hour"""
NOISE: Final = {"heap_mib": 3.0, "nodes": 5000, "listeners": 600}
"""what a collection leaves over, once more and once less; hours that leak have many times that"""
COLLECTIONS: Final = 6
FLAGS: Final = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run")


@dataclass(frozen=True, slots=True)
class Held:
    """What a tab holds once what nobody needs is collected."""

    heap_mib: float
    nodes: int
    listeners: int


@asynccontextmanager
async def tab(url: str) -> AsyncIterator[tuple[Page, CDPSession]]:
    """A tab with the Lab, and the browser's own tools for it."""
    path = os.environ.get("CDSP_CHROMIUM") or shutil.which("chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        page = await browser.new_page(viewport={"width": 1280, "height": 800})
        page.set_default_timeout(1000 * PATIENCE_S)
        await page.add_init_script("localStorage.setItem('introduced', 'yes')")
        await page.goto(url)
        await page.wait_for_function("() => window.topologyLab?.stats.frames > 3")
        yield page, await page.context.new_cdp_session(page)
        await browser.close()


async def held(tools: CDPSession) -> Held:
    """The least of several collections: the page goes on drawing, and each leaves over what was just let go of."""
    found = []
    for _ in range(COLLECTIONS):
        await tools.send("HeapProfiler.collectGarbage")
        await asyncio.sleep(0.1)
        used = await tools.send("Runtime.getHeapUsage")
        counted = await tools.send("Memory.getDOMCounters")
        found.append((used["usedSize"] / 2**20, counted["nodes"], counted["jsEventListeners"]))
    heap_mib, nodes, listeners = (min(each) for each in zip(*found, strict=True))
    return Held(heap_mib, nodes, listeners)


@pytest.mark.browser
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("hour_s", "share"), [(1.5, 0.005), pytest.param(18.0, 1.0, marks=pytest.mark.chaos)])
async def test_eight_hours_of_frames_leave_a_pages_memory_flat(tmp_path: Path, hour_s: float, share: float) -> None:
    """`share`: of the steps of an hour, how many are made."""
    server = Server(tmp_path, launcher="pool", with_page=True)
    await server.start()
    try:
        pace = STEPS_PER_S * share
        with fast_worker(server, "--speed", f"{3600 / hour_s}", "--replayed", f"{pace}"):
            run_id = await server.new_run({"train": {"steps": 10_000_000}})
            async with tab(f"http://127.0.0.1:{server.port}/") as (page, tools):
                found: list[Held] = []
                of_server = []
                for hour in range(1, HOURS + 1):
                    last = int(3600 * pace * hour)
                    await page.wait_for_function("last => topologyLab.views[0].model.store.lastStep >= last", arg=last)
                    found.append(await held(tools))
                    of_server.append(resident_mib(server.pid))
                    print(f"hour {hour}, step {last}: {found[-1]}, server {of_server[-1]:.0f} MiB", flush=True)
                frames = await page.evaluate("topologyLab.stats.frames")
                assert await page.evaluate("topologyLab.views[0].model.store.gaps") == 0
            assert (await server.get(f"/api/runs/{run_id}"))["restarts"] == 0
    finally:
        await server.stop()
    first, last_held = found[0], found[-1]
    what = f"{HOURS} h of frames in {HOURS * hour_s:.0f} s, {last} steps, {frames} drawn"
    grown_mib = last_held.heap_mib - first.heap_mib
    record(f"{what}: heap of the tab", f"{grown_mib:+.1f} of {first.heap_mib:.1f} MiB", "flat")
    record(f"{what}: nodes of the tab", f"{last_held.nodes - first.nodes:+d} of {first.nodes}", "flat")
    grown, late = of_server[-1] - of_server[0], of_server[-1] - of_server[HOURS // 2 - 1]
    found_of_server = f"{grown:+.1f} of {of_server[0]:.0f} MiB until its caps are full, {late:+.1f} in the last half"
    record(f"{what}: server", found_of_server, "flat")
    slack = 1 if share == 1.0 else 2  # seconds leave the browser less time to collect
    for name, noise in NOISE.items():
        assert getattr(last_held, name) < (1 + MOST_GROWN) * getattr(first, name) + slack * noise, (name, found)
