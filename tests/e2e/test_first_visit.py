"""What a stranger meets: the introduction, the explanations, the ways by touch. On a stored run: nothing trains."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.assistive import faults
from tests.e2e.served import Server, patiently

pytestmark = pytest.mark.browser

OpenPage = Callable[..., Page]
CLIPPED = """() => [...document.querySelectorAll(".why")].flatMap((why) => {
  if (!why.checkVisibility({ visibilityProperty: true })) return [];
  why.open = true;
  why.scrollIntoView({ block: "center" });
  const said = why.querySelector("p");
  const { left, right, top, bottom } = said.getBoundingClientRect();
  const corners = [[left + 9, top + 9], [right - 9, top + 9], [left + 9, bottom - 9], [right - 9, bottom - 9]];
  const isWhole = left >= 0 && right <= innerWidth
    && corners.every(([x, y]) => said.contains(document.elementFromPoint(x, y)));
  const name = why.querySelector("summary").getAttribute("aria-label");
  why.open = false;
  return isWhole ? [] : [name];
})"""

WHOLE = """(name) => {
  const shown = document.querySelector(name);
  const { left, right, top, bottom } = shown.getBoundingClientRect();
  const corners = [[left + 9, top + 9], [right - 9, top + 9], [left + 9, bottom - 9], [right - 9, bottom - 9]];
  return left >= 0 && right <= innerWidth && top >= 0 && bottom <= innerHeight
    && corners.every(([x, y]) => shown.contains(document.elementFromPoint(x, y)));
}"""
SCROLLS = """(name) => { const box = document.querySelector(name);
  return box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight; }"""
SIZES = ((1440, 900), (1366, 768), (1280, 720), (1024, 768), (768, 1024), (390, 844))


def lab(open_page: OpenPage, server: Server, width: int, height: int = 900, **more: bool) -> Page:
    """The Lab with the stored run's picture."""
    page = open_page(server.url, width=width, height=height, wait_for="[data-part=story]", **more)
    patiently(lambda: page.evaluate("window.topologyLab?.stats.frames > 0"), "the run's picture")
    return page


@pytest.mark.parametrize("width", [1280, 390])
def test_who_is_new_is_told_in_three_sentences_and_a_picture_until_it_is_closed(
    open_page: OpenPage, stored_run: Server, width: int
) -> None:
    page = lab(open_page, stored_run, width, is_first_visit=True)
    card = page.locator("[data-part=card]")
    expect(card.locator("p").first).to_contain_text("A mixture of experts sends each patch of an image to")
    assert len(re.findall(r"\.\s", card.locator("p").first.inner_text())) == 3
    expect(card.get_by_role("img")).to_be_visible()
    expect(card.get_by_text("The paper")).to_have_attribute("href", "https://arxiv.org/abs/2512.20291")
    card.get_by_text("Got it").click()
    expect(card.get_by_role("img")).to_be_hidden()
    page.reload()
    patiently(lambda: page.evaluate("window.topologyLab?.stats.frames > 0"), "the run's picture")
    expect(card.get_by_role("img")).to_be_hidden()
    page.click("#shortcuts-open")
    expect(page.locator("#shortcuts").get_by_role("img")).to_be_visible()


@pytest.mark.slow
def test_every_explanation_can_be_read_whole(open_page: OpenPage, stored_run: Server) -> None:
    page = lab(open_page, stored_run, 1440)
    assert page.locator(".why").count() >= 7, "there is one on every title"
    for width in (1440, 1280, 1024, 768, 390):
        page.set_viewport_size({"width": width, "height": 900})
        patiently(lambda: page.evaluate(CLIPPED) == [], f"every explanation to be whole at {width} pixels")


@pytest.mark.slow
def test_the_story_is_never_cut_off(open_page: OpenPage, stored_run: Server) -> None:
    page = lab(open_page, stored_run, 1440)
    cut_off = """(text) => { const story = document.querySelector("[data-part=story]"); story.textContent = text;
      return story.scrollWidth > story.clientWidth || story.scrollHeight > story.clientHeight; }"""
    text = "49 of 64 links are cut; 8 experts keep their own block, 48 links cross."
    for width in (1440, 1366, 1280, 1200, 1024, 768, 390):
        page.set_viewport_size({"width": width, "height": 900})
        assert not page.evaluate(cut_off, text), width


@pytest.mark.slow
def test_what_is_opened_over_the_page_has_no_fault_that_axe_knows(open_page: OpenPage, stored_run: Server) -> None:
    page = lab(open_page, stored_run, 1280)
    page.click("[data-part=menu] > summary")
    page.click("[data-part=more-forces] > summary")
    page.click("[data-part=rail-log]")
    page.click(".picture-topology .why > summary")
    assert faults(page) == []
    page.keyboard.press("Escape")
    page.click("#shortcuts-open")
    assert faults(page) == []
    page.keyboard.press("Escape")
    page.click("[data-part=start-another]")
    assert faults(page) == []


