"""Pages that come and go many times a second: training keeps its pace, and nothing of them is left."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import suppress
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.chaos.fast_worker import fast_worker
from tests.chaos.figures import record
from tests.chaos.processes import PATIENCE_S, Server, resident_mib

pytestmark = pytest.mark.slow  # a server and a worker with torch

AT_ONCE = 16
FIRST_JOINS = 64
"""what a server takes for good the first times is taken before anything is measured"""
LEAST_PACE = 0.1
"""over a minute, of what it is alone; far less than is wanted, like MOST_HELD_MS, so that no slow machine fails it"""
MOST_HELD_MS = 1000
MOST_GROWN_MIB = 16
SPARE_FILES = 8
"""SQLite keeps what reads at once had open for the next ones: no more than the loop has threads"""
COMES_BACK = ("?after=999:1", "", "?after=0:0")
"""a page whose run has begun anew since, a new page, one that missed all but the first step"""


async def join(url: str, number: int) -> None:
    """Come as a new page, or as one that comes again; read or do not; go politely, or without a word."""
    async with connect(
        url + COMES_BACK[number % len(COMES_BACK)], proxy=None, compression=None, max_size=None
    ) as socket:
        if number % 2:
            assert json.loads(await socket.recv())["type"] in ("hello", "reset")
        if number % 5 == 0:
            await socket.recv()
        if number % 4 == 0:
            socket.transport.abort()


async def joins(url: str, count: int, within_s: float) -> float:
    """So many joins from a thread, spread over a time, some at once; how long they took."""
    return await asyncio.to_thread(lambda: asyncio.run(_joins(url, count, within_s)))


async def _joins(url: str, count: int, within_s: float) -> float:
    numbers = iter(range(count))
    began = time.monotonic()

    async def join_on() -> None:
        for number in numbers:
            await asyncio.sleep(max(0.0, began + within_s * number / count - time.monotonic()))
            with suppress(ConnectionClosed):
                await join(url, number)

    await asyncio.gather(*(join_on() for _ in range(AT_ONCE)))
    return time.monotonic() - began


async def steps_per_s(server: Server, run_id: str, while_s: float) -> float:
    """By the run's own step, over a while."""
    began, first = time.monotonic(), (await server.get(f"/api/runs/{run_id}"))["step"]
    await asyncio.sleep(while_s)
    last = (await server.get(f"/api/runs/{run_id}"))["step"]
    return float(last - first) / (time.monotonic() - began)


def open_files(server: Server) -> int:
    return len(list(Path(f"/proc/{server.pid}/fd").iterdir()))


async def until_nobody_watches(server: Server, most_files: int) -> None:
    """Until the server counts no page, and has no more files open than before."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            text = (await server.http.get("/metrics")).text
            if "\ntopology_lab_viewers 0.0\n" in text and open_files(server) <= most_files:
                return
            await asyncio.sleep(0.1)


async def grown_by_joins_alone(server: Server, run_id: str, url: str, count: int) -> float:
    """MiB that as many joins leave in the server while the run is paused, as what it keeps of a run grows by itself."""
    paused = await server.http.post(f"/api/runs/{run_id}/commands", json={"command_id": "joins", "type": "pause"})
    assert paused.json()["status"] == "applied"
    await joins(url, FIRST_JOINS, 0.0)
    before_mib = resident_mib(server.pid)
    await joins(url, count, 0.0)
    return resident_mib(server.pid) - before_mib


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("count", "within_s"), [(200, 0.0), pytest.param(2800, 60.0, marks=pytest.mark.chaos)])
async def test_pages_that_join_and_go_leave_the_run_its_pace_and_the_server_nothing(
    tmp_path: Path, count: int, within_s: float
) -> None:
    server = Server(tmp_path, launcher="pool")
    await server.start()
    try:
        with fast_worker(server, "--speed", "1"):
            run_id = await server.new_run()
            url = f"ws://127.0.0.1:{server.port}/ws/runs/{run_id}"
            await joins(url, FIRST_JOINS, 0.0)
            files = open_files(server)
            await until_nobody_watches(server, files)
            files = open_files(server) + SPARE_FILES
            run = await server.get(f"/api/runs/{run_id}")
            alone = await steps_per_s(server, run_id, 3.0)
            step, began = (await server.get(f"/api/runs/{run_id}"))["step"], time.monotonic()
            took_s = await joins(url, count, within_s)
            after = await server.get(f"/api/runs/{run_id}")
            pace = (after["step"] - step) / (time.monotonic() - began) / alone
            await server.until(lambda now: now["step"] > step + 50, f"/api/runs/{run_id}")
            await until_nobody_watches(server, files)
            held_ms = await server.held_ms()
            assert (after["epoch"], after["restarts"], after["status"]) == (run["epoch"], 0, "running")
            grown_mib = await grown_by_joins_alone(server, run_id, url, count)
            await until_nobody_watches(server, files)
            assert (await server.get("/healthz"))["status"] == "ok"
        assert "Traceback" not in (tmp_path / "server.log").read_text()
    finally:
        await server.stop()
    what = f"{count} joins in {took_s:.0f} s"
    record(f"{what}: pace of the run, of what it is alone", f"{100 * pace:.0f} %", "100 %")
    record(f"{what}: loop held, longest", f"{held_ms:.0f} ms", "50 ms")
    record(f"{what}, as many again while it is paused: memory of the server", f"{grown_mib:+.1f} MiB", "flat")
    assert pace > LEAST_PACE or within_s == 0.0
    assert held_ms < MOST_HELD_MS
    assert grown_mib < MOST_GROWN_MIB
