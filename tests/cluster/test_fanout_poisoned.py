"""What somebody else puts into Redis, or says in its place, stops no page, breaks no list and gives no secret away."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from backend.fanout.address import away, without_password
from backend.fanout.mirror import MirroredRun
from backend.fanout.streams import VIEWERS, stream_of
from backend.fanout.trial import try_fanout
from backend.settings import Settings, SettingsError
from cdsp_core.wire.frames import Frame
from tests.cluster.redis_server import redis_in
from tests.cluster.test_fanout import run_seen_elsewhere
from tests.cluster.test_fanout_refused import answering

RUN = "run-1"
TEXTS: dict[str, Any] = {
    "list": [1, 2],
    "number": 5,
    "epoch": {"type": "hello", "run": {"epoch": "x"}, "events": []},
    "run": {"type": "run", "run": [1]},
    "event": {"type": "event", "text": "<b>x</b>", "junk": [1]},
    "reason": {"type": "reset", "epoch": 0, "reason": {"a": 1}},
    "gone": {"type": "error", "reason": ["gone"]},
}


async def nobody(after: tuple[int, int], upto: int) -> None:
    """The owner, who is not asked."""


def frame(run: str, epoch: int, **fields: Any) -> bytes:
    scalars = {"scalars": np.zeros((1, 3), dtype=np.float32)}
    known = {"seq": 10**6, "step": 10**6, "revision": 0, "time_ms": 0.0, "arrays": scalars, "kind": "scalars"}
    return Frame(run=run, epoch=epoch, **{**known, "after_seq": 0, **fields}).encode()


def frames(run: str, epoch: int) -> list[bytes]:
    """None that can be read: other columns, another shape, no scalars, another kind, no frame."""
    shapes: list[dict[str, Any]] = [{"scalars": np.zeros(3, dtype=np.float32)}, {"x": np.zeros(3)}]
    odd = [frame(run, epoch, arrays=arrays) for arrays in shapes]
    return [frame(run, epoch), *odd, frame(run, epoch, kind="moon"), b"", b"\xff" * 40]


@pytest.mark.parametrize("text", [*map(json.dumps, TEXTS.values()), "[" * 5000, "", '{"type":"hello"}', "\0"])
def test_a_text_that_no_page_is_told_changes_nothing(text: str) -> None:
    run = MirroredRun(RUN, ask=nobody)
    with pytest.raises(ValueError, match=r"Found|null|empty|JSON"):
        run.feed(text)
    assert (run.begun, run.gone, run.events.count, run.state.generation) == (False, None, 0, -1)


def test_a_frame_of_another_shape_changes_nothing() -> None:
    run = MirroredRun(RUN, ask=nobody)
    run.history.generation = 0
    for message in frames(RUN, 0):
        with pytest.raises(ValueError, match=r"^a frame must"):
            run.feed(message)
    assert run.reached is None


@pytest.mark.slow
async def test_pages_of_a_viewer_process_go_on_whatever_is_put_into_their_stream(tmp_path: Path) -> None:
    async with (
        redis_in(tmp_path / "redis") as redis,
        run_seen_elsewhere(tmp_path / "data", redis, step_s=0.005) as (owner, elsewhere, run_id),
        elsewhere.page(run_id) as page,
        Redis.from_url(redis.url) as hostile,
    ):
        await page.until_step(20)
        for text in (*map(json.dumps, TEXTS.values()), "[" * 5000):
            await hostile.xadd(stream_of(run_id), {"text": text})
        for message in frames(run_id, 0):
            await hostile.xadd(stream_of(run_id), {"binary": message})
        await hostile.xadd(stream_of(run_id), {"neither": "1"})
        await hostile.hset(f"{VIEWERS}hostile", mapping={run_id: "9" * 40})
        await page.until_step((await owner.run(run_id))["step"] + 100)
        steps = page.scalars[:, 0].tolist()
        assert steps == list(range(1, len(steps) + 1))
        await owner.until(run_id, lambda run: run["viewers"] > 1000)  # which a run can say of itself


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        ("me:secret@h:6379", "h:6379"),
        ("redis:/me:secret@h:6379", "h:6379"),
        ("redis:me:secret@h", "h"),
        ("redis://me:sec?ret@h:1/0", "redis://..."),
        ("redis://h:6379/0?password=sec@ret", "redis://..."),
        ("redis://h:6379/0?password=secret", "redis://h:6379/0"),
        ("redis://h\x1b[2J\u202e:6379/0", "redis://h [2J :6379/0"),
    ],
)
def test_no_address_is_shown_with_what_may_be_a_password_or_with_control_characters(given: str, seen: str) -> None:
    assert without_password(given) == seen


@pytest.mark.parametrize("url", ["redis://me:s%65cret@h:1/0", "redis://h:1/0?password=secret"])
def test_what_answers_in_place_of_redis_repeats_no_password_and_writes_no_line_of_its_own(url: str) -> None:
    error = ResponseError(
        "unknown command 'AUTH', with args beginning with: 'me' 'secret'\r\n\x1b[2JAll is well \u202e"
    )
    assert away(url, error, then="so.") == (
        "Redis at redis://h:1/0 cannot be used (unknown command 'AUTH', with args beginning with: 'me' '***' "
        "[2JAll is well); so."
    )


async def test_what_answers_in_place_of_the_owner_writes_no_line_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing(*_: Any) -> None:
        await asyncio.sleep(0)

    monkeypatch.setattr("backend.fanout.trial._try_redis", nothing)
    body = json.dumps({"error": "\x1b[2JAll is well.\n" + "x" * 100_000}).encode()
    reply = b"HTTP/1.1 400 Bad\r\ncontent-length: " + str(len(body)).encode() + b"\r\nconnection: close\r\n\r\n" + body
    with answering(reply) as port:
        settings = Settings(data_dir=tmp_path, role="viewer", fanout="redis://h", owner=f"http://127.0.0.1:{port}")
        with pytest.raises(SettingsError) as said:
            await try_fanout(settings)
    sentence = str(said.value)
    assert sentence.isprintable()
    assert len(sentence) < 300
