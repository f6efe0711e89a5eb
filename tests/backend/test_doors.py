"""Every door asks one comparison whether a secret is right, which takes as long for any: hmac.compare_digest."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.backend.lab import WORKER_TOKEN, Lab, lab

TOKEN = "a-long-enough-token-of-the-tests"
WATCHES = "another-token-for-those-who-watch"
LOGIN = "/?token="
Opens = Callable[[], Awaitable[bool]]


def asked(it: Lab, path: str, **headers: str) -> Opens:
    """Whether a page or the API answers who says that."""

    async def opens() -> bool:
        it.http.cookies.clear()
        answer = await it.http.get(path, headers={"authorization": "", **headers})
        it.http.cookies.clear()
        assert answer.status_code in (200, 401, 403, 404), answer.text
        return answer.status_code == 200

    return opens


def dialled(it: Lab, path: str, secret: str) -> Opens:
    """Whether a socket is let in with that."""

    async def opens() -> bool:
        url = f"ws://127.0.0.1:{it.port}{path}"
        try:
            async with connect(url, additional_headers={"authorization": f"Bearer {secret}"}, proxy=None) as socket:
                await socket.close()
        except InvalidStatus as refusal:
            return refusal.response.status_code != 403
        except ConnectionClosed:
            return True
        return True

    return opens


async def given_cookie(it: Lab, path: str) -> str:
    """What a link gives a browser."""
    answer = await it.http.get(path, headers={"authorization": ""})
    it.http.cookies.clear()
    return str(answer.headers["set-cookie"].split(";")[0])


async def test_no_door_opens_where_the_comparison_says_no_and_each_compares_what_it_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with lab(tmp_path, token=TOKEN, viewer_token=WATCHES) as it:
        run_id = await it.new_run()
        links = (await it.http.post("/api/room/start")).json()
        room = {role: "/?" + links[role].partition("?")[2] for role in ("viewer", "presenter")}
        cookies = {way: await given_cookie(it, way) for way in (LOGIN + TOKEN, LOGIN + WATCHES, *room.values())}
        doors = {
            "presenter's token": (asked(it, "/api/runs", authorization=f"Bearer {TOKEN}"), TOKEN),
            "viewer's token": (asked(it, "/api/runs", authorization=f"Bearer {WATCHES}"), WATCHES),
            "presenter's link": (asked(it, LOGIN + TOKEN), TOKEN),
            "viewer's link": (asked(it, LOGIN + WATCHES), WATCHES),
            "a page's socket": (dialled(it, f"/ws/runs/{run_id}", TOKEN), TOKEN),
            "a worker's socket": (dialled(it, "/ws/worker", WORKER_TOKEN), WORKER_TOKEN),
            **{f"a room's link for a {role}": (asked(it, way), way.partition("=")[2]) for role, way in room.items()},
            **{f"cookie of {way}": (asked(it, "/api/runs", cookie=pair), pair[-64:]) for way, pair in cookies.items()},
        }
        for door, (opens, _) in doors.items():
            assert await opens(), f"{door} opens with what is right"
        compared: list[bytes] = []

        def never(given: bytes, right: bytes) -> bool:
            compared.append(given)
            return False

        monkeypatch.setattr(hmac, "compare_digest", never)
        for door, (opens, secret) in doors.items():
            compared.clear()
            assert not await opens(), f"{door} opens though the comparison says no"
            assert set(compared) == {secret.encode()}, f"{door} compares what it was given, and nothing else"
