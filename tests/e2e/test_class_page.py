"""A class in the browser: a presenter and viewers, each on a page of their own, and presenting."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any
from urllib.error import HTTPError

import pytest
from playwright.sync_api import Page, WebSocket, expect

from tests.e2e.assistive import faults
from tests.e2e.served import Server, patiently

pytestmark = pytest.mark.browser

LESSON = "what-carves-the-structure"


@pytest.fixture
def ended(stored_run: Server) -> Iterator[Server]:
    """The server, whose room is ended when the test is over."""
    yield stored_run
    with suppress(HTTPError, ValueError):
        stored_run.ask("POST", "/api/room/stop")


def link_of(presenter: Page) -> str:
    """The viewers' link, of a room that is opened on the presenter's page."""
    presenter.get_by_role("button", name="For a class").click()
    presenter.get_by_role("button", name="Open a room").click()
    link = presenter.get_by_label("The room's link", exact=True).input_value()
    expect(presenter.get_by_role("img", name="The room's link as a QR code")).to_be_visible()
    assert faults(presenter) == []
    presenter.get_by_role("button", name="Close").click()
    return link


def step_of(page: Page) -> int | None:
    """The step that is looked back at; None for the newest."""
    found: int | None = page.evaluate("topologyLab.views[0].scrubber.pinned?.step ?? null")
    return found


@pytest.mark.slow
def test_a_class_predicts_together_and_who_comes_late_sees_it_all(
    open_page: Callable[..., Page], ended: Server
) -> None:
    presenter = open_page(f"{ended.url}/lessons", wait_for=".lesson-card", width=1440, height=900)
    presenter.get_by_role("link", name="For a class").click()
    presenter.get_by_role("button", name="Open a room").click()
    link = presenter.get_by_label("The room's link", exact=True).input_value()
    presenter.get_by_role("button", name="Close").click()
    viewer = open_page(link, width=390, height=844, theme="dark")
    assert "room=" not in viewer.url
    expect(viewer.locator("#class-open")).to_contain_text("1")
    expect(viewer.locator("[data-part=run-pause]")).to_be_disabled()

    presenter.goto(f"{ended.url}/#lesson={LESSON}")
    presenter.reload()
    for page in (presenter, viewer):
        expect(page.locator(".lesson-room")).to_have_text("0 of 1 in the room have answered")
        expect(page.locator(".lesson-after")).to_have_count(0)
    for answer, other in ((0, 1), (1, 0)):  # the second one replaces the first
        viewer.locator(f"[data-answer='{answer}']").click()
        expect(viewer.locator(f"[data-answer='{answer}']")).to_contain_text("your answer")
        expect(viewer.locator(f"[data-answer='{other}']")).not_to_contain_text("your answer")
        expect(presenter.locator(".lesson-room")).to_have_text("1 of 1 in the room has answered")

    presenter.get_by_role("button", name="Reveal").click()
    late = open_page(link, width=1280, height=720, wait_for=".lesson-after")
    for page in (presenter, viewer, late):
        expect(page.locator("[data-answer='1'] .lesson-many")).to_have_text("1")
        expect(page.locator("[data-answer='1']")).to_contain_text("what happened")
        expect(page.locator(".lesson-after")).to_be_visible()
        expect(page.locator("[data-part=chip-model]")).to_contain_text("paper-cdsp-seed2")
    expect(late.locator("#class-open")).to_contain_text("2")
    assert faults(presenter) == []
    assert faults(viewer) == []


@pytest.mark.slow
def test_viewers_look_where_they_like_until_everybody_is_brought_somewhere(
    open_page: Callable[..., Page], ended: Server
) -> None:
    presenter = open_page(f"{ended.url}/#recorded=paper-cdsp-seed2", width=1440, height=900)
    link = link_of(presenter)
    viewer = open_page(link, width=1440, height=900)
    expect(viewer.locator("#class-open")).to_contain_text("1")
    presenter.evaluate("topologyLab.views[0].scrubber.seekStep(157)")
    presenter.locator("[data-part=lenses]").get_by_role("button", name="Threads").click()
    viewer.keyboard.press("d")
    expect(viewer.locator("html")).to_have_attribute("data-theme", "dark")
    expect(presenter.locator("html")).to_have_attribute("data-theme", "light")
    assert step_of(viewer) is None

    presenter.get_by_role("button", name="For a class").click()
    presenter.get_by_role("button", name="Bring everyone here").click()
    expect(viewer).to_have_url(re.compile("recorded=paper-cdsp-seed2"))
    patiently(lambda: step_of(viewer) == step_of(presenter) is not None, "the viewer at the presenter's moment")
    expect(viewer.locator("[data-part=lenses]").get_by_role("button", name="Threads")).to_have_attribute(
        "aria-pressed", "true"
    )
    viewer.keyboard.press("End")
    patiently(lambda: step_of(viewer) is None, "the viewer at the end, where nobody holds it back")
    assert step_of(presenter) is not None
    viewer.get_by_role("button", name="For a class").click()
    viewer.get_by_role("button", name="Go where the class is").click()
    patiently(lambda: step_of(viewer) == step_of(presenter), "the viewer back with the class")


@pytest.fixture
def resting(running: Server) -> Iterator[Server]:
    """A server whose run has trained and is paused, so that nothing of it changes by itself."""
    running.train_past(60)
    running.command("pause")
    running.wait_for_run("paused")
    yield running
    with suppress(HTTPError, ValueError):
        running.ask("POST", "/api/room/stop")


def pumped(page: Page) -> bool:
    """Let what has come be noted; true."""
    page.wait_for_timeout(50)
    return True


def told_to(page: Page) -> list[Any]:
    """What a page's sockets bring from now on: texts as JSON, pictures as bytes."""
    found: list[Any] = []

    def note(payload: str | bytes) -> None:
        found.append(json.loads(payload) if isinstance(payload, str) else payload)

    def listen(socket: WebSocket) -> None:
        socket.on("framereceived", note)

    page.on("websocket", listen)
    return found


