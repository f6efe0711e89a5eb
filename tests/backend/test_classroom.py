"""The room of a class: links and roles, predictions counted once, late comers, and two hundred viewers of a run."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from backend.web.roles import NO_ROOM, WATCH_ONLY
from backend.web.room_routes import code_of
from cdsp_core import __version__
from tests.backend.lab import PATIENCE_S, Lab, Page, ThreadWorker, lab, until

TOKEN = "a-long-enough-token-of-the-tests"
BARE = {"authorization": ""}
LESSON = "what-carves-the-structure"
VIEWERS = 200


async def links(it: Lab) -> dict[str, Any]:
    """The links into the room, which is opened."""
    answer = await it.http.post("/api/room/start")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def cookie(it: Lab, link: str) -> str:
    """What a browser that follows a link is given."""
    split = urlsplit(link)
    answer = await it.http.get(f"{split.path}?{split.query}", headers=BARE)
    it.http.cookies.clear()
    assert answer.status_code == 200, answer.text
    return answer.headers["set-cookie"].split(";")[0]


class Member:
    """Somebody in the room, who reads what it is told."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.state: dict[str, Any] = {}
        self.predicted: dict[str, Any] | None = None

    async def say(self, kind: str, **fields: Any) -> None:
        await self.socket.send(json.dumps({"type": kind, **fields}))

    async def hear(self) -> dict[str, Any]:
        """The next message."""
        async with asyncio.timeout(PATIENCE_S):
            message: dict[str, Any] = json.loads(await self.socket.recv())
        if message["type"] == "room":
            self.state = message
        elif message["type"] == "predicted":
            self.predicted = message
        return message

    async def until(self, **wanted: Any) -> dict[str, Any]:
        """The room as soon as it is so."""
        while {name: self.state.get(name) for name in wanted} != wanted:
            await self.hear()
        return self.state

    async def predict(self, answer: int) -> None:
        """Predict, and wait until the server says that it counts."""
        await self.say("predict", lesson=LESSON, answer=answer)
        while self.predicted is None or self.predicted["answer"] != answer:
            await self.hear()

    async def refusal(self) -> str:
        """The sentence of the next refusal."""
        while (message := await self.hear())["type"] != "error":
            pass
        return str(message["reason"])


@asynccontextmanager
async def member(it: Lab, given: str | None = None) -> AsyncIterator[Member]:
    """Somebody who comes in with a cookie, or with the presenter's token."""
    headers = {"cookie": given} if given is not None else {"authorization": f"Bearer {TOKEN}"}
    url = f"ws://127.0.0.1:{it.port}/ws/room"
    async with connect(url, additional_headers=headers, compression=None, proxy=None) as socket:
        yield Member(socket)


async def test_a_viewers_link_lets_watch_and_predict_and_nothing_else(tmp_path: Path) -> None:
    async with lab(tmp_path, token=TOKEN) as it:
        room = await links(it)
        assert (await links(it)) == room
        viewer = {**BARE, "cookie": await cookie(it, room["viewer"])}
        assert (await it.http.get("/api/role", headers=viewer)).json() == {
            "role": "viewer",
            "why_not": WATCH_ONLY,
            "room": True,
            "version": __version__,
        }
        for path in ("/api/room/start", "/api/room/stop", "/api/runs"):
            answer = await it.http.post(path, headers=viewer)
            assert (answer.status_code, answer.json()["error"]) == (403, WATCH_ONLY)
        async with member(it) as presenter, member(it, viewer["cookie"]) as one:
            for kind, fields in (
                ("ask", {"lesson": LESSON}),
                ("reveal", {"lesson": LESSON}),
                ("bring", {"place": "run=a"}),
            ):
                await one.say(kind, **fields)
                assert await one.refusal() == WATCH_ONLY
            await presenter.say("predict", lesson=LESSON, answer=0)
            assert "viewers' predictions" in await presenter.refusal()
            assert (await presenter.until(people=1))["lesson"] is None


