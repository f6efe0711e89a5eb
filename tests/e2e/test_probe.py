"""The probe in the browser: an image picked or drawn, its patches' experts, the answers, what is pinned."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Response, expect

from tests.e2e.assistive import faults
from tests.e2e.served import Server, serving

pytestmark = pytest.mark.browser

SMALL = {"patch_size": 14, "d_model": 16, "d_base": 32, "num_experts": 4, "num_partitions": 4, "num_layers": 2}
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


@pytest.mark.slow
def test_a_finger_draws_on_a_phone_and_the_page_stays_where_it_is(
    open_page: Callable[..., Page], running: Server
) -> None:
    running.train_past(20)
    page = opened(
        open_page(running.url, width=390, height=844, wait_for="[data-part=story]", has_touch=True, is_mobile=True)
    )
    page.locator("[data-probe=draw]").tap()
    pad = page.locator(".probe-pad")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    assert box is not None
    scrolled = page.evaluate("scrollY")
    fingers = page.context.new_cdp_session(page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        at = [{"x": box["x"] + x * box["width"], "y": box["y"] + y * box["height"]} for x, y in points]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})

    touch("touchStart", (0.5, 0.2))
    for place in range(1, 9):
        touch("touchMove", (0.5, 0.2 + 0.07 * place))
    touch("touchEnd")
    inked = """pad => { const { width, height } = pad;
      const { data } = pad.getContext("2d").getImageData(0, 0, width, height);
      const bright = (x, y) => data[4 * (Math.floor(y * height) * width + Math.floor(x * width))];
      return [bright(0.5, 0.25), bright(0.5, 0.7), bright(0.1, 0.5)]; }"""
    top, bottom, beside = pad.evaluate(inked)
    assert min(top, bottom) > beside + 100, "the stroke must go where the finger went, and nowhere else"
    assert page.evaluate("scrollY") == scrolled
    expect(page.locator(".probe-image canvas")).to_have_attribute("aria-label", "your drawing")
    expect(page.locator(".probe-answers dd")).to_have_text([re.compile(r"\d+ %")] * 2)


@pytest.mark.slow
def test_the_answer_of_the_twin_stands_beside_that_of_the_run(open_page: Callable[..., Page], tmp_path: Path) -> None:
    train = {"steps": 40, "eval_every": 20, "eval_batch": 30, "batch_size": 8}
    with serving(tmp_path) as server:
        runs = []
        for weight in (10.0, 0.0):
            config = {"model": SMALL, "train": train, "controls": {"lambda_conflict": weight}}
            runs.append(server.ask("POST", "/api/runs", {"config": config, "seed": 0})["run_id"])
            server.wait_for_run("finished")
        page = open_page(
            f"{server.url}/#run={runs[0]}&with={runs[1]}", width=1440, height=900, wait_for="[data-side=b]"
        )
        told: dict[str, dict[str, Any]] = {}

        def keep(response: Response) -> None:
            if "/probe?" in response.url:
                told[response.url.split("/runs/")[1].split("/")[0]] = response.json()

        page.on("response", keep)
        opened(page)
        expect(page.locator(".probe-answers dt")).to_have_text(["with ID", "without", "twin, with ID"])
        expect(page.locator(".probe-answers dd").nth(2)).to_have_text(re.compile(r"\d+ %"))
        own, twin = (told[run_id]["told"]["share"] for run_id in runs)
        assert own != twin, "another run answers otherwise"
        answers = page.locator(".probe-answers dd").all_inner_texts()
        assert answers[0].endswith(f"{100 * own:.0f} %")
        assert answers[2].endswith(f"{100 * twin:.0f} %")
        page.close()  # before its server ends


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
