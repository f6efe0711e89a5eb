"""The probe in the browser: an image picked or drawn, its patches' experts, the answers, what is pinned."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.assistive import faults
from tests.e2e.served import Server

pytestmark = pytest.mark.browser

ANSWERED = re.compile(r"As of step")


def opened(page: Page) -> Page:
    """The page with its probe open and answered."""
    page.wait_for_function("() => window.topologyLab?.views[0].pictures.frame")
    toggle = page.locator("[data-part=sheet-toggle]")
    if toggle.is_visible():
        toggle.click()
    page.locator(".probe-fold summary").click()
    expect(page.locator(".probe-note")).to_have_text(ANSWERED)
    return page


@pytest.mark.parametrize(
    ("width", "height", "theme"), [(1440, 900, "light"), pytest.param(390, 844, "dark", marks=pytest.mark.slow)]
)
def test_a_picked_image_shows_each_patch_s_expert_and_both_answers(
    open_page: Callable[..., Page], running: Server, width: int, height: int, theme: str
) -> None:
    running.train_past(120)
    page = opened(open_page(running.url, width=width, height=height, theme=theme))
    expect(page.locator(".probe-thumb")).to_have_count(9)
    expect(page.locator(".probe-patch")).to_have_count(16)
    assert all(re.fullmatch(r"E\d", text) for text in page.locator(".probe-patch").all_inner_texts())
    expect(page.locator(".probe-answers dd")).to_have_text([re.compile(r"\d+ %")] * 2)
    page.locator(".probe-thumb").nth(4).click()
    expect(page.locator(".probe-thumb").nth(4)).to_have_attribute("aria-pressed", "true")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert faults(page) == []


@pytest.mark.slow
def test_a_drawing_is_answered_pinned_and_followed_back_to_the_beginning(lab: Page) -> None:
    page = opened(lab)
    page.locator("[data-probe=draw]").click()
    pad = page.locator(".probe-pad")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 60, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + 120, box["y"] + 160, steps=8)
    page.mouse.up()
    expect(page.locator(".probe-image canvas")).to_have_attribute("aria-label", "your drawing")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    page.locator("[data-probe=pin]").click()
    pinned = page.locator(".probe-pinned li")
    expect(pinned).to_have_count(1)
    expect(pinned.locator("> span")).not_to_have_text("…")
    page.evaluate("topologyLab.views[0].scrubber.seekStep(0)")
    expect(page.locator(".probe-note")).to_have_text(re.compile(r"^As of step 0\. \d+ steps are kept: 0"))
    pinned.locator(".icon-button").click()
    expect(pinned).to_have_count(0)


def test_a_patch_lights_its_expert_with_the_pointer_and_by_keyboard(lab: Page) -> None:
    page = opened(lab)
    patch = page.locator(".probe-patch").first
    patch.hover()
    expert = patch.inner_text().removeprefix("E")
    assert page.evaluate("topologyLab.views[0].pictures.focus.target.expert") == int(expert)
    patch.focus()
    page.keyboard.press("ArrowRight")
    second = page.locator(".probe-patch").nth(1)
    expect(second).to_be_focused()


@pytest.mark.slow
def test_a_recorded_run_says_that_it_cannot_be_probed(open_page: Callable[..., Page], stored_run: Server) -> None:
    name = stored_run.ask("GET", "/api/recorded")["recorded"][0]["name"]
    page = open_page(f"{stored_run.url}/#recorded={name}", width=1440, height=900)
    page.wait_for_function("() => window.topologyLab?.views[0].pictures.frame")
    page.locator(".probe-fold summary").click()
    expect(page.locator(".probe-note")).to_have_text(re.compile("^A recorded run holds no weights"))
