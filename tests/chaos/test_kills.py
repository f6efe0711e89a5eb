"""Either process is killed again and again while people steer: nothing acknowledged is lost, nothing is done twice."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import statistics
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from cdsp_core.wire.frames import decode_frame
from tests.chaos.figures import record
from tests.chaos.processes import Server

pytestmark = pytest.mark.slow  # servers with torch, killed and started again

SEED = 20


class Person:
    """Sends one command after the other, each again with the same id until it is answered."""

    def __init__(self, server: Server, run_id: str) -> None:
        self._server = server
        self._path = f"/api/runs/{run_id}/commands"
        self.acknowledged: list[str] = []
        self.took_s: list[float] = []
        self.calm = True
        """whether nothing has been killed for a while"""

    async def ask(self, command_id: str, type: str, **fields: object) -> None:
        """One command, until it is answered."""
        body = {"command_id": command_id, "type": type, **fields}
        while True:
            with suppress(httpx.HTTPError):
                answer = await self._server.http.post(self._path, json=body)
                if answer.status_code == 200:
                    assert answer.json()["status"] == "applied", answer.text
                    return
                assert answer.status_code == 503, answer.text
            await asyncio.sleep(0.1)

    async def steer(self) -> None:
        """Until cancelled."""
        number = 0
        while True:
            number += 1
            began, was_calm = time.monotonic(), self.calm
            await self.ask(f"c{number}", "set", controls={"l1": (number % 100) / 1000})
            self.acknowledged.append(f"c{number}")
            if was_calm and self.calm:
                self.took_s.append(time.monotonic() - began)
            await asyncio.sleep(0.02)


async def kill_one(server: Server, *, is_server: bool) -> str:
    """Kill the server, which is started again, or the worker; which it was."""
    if is_server:
        server.kill()
        await server.start()
        return "server"
    for pid in server.workers():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return "worker"


@pytest.mark.timeout(1000)
@pytest.mark.parametrize("kills", [2, pytest.param(30, marks=pytest.mark.chaos)])
async def test_nothing_acknowledged_is_lost_and_nothing_is_done_twice(tmp_path: Path, kills: int) -> None:
    rng = random.Random(SEED)
    server = Server(tmp_path)
    await server.start()
    try:
        run_id = await server.new_run()
        path = f"/api/runs/{run_id}"
        person = Person(server, run_id)
        steering = asyncio.create_task(person.steer())
        back_s: dict[str, list[float]] = {"server": [], "worker": []}
        for number in range(kills):
            await asyncio.sleep(rng.uniform(1.0, 1.5 if kills == 2 else 6.0))
            before = await server.get(path)
            person.calm = False
            began = time.monotonic()
            which = await kill_one(server, is_server=number == 1 if kills == 2 else rng.random() < 0.5)
            await server.until(lambda run, before=before, which=which: has_gone_on(run, before, which), path)
            back_s[which].append(time.monotonic() - began)
            print(
                f"kill {number + 1} of {kills}, the {which}: training again after {back_s[which][-1]:.1f} s", flush=True
            )
            person.calm = True
        await asyncio.sleep(1.0)
        steering.cancel()
        with suppress(asyncio.CancelledError):
            await steering
        await person.ask("end", "stop")
        events = await server.get(f"{path}/events")
        applied = Counter(
            event["data"]["command"]["command_id"]
            for event in events
            if event["kind"] == "applied" and event["data"].get("command")
        )
        assert [command for command in person.acknowledged if applied[command] != 1] == []
        assert max(applied.values()) == 1
        await every_epoch_is_whole(server, run_id)
        assert [line for line in server.log() if "traceback" in line] == []
        all_s = [*back_s["server"], *back_s["worker"]]
        for which, took_s in back_s.items():
            if took_s:
                median_s, longest_s = statistics.median(took_s), max(took_s)
                record(
                    f"{len(took_s)} kills of the {which}: training again",
                    f"{median_s:.1f} s, at most {longest_s:.1f} s",
                )
        record(f"{kills} kills: training again, median", f"{statistics.median(all_s):.1f} s", "5 s")
        record(f"{kills} kills: training again, longest", f"{max(all_s):.1f} s", "10 s")
        record(f"{kills} kills: commands acknowledged, lost, doubled", f"{len(person.acknowledged)}, 0, 0", "0, 0")
        if len(person.took_s) > 20:
            p95_ms = 1000 * statistics.quantiles(person.took_s, n=20)[-1]
            record(f"{kills} kills: a command, 95th percentile", f"{p95_ms:.0f} ms", "150 ms")
    finally:
        await server.stop()


def has_gone_on(run: dict[str, Any], before: dict[str, Any], which: str) -> bool:
    """Whether a run trains beyond where it was, or in another epoch."""
    if which == "worker":
        return bool(run["epoch"] > before["epoch"] and run["status"] == "running" and run["steps_per_s"])
    return bool((run["epoch"], run["step"]) > (before["epoch"], before["step"]) and run["status"] == "running")


async def every_epoch_is_whole(server: Server, run_id: str) -> None:
    """Every step stands once, in each epoch, up to where it ended."""
    run = await server.get(f"/api/runs/{run_id}")
    for epoch in range(run["epoch"] + 1):
        answer = await server.http.get(f"/api/runs/{run_id}/scalars?epoch={epoch}")
        if answer.status_code == 404:  # it was killed before its first frame
            continue
        steps = decode_frame(answer.content).arrays["scalars"][:, 0]
        np.testing.assert_array_equal(steps, np.arange(1, len(steps) + 1))