async def test_a_presenters_link_lets_present_and_no_key_stays_in_an_address(tmp_path: Path) -> None:
    async with lab(tmp_path, token=TOKEN) as it:
        room = await links(it)
        key = room["presenter"].split("room=")[1]
        answer = await it.http.get(f"/?room={key}", headers=BARE)
        assert 'content="0;url=/"' in answer.text
        assert key not in answer.text + str(answer.headers)
        assert "no-store" in answer.headers["cache-control"]
        it.http.cookies.clear()
        given = await cookie(it, room["presenter"])
        assert (await it.http.get("/api/role", headers={**BARE, "cookie": given})).json()["role"] == "presenter"
        again = await it.http.get(f"/?room={room['viewer'].split('room=')[1]}", headers={**BARE, "cookie": given})
        assert "set-cookie" not in again.headers, "a presenter who tries the viewers' link stays one"


async def test_on_a_server_without_token_a_viewers_link_takes_the_right_to_steer(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        answer = await it.http.post("/api/room/start")
        presenters = answer.headers["set-cookie"].split(";")[0]
        it.http.cookies.clear()
        given = await cookie(it, answer.json()["viewer"])
        assert (await it.http.post("/api/runs", json={}, headers={"cookie": given})).status_code == 403
        assert (await it.http.post("/api/runs", json={}, headers={"cookie": presenters})).status_code == 201
        split = urlsplit(answer.json()["viewer"])
        own = await it.http.get(f"{split.path}?{split.query}", headers={"cookie": presenters})
        assert "set-cookie" not in own.headers


async def test_a_wrong_or_stale_link_is_one_sentence(tmp_path: Path) -> None:
    async with lab(tmp_path, token=TOKEN) as it:
        assert (await it.http.get("/?room=nothing", headers=BARE)).status_code == 404
        room = await links(it)
        given = await cookie(it, room["viewer"])
        async with member(it, given) as one:
            await one.until(people=1)
            assert (await it.http.post("/api/room/stop")).status_code == 204
            while (message := await one.hear())["type"] != "ended":
                pass
            assert message["reason"] == "The presenter has ended the room."
            with pytest.raises(ConnectionClosed):
                await one.hear()
        split = urlsplit(room["viewer"])
        stale = await it.http.get(f"{split.path}?{split.query}", headers=BARE)
        assert (stale.status_code, NO_ROOM in stale.text) == (404, True)
        assert "set-cookie" not in stale.headers
        assert (await it.http.get("/api/role", headers={**BARE, "cookie": given})).status_code == 401
        async with member(it) as presenter:
            assert await presenter.refusal() == "No room is open here now."


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (
            {"type": "predict", "lesson": "is-it-luck", "answer": 0},
            f"lesson must be the one that is asked: the lesson asked now is {LESSON}. Found 'is-it-luck'.",
        ),
        (
            {"type": "predict", "lesson": LESSON, "answer": 3},
            "answer must be a whole number from 0 to 2. Found 3.",
        ),
        (
            {"type": "predict", "lesson": "../x", "answer": 0},
            "lesson must be the key of a lesson, 1 to 50 of a to z, 0 to 9 and -. Found '../x'.",
        ),
        ({"type": "shout"}, "type must be one of ask, reveal, bring, predict. Found 'shout'."),
        (
            {"type": "predict", "lesson": LESSON, "answer": 0, "as": "me"},
            "a message of type predict has no field 'as'. It has type, lesson, answer.",
        ),
    ],
)
async def test_what_cannot_be_predicted_is_one_sentence(tmp_path: Path, said: dict[str, Any], sentence: str) -> None:
    async with lab(tmp_path, token=TOKEN) as it:
        given = await cookie(it, (await links(it))["viewer"])
        async with member(it) as presenter, member(it, given) as one:
            await presenter.say("ask", lesson=LESSON)
            await one.until(lesson=LESSON)
            await one.socket.send(json.dumps(said))
            assert await one.refusal() == sentence
            await one.say("predict", lesson=LESSON, answer=1)
            await one.until(answered=1)


async def test_a_place_must_be_one_of_the_lab(tmp_path: Path) -> None:
    async with lab(tmp_path, token=TOKEN) as it:
        await links(it)
        async with member(it) as presenter:
            await presenter.say("bring", place="https://elsewhere.example/<b>")
            assert (await presenter.refusal()).startswith("place must be what stands behind # in a link of the Lab")


