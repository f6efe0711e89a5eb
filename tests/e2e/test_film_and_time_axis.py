"""Film and time: the way back through a real run, by pointer and by keyboard, and what follows it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.served import Server, patiently

pytestmark = pytest.mark.browser

OpenPage = Callable[..., Page]
HISTORY = 90
"""steps that a run must have for these tests: four pictures of the film"""


def view(page: Page, expression: str) -> Any:
    """A value of the view of the run, such as `model.run`."""
    return page.evaluate(f"topologyLab.views[0].{expression}")


def film(page: Page) -> Locator:
    """The film, which is the slider over the run's steps."""
    return page.locator("[data-part=scrub]")


def x_of(page: Page, step: int) -> float:
    """Where a step lies on the film, in pixels of the page."""
    script = """step => { const { film } = topologyLab.views[0].charts;
      const names = [...document.querySelectorAll(".film-steps span")];
      const name = names.find((each) => Number(each.textContent.replace(",", "")) === step);
      return name ? film.track.getBoundingClientRect().left + parseFloat(name.style.left) : null; }"""
    x = patiently(lambda: page.evaluate(script, step), f"step {step} on the film")
    return float(x)


def middle(page: Page) -> float:
    box = film(page).bounding_box()
    assert box is not None
    return box["y"] + box["height"] / 3


def picture_beyond(page: Page, key: str, step: int) -> int:
    """The step of the picture that a key leads to from another; which pictures a film has, its run's length says."""
    page.keyboard.press(key)
    way = 1 if key == "ArrowRight" else -1
    found = patiently(
        lambda: way * (view(page, "scrubber.pinned.step") - step) > 0 and view(page, "scrubber.pinned.step"),
        f"a picture by {key}",
    )
    assert x_of(page, int(found)), "a picture of the film"
    return int(found)


@pytest.fixture
def lab(open_page: OpenPage, running: Server) -> Page:
    """The page with enough of a run to look back on."""
    running.train_past(HISTORY)
    page = open_page(width=1440, height=900, wait_for="[data-part=scrub]")
    patiently(lambda: page.evaluate("window.topologyLab?.stats.frames > 3"), "frames")
    patiently(lambda: view(page, "model.store.lastStep") > HISTORY, "some history")
    return page


def test_a_click_on_a_picture_shows_that_moment_until_back_to_live(lab: Page) -> None:
    lab.mouse.click(x_of(lab, 50), middle(lab))
    patiently(lambda: view(lab, "scrubber.pinned?.step") == 50, "the moment")
    expect(film(lab)).to_have_attribute("aria-valuenow", "50")
    expect(lab.locator(".film-hint")).to_have_text("looking back at step 50; sliders show what was in force then")
    live = lab.evaluate("topologyLab.stats.frames")
    patiently(lambda: lab.evaluate("topologyLab.stats.frames") > live + 3, "training to go on")
    assert view(lab, "scrubber.pinned.step") == 50
    lab.get_by_role("button", name="Back to live").click()
    assert view(lab, "scrubber.pinned") is None
    expect(lab.locator(".film-live")).to_have_text("live")


@pytest.mark.slow
def test_dragging_along_the_film_goes_through_its_moments(lab: Page) -> None:
    lab.mouse.move(x_of(lab, 50), middle(lab))
    lab.mouse.down()
    patiently(lambda: view(lab, "scrubber.pinned?.step") == 50, "the first moment")
    lab.mouse.move(x_of(lab, 0), middle(lab), steps=6)
    patiently(lambda: view(lab, "scrubber.pinned.step") == 0, "the beginning")
    lab.mouse.up()
    assert view(lab, "charts.film.isHeld") is False


@pytest.mark.slow
def test_the_keyboard_goes_by_pictures_plays_and_returns(lab: Page, running: Server) -> None:
    film(lab).focus()
    lab.keyboard.press("Home")
    patiently(lambda: view(lab, "scrubber.pinned?.step") == 0, "the beginning")
    first = picture_beyond(lab, "ArrowRight", 0)
    second = picture_beyond(lab, "ArrowRight", first)
    assert picture_beyond(lab, "ArrowLeft", second) == first
    lab.keyboard.press(" ")
    assert view(lab, "scrubber.isPlaying")
    patiently(lambda: view(lab, "scrubber.pinned.step") > first + 5, "the film to go on")
    assert running.run()["status"] == "running"
    lab.keyboard.press("End")
    assert view(lab, "scrubber.pinned") is None
    assert not view(lab, "scrubber.isPlaying")


