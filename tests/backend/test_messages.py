"""Messages are strict and bounded, on every road; what is made from their models is fresh."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import WebSocket
from pydantic import TypeAdapter
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from backend.workers.link import serve_worker
from cdsp_core.settings.config import Controls
from cdsp_core.settings.presets import preset
from cdsp_core.wire.frames import Frame, decode_frame
from cdsp_core.wire.messages.commands import CommandFields
from cdsp_core.wire.messages.link import WORKER_MESSAGE, CommandMessage, EventMessage, ResultMessage, Started
from cdsp_core.wire.messages.run import CommandResult, Description, Event, sizes
from cdsp_core.wire.messages.sentences import COMMANDS, MessageError, read_command, read_text
from cdsp_core.wire.messages.viewer import Ack, Hello, ServerMessage, fast_ack
from cdsp_core.wire.messages.vocabulary import COMMAND_KINDS, LINK_PROTOCOL, MAX_DEPTH
from tests.backend.lab import WORKER_TOKEN, ThreadWorker, lab, until

ROOT = Path(__file__).parent.parent.parent
STARTED: dict[str, Any] = {
    "type": "started",
    "n": 1,
    "run": "run-1",
    "epoch": 0,
    "parent": None,
    "config": {"preset": "live"},
    "controls": asdict(Controls()),
    "speed": None,
    "revision": 0,
    "status": "running",
    "pause_at": None,
    "step": 0,
    "total_steps": 10,
    "static": {"tasks": [], "scalar_names": ["step"], **sizes(preset("live").model)},
}
RESULT: dict[str, Any] = {
    "command_id": "a",
    "status": "applied",
    "applied_step": 1,
    "revision": 1,
    "old": {},
    "new": {},
    "reason": None,
}
EVENT: dict[str, Any] = {
    "type": "event",
    "kind": "error",
    "run": "r",
    "epoch": 0,
    "step": 0,
    "revision": 0,
    "time_ms": 0,
    "text": "",
}


def nested(depth: int) -> Any:
    return [nested(depth - 1)] if depth else 0


BAD_MESSAGES: list[tuple[dict[str, Any], str]] = [
    ({"type": "greet", "n": 1}, "does not match any of the expected tags"),
    ({**STARTED, "n": 2**70}, "less than or equal to 9007199254740992"),
    ({**STARTED, "n": -1}, "n: Input should be greater than or equal to 0"),
    ({**STARTED, "n": 1.0}, "n: Input should be a valid integer"),
    ({**STARTED, "n": True}, "n: Input should be a valid integer"),
    ({**STARTED, "epoch": 2**60}, "epoch"),
    ({**STARTED, "parent": {"epoch": [], "step": 0}}, "parent.epoch"),
    ({**STARTED, "controls": {"l1": 1e9}}, "l1 must be a number from 0 to 1. Found 1000000000.0."),
    ({**STARTED, "config": {"model": {"rank": 1}}}, "model has no field 'rank'"),
    ({**STARTED, "status": "finished"}, "status"),
    ({**STARTED, "surprise": 1}, "surprise: Extra inputs are not permitted"),
    ({**STARTED, "static": {**STARTED["static"], "device": nested(600)}}, ""),
    ({"type": "result", "n": 1, "run": "r", "stale": False, "result": {**RESULT, "new": {"l1": 1e9}}}, "l1 must be"),
    (
        {"type": "event", "n": 1, "run": "r", "event": {**EVENT, "data": {"deep": nested(MAX_DEPTH)}}},
        "nested at most 16",
    ),
    ({"type": "event", "n": 1, "run": "r", "event": {**EVENT, "data": {"big": 2**70}}}, "at most 9007199254740992"),
    ({"type": "event", "n": 1, "run": "r", "event": {**EVENT, "data": {}, "text": "x" * 2001}}, "2000 characters"),
    ({"type": "study", "n": 1, "study": "blind"}, "study"),
]


@pytest.mark.parametrize(("message", "part"), BAD_MESSAGES)
def test_what_a_worker_says_is_checked_as_strictly_as_what_people_say(message: dict[str, Any], part: str) -> None:
    with pytest.raises(MessageError) as refused:
        read_text(WORKER_MESSAGE, json.dumps(message))
    assert part in str(refused.value)
    assert str(refused.value).endswith(".")


def test_a_message_is_the_same_after_its_way_as_text() -> None:
    config = preset("paper")
    started = Started(**{**STARTED, "config": config, "static": Description(**STARTED["static"])})
    event = EventMessage(run="r", event=Event(**EVENT, data={"list": [1, {"x": None}]}))
    result = ResultMessage(
        run="r", stale=False, result=CommandResult(**{**RESULT, "new": {"l1": 0.5, "pause_at": None}})
    )
    for message in (started, event, result):
        assert read_text(WORKER_MESSAGE, message.to_text()) == message
    assert read_text(WORKER_MESSAGE, started.to_text()).config == config


@pytest.mark.parametrize("kind", COMMAND_KINDS)
def test_a_command_reaches_the_worker_as_it_was_sent(kind: str) -> None:
    fields: dict[str, dict[str, Any]] = {
        "set": {"controls": {"p_drop": 0.5}, "base_revision": 3},
        "run_until": {"step": 5},
        "reset": {"seed": 7},
        "restore": {"checkpoint_id": "e000000-s000000001"},
        "speed": {"steps_per_s": None},
    }
    raw = {"command_id": "a", "type": kind, **fields.get(kind, {})}
    command = read_command(raw)
    assert isinstance(command, CommandFields)
    expected = {**raw, "steps": 1} if kind == "step" else raw
    assert command.to_json() == expected
    sent = CommandMessage(run="r", command=command, requested_step=4)
    assert CommandMessage.model_validate_json(sent.to_text()) == sent


def test_every_kind_of_command_has_a_model() -> None:
    assert set(COMMANDS) == set(COMMAND_KINDS)


@pytest.mark.parametrize("number", [-1, 2**54, 2**70])
def test_a_frame_with_a_number_that_no_page_can_hold_is_refused(number: int) -> None:
    fields = {"run": "r", "epoch": 0, "seq": 0, "step": 0, "revision": 0, "time_ms": 0.0, "arrays": {}}
    for name in ("epoch", "seq", "step", "revision"):
        with pytest.raises(ValueError, match="a frame must be a safetensors message"):
            decode_frame(Frame(**{**fields, name: number}).encode())  # type: ignore[arg-type]


def test_the_quick_way_to_read_an_ack_gives_what_the_model_gives() -> None:
    text = '{"type":"ack","epoch":3,"seq":41}'
    ack = Ack.model_validate_json(text)
    assert fast_ack(text.encode()) == (ack.epoch, ack.seq)
    assert fast_ack(b'{"type": "ack", "epoch": 3, "seq": 41}') is None


async def test_what_a_page_is_sent_is_what_the_models_say(tmp_path: Path) -> None:
    server_message: TypeAdapter[Any] = TypeAdapter(ServerMessage)
    async with lab(tmp_path) as it, ThreadWorker(it.port, it.settings.checkpoint_dir):
        run_id = await it.new_run()
        async with it.page(run_id) as page:
            await page.until_step(10)
            await it.command(run_id, "reset")
            await page.text("reset")
            await it.pause(run_id)
            await page.socket.send("nonsense")
            await page.text("error")
        async with it.page(run_id) as late:
            page.texts.append(await late.text("hello"))
        read = [server_message.validate_python(text) for text in page.texts]
        assert any(isinstance(message, Hello) and message.events for message in read)
        assert {message.type for message in read} == {"hello", "event", "run", "reset", "error"}


@pytest.mark.parametrize("protocol", [1, "\U0001f600" * 200], ids=["a number", "more than a close frame holds"])
async def test_a_worker_of_another_protocol_is_turned_away_in_words(tmp_path: Path, protocol: object) -> None:
    async with lab(tmp_path) as it:
        headers = {"Authorization": f"Bearer {WORKER_TOKEN}"}
        url = f"ws://127.0.0.1:{it.port}/ws/worker"
        hello = {
            "type": "hello", "protocol": protocol, "worker_id": "w", "pid": 1, "versions": {}, "run": None,
            "study": None,
        }  # fmt: skip
        async with connect(url, additional_headers=headers, proxy=None) as socket:
            await socket.send(json.dumps(hello))
            with pytest.raises(ConnectionClosed) as closed:
                await socket.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.reason.startswith(f"a hello must have protocol {LINK_PROTOCOL} and a worker_id")


async def test_what_a_worker_says_out_of_bounds_closes_its_own_link_and_harms_nobody(tmp_path: Path) -> None:
    async with lab(tmp_path) as it, ThreadWorker(it.port, it.settings.checkpoint_dir):
        run_id = await it.new_run()
        await it.until_status(run_id, "running")
        headers = {"Authorization": f"Bearer {WORKER_TOKEN}"}
        hello: dict[str, Any] = {
            "type": "hello", "protocol": LINK_PROTOCOL, "worker_id": "ghost", "pid": 1, "versions": {}, "run": None,
            "study": None,
        }  # fmt: skip
        too_large = (2**63).to_bytes(8, "little") + b"a frame"
        for first, second in (({**hello, "study": "text"}, None), (hello, too_large), (hello, b"short")):
            async with connect(f"ws://127.0.0.1:{it.port}/ws/worker", additional_headers=headers, proxy=None) as socket:
                await socket.send(json.dumps(first))
                if second is not None:
                    await socket.send(second)
                with suppress(ConnectionClosed):
                    async for _ in socket:
                        pass  # until it is closed
            await until(lambda: "ghost" not in it.runs.workers)
        at = (await it.run(run_id))["step"]
        await it.until(run_id, lambda run: run["step"] > at + 20)
        assert it.runs.store.error is None


async def test_every_route_is_described_with_its_answer_and_its_errors(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        found = (await it.http.get("/openapi.json")).json()
        schemas = found["components"]["schemas"]
        refs = {text.split('"')[0] for text in json.dumps(found).split("#/components/schemas/")[1:]}
        assert refs <= set(schemas)
        for path, methods in found["paths"].items():
            for method, about in methods.items():
                assert about["description"], path
                assert any(status.startswith("2") for status in about["responses"]), path
                assert ("{" not in path) or "404" in about["responses"], path
                if method in ("post", "patch") and not path.endswith(("/start", "/stop", "/resume")):
                    assert about["requestBody"], path
        answer: httpx.Response = await it.http.get("/docs")
        assert all(f'id="{name}"' in answer.text for name in schemas)


def test_the_declarations_for_the_page_are_fresh() -> None:
    done = subprocess.run(
        [sys.executable, "scripts/page_types.py", "--check"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


async def test_a_worker_that_goes_before_it_is_refused_leaves_no_traceback() -> None:
    packets: list[Any] = [{"type": "websocket.connect"}, {"type": "websocket.receive", "text": "no hello"}]

    async def receive() -> Any:
        return packets.pop(0)

    async def send(message: Any) -> None:
        if message["type"] == "websocket.close":
            raise OSError("the other end has gone")

    headers = [(b"authorization", f"Bearer {WORKER_TOKEN}".encode())]
    socket = WebSocket({"type": "websocket", "headers": headers, "path": "/ws/worker"}, receive, send)
    await serve_worker(socket, Nobody(), WORKER_TOKEN)
    assert packets == []


class Nobody:
    """A desk that no worker gets to."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} was asked")
