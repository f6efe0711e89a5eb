"""How long it takes until a run goes on after each fault, with real processes and the limits of the product."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.fast_worker import fast_worker
from tests.chaos.figures import record
from tests.chaos.processes import Server

pytestmark = pytest.mark.slow  # servers with torch, and their waits


def trains_in_another_epoch(run: dict[str, Any], before: dict[str, Any]) -> bool:
    return bool(run["epoch"] > before["epoch"] and run["status"] == "running" and run["steps_per_s"])


def worker_of(server: Server) -> int:
    """The one process that trains now."""
    return server.workers()[-1]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGHUP, marks=pytest.mark.chaos)])
async def test_a_worker_of_a_pool_that_is_told_to_end_gives_its_run_to_another(
    tmp_path: Path, number: signal.Signals
) -> None:
    """As `docker compose stop worker`, `--scale` and a terminal that closes end it."""
    server = Server(tmp_path, launcher="pool")
    await server.start()
    try:
        with fast_worker(server, "--speed", "1") as first:
            run_id = await server.new_run()
            with fast_worker(server, "--speed", "1"):
                await server.until(lambda health: health["workers"] == 2, "/healthz")
                before = await server.get(f"/api/runs/{run_id}")
                first.send_signal(number)
                path = f"/api/runs/{run_id}"
                given_s = await server.until(lambda run: run["status"] == "starting" or run["epoch"] > 0, path)
                trains_s = given_s + await server.until(lambda run: trains_in_another_epoch(run, before), path)
                assert (await server.get(path))["restarts"] == 0
        record(f"{number.name} to a worker of a pool: its run is given to another", f"{given_s:.1f} s", "5 s")
        record(f"{number.name} to a worker of a pool: training again", f"{trains_s:.1f} s")
    finally:
        await server.stop()


async def killed_with_its_server(server: Server, run_id: str) -> None:
    server.kill()
    for pid in server.workers():
        os.kill(pid, signal.SIGKILL)
    await server.start()


async def ended_with_its_server(server: Server, run_id: str) -> None:
    await server.end()
    await server.start()


async def killed(server: Server, run_id: str) -> None:
    os.kill(worker_of(server), signal.SIGKILL)


async def stopped(server: Server, run_id: str) -> None:
    """Not dead, and says nothing: SIGSTOP."""
    os.kill(worker_of(server), signal.SIGSTOP)
    path = f"/api/runs/{run_id}"
    told_s = await server.until(lambda run: "has not answered" in (run["reason"] or ""), path)
    record("a worker hangs: the page says so", f"{told_s:.1f} s", "15 s")


FAULTS: dict[str, tuple[Callable[[Server, str], Awaitable[None]], str]] = {
    "worker killed": (killed, "10 s"),
    "server and worker killed": (killed_with_its_server, "10 s"),
    "server ended in order and started again": (ended_with_its_server, ""),
    "worker hangs": (stopped, "45 s and a start"),
}


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "what", ["worker killed", *(pytest.param(each, marks=pytest.mark.chaos) for each in list(FAULTS)[1:])]
)
async def test_a_run_trains_again_after_a_fault(tmp_path: Path, what: str) -> None:
    fault, wanted = FAULTS[what]
    server = Server(tmp_path)
    await server.start()
    try:
        run_id = await server.new_run()
        await asyncio.sleep(3.0)  # its first checkpoint is written after 2 s
        before = await server.get(f"/api/runs/{run_id}")
        began = time.monotonic()
        await fault(server, run_id)
        await server.until(lambda run: trains_in_another_epoch(run, before), f"/api/runs/{run_id}")
        record(f"{what}: training again", f"{time.monotonic() - began:.1f} s", wanted)
    finally:
        await server.stop()


@pytest.mark.timeout(600)
@pytest.mark.chaos
async def test_a_data_folder_that_is_deleted_is_told_of_while_training_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    server = Server(folder, log=tmp_path / "server.log")
    await server.start()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(server.stop)
        run_id = await server.new_run()
        for name in ("history.sqlite", "history.sqlite-wal", "history.sqlite-shm"):
            (folder / name).unlink()
        told_s = await server.until(lambda health: health["status"] != "ok", "/healthz")
        record("history deleted while it is used: /healthz says so", f"{told_s:.1f} s", "5 s")
        step = (await server.get(f"/api/runs/{run_id}"))["step"]
        await server.until(lambda run: run["step"] > step, f"/api/runs/{run_id}")