@pytest.mark.slow
def test_a_film_that_is_played_to_its_end_is_live_again(lab: Page) -> None:
    lab.locator(".film-speed").select_option("16")
    view(lab, "scrubber.seekStep(50)")
    patiently(lambda: view(lab, "scrubber.pinned?.step") == 50, "the moment")
    lab.get_by_role("button", name="Play the film").click()
    patiently(lambda: view(lab, "scrubber.pinned") is None, "the end of the film")


def test_looking_back_sliders_show_what_was_in_force_then(lab: Page, running: Server) -> None:
    slider = lab.locator("[data-control=p_drop] .control-value")
    before = running.run()["controls"]["applied"]["p_drop"]
    after = 0.9 if before != 0.9 else 0.8
    running.command("set", controls={"p_drop": after})
    expect(slider).to_have_value(str(after))
    view(lab, "scrubber.seekStep(50)")
    expect(slider).to_have_value(f"{before:g}")
    expect(slider).to_be_disabled()
    patiently(lambda: lab.locator(".film-tick").count() > 0, "a violet tick where a person acted")
    film(lab).focus()
    lab.keyboard.press("End")
    expect(slider).to_have_value(str(after))


def test_after_a_reset_film_and_chart_show_nothing_of_the_old_run(lab: Page, running: Server) -> None:
    epoch = running.run()["epoch"]
    running.command("speed", steps_per_s=1)  # so that no page is too slow to see the new run young
    running.command("reset")
    patiently(lambda: view(lab, "model.run.epoch") == epoch + 1, "the page to follow the reset")
    script = """() => { const { charts, model } = topologyLab.views[0]; charts.invalidate();
      return [charts.last, Number(document.querySelector("[data-part=scrub]").getAttribute("aria-valuemax")),
        model.store.lastStep]; }"""
    patiently(lambda: max(lab.evaluate(script)) < HISTORY, "the film to begin anew")
    expect(lab.locator(".events-divider").first).to_have_text("before the reset")


def test_the_measures_choose_what_the_chart_shows(lab: Page) -> None:
    for name, told in (("loss", "cross entropy"), ("accuracy", "10 tests, 1,260 images"), ("cut", "below .1")):
        lab.locator(f"[data-measure={name}]").click()
        expect(lab.locator(f"[data-measure={name}]")).to_have_attribute("aria-pressed", "true")
        expect(lab.locator(".chart-told")).to_contain_text(told)
        patiently(lambda: lab.locator(".chart-line").count() > 0, f"a line of {name}")


def test_values_under_the_pointer_cover_no_label(lab: Page) -> None:
    lab.locator("[data-measure=loss]").click()
    box = lab.locator(".chart").bounding_box()
    assert box is not None
    lab.mouse.move(x_of(lab, 50), box["y"] + box["height"] / 2)
    expect(lab.locator(".chart-at")).to_have_text("step 50")
    overlaps = """() => {
      const labels = document.querySelectorAll(".chart-labels span, .chart-mark-label, .chart-tick");
      const boxes = [...labels].map((each) => each.getBoundingClientRect());
      return boxes.flatMap((a, i) => boxes.slice(i + 1).filter((b) => a.left < b.right && b.left < a.right
        && a.top < b.bottom - 2 && b.top < a.bottom - 2)).length; }"""
    assert lab.evaluate(overlaps) == 0


@pytest.mark.slow
def test_the_log_does_not_slide_away_under_the_pointer(lab: Page, running: Server) -> None:
    first = lab.locator(".event").first
    first.hover()
    text, before = first.text_content(), first.bounding_box()
    value = 0.3 if running.run()["controls"]["applied"]["p_drop"] != 0.3 else 0.4
    running.command("set", controls={"p_drop": value})
    expect(lab.locator(".log-more")).to_have_text(re.compile(r"\d+ new"))
    assert (first.text_content(), first.bounding_box()) == (text, before)
    lab.mouse.move(700, 300)
    expect(lab.locator(".event").first).to_contain_text("p_drop")