async def test_who_comes_late_sees_the_lesson_the_moment_and_the_counts(tmp_path: Path) -> None:
    async with lab(tmp_path, token=TOKEN) as it:
        room = await links(it)
        early, late = [await cookie(it, room["viewer"]) for _ in range(2)]
        async with member(it) as presenter, member(it, early) as one:
            await presenter.say("ask", lesson=LESSON)
            await one.until(lesson=LESSON)
            for answer in (2, 0):  # the second one replaces the first
                await one.say("predict", lesson=LESSON, answer=answer)
            await one.until(answered=1, people=1, counts=None)
            await presenter.say("reveal", lesson=LESSON)
            await presenter.say("bring", place="recorded=paper-cdsp-seed2&step=157&layer=2")
            await one.until(counts=[1, 0, 0], calls=1)
            await one.say("predict", lesson=LESSON, answer=1)
            assert (await one.refusal()).startswith("The answer is shown already")
        async with member(it, late) as other:
            await other.hear()
            assert other.state == {
                "type": "room",
                "people": 2,
                "lesson": LESSON,
                "answered": 1,
                "counts": [1, 0, 0],
                "place": "recorded=paper-cdsp-seed2&step=157&layer=2",
                "calls": 1,
            }
        async with member(it, early) as back:
            await back.until(people=1)
            while back.predicted is None:
                await back.hear()
            assert (back.predicted["lesson"], back.predicted["answer"]) == (LESSON, 0)


async def test_a_browser_with_two_pages_is_one_viewer(tmp_path: Path) -> None:
    async with lab(tmp_path, token=TOKEN) as it:
        given = await cookie(it, (await links(it))["viewer"])
        async with member(it) as presenter, member(it, given) as first:
            await presenter.say("ask", lesson=LESSON)
            async with member(it, given) as second:
                await first.until(lesson=LESSON)
                await second.until(lesson=LESSON)
                await first.say("predict", lesson=LESSON, answer=1)
                await second.until(answered=1)
                await second.say("predict", lesson=LESSON, answer=2)
                await presenter.until(people=1, answered=1)
            await presenter.say("reveal", lesson=LESSON)
            assert (await presenter.until(counts=[0, 0, 1]))["people"] == 1


@pytest.mark.slow
async def test_two_hundred_predict_at_once_each_counts_once_and_training_goes_on(tmp_path: Path) -> None:
    async with lab(tmp_path, token=TOKEN) as it, ThreadWorker(it.port, it.settings.checkpoint_dir, step_s=0.25):
        run_id = await it.new_run()
        room = await links(it)
        cookies = [await cookie(it, room["viewer"]) for _ in range(VIEWERS)]
        async with AsyncExitStack() as stack:
            presenter = await stack.enter_async_context(member(it))
            viewers = [await stack.enter_async_context(member(it, each)) for each in cookies]
            pages = [
                await stack.enter_async_context(it.page(run_id, additional_headers={"cookie": each}))
                for each in cookies
            ]
            watching = asyncio.gather(*(watch(page) for page in pages))
            await presenter.until(people=VIEWERS)
            await presenter.say("ask", lesson=LESSON)
            await asyncio.gather(*(each.until(lesson=LESSON) for each in viewers))
            for turn in range(2):  # what everybody says first is replaced by what they say next
                votes = [(place + turn) % 3 for place in range(VIEWERS)]
                step = pages[0].frames[-1].step if pages[0].frames else 0
                await asyncio.gather(*(each.predict(vote) for each, vote in zip(viewers, votes, strict=True)))
                while pages[0].frames[-1].step <= step:
                    assert not watching.done(), watching.exception()
                    await asyncio.sleep(0.01)
            await presenter.until(answered=VIEWERS)
            await presenter.say("reveal", lesson=LESSON)
            counts = [votes.count(answer) for answer in range(3)]
            told = await asyncio.gather(*(each.until(counts=counts) for each in (presenter, *viewers)))
            assert all(state["people"] == state["answered"] == VIEWERS for state in told)
            step = max(page.frames[-1].step for page in pages if page.frames)
            await asyncio.gather(*(until(lambda page=page: page.frames[-1].step > step) for page in pages))
            watching.cancel()


async def watch(page: Page) -> None:
    """Read a run as a page does; it checks that no step is missing."""
    while True:
        await page.read()


def test_a_code_is_a_square_with_a_white_border() -> None:
    code = code_of("http://127.0.0.1:8000/?room=abcdefghijklmnopqrstuv")
    assert code.modules == 33 + 8
    starts = [tuple(map(int, each.split("h")[0].split(" "))) for each in code.path.split("M")[1:]]
    assert min(map(min, starts)) == 4
    assert max(map(max, starts)) == code.modules - 5
