"""A real server with a real worker, a real Chromium, and pages that notice every error and every foreign request."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from urllib.parse import urlparse

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Route, expect, sync_playwright

from tests.e2e.fixed_run import put_fixed_run
from tests.e2e.page_server import PageServer
from tests.e2e.served import PATIENCE_S, Server, drawn, serving

expect.set_options(timeout=1000 * PATIENCE_S)
STEPS_PER_S = 8
"""of the run that tests look at, so that the browsers have the cores"""
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("data")) as server:
        yield server


@pytest.fixture(scope="package")
def stored_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with one finished run, which is the same each time and on every machine."""
    folder = tmp_path_factory.mktemp("stored")
    put_fixed_run(folder)
    with serving(folder) as server:
        yield server


@pytest.fixture(scope="package")
def all_pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageServer]:
    server = PageServer(tmp_path_factory.mktemp("pages"))
    yield server
    server.close()


@pytest.fixture
def pages(all_pages: PageServer) -> PageServer:
    """The Dash pages on an API that says what the test says."""
    all_pages.reset()
    return all_pages


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    named = os.environ.get("CDSP_CHROMIUM") or next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=named, args=flags)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def shared(chromium: Browser) -> Iterator[BrowserContext]:
    """What pages without wishes of their own share, so that the modules are fetched once; emptied after each test."""
    context = chromium.new_context()
    yield context
    context.close()


@pytest.fixture
def running(server: Server) -> Iterator[Server]:
    """The server with a `live` run in training, slowly, which rests while no test looks."""
    if [run["preset"] for run in server.ask("GET", "/api/runs")[:1]] != ["live"]:
        server.ask("POST", "/api/runs", {"preset": "live", "seed": 0})
    if server.run()["status"] == "paused":
        server.command("resume")
    server.wait_for_run("running")
    if server.run()["speed"] != STEPS_PER_S:
        server.command("speed", steps_per_s=STEPS_PER_S)
    yield server
    if server.run()["status"] == "running":
        server.command("pause")


@pytest.fixture
def open_page(
    chromium: Browser, shared: BrowserContext, request: pytest.FixtureRequest
) -> Iterator[Callable[..., Page]]:
    """Opens pages. When the test is over, none of them may have had an error or asked another host."""
    pages: list[Page] = []
    contexts: list[BrowserContext] = []
    faults: list[str] = []

    def open_page(
        address: str | None = None,
        *,
        width: int = 1280,
        height: int = 800,
        theme: Any = "light",
        may_fail: bool = False,
        wait_for: str = "[data-picture=topology]",
        answers: dict[str, Any] | None = None,
        is_first_visit: bool = False,
        **more: Any,
    ) -> Page:
        """`answers`: what the page is told at some addresses, not what the server says. `more`: of a browser context.

        The first page of a test is in the shared context, every other is somebody else's.
        """
        is_another = bool(more or pages)
        if is_another:
            contexts.append(chromium.new_context(**more))
        page = (contexts[-1] if is_another else shared).new_page()
        pages.append(page)
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=theme)
        if not is_first_visit:
            page.add_init_script("localStorage.setItem('introduced', 'yes')")
        page.set_default_timeout(1000 * PATIENCE_S)
        address = address or request.getfixturevalue("server").url
        home = urlparse(address).netloc
        page.on("pageerror", lambda error: faults.append(f"error on the page: {error}"))
        page.on("request", lambda request: _check_host(request.url, home, faults))
        if not may_fail:
            page.on("console", partial(_note_error, faults))
        for path, answer in (answers or {}).items():
            page.route(f"**{path}", _telling(answer))
        page.goto(address)
        page.wait_for_selector(wait_for)
        return page

    yield open_page
    for page in pages:
        if not page.is_closed():
            page.evaluate("localStorage.clear()")
            page.close()
    shared.clear_cookies()
    for context in contexts:
        context.close()
    assert not faults, "\n".join(faults)


@pytest.fixture
def lab(open_page: Callable[..., Page], running: Server) -> Page:
    """The page at 1280 pixels, with pictures drawn."""
    return drawn(open_page())


def _telling(answer: Any) -> Callable[[Route], None]:
    return lambda route: route.fulfill(json=answer)


def _check_host(url: str, home: str, faults: list[str]) -> None:
    parts = urlparse(url)
    if parts.scheme in ("http", "https", "ws", "wss") and parts.netloc != home:
        faults.append(f"a request to another host: {url}")


def _note_error(faults: list[str], message: ConsoleMessage) -> None:
    if message.type == "error":
        faults.append(f"console: {message.text}")