@pytest.mark.slow
def test_a_viewer_probes_for_itself_and_neither_presenter_nor_run_hears_of_it(
    open_page: Callable[..., Page], resting: Server
) -> None:
    presenter = open_page(resting.url, width=1440, height=900)
    link = link_of(presenter)
    told, asked = told_to(presenter), list[str]()
    presenter.reload()
    viewer = open_page(link, width=1440, height=900)
    for page in (presenter, viewer):
        page.wait_for_function("() => window.topologyLab?.views[0].pictures.frame")
    expect(viewer.locator("[data-part=run-pause]")).to_be_disabled()
    expect(presenter.locator("#class-open")).to_contain_text("1")
    run_id = resting.run()["run_id"]
    paths = (f"/api/runs/{run_id}", f"/api/runs/{run_id}/events")

    def known() -> Any:
        return [resting.ask("GET", path) for path in paths]

    before = known()
    told.clear()
    presenter.on("request", lambda request: asked.append(request.url))

    viewer.locator(".probe-fold summary").click()
    expect(viewer.locator(".probe-note")).to_have_text(re.compile("^As of step"))
    viewer.locator(".probe-thumb").nth(4).click()
    expect(viewer.locator(".probe-thumb").nth(4)).to_have_attribute("aria-pressed", "true")
    expect(viewer.locator(".probe-patch")).to_have_text([re.compile(r"E\d")] * 16)
    expect(viewer.locator(".probe-answers dd")).to_have_text([re.compile(r"\S+ \d+ %")] * 2)
    viewer.locator("[data-probe=pin]").click()
    expect(viewer.locator(".probe-pinned li")).to_have_count(1)

    expect(presenter.locator(".probe-fold")).not_to_have_attribute("open", "")
    expect(presenter.locator(".probe-pinned li")).to_have_count(0)
    patiently(lambda: pumped(presenter) and told, "the run as it is said once a second")
    for message in told:
        assert message["type"] == "run"
        assert message["run"] == {name: before[0][name] for name in message["run"]}
    assert [url for url in asked if "/probe" in url or "/images" in url] == []
    assert known() == before


@pytest.mark.slow
def test_when_the_room_has_ended_its_link_says_so(open_page: Callable[..., Page], ended: Server) -> None:
    presenter = open_page(f"{ended.url}/#recorded=paper-cdsp-seed2", width=1440, height=900)
    link = link_of(presenter)
    viewer = open_page(link)
    expect(viewer.locator("#class-open")).to_contain_text("1")
    presenter.get_by_role("button", name="For a class").click()
    presenter.get_by_role("button", name="End the room").click()
    expect(viewer.locator("#announcer")).to_have_text("The presenter has ended the room.")
    stale = open_page(link, wait_for="p", may_fail=True)
    expect(stale.locator("body")).to_have_text(
        "This link leads into no room that is open: ask whoever presents for the present one."
    )


@pytest.mark.slow
@pytest.mark.parametrize("size", [(1440, 900), (1280, 720)])
def test_presenting_hides_the_controls_and_enlarges_until_escape(
    open_page: Callable[..., Page], ended: Server, size: tuple[int, int]
) -> None:
    page = open_page(ended.url, width=size[0], height=size[1])
    picture, controls = page.locator("[data-picture=topology] canvas"), page.locator(".column-left")
    before = picture.bounding_box()
    assert before is not None
    page.get_by_role("button", name="Present").click()
    expect(controls).to_be_hidden()
    expect(page.locator("[data-part=log]")).to_be_hidden()
    expect(page.get_by_role("navigation", name="Pages")).to_be_hidden()
    patiently(lambda: (picture.bounding_box() or before)["width"] > 1.15 * before["width"], "a larger picture")
    assert faults(page) == []
    picture.click(position={"x": 5, "y": 5})
    page.keyboard.press("Escape")
    expect(controls).to_be_visible()
    page.keyboard.press("p")
    expect(controls).to_be_hidden()
    page.get_by_role("button", name="Help and keys").click()
    page.keyboard.press("Escape")  # closes what lies over the page
    expect(controls).to_be_hidden()
    page.keyboard.press("Escape")
    expect(controls).to_be_visible()
