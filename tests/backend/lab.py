"""A whole backend on a free port inside the test's event loop, workers for it, and a page that only reads."""

from __future__ import annotations

import asyncio
import contextlib
import json
import queue
import socket
import threading
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import uvicorn
from fastapi import FastAPI
from websockets.asyncio.client import ClientConnection, connect

from backend.app import create_app
from backend.jobs.studies import Catalogue
from backend.jobs.sweep_process import SweepCommand
from backend.patience import PatientSockets
from backend.runs.runs import Runs
from backend.settings import Settings
from cdsp_core.wire.frames import Array, Frame, decode_frame
from cdsp_core.wire.messages.link import End, Order
from cdsp_core.worker.link import Link
from cdsp_core.worker.loop import WorkerLoop
from cdsp_core.worker.outbox import Outbox
from cdsp_core.worker.studies import MakeCommand, StudyRunner, smallest_form
from cdsp_core.worker.surroundings import Pace, Surroundings
from tests.backend.tiny import TinyNonFiniteError, TinyTrainers

WORKER_TOKEN = "a token only the tests know"
PATIENCE_S = 120.0
"""for what is sure to come; only a test that fails waits so long"""


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            if condition():
                return
            await asyncio.sleep(0.01)


def free_port() -> int:
    """A port nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class QuietServer(uvicorn.Server):
    """A server that leaves the process's signals alone."""

    def __init__(self, config: uvicorn.Config, runs: Runs) -> None:
        super().__init__(config)
        self._runs = runs

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._runs.placement.end_adopted()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield


class Lab:
    """A running backend."""

    def __init__(self, settings: Settings, app: FastAPI, client: httpx.AsyncClient) -> None:
        self.settings = settings
        self.app = app
        self.http = client

    @property
    def runs(self) -> Runs:
        """Of an owner; a viewer process has none."""
        runs = self.app.state.runs
        assert isinstance(runs, Runs)
        return runs

    @property
    def port(self) -> int:
        return self.settings.port

    async def new_run(self, **body: Any) -> str:
        answer = await self.http.post("/api/runs", json={"preset": "live", **body})
        assert answer.status_code == 201, answer.text
        run_id = answer.json()["run_id"]
        assert isinstance(run_id, str)
        return run_id

    async def new_run_of_steps(self, steps: int) -> str:
        answer = await self.http.post("/api/runs", json={"config": {"train": {"steps": steps}}})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["run_id"])

    async def run(self, run_id: str) -> dict[str, Any]:
        found: dict[str, Any] = (await self.http.get(f"/api/runs/{run_id}")).json()
        return found

    async def command(self, run_id: str, type: str, **fields: Any) -> httpx.Response:
        body = {"command_id": uuid.uuid4().hex, "type": type, **fields}
        return await self.http.post(f"/api/runs/{run_id}/commands", json=body)

    async def pause(self, run_id: str) -> dict[str, Any]:
        """The run, paused: nothing of it changes any more."""
        answer = await self.command(run_id, "pause")
        assert (answer.status_code, answer.json()["status"]) == (200, "applied"), answer.text
        return await self.run(run_id)

    async def events(self, run_id: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.http.get(f"/api/runs/{run_id}/events")).json()
        return found

    async def until(self, run_id: str, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The run as soon as it is as wanted."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                run = await self.run(run_id)
                if wanted(run):
                    return run
                await asyncio.sleep(0.01)

    async def until_status(self, run_id: str, status: str) -> dict[str, Any]:
        return await self.until(run_id, lambda run: run["status"] == status)

    @asynccontextmanager
    async def page(self, run_id: str, after: str | None = None, **options: Any) -> AsyncIterator[Page]:
        query = "" if after is None else f"?after={after}"
        url = f"ws://127.0.0.1:{self.port}/ws/runs/{run_id}{query}"
        async with connect(url, compression=None, proxy=None, max_size=None, **options) as found:
            yield Page(found)


class Page:
    """Reads what a page reads. `scalars` holds every row since the last snapshot or resume."""

    def __init__(self, connection: ClientConnection) -> None:
        self.socket = connection
        self.texts: list[dict[str, Any]] = []
        self.frames: list[Frame] = []
        self.rows: list[Array] = []
        self.last_seq: int | None = None

    async def read(self, *, ack: bool = True) -> dict[str, Any] | Frame:
        """The next message; a binary one must continue where the last one ended."""
        async with asyncio.timeout(PATIENCE_S):
            message = await self.socket.recv()
        if isinstance(message, str):
            text: dict[str, Any] = json.loads(message)
            self.texts.append(text)
            return text
        frame = decode_frame(message)
        if frame.kind == "snapshot":
            self.rows = []
        elif self.last_seq is not None:
            assert frame.after_seq == self.last_seq
        self.last_seq = frame.seq
        self.rows.append(frame.arrays["scalars"])
        self.frames.append(frame)
        if ack and frame.kind != "scalars":
            await self.ack(frame)
        return frame

    async def ack(self, frame: Frame) -> None:
        await self.socket.send(json.dumps({"type": "ack", "epoch": frame.epoch, "seq": frame.seq}))

    async def text(self, kind: str) -> dict[str, Any]:
        """The next text message of that type."""
        while True:
            message = await self.read()
            if isinstance(message, dict) and message["type"] == kind:
                return message

    async def frame(self, kind: str = "frame", *, ack: bool = True) -> Frame:
        """The next binary message of that kind."""
        while True:
            message = await self.read(ack=ack)
            if isinstance(message, Frame) and message.kind == kind:
                return message

    async def until_step(self, step: int) -> None:
        while not self.frames or self.frames[-1].step < step:
            await self.read()

    @property
    def scalars(self) -> Array:
        return np.concatenate(self.rows)


@asynccontextmanager
async def lab(
    data_dir: Path,
    *,
    port: int = 0,
    catalogue: Catalogue | None = None,
    sweep_command: SweepCommand | None = None,
    **options: Any,
) -> AsyncIterator[Lab]:
    """A backend of its own, with a pool of no workers unless said otherwise."""
    listener = socket.create_server(("127.0.0.1", port))
    settings = Settings(
        data_dir=data_dir,
        port=listener.getsockname()[1],
        launcher="pool",
        worker_token=WORKER_TOKEN,
        autostart=False,
        with_page=False,
        stored_after_s=0.02,
        command_timeout_s=120.0,
        start_timeout_s=120.0,
        restart_wait_s=0.02,
    )
    settings = replace(settings, **options)
    app = create_app(settings, catalogue=catalogue, sweep_command=sweep_command)
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        ws=PatientSockets,
        ws_per_message_deflate=False,
        ws_max_size=1_048_576,
        timeout_graceful_shutdown=1,
    )
    server = QuietServer(config, app.state.runs)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:
        assert not serving.done(), serving.exception()
        await asyncio.sleep(0.005)
    headers = {"authorization": f"Bearer {settings.token}"} if settings.token else {}
    try:
        url = f"http://127.0.0.1:{settings.port}"
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=PATIENCE_S, trust_env=False) as client:
            yield Lab(settings, app, client)
    finally:
        server.should_exit = True
        await serving


