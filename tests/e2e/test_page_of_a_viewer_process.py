"""The Lab at a viewer process, whose Redis goes and comes back while a person looks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from backend.fanout.mirrors import REDIS_AWAY, REDIS_BACK
from tests.cluster.redis_server import RedisServer
from tests.cluster.viewer_process import ViewerProcess
from tests.e2e.assistive import faults
from tests.e2e.conftest import STEPS_PER_S
from tests.e2e.served import Server, drawn, patiently, serving

pytestmark = [pytest.mark.browser, pytest.mark.slow]

NEWEST = "topologyLab.views[0].model.store.lastStep"
"""the newest step that a page has"""


def done(work: Coroutine[Any, Any, None]) -> None:
    """Do it in a loop of its own: the browser's is in this thread."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, work).result()


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    folder = tmp_path / "redis"
    folder.mkdir()
    server = RedisServer(folder)
    done(server.start())
    yield server
    done(server.kill())


@pytest.fixture
def owner(tmp_path: Path, redis: RedisServer) -> Iterator[Server]:
    with serving(tmp_path / "data", "--fanout", redis.url) as server:
        server.ask("POST", "/api/runs", {"preset": "live", "seed": 0})
        server.wait_for_run("running")
        server.command("speed", steps_per_s=STEPS_PER_S)
        yield server


@pytest.fixture
def elsewhere(tmp_path: Path, redis: RedisServer, owner: Server) -> Iterator[str]:
    with ViewerProcess(tmp_path, fanout=redis.url, owner=owner.url, with_page=True) as address:
        yield address


def test_a_page_says_that_redis_is_away_and_when_it_is_back(
    redis: RedisServer, owner: Server, elsewhere: str, open_page: Callable[..., Page]
) -> None:
    page = drawn(open_page(elsewhere, width=1440, height=900))
    banner = page.locator("[data-part=banner]")
    expect(banner).to_be_hidden()
    done(redis.kill())
    expect(banner).to_have_text(REDIS_AWAY)
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        for width in (390, 1000, 1440):
            page.set_viewport_size({"width": width, "height": 900})
            expect(banner).to_be_in_viewport(ratio=1)
            assert banner.evaluate("it => it.scrollWidth <= it.clientWidth && it.scrollHeight <= it.clientHeight"), (
                width
            )
        assert faults(page) == []
    seen = owner.run()["step"]
    patiently(lambda: owner.run()["step"] > seen + 20, "the run to train on")
    expect(banner).to_have_text(REDIS_AWAY)
    assert page.evaluate(NEWEST) <= seen
    done(redis.start())
    expect(banner).to_have_text(REDIS_BACK)
    patiently(lambda: page.evaluate(NEWEST) > seen + 20, "what was missed")
    expect(banner).to_be_hidden()


def test_a_page_of_a_run_that_rests_says_it_too(
    redis: RedisServer, owner: Server, elsewhere: str, open_page: Callable[..., Page]
) -> None:
    owner.command("pause")
    page = open_page(elsewhere)
    expect(page.locator("[data-part=chip-words]")).to_have_text("Paused")
    done(redis.kill())
    expect(page.locator("[data-part=banner]")).to_have_text(REDIS_AWAY)
