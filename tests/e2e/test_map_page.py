"""The page of maps in a real browser, on an API that tells of one map."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.assistive import faults
from tests.e2e.page_server import PageServer
from tests.e2e.served import Server, patiently
from tests.frontend.test_map import CELLS, a_map, cell

pytestmark = pytest.mark.browser

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.slow
@pytest.mark.parametrize(("width", "theme"), [(1440, "light"), (390, "dark")])
def test_a_map_is_seen_by_pointer_and_keyboard_and_a_cell_that_ends_fills_in(
    open_page: Callable[..., Page], pages: PageServer, width: int, theme: str
) -> None:
    pages.sweeps = [a_map(list(CELLS))]
    page = open_page(f"{pages.url}/map", wait_for=".map-square", width=width, theme=theme)
    expect(page.locator(".map-square")).to_have_count(4)
    expect(page.locator("#map-sentence")).to_have_text("1 of 4 links are cut at λ 0, 4 at 10. p_drop hardly matters.")
    expect(page.locator("#map-runs")).to_have_text("3 of 4 runs")
    expect(page.locator("#map-top .main-svg").first).to_be_visible()

    page.locator("[data-square='0-0']").focus()
    expect(page.locator("#map-card h2")).to_have_text("λ 0, p_drop 0")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#map-card h2")).to_have_text("λ 10, p_drop 0")
    expect(page.locator("#map-card dd").first).to_have_text("4 of 4")
    expect(page.locator(".map-film img")).to_have_count(2)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert faults(page) == []

    pages.sweeps = [a_map([*CELLS[:3], cell(1, 1, 3)], done=4.0, state="finished")]
    expect(page.locator("[data-square='1-1']")).to_have_attribute("aria-label", "λ 10, p_drop 1: Links cut 3")
    expect(page.locator("#map-runs")).to_have_text("4 of 4 runs")


@pytest.mark.slow
def test_a_map_is_asked_for_and_what_cannot_be_is_said_at_once(
    open_page: Callable[..., Page], pages: PageServer
) -> None:
    pages.sweeps = [a_map(list(CELLS))]
    page = open_page(f"{pages.url}/map", wait_for=".map-square", width=1440)
    page.locator("#map-x-values").fill("0, 1000, x")
    expect(page.locator("#map-size")).to_have_text("lambda_conflict must be a number. Found 'x'.")
    page.locator("#map-x-values").fill("0, 10, 1000")
    expect(page.locator("#map-size")).to_have_text("lambda_conflict must be a number from 0 to 100. Found 1000.0.")
    page.locator("#map-x-values").fill("0, 10")
    page.locator("#map-steps").fill("1000")
    expect(page.locator("#map-size")).to_have_text("4 runs of 1,000 steps.")

    page.locator("#map-y").click()
    page.locator(".dash-dropdown-search").fill("num_exp")
    page.locator(".dash-dropdown-options").get_by_text("num_experts", exact=True).click()
    expect(page.locator("#map-y-values")).to_have_value("2, 4, 8, 16, 32")
    expect(page.locator("#map-size")).to_have_text("10 runs of 1,000 steps.")
    page.get_by_text("Waits while a run trains").click()
    page.locator("#map-start").click()
    patiently(lambda: len(pages.asked) == 2, "the map to be asked for, and the one shown to wait")
    (held, _, change), (method, path, body) = sorted(pages.asked)  # whichever came first
    assert (held, change) == ("PATCH", {"waits": True})
    assert (method, path, body["preset"], body["steps"], body["waits"]) == ("POST", "sweeps", "live", 1000, True)
    assert body["axes"] == [
        {"field": "lambda_conflict", "values": [0.0, 10.0]},
        {"field": "num_experts", "values": [2, 4, 8, 16, 32]},
    ]


def test_a_copied_link_opens_the_map_as_it_was_shown(open_page: Callable[..., Page], pages: PageServer) -> None:
    pages.sweeps = [a_map(list(CELLS)), a_map(list(CELLS), sweep_id="map-2", name="Another", recorded=True)]
    page = open_page(f"{pages.url}/map?map=map-2", wait_for=".map-square", width=1280)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=pages.url)
    page.get_by_role("radiogroup", name="Measure").get_by_text("Accuracy with ID").click()
    page.get_by_text("Numbers").click()
    page.locator("#map-copy").click()
    expect(page.locator("#map-copy")).to_have_text("Copied")
    link = page.evaluate("navigator.clipboard.readText()")
    expect(page.locator("#map-copy")).to_have_text("Copy link")

    again = open_page(link, wait_for=".map-square", width=1280)
    assert "map=map-2" in again.url
    expect(again.get_by_role("radio", name="Accuracy with ID")).to_be_checked()
    expect(again.get_by_role("radio", name="Numbers")).to_be_checked()
    expect(again.locator("[data-square='1-0']")).to_have_attribute("aria-label", re.compile("Accuracy with ID"))
    again.get_by_role("radiogroup", name="Measure").get_by_text("Links cut").click()
    expect(again.locator("[data-square='1-0']")).to_have_attribute("aria-label", re.compile("Links cut"))


def test_the_figure_is_an_svg_file_with_the_sentence_of_the_page(
    open_page: Callable[..., Page], pages: PageServer
) -> None:
    pages.sweeps = [a_map(list(CELLS))]
    page = open_page(f"{pages.url}/map", wait_for=".map-square", width=1440, height=900)
    said = page.locator("#map-sentence").inner_text()
    with page.expect_download() as download:
        page.get_by_role("button", name="Figure (SVG)").click()
    assert download.value.suggested_filename == "map-1.svg"
    root = ET.fromstring(Path(download.value.path()).read_bytes())
    assert root.tag == f"{SVG}svg"
    words = " ".join("".join(each.itertext()) for each in root.iter(f"{SVG}text"))
    assert said == "1 of 4 links are cut at λ 0, 4 at 10. p_drop hardly matters."
    assert said in words
    assert len(list(root.iter(f"{SVG}rect"))) > len(CELLS)


def test_a_square_of_the_map_that_comes_with_the_program_opens_in_the_lab_as_a_replay(
    open_page: Callable[..., Page], stored_run: Server
) -> None:
    page = open_page(f"{stored_run.url}/map?map=lambda-by-p_drop", wait_for=".map-square", width=1440, height=900)
    square = page.locator("[data-square]:has(img)").last
    square.click()
    expect(page.locator("#map-card h2")).to_have_text("λ 100, p_drop 1")
    link = page.get_by_role("link", name="Open in the Lab")
    address = str(link.get_attribute("href"))
    link.click()
    page.wait_for_function("() => window.topologyLab?.views[0].pictures.frame")
    assert page.url.startswith(f"{stored_run.url}{address}")
    expect(page.locator("[data-part=chip-words]")).to_have_text("Recorded")
    expect(page.locator("header")).to_contain_text("lambda_conflict 100, p_drop 1, seed 0")
    expect(page.get_by_role("button", name="Start from its settings")).to_be_visible()
    shown = page.evaluate("topologyLab.views[0].pictures.frame.step")
    assert shown > 0
    page.evaluate("topologyLab.views[0].scrubber.seekStep(0)")
    page.wait_for_function("() => topologyLab.views[0].pictures.frame.step === 0")


@pytest.mark.slow
@pytest.mark.parametrize(("width", "theme"), [(1280, "light"), (390, "dark")])
def test_the_film_plays_by_itself_stops_where_asked_and_goes_to_any_moment(
    open_page: Callable[..., Page], pages: PageServer, width: int, theme: str
) -> None:
    pages.sweeps = [a_map(list(CELLS))]
    page = open_page(f"{pages.url}/map", wait_for=".map-square", width=width, theme=theme)
    expect(page.locator("#map-film-bar")).to_be_hidden()
    page.get_by_role("radiogroup", name="What a square shows").get_by_text("Film").click()
    expect(page.locator(".map-moment")).to_have_count(3)
    expect(page.locator("#map-play")).to_have_text("Pause")
    expect(page.locator("#map-step")).to_have_text("step 100 of 100")
    expect(page.locator("#map-play")).to_have_text("Play")
    square = page.locator("[data-square='1-0'] .map-moment")
    trained = square.screenshot()
    moment = page.get_by_label("Moment of the film")
    moment.fill("0")
    expect(page.locator("#map-step")).to_have_text("step 0 of 100")
    assert square.screenshot() != trained
    moment.fill(str(moment.get_attribute("max")))
    expect(page.locator("#map-step")).to_have_text("step 100 of 100")
    assert square.screenshot() == trained

    page.locator("#map-play").click()
    expect(page.locator("#map-play")).to_have_text("Pause")
    page.locator("#map-play").click()
    expect(page.locator("#map-play")).to_have_text("Play")
    assert page.locator("#map-step").inner_text() != "step 100 of 100"
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert faults(page) == []

    with page.expect_download() as taken:
        page.get_by_role("button", name="Film (SVG)").click()
    assert taken.value.suggested_filename == "map-1-film.svg"
    assert taken.value.path().read_text().count("<image") == 3

    page.get_by_role("radiogroup", name="What a square shows").get_by_text("Pictures").click()
    expect(page.locator("#map-film-bar")).to_be_hidden()
    expect(page.locator(".map-square img")).to_have_count(3)


@pytest.mark.slow
def test_two_squares_pressed_are_offered_as_a_twin_and_escape_frees_them(
    open_page: Callable[..., Page], pages: PageServer
) -> None:
    pages.sweeps = [a_map(list(CELLS)), a_map(list(CELLS), sweep_id="map-2", name="Another", recorded=True)]
    page = open_page(f"{pages.url}/map", wait_for=".map-square", width=1280)
    page.locator("[data-square='0-1']").click()
    page.locator("[data-square='1-0']").click()
    twin = page.locator("#map-card .button-primary")
    expect(twin).to_have_text("Compare with λ 0, p_drop 1")
    assert twin.get_attribute("href") == "/#recorded=map-1.01&with=recorded:map-1.10"
    expect(page.locator("[aria-pressed=true]")).to_have_count(2)
    page.keyboard.press("Escape")
    expect(page.locator("[aria-pressed=true]")).to_have_count(0)

    page.locator("#map-choice").click()
    page.get_by_text("λ by p_drop, 4 runs").click()
    expect(page).to_have_url(f"{pages.url}/map?map=map-2")
    expect(page.locator("#map-stop")).to_be_hidden()


@pytest.mark.slow
def test_a_square_is_larger_under_the_pointer_and_is_begun_as_a_run_of_ones_own(
    open_page: Callable[..., Page], pages: PageServer
) -> None:
    pages.sweeps = [a_map(list(CELLS))]
    page = open_page(f"{pages.url}/map", wait_for=".map-square", width=1440, may_fail=True)  # the Lab finds no run here
    square = page.locator("[data-square='1-0']")

    def width() -> float:
        return float(square.evaluate("it => it.getBoundingClientRect().width"))

    before = width()
    square.hover()
    patiently(lambda: width() > 1.02 * before, "the square under the pointer to grow")
    square.click()
    expect(page.locator("#map-card h2")).to_have_text("λ 10, p_drop 0")
    expect(page.get_by_role("link", name="Open in the Lab")).to_have_attribute("href", "/#recorded=map-1.10")
    page.get_by_role("button", name="Go on from here").click()
    patiently(lambda: any(path == "runs" for _, path, _ in pages.asked), "the run to be asked for")
    asked = {"config": {"preset": "live", "train": {"seed": 0, "steps": 1000}}, "name": "1-0-0", "pause_at": 100}
    assert pages.asked == [("POST", "runs", asked)]
    expect(page).to_have_url(f"{pages.url}/#run=begun")


def test_another_map_begins_with_no_square_pressed_and_on_a_layer_and_a_measure_that_it_has(
    open_page: Callable[..., Page], pages: PageServer
) -> None:
    deep = {"model": {"num_layers": 2, "num_experts": 2, "num_partitions": 2}}
    waiting = [cell(x, y, None) for y in range(2) for x in range(2)]
    pages.sweeps = [a_map(list(CELLS), config=deep), a_map(waiting, sweep_id="map-2", name="Another")]
    link = f"{pages.url}/map?map=map-1&layer=Layer+2&measure=<b>&view=<b>"
    page = open_page(link, wait_for=".map-square", width=1280)
    for chosen in ("Links cut", "Layer 2", "Pictures"):
        expect(page.get_by_role("radio", name=chosen)).to_be_checked()
    page.locator("[data-square='1-0']").click()
    expect(page.locator("#map-card h2")).to_have_text("λ 10, p_drop 0")

    page.locator("#map-choice").click()
    page.get_by_text("Another, 4 runs").click()
    expect(page.locator("#map-card")).to_have_text("Point at a square, or go to one by Tab.")
    expect(page.locator("[aria-pressed=true]")).to_have_count(0)
    expect(page.get_by_role("radio", name="Layer 1")).to_be_checked()


def test_a_square_that_fills_in_stays_the_same_button_and_a_pointer_that_rests_on_it_is_no_wish(
    open_page: Callable[..., Page], pages: PageServer
) -> None:
    pages.sweeps = [a_map(list(CELLS))]
    page = open_page(f"{pages.url}/map", wait_for=".map-square", width=1280)
    square = page.locator("[data-square='1-1']")
    square.hover()
    expect(page.locator("#map-card h2")).to_have_text("λ 10, p_drop 1")
    square.evaluate("it => { it.wasThere = true; }")
    page.locator("[data-square='0-1']").focus()
    expect(page.locator("#map-card h2")).to_have_text("λ 0, p_drop 1")

    pages.sweeps = [a_map([*CELLS[:3], cell(1, 1, 3)], done=4.0, state="finished")]
    expect(square).to_have_attribute("aria-label", "λ 10, p_drop 1: Links cut 3")
    expect(square.locator("img")).to_have_count(1)
    assert square.evaluate("it => it.wasThere")
    expect(page.locator("#map-runs")).to_have_text("4 of 4 runs")
    expect(page.locator("#map-card h2")).to_have_text("λ 0, p_drop 1")


def test_a_card_that_is_drawn_anew_meanwhile_does_not_keep_the_page_from_the_run_that_was_begun(
    open_page: Callable[..., Page], pages: PageServer
) -> None:
    pages.sweeps = [a_map(list(CELLS))]
    page = open_page(f"{pages.url}/map", wait_for=".map-square", width=1280, may_fail=True)  # the Lab finds no run here
    page.locator("[data-square='1-0']").click()
    expect(page.locator("#map-card h2")).to_have_text("λ 10, p_drop 0")
    pages.may_change.clear()
    page.get_by_role("button", name="Go on from here").click()
    patiently(lambda: len(pages.asked) == 1, "the run to be asked for")
    pages.sweeps = [a_map([CELLS[0], cell(1, 0, 3), *CELLS[2:]])]
    expect(page.locator("#map-card dd").first).to_have_text("3 of 4")
    pages.may_change.set()
    expect(page).to_have_url(f"{pages.url}/#run=begun")