class ThreadWorker:
    """The worker's real loop and link in a thread of the test, with the tiny trainer."""

    def __init__(
        self,
        port: int,
        checkpoint_dir: Path,
        *,
        step_s: float = 0.001,
        further: tuple[str, ...] = (),
        lost_after_s: float = 3600.0,
        study_command: MakeCommand = smallest_form,
        crashes: bool = False,
        hangs: bool = False,
        checkpoint_every_s: float = 0.2,
    ) -> None:
        self.crashes = crashes
        """whether it goes without a word and without a checkpoint"""
        self.trainers = TinyTrainers(step_s=step_s, further=further)
        if hangs:
            self.trainers.hangs.set()
        self.inbox: queue.SimpleQueue[Order] = queue.SimpleQueue()
        self.outbox = Outbox()
        self.worker_id = uuid.uuid4().hex
        self.link = Link(
            f"ws://127.0.0.1:{port}/ws/worker",
            token=WORKER_TOKEN,
            worker_id=self.worker_id,
            outbox=self.outbox,
            inbox=self.inbox,
            lost_after_s=lost_after_s,
        )
        self.ended: str | None = None
        self._loop = WorkerLoop(
            inbox=self.inbox,
            link=self.link,
            surroundings=Surroundings(
                trainers=self.trainers,
                outbox=self.outbox,
                checkpoint_dir=checkpoint_dir,
                pace=Pace(frames_per_s=100.0, checkpoint_every_s=checkpoint_every_s),
            ),
            non_finite=TinyNonFiniteError,
            studies=StudyRunner(
                folder=checkpoint_dir.parent / "studies", on_change=self.link.tell_study, command=study_command
            ),
        )
        self._thread = threading.Thread(target=self._work, daemon=True)

    async def __aenter__(self) -> ThreadWorker:
        self.link.start()
        self._thread.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.crashes:
            self.trainers.refuses_to_save = True
            await asyncio.to_thread(self.link.close, flush_s=0.0)
        self.trainers.hangs.clear()
        self.inbox.put(End(reason="The test is over."))
        await asyncio.to_thread(self._thread.join, PATIENCE_S)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def _work(self) -> None:
        self.ended = self._loop.run()
