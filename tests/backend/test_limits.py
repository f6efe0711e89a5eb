"""Before any token and after it: what is too long, too deep, too slow or too much is refused in one sentence."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import uvicorn
from fastapi.responses import StreamingResponse

from backend.patience import MAX_HEAD_BYTES, PatientHttp, connection_cap
from backend.settings import Settings, SettingsError
from backend.storage.store import Store
from backend.web.asked import PIECE_BYTES, binary
from backend.web.export import frames_json
from cdsp_core.wire.frames import Frame, decode_frame
from tests.backend.lab import PATIENCE_S, ThreadWorker, lab, until

TOKEN = "a-long-enough-token-of-the-tests"


async def test_heads_that_are_too_long_are_refused_before_any_token(tmp_path: Path) -> None:
    async with lab(tmp_path, token=TOKEN) as it:
        for headers, path, status in (
            ({"x-much": "a" * 17_000}, "/api/runs", 431),
            ({}, "/api/runs?x=" + "a" * 5000, 414),
            ({"cookie": "topology_lab=" + "\\" * 9000, "authorization": ""}, "/api/runs", 401),
        ):
            began = time.process_time()
            answer = await it.http.get(path, headers=headers)
            assert (answer.status_code, list(answer.json())) == (status, ["error"])
            assert time.process_time() - began < 1


async def test_host_and_origin_are_said_once_and_name_the_same_server(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        own = f"127.0.0.1:{it.port}"
        twice = [("host", own), ("origin", f"http://{own}"), ("origin", "http://evil.example")]
        assert (await it.http.get("/api/runs", headers=twice)).status_code == 400
        other = {"host": own, "origin": f"http://localhost:{it.port}"}
        assert (await it.http.get("/api/runs", headers=other)).status_code == 403


@pytest.mark.parametrize("depth", [17, 100, 956])
async def test_what_is_nested_too_deeply_is_422(tmp_path: Path, depth: int) -> None:
    async with lab(tmp_path) as it:
        body = '{"config":' + "[" * depth + "]" * depth + "}"
        answer = await it.http.post("/api/runs", content=body)
        assert answer.status_code == 422
        assert "nested" in answer.json()["error"]


async def test_only_so_many_runs_may_wait(tmp_path: Path) -> None:
    async with lab(tmp_path, max_active_runs=2) as it:
        first = await it.new_run()
        await it.new_run()
        answer = await it.http.post("/api/runs", json={"preset": "live"})
        assert answer.status_code == 429
        assert answer.json() == {"error": "At most 2 runs may train or wait. Found 2: stop one, or wait for one."}
        await it.command(first, "stop")
        await it.new_run()


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"token": " " * 16}, "CDSP_TOKEN must be letters, digits and signs of ASCII"),
        ({"token": "ä" * 16}, "CDSP_TOKEN must be letters, digits and signs of ASCII"),
        ({"token": TOKEN, "worker_token": TOKEN}, "CDSP_TOKEN and CDSP_WORKER_TOKEN must differ"),
    ],
)
def test_weak_tokens_are_refused(tmp_path: Path, options: dict[str, str], part: str) -> None:
    with pytest.raises(SettingsError, match=part):
        Settings(data_dir=tmp_path, token=options["token"], worker_token=options.get("worker_token"))


class Echo:
    """Reads the body of a request and says how long it was."""

    async def __call__(self, scope: dict[str, object], receive: object, send: object) -> None:
        assert callable(receive)
        assert callable(send)
        message = await receive()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok" if message["type"] == "http.request" else b"no"})


class Impatient(PatientHttp):
    whole_request_s = 0.3
    cap = 5


@pytest.fixture
async def impatient() -> AsyncIterator[int]:
    config = uvicorn.Config(
        Echo(), http=Impatient, log_level="error", lifespan="off", port=0, h11_max_incomplete_event_size=MAX_HEAD_BYTES
    )
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await server.shutdown()


async def closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


@pytest.mark.parametrize("said", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: a\r\n"])
async def test_a_connection_that_does_not_ask_in_time_is_closed(impatient: int, said: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", impatient)
    writer.write(said)
    async with asyncio.timeout(PATIENCE_S):
        try:
            answered = await reader.read()
        except ConnectionResetError:
            answered = b""
    assert answered == b""
    await closed(writer)


async def test_connections_beyond_the_cap_are_closed_and_the_others_served(impatient: int) -> None:
    held = [await asyncio.open_connection("127.0.0.1", impatient) for _ in range(9)]
    async with asyncio.timeout(PATIENCE_S):
        while not await is_served(impatient):
            pass  # until those held are closed, as they ask for nothing
    for _, writer in held:
        await closed(writer)


async def is_served(port: int) -> bool:
    """Whether a connection gets an answer; one beyond the cap is closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    answered = b""
    with suppress(ConnectionResetError):
        answered = await reader.read()
    await closed(writer)
    return answered.endswith(b"ok")


class Shared(PatientHttp):
    cap = 20


async def open_from(address: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))


async def test_one_address_gets_only_its_share_of_the_connections() -> None:
    config = uvicorn.Config(Echo(), http=Shared, log_level="error", lifespan="off", port=0)
    server = uvicorn.Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    port = server.servers[0].sockets[0].getsockname()[1]
    held = [await open_from("127.0.0.2", port) for _ in range(30)]
    answered = []
    for address in ("127.0.0.2", "127.0.0.3"):
        reader, writer = await open_from(address, port)
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        with suppress(ConnectionResetError):
            answered.append((address, (await reader.read()).endswith(b"ok")))
        await closed(writer)
    assert [address for address, is_ok in answered if is_ok] == ["127.0.0.3"]
    for _, writer in held:
        await closed(writer)
    server.should_exit = True
    await server.shutdown()


