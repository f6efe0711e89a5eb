"""Who may ask: Host, Origin, token, and what every answer carries."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from backend.settings import Settings, SettingsError
from tests.backend.lab import WORKER_TOKEN, Lab, lab

TOKEN = "a-long-enough-token-of-the-tests"


async def status(it: Lab, path: str, **headers: str) -> int:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return (await it.http.get(path, headers=named)).status_code


async def opens(url: str, **headers: str) -> bool:
    """Whether a websocket is let in."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        async with connect(url, additional_headers=named, compression=None, proxy=None) as it:
            await it.recv()
    except InvalidStatus as refusal:
        if refusal.response.status_code == 403:
            return False
        raise
    return True


async def test_host_must_be_this_server(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        own = f"127.0.0.1:{it.port}"
        assert await status(it, "/api/runs", host=own) == 200
        assert await status(it, "/api/runs", host=f"localhost:{it.port}") == 200
        for host in ("evil.example", f"evil.example:{it.port}", "127.0.0.1", f"127.0.0.1:{it.port + 1}", f"{own}.evil"):
            answer = await it.http.get("/api/runs", headers={"host": host})
            assert answer.status_code == 403
            assert "Host must be one of this server's names" in answer.json()["error"]


async def test_another_sites_page_may_neither_ask_nor_listen(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        run_id = await it.new_run()
        own = f"http://127.0.0.1:{it.port}"
        socket = f"ws://127.0.0.1:{it.port}/ws/runs/{run_id}"
        assert await status(it, "/api/runs", origin=own) == 200
        assert await opens(socket, origin=own)
        for origin in ("http://evil.example", "null", f"{own}.evil", f"http://127.0.0.1:{it.port + 1}", f"{own}/"):
            assert await status(it, "/api/runs", origin=origin) == 403
            assert not await opens(socket, origin=origin)
            answer = await it.http.post("/api/runs", json={"preset": "live"}, headers={"origin": origin})
            assert answer.status_code == 403
        assert await status(it, "/api/runs", sec_fetch_site="cross-site") == 403
        assert "access-control-allow-origin" not in (await it.http.get("/api/runs", headers={"origin": own})).headers


async def test_the_worker_link_needs_its_own_token_and_no_browser(tmp_path: Path) -> None:
    async with lab(tmp_path, token=TOKEN) as it:
        url = f"ws://127.0.0.1:{it.port}/ws/worker"
        for given in ("", "Bearer", f"Bearer {TOKEN}", f"Bearer {WORKER_TOKEN}x"):
            assert not await opens(url, authorization=given)
        assert not await opens(url)
        own = f"http://127.0.0.1:{it.port}"
        assert not await opens(url, authorization=f"Bearer {WORKER_TOKEN}", origin=own)


async def test_with_a_token_nothing_is_told_without_it(tmp_path: Path) -> None:
    async with lab(tmp_path, token=TOKEN) as it:
        run_id = await it.new_run()
        bare = {"authorization": ""}
        for path in ("/", "/api/runs", f"/api/runs/{run_id}", "/api/schema", "/assets/x.js"):
            assert (await it.http.get(path, headers=bare)).status_code == 401
        assert (await it.http.get("/healthz", headers=bare)).status_code == 200
        assert not await opens(f"ws://127.0.0.1:{it.port}/ws/runs/{run_id}")
        assert not await opens(f"ws://127.0.0.1:{it.port}/ws/runs/{run_id}?token={TOKEN}")
        assert await opens(f"ws://127.0.0.1:{it.port}/ws/runs/{run_id}", authorization=f"Bearer {TOKEN}")


async def test_a_login_link_gives_a_cookie_that_opens_page_api_and_socket(tmp_path: Path) -> None:
    async with lab(tmp_path, token=TOKEN) as it:
        run_id = await it.new_run()
        bare = {"authorization": ""}
        wrong = await it.http.get("/?token=wrong", headers=bare)
        assert wrong.status_code == 401
        assert "set-cookie" not in wrong.headers
        right = await it.http.get("/", params={"token": TOKEN}, headers=bare)
        assert right.status_code == 200
        cookie = right.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert TOKEN not in cookie
        pair = cookie.split(";")[0]
        it.http.cookies.clear()
        assert (await it.http.get("/api/runs", headers={**bare, "cookie": pair})).status_code == 200
        assert await opens(f"ws://127.0.0.1:{it.port}/ws/runs/{run_id}", cookie=pair)
        assert (await it.http.get("/api/runs", headers={**bare, "cookie": pair + "0"})).status_code == 401


async def test_every_answer_carries_the_headers_that_bind_the_page(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        for path in ("/api/runs", "/api/nothing", "/healthz", "/nothing"):
            headers = (await it.http.get(path)).headers
            assert "default-src 'self'" in headers["content-security-policy"]
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["x-frame-options"] == "DENY"
            assert headers["referrer-policy"] == "no-referrer"


async def test_nothing_is_served_that_loads_from_another_host(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        assert await status(it, "/redoc") == 404
        page = (await it.http.get("/docs")).text
        assert "/api/runs/{run_id}/commands" in page
        assert "<script" not in page
        assert not re.search(r"""(src|href)=["']?(https?:)?//""", page)


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"host": "0.0.0.0"}, "0.0.0.0 can be reached from other machines, so it needs a token"),
        ({"host": "192.168.1.5"}, "needs a token"),
        ({"host": "0.0.0.0", "published": "10.0.0.1"}, "10.0.0.1 can be reached"),
        ({"token": "short"}, "CDSP_TOKEN must have at least 16 characters. Found 5."),
        ({"worker_token": "short"}, "CDSP_WORKER_TOKEN must have at least 16"),
        ({"data": "full"}, "--data full needs --data-root (CDSP_DATA_ROOT), where the full sets are. Found none."),
        ({"port": 70000}, "--port must be from 0 to 65535. Found 70000."),
        ({"allowed_hosts": ("http://lab.example/",)}, "CDSP_ALLOWED_HOSTS must be names like"),
    ],
)
def test_settings_that_cannot_work_or_would_be_unsafe_are_refused(
    tmp_path: Path, options: dict[str, object], part: str
) -> None:
    with pytest.raises(SettingsError, match=re.escape(part)):
        Settings(data_dir=tmp_path, **options)  # type: ignore[arg-type]


def test_a_published_loopback_port_of_a_container_needs_no_token(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, host="0.0.0.0", published="127.0.0.1", allowed_hosts=("lab.example:80",))
    assert settings.hosts == {"127.0.0.1:8000", "localhost:8000", "[::1]:8000", "lab.example:80"}
    assert "https://lab.example:80" in settings.origins


async def test_a_browser_that_asks_for_no_page_gets_one_with_a_way_back(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        page = await it.http.get("/nosuch<b>", headers={"accept": "text/html,*/*"})
        assert page.status_code == 404
        assert page.headers["content-type"].startswith("text/html")
        assert "There is no GET /nosuch&lt;b&gt;." in page.text
        assert 'href="/"' in page.text
        program = await it.http.get("/api/nosuch", headers={"accept": "text/html"})
        assert program.json()["error"] == "There is no GET /api/nosuch."
