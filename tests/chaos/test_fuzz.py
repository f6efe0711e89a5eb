"""Whatever is said to a socket: no answer of 500, no crash, no pause of training."""

from __future__ import annotations

import asyncio
import json
import random
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from backend.web.stream import MAX_ERRORS
from cdsp_core.wire.messages.vocabulary import LINK_PROTOCOL
from tests.chaos.fast_worker import fast_worker
from tests.chaos.figures import record
from tests.chaos.processes import Server

pytestmark = pytest.mark.slow  # a server and a worker with torch

SEED = 7
WORDS = ("type", "ack", "epoch", "seq", "run", "n", "event", "step", "started", "result", "study", "alive", "leaving")


def value(rng: random.Random, depth: int = 0) -> object:
    """Any JSON value, and some that are none."""
    kind = rng.randrange(10 if depth < 4 else 7)
    if kind < 7:
        numbers = (0, -1, 2**53, 2**70, -(2**70), 1e308, float("nan"), float("inf"))
        return rng.choice((None, True, "", "ä\u0000\U0001f600", rng.choice(WORDS), rng.choice(numbers), rng.random()))
    if kind == 7:
        return [value(rng, depth + 1) for _ in range(rng.randrange(4))]
    return {rng.choice(WORDS): value(rng, depth + 1) for _ in range(rng.randrange(5))}


def message(rng: random.Random) -> str | bytes:
    """A message that is broken in one way or another."""
    kind = rng.randrange(6)
    if kind == 0:
        return rng.randbytes(rng.randrange(200))
    if kind == 1:
        return "[" * rng.randrange(2000)
    text = json.dumps(value(rng) if kind == 2 else {"type": rng.choice(WORDS), "n": rng.randrange(9), "x": value(rng)})
    if kind == 3:
        cut = rng.randrange(len(text) + 1)
        return text[:cut] + rng.choice('"{}[],:\\\u2028') + text[cut:]
    return text


async def flood(url: str, count: int, rng: random.Random, first: str | None = None, **options: Any) -> int:
    """Say so many messages from a thread, whose work is not the server's; over how many sockets that was."""
    return await asyncio.to_thread(lambda: asyncio.run(_flood(url, count, rng, first, **options)))


async def _flood(url: str, count: int, rng: random.Random, first: str | None, **options: Any) -> int:
    """Say so many messages, over as many sockets as it takes; how many sockets that were."""
    sockets = said = 0
    while said < count:
        sockets += 1
        with suppress(ConnectionClosed, InvalidStatus, OSError):
            async with connect(url, proxy=None, compression=None, **options) as socket:
                listener = asyncio.create_task(drain(socket))
                try:
                    if first is not None:
                        await socket.send(first)
                    while said < count:
                        said += 1
                        await socket.send(message(rng))
                        if said % MAX_ERRORS == 0:
                            await asyncio.sleep(0.005)  # so that a socket that was closed is noticed
                finally:
                    listener.cancel()
    return sockets


async def drain(socket: ClientConnection) -> None:
    with suppress(ConnectionClosed):
        async for _ in socket:
            pass


async def longest_answer_ms(server: Server, stop: asyncio.Event) -> float:
    """How long /healthz took at most until `stop`; it must answer 200."""
    longest = 0.0
    while not stop.is_set():
        began = time.monotonic()
        assert (await server.http.get("/healthz")).status_code == 200
        longest = max(longest, time.monotonic() - began)
        await asyncio.sleep(0.02)
    return 1000 * longest


@pytest.mark.timeout(1000)
@pytest.mark.parametrize("count", [300, pytest.param(50_000, marks=pytest.mark.chaos)])
async def test_fuzzed_messages_end_no_training_and_no_server(tmp_path: Path, count: int) -> None:
    rng = random.Random(SEED)
    server = Server(tmp_path, launcher="pool")
    await server.start()
    try:
        with fast_worker(server, "--speed", "1"):
            run_id = await server.new_run()
            run = await server.get(f"/api/runs/{run_id}")
            address = f"ws://127.0.0.1:{server.port}/ws"
            stop = asyncio.Event()
            watching = asyncio.create_task(longest_answer_ms(server, stop))
            pages = await flood(f"{address}/runs/{run_id}", count // 2, rng)
            hello = {
                "type": "hello", "protocol": LINK_PROTOCOL, "worker_id": "f" * 32, "pid": 1, "versions": {},
                "run": None, "study": None,
            }  # fmt: skip
            token = (tmp_path / "worker.token").read_text()
            links = await flood(
                f"{address}/worker", count - count // 2, rng, first=json.dumps(hello),
                additional_headers={"authorization": f"Bearer {token}"},
            )  # fmt: skip
            held_ms = await server.held_ms()
            stop.set()
            longest_ms = await watching
            await server.until(lambda now: now["step"] > run["step"] + 50, f"/api/runs/{run_id}")
            after = await server.get(f"/api/runs/{run_id}")
            assert (after["epoch"], after["restarts"], after["status"]) == (run["epoch"], 0, "running")
            assert (await server.get("/healthz"))["status"] == "ok"
            async with connect(f"{address}/runs/{run_id}", max_size=None, proxy=None) as page:
                while not isinstance(await page.recv(), bytes):
                    pass
        tracebacks = (tmp_path / "server.log").read_text().count("Traceback")
        assert tracebacks == 0
        record(f"{count} fuzzed messages over {pages + links} sockets: /healthz, longest", f"{longest_ms:.0f} ms")
        record(f"{count} fuzzed messages: loop held, longest", f"{held_ms:.0f} ms", "50 ms")
    finally:
        await server.stop()
