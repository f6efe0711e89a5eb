"""What one address may ask for, who may steer, and what a run may need: beyond it there is a sentence."""

from __future__ import annotations

import asyncio
import csv
import io
import time
from contextlib import suppress
from pathlib import Path

import pytest
import uvicorn
from starlette.datastructures import Headers
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from backend.patience import PatientSockets
from backend.quotas import ADDRESS, Limits, Quotas
from backend.quotas import TOKEN as TOKEN_SHARED
from backend.runs.memory_need import least_mib
from backend.settings import Settings, SettingsError
from backend.web.export import _line
from backend.web.roles import COOKIE, COOKIE_S, Doors
from cdsp_core.settings.presets import from_dict, preset
from tests.backend.lab import PATIENCE_S, Lab, ThreadWorker, lab

TOKEN = "a-long-enough-token-of-the-tests"
WATCHES = "another-token-for-those-who-watch"
BARE = {"authorization": ""}


class Clock:
    """A clock that stands until it is moved."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_changes_of_an_address_are_counted_and_come_back_with_time() -> None:
    clock = Clock()
    quotas = Quotas(Limits(changes_per_s=2, changes_at_once=3), clock=clock)
    assert [quotas.change("a")[0] for _ in range(5)] == [0, 0, 0, 0.5, 0.5]
    assert quotas.change("b")[0] == 0
    clock.now += 0.5
    assert [quotas.change("a")[0] for _ in range(2)] == [0, 0.5]
    clock.now += 3600
    assert [quotas.change("a")[0] for _ in range(4)] == [0, 0, 0, 0.5]


def test_those_with_one_token_share_a_limit_over_all_their_addresses() -> None:
    limits = Limits(changes_per_s=9, changes_at_once=9, token_changes_per_s=2, token_changes_at_once=3, token_sockets=2)
    quotas = Quotas(limits, clock=Clock())
    told = [quotas.change(address, "presenter") for address in "abcd"]
    assert told == [(0, ADDRESS), (0, ADDRESS), (0, ADDRESS), (0.5, TOKEN_SHARED)]
    assert quotas.change("d", "viewer")[0] == 0, "another token"
    assert [quotas.open_socket(address, "viewer") for address in "abc"] == [True, True, False]
    quotas.close_socket("a", "viewer")
    assert quotas.open_socket("c", "viewer")


async def test_too_many_changes_with_one_token_are_429_and_say_so(tmp_path: Path) -> None:
    limits = Limits(token_changes_per_s=0.001, token_changes_at_once=1)
    async with lab(tmp_path, limits=limits, token=TOKEN) as it:
        run_id = await it.new_run()
        refused = await it.command(run_id, "stop")
        assert refused.status_code == 429
        assert "may come from those with one token: wait" in refused.json()["error"]


def test_only_so_many_addresses_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.quotas.MAX_ADDRESSES", 3)
    quotas = Quotas(Limits(changes_per_s=1, changes_at_once=1), clock=Clock())
    for address in "abcd":
        quotas.change(address)
    assert len(quotas._changes) == 3
    assert quotas.change("d")[0] > 0
    assert quotas.change("a")[0] == 0


async def test_too_many_changes_are_429_and_reading_goes_on(tmp_path: Path) -> None:
    async with lab(tmp_path, limits=Limits(changes_per_s=0.001, changes_at_once=3)) as it:
        run_id = await it.new_run()
        for kept in (True, False):
            assert (await it.http.patch(f"/api/runs/{run_id}", json={"kept": kept})).status_code == 200
        refused = await it.command(run_id, "stop")
        assert refused.status_code == 429
        assert refused.json()["error"].startswith("At most 0.001 changes a second may come from one address: wait ")
        assert int(refused.headers["retry-after"]) > 0
        assert (await it.run(run_id))["status"] == "queued"
        assert 'requests_refused_total{limit="changes"} 1.0' in (await it.http.get("/metrics")).text


async def test_only_so_many_sockets_of_an_address_are_open(tmp_path: Path) -> None:
    async with lab(tmp_path, limits=Limits(sockets=2)) as it:
        run_id = await it.new_run()
        async with it.page(run_id) as first, it.page(run_id):
            await first.text("hello")
            with pytest.raises(InvalidStatus):
                async with it.page(run_id):
                    pass
        async with asyncio.timeout(PATIENCE_S):
            while True:
                with suppress(InvalidStatus):
                    async with it.page(run_id) as page:
                        assert (await page.text("hello"))["run"]["run_id"] == run_id
                    return


async def test_only_so_many_runs_of_an_address_wait(tmp_path: Path) -> None:
    async with lab(tmp_path, limits=Limits(runs=2)) as it:
        first, _ = [await it.new_run() for _ in range(2)]
        refused = await it.http.post("/api/runs", json={"preset": "live"})
        assert (refused.status_code, refused.json()["error"]) == (
            429,
            "At most 2 runs of one address may train or wait. Found 2: stop one.",
        )
        await it.command(first, "stop")
        await it.new_run()


# memory


def test_a_larger_run_needs_more_memory() -> None:
    small, large = preset("live"), from_dict({"model": {"patch_size": 1}, "train": {"batch_size": 4096}})
    assert 0 < least_mib(small) < 100
    assert least_mib(large) > 8 * 1024


async def test_a_run_that_surely_does_not_fit_is_refused_with_both_numbers(tmp_path: Path) -> None:
    async with lab(tmp_path, memory_mib=8000) as it:
        body = {"config": {"model": {"patch_size": 1}, "train": {"batch_size": 4096}}}
        refused = await it.http.post("/api/runs", json=body)
        assert refused.status_code == 422
        assert refused.json()["error"].startswith("This run needs at least 2")
        assert "MiB of memory, and 8000 MiB are there" in refused.json()["error"]
        assert (await it.http.get("/api/runs")).json() == []
        await it.new_run()


# what a body says it is


@pytest.mark.parametrize("said", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
async def test_a_body_that_is_no_json_is_not_read(tmp_path: Path, said: str) -> None:
    async with lab(tmp_path) as it:
        answer = await it.http.post("/api/runs", content='{"preset": "live"}', headers={"content-type": said})
        assert answer.status_code == 415
        assert answer.json()["error"].startswith("Content-Type must be application/json. Found ")
        right = {"content-type": "application/json; charset=utf-8"}
        assert (await it.http.post("/api/runs", content='{"preset": "live"}', headers=right)).status_code == 201


def test_what_a_spreadsheet_takes_for_a_formula_is_text_in_the_csv() -> None:
    said = ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\tx", "-0.5", "1e-7", "plain", 3]
    (row,) = csv.reader(io.StringIO(_line(said)))
    assert row == ["'=1+1", "'+cmd|' /C calc'!A0", "'-2+3", "'@SUM(A1)", "'\tx", "-0.5", "1e-7", "plain", "3"]


# roles


async def status(it: Lab, method: str, path: str, token: str, **body: object) -> int:
    headers = {"authorization": f"Bearer {token}"}
    return (await it.http.request(method, path, headers=headers, json=body or None)).status_code


async def test_a_viewer_watches_and_may_not_steer(tmp_path: Path) -> None:
    async with (
        lab(tmp_path, token=TOKEN, viewer_token=WATCHES) as it,
        ThreadWorker(it.port, it.settings.checkpoint_dir),
    ):
        run_id = await it.new_run()
        await it.until(run_id, lambda run: run["step"] > 3)
        own = f"/api/runs/{run_id}"
        for token, role in ((WATCHES, "viewer"), (TOKEN, "presenter")):
            asked = await it.http.get("/api/role", headers={"authorization": f"Bearer {token}"})
            assert asked.json()["role"] == role
            assert (asked.json()["why_not"] is None) == (role == "presenter")
        for path in ("/api/runs", own, f"{own}/events", f"{own}/export", "/metrics", "/api/storage"):
            assert await status(it, "GET", path, WATCHES) == 200, path
        for method, path, body in (
            ("POST", "/api/runs", {"preset": "live"}),
            ("POST", f"{own}/commands", {"command_id": "x", "type": "stop"}),
            ("POST", f"{own}/fork", {}),
            ("PATCH", own, {"name": "mine"}),
            ("DELETE", own, {}),
            ("POST", "/api/studies/table/start", {}),
            ("POST", "/api/studies/table/stop", {}),
        ):
            assert await status(it, method, path, WATCHES, **body) == 403, path
        run = await it.run(run_id)
        assert (run["status"], run["name"]) == ("running", "live")
        async with it.page(run_id, additional_headers={"authorization": f"Bearer {WATCHES}"}) as page:
            assert (await page.text("hello"))["run"]["run_id"] == run_id
        assert await status(it, "POST", f"{own}/commands", TOKEN, command_id="x", type="stop") == 200


async def test_a_cookie_gives_the_role_of_its_token_and_another_each_time(tmp_path: Path) -> None:
    async with lab(tmp_path, token=TOKEN, viewer_token=WATCHES) as it:
        cookies = []
        for token in (WATCHES, WATCHES, TOKEN):
            answer = await it.http.get(f"/?token={token}", headers=BARE)
            assert "no-store" in answer.headers["cache-control"]
            assert token not in answer.text + str(answer.headers)
            cookies.append(answer.headers["set-cookie"].split(";")[0])
            it.http.cookies.clear()
        assert len(set(cookies)) == 3
        found = []
        for cookie in (*cookies, cookies[0].replace("viewer", "presenter"), cookies[2][:-1] + "0"):
            answer = await it.http.post("/api/runs", json={"preset": "live"}, headers={**BARE, "cookie": cookie})
            found.append(answer.status_code)
        assert found[:4] == [403, 403, 201, 401]


def test_a_cookie_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    doors = Doors(Settings(data_dir=tmp_path, token=TOKEN))
    headers = Headers({"cookie": f"{COOKIE}={doors.cookie('presenter')}"})
    known = doors.known(headers)
    assert known is not None
    assert known.role == "presenter"
    assert Doors(Settings(data_dir=tmp_path, token=TOKEN + "2")).known(headers) is None
    later = time.time() + COOKIE_S + 1
    monkeypatch.setattr("backend.web.roles.time.time", lambda: later)
    assert doors.known(headers) is None


async def test_a_cookie_is_secure_behind_https(tmp_path: Path) -> None:
    async with lab(tmp_path, token=TOKEN) as it:
        plain = await it.http.get(f"/?token={TOKEN}", headers=BARE)
        behind = await it.http.get(f"/?token={TOKEN}", headers={**BARE, "x-forwarded-proto": "https"})
        assert "Secure" not in plain.headers["set-cookie"]
        assert "Secure" in behind.headers["set-cookie"]


async def test_guesses_of_a_token_are_slowed_down_and_cookies_still_open(tmp_path: Path) -> None:
    async with lab(tmp_path, token=TOKEN, limits=Limits(guesses_per_s=0.001, guesses_at_once=3)) as it:
        cookie = (await it.http.get(f"/?token={TOKEN}", headers=BARE)).headers["set-cookie"].split(";")[0]
        it.http.cookies.clear()
        found = [await status(it, "GET", "/api/runs", f"wrong-{number}") for number in range(5)]
        assert found == [401, 401, 401, 429, 429]
        right = await it.http.get("/api/runs")
        assert right.status_code == 429
        assert right.json()["error"].startswith("Too many tokens were tried from this address: wait ")
        assert (await it.http.get(f"/?token={TOKEN}", headers=BARE)).status_code == 429
        assert (await it.http.get("/api/runs", headers={**BARE, "cookie": cookie})).status_code == 200


@pytest.mark.parametrize(
    ("tokens", "part"),
    [
        ({"viewer_token": WATCHES}, "CDSP_VIEWER_TOKEN needs CDSP_TOKEN"),
        ({"token": TOKEN, "viewer_token": TOKEN}, "CDSP_TOKEN and CDSP_VIEWER_TOKEN must differ"),
        ({"token": TOKEN, "viewer_token": "short"}, "CDSP_VIEWER_TOKEN must have at least 16 characters"),
    ],
)
def test_viewer_tokens_that_cannot_work_are_refused(tmp_path: Path, tokens: dict[str, str], part: str) -> None:
    with pytest.raises(SettingsError, match=part):
        Settings(data_dir=tmp_path, token=tokens.get("token"), viewer_token=tokens.get("viewer_token"))


# pings


class Counting(PatientSockets):
    """Counts as long as the test takes, however slow the machine."""

    pings_within_s = 3600.0


async def ping_until_closed(socket: ClientConnection) -> None:
    for _ in range(PatientSockets.pings + 100):
        await socket.ping()
        await asyncio.sleep(0)
    await socket.recv()


async def test_a_socket_that_floods_with_pings_is_closed_and_others_are_served() -> None:
    async def echo(scope: object, receive: object, send: object) -> None:
        assert callable(receive)
        assert callable(send)
        await receive()
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            await send({"type": "websocket.send", "text": "heard"})

    config = uvicorn.Config(echo, ws=Counting, log_level="error", lifespan="off", port=0)
    server = uvicorn.Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    url = f"ws://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        async with connect(url, proxy=None) as calm, connect(url, proxy=None) as flood:
            for _ in range(5):
                await (await calm.ping())
            with pytest.raises(ConnectionClosed):
                await ping_until_closed(flood)
            await calm.send("hello")
            assert await calm.recv() == "heard"
    finally:
        server.should_exit = True
        await server.shutdown()