async def test_a_head_without_end_is_refused(impatient: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", impatient)
    writer.write(b"GET / HTTP/1.1\r\nX-Much: " + b"a" * 200_000)
    async with asyncio.timeout(PATIENCE_S):
        assert b"400" in (await reader.read(200)).splitlines()[0]
    await closed(writer)


def test_the_cap_leaves_descriptors_for_the_rest() -> None:
    assert 16 <= connection_cap() <= 4096


def frame_of(values: int) -> bytes:
    arrays = {"scalars": np.zeros((0, 2), np.float32), "layer0/conflict": np.full((values, values), np.nan, np.float32)}
    return Frame(
        run="r", epoch=0, seq=3, after_seq=2, step=9, revision=0, time_ms=1.0, kind="frame", arrays=arrays
    ).encode()


def test_frames_as_json_are_the_same_content_piece_by_piece() -> None:
    body = frame_of(3)
    found = json.loads("".join(frames_json([body, body], more=True)))
    assert found == {"frames": [decode_frame(body).to_json()] * 2, "next": "0:3"}
    assert json.loads("".join(frames_json([], more=False))) == {"frames": [], "next": None}


def test_no_array_becomes_text_in_one_piece_that_holds_up_other_threads() -> None:
    body = frame_of(600)
    pieces = list(frames_json([body], more=False))
    assert max(map(len, pieces)) < sum(map(len, pieces)) / 10
    assert json.loads("".join(pieces))["frames"] == [decode_frame(body).to_json()]


async def test_large_bytes_are_sent_piece_by_piece(tmp_path: Path) -> None:
    content = bytes(range(256)) * 5000
    answer = binary(content, headers={"X-More": "1"})
    assert isinstance(answer, StreamingResponse)
    pieces = [bytes(piece) async for piece in answer.body_iterator]  # type: ignore[arg-type]
    assert b"".join(pieces) == content
    assert max(map(len, pieces)) <= PIECE_BYTES
    assert (answer.headers["content-length"], answer.headers["x-more"]) == (str(len(content)), "1")
    assert binary(b"few").body == b"few"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "history.sqlite", gather_s=0.01)
    made.open()
    yield made
    made.close()


def test_a_large_answer_ends_at_its_bound_in_bytes_and_says_where_to_go_on(store: Store) -> None:
    body = frame_of(300)
    for seq in range(8):
        store.save_frame("r", 0, seq, after_seq=seq - 1, step=seq, message=body, scalars=np.zeros((0, 2), np.float32))
    store.flush()
    bodies, more = store.archive.frames("r", (-1, -1), limit=500, every=1, max_bytes=3 * len(body))
    assert (len(bodies), more) == (3, True)


def test_rows_that_no_table_can_hold_are_dropped_and_the_others_kept(store: Store) -> None:
    rows = np.ones((1, 2), np.float32)
    store.save_frame("r", 2**70, 0, after_seq=-1, step=0, message=None, scalars=rows)
    store.save_frame("r", 0, 0, after_seq=-1, step=0, message=None, scalars=rows)
    store.flush()
    assert store.error is None
    assert store.archive.last_seq("r", 0) == 0


def delete_history(folder: Path) -> None:
    for path in folder.glob("history.sqlite*"):
        path.unlink()


def replace_history(folder: Path) -> None:
    delete_history(folder)
    (folder / "history.sqlite").write_bytes(b"")


@pytest.mark.parametrize("harm", [delete_history, replace_history])
async def test_a_history_that_is_gone_is_noticed_and_commands_go_on(
    tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    async with lab(tmp_path) as it, ThreadWorker(it.port, it.settings.checkpoint_dir):
        run_id = await it.new_run()
        await it.until(run_id, lambda run: run["step"] > 5)
        assert (await it.http.get("/healthz")).json()["problems"] == []
        harm(tmp_path)
        await until(lambda: it.runs.store.error is not None)
        health = await it.http.get("/healthz")
        assert (health.status_code, health.json()["status"]) == (503, "failing")
        assert "is gone or was replaced" in health.json()["problems"][0]
        async with it.page(run_id) as page:
            told = [event["text"] for event in (await page.text("hello"))["events"] if event["kind"] == "error"]
            assert any("is gone or was replaced" in text for text in told)
        for kind in ("pause", "resume", "stop"):
            answer = await it.command(run_id, kind)
            assert (answer.status_code, answer.json()["status"]) == (200, "applied"), kind
        assert (await it.http.get(f"/api/runs/{run_id}/events")).status_code == 503
        assert not (tmp_path / "history.sqlite").exists() or not (tmp_path / "history.sqlite").stat().st_size


async def test_an_ended_run_leaves_memory_and_is_shown_whole_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.live.memory.UNUSED_TICKS", 0)
    async with lab(tmp_path) as it, ThreadWorker(it.port, it.settings.checkpoint_dir):
        run_id = await it.new_run_of_steps(60)
        await it.until_status(run_id, "finished")
        await until(lambda: it.runs.get(run_id).history.newest is None)
        stored = len(await it.events(run_id))
        async with it.page(run_id) as page:
            hello = await page.text("hello")
            assert (hello["run"]["step"], len(hello["events"])) == (60, stored)
            await page.frame("snapshot")
            np.testing.assert_array_equal(page.scalars[:, 0], np.arange(1, 61))


def test_a_full_disk_and_a_wrong_column_are_told_apart(store: Store) -> None:
    from backend.storage.refusals import refusal

    full = sqlite3.OperationalError("database or disk is full")
    full.sqlite_errorcode = sqlite3.SQLITE_FULL
    assert refusal(full).endswith("Free space on the disk.")
    assert "Free space" not in refusal(sqlite3.OperationalError("table scalars has 7 columns"))
