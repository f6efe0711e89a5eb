"""Eight hours of a worker, by a clock that runs faster: its memory stays flat after the first, and the server's."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path
from typing import Any, Final

import pytest

from backend.runs.upkeep import folder_bytes
from tests.chaos.fast_worker import fast_worker
from tests.chaos.figures import record
from tests.chaos.processes import SMALL, Server, resident_mib

pytestmark = pytest.mark.slow  # eight hours of a worker

HOURS: Final = 8
LOOKING: Final = {**SMALL, "train": {**SMALL["train"], "eval_every": 10}}
"""small, and looks at test images as seldom as `live` does by its clock"""
MOST_GROWN: Final = 0.1
"""of what it was after the first hour"""


async def do_everything(server: Server, run_id: str, number: int) -> None:
    """What makes a worker take memory beside training: a checkpoint that is kept, a fork, a restore, a reset."""
    path = f"/api/runs/{run_id}"

    async def ask(type: str, **fields: Any) -> None:
        body = {"command_id": f"{type}-{number}", "type": type, **fields}
        answer = await server.http.post(f"{path}/commands", json=body)
        assert (answer.status_code, answer.json()["status"]) == (200, "applied"), answer.text

    await ask("checkpoint")
    fork = (await server.http.post(f"{path}/fork", json={})).json()["run_id"]
    await server.http.post(f"/api/runs/{fork}/commands", json={"command_id": f"end-{number}", "type": "stop"})
    assert (await server.http.delete(f"/api/runs/{fork}")).status_code == 204
    await ask("set", controls={"l1": number / 1000})
    kept = next(each for each in await server.get(f"{path}/checkpoints") if each["kept"])
    await ask("restore", checkpoint_id=kept["checkpoint_id"])
    if number % 2:
        await ask("reset", seed=number)


async def frames_of(server: Server) -> int:
    """How many frames the server has taken."""
    text = (await server.http.get("/metrics")).text
    found = re.search(r"^topology_lab_frames_total ([0-9.e+]+)$", text, re.MULTILINE)
    assert found is not None, text
    return int(float(found[1]))


@pytest.mark.timeout(900)
@pytest.mark.parametrize("hour_s", [1.0, pytest.param(18.0, marks=pytest.mark.chaos)])
async def test_eight_hours_of_a_worker_leave_its_memory_and_the_servers_flat(tmp_path: Path, hour_s: float) -> None:
    server = Server(tmp_path, launcher="pool")
    await server.start()
    try:
        with fast_worker(server, "--speed", f"{3600 / hour_s}") as worker:
            run_id = await server.new_run(LOOKING)
            of_worker, of_server = [], []
            for number in range(HOURS):
                ends = time.monotonic() + hour_s
                await do_everything(server, run_id, number)
                await asyncio.sleep(max(0.0, ends - time.monotonic()))
                of_worker.append(resident_mib(worker.pid))
                of_server.append(resident_mib(server.pid))
                print(f"hour {number + 1}: worker {of_worker[-1]:.0f} MiB, server {of_server[-1]:.0f} MiB", flush=True)
            assert (await server.get(f"/api/runs/{run_id}"))["restarts"] == 0
            frames = await frames_of(server)
            size_mib = folder_bytes(tmp_path) / 2**20
            worker.terminate()
            written = int((await asyncio.to_thread(worker.communicate))[0])
    finally:
        await server.stop()
    grown = {"worker": of_worker[-1] - of_worker[0], "server": of_server[-1] - of_server[0]}
    what = f"{HOURS} h in {HOURS * hour_s:.0f} s, {written} checkpoints, {frames} frames"
    for name, memory_mib in (("worker", of_worker), ("server", of_server)):
        record(f"{what}: {name} after the first hour", f"{grown[name]:+.1f} of {memory_mib[0]:.0f} MiB", "flat")
    record(f"{what}: folder", f"{size_mib:.0f} MiB")
    assert written > HOURS, written
    assert grown["worker"] < MOST_GROWN * of_worker[0], of_worker
    assert grown["server"] < MOST_GROWN * of_server[0], of_server