def test_the_menu_is_seen_whole_and_nothing_scrolls_for_it(open_page: OpenPage, stored_run: Server) -> None:
    page = lab(open_page, stored_run, 1440)
    page.click("[data-part=menu] > summary")
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        patiently(lambda: page.evaluate(WHOLE, ".menu-sheet"), f"the menu to be whole at {width} by {height}")
        assert not page.evaluate(SCROLLS, ".menu-sheet"), width
        if width >= 900:
            assert not page.evaluate(SCROLLS, "[data-part=controls]"), width


def test_the_header_has_no_line_that_only_one_link_stands_on(open_page: OpenPage, stored_run: Server) -> None:
    page = lab(open_page, stored_run, 1440)
    lines = """() => { const middles = [...document.querySelectorAll(".brand, .tab, .chip, .topbar .icon-button")]
        .filter((each) => each.offsetParent).map((each) => each.getBoundingClientRect())
        .map(({ top, bottom }) => Math.round((top + bottom) / 20));
      return Object.values(Object.groupBy(middles, (each) => each)).map(({ length }) => length); }"""
    for width, _ in SIZES:
        page.set_viewport_size({"width": width, "height": 900})
        counted = page.evaluate(lines)
        assert len(counted) <= 2, (width, counted)
        assert min(counted) > 1, (width, counted)


@pytest.mark.slow
def test_looking_back_makes_no_page_wider_than_its_window(open_page: OpenPage, stored_run: Server) -> None:
    page = lab(open_page, stored_run, 1024)
    page.evaluate("topologyLab.views[0].scrubber.seekStep(400)")
    expect(page.locator(".film-back")).to_be_visible()
    overlaps = """() => {
      const boxes = [...document.querySelectorAll(".panel-film > .panel-head > *, .measure")]
        .filter((each) => each.offsetParent && !each.matches(".film-hint"))
        .map((each) => each.getBoundingClientRect());
      return boxes.flatMap((a, i) => boxes.slice(i + 1).filter((b) => a.left < b.right - 1.5 && b.left < a.right - 1.5
        && a.top < b.bottom - 1 && b.top < a.bottom - 1)).length; }"""
    for width in (1024, 768, 390, 360):
        page.set_viewport_size({"width": width, "height": 900})
        fits = f"document.documentElement.scrollWidth <= {width}"
        patiently(lambda fits=fits: page.evaluate(fits), f"the page to fit into {width} pixels")
        assert page.evaluate(overlaps) == 0, width


def test_on_a_phone_the_film_follows_the_topology_and_the_bar_leads_to_the_sliders(
    open_page: OpenPage, stored_run: Server
) -> None:
    page = lab(open_page, stored_run, 390, 844)
    tops = [
        page.locator(name).bounding_box()
        for name in ("[data-picture=topology]", "[data-part=scrub]", "[data-picture=routing]", ".chart")
    ]
    ys = [box["y"] for box in tops if box]
    assert len(ys) == 4
    assert ys == sorted(ys)
    value = page.locator("[data-opens-control=p_drop]")
    expect(value).to_have_text("p_drop0.25")
    value.click()
    expect(page.locator("[data-control=p_drop]")).to_be_in_viewport()


def test_a_tap_on_a_cell_says_its_value(open_page: OpenPage, stored_run: Server) -> None:
    page = open_page(
        stored_run.url, width=390, height=844, wait_for="[data-part=story]", has_touch=True, is_mobile=True
    )
    patiently(lambda: page.evaluate("window.topologyLab?.stats.frames > 0"), "the run's picture")
    page.locator("[data-picture=topology] canvas").tap(position={"x": 60, "y": 60})
    expect(page.locator("[data-part=reading]")).to_contain_text(re.compile(r"^E0 to its own block B0: σ\(A\) 0?\.\d"))
    expect(page.locator("[data-part=card-title]")).to_have_text("Expert 0")


def test_less_motion_means_a_picture_a_second(open_page: OpenPage, running: Server) -> None:
    page = open_page(running.url, reduced_motion="reduce")
    patiently(lambda: page.evaluate("window.topologyLab?.stats.frames > 1"), "two pictures")
    counted = """async () => { const before = topologyLab.stats.frames; const began = performance.now();
      await new Promise((done) => setTimeout(done, 2500));
      return (topologyLab.stats.frames - before) / ((performance.now() - began) / 1000); }"""
    assert page.evaluate(counted) <= 1.5
