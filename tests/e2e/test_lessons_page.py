"""Lessons in the browser: every one is played through, from its card to the claim's verdict."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from frontend.pages import DASH_PAGES
from tests.e2e.assistive import faults
from tests.e2e.served import Server, patiently

pytestmark = pytest.mark.browser


def test_every_page_says_what_it_shows_when_it_is_asked(open_page: Callable[..., Page], stored_run: Server) -> None:
    for each in DASH_PAGES:
        page = open_page(stored_run.url + each.path, wait_for="#help-open", width=390, height=844)
        page.get_by_role("button", name="Help").click()
        said = page.get_by_role("dialog", name="Help")
        expect(said).to_contain_text(each.help)
        expect(said.get_by_role("link", name="The paper")).to_be_visible()
        said.get_by_role("button", name="Close").click()
        expect(said).to_be_hidden()


def test_cards_are_there_before_the_gallery_is(open_page: Callable[..., Page], stored_run: Server) -> None:
    page = open_page(stored_run.url, width=1440, height=900)
    held: list[Route] = []

    def hold(route: Route) -> None:
        if "recorded-grid" in (route.request.post_data or ""):
            held.append(route)
        else:
            route.continue_()

    page.route("**/_dash-update-component*", hold)
    page.goto(f"{stored_run.url}/lessons")
    expect(page.locator(".lesson-card")).to_have_count(6)
    expect(page.locator("#lessons-go-on")).to_be_visible()
    expect(page.locator(".recorded-film")).to_have_count(0)
    (gallery,) = held
    gallery.continue_()
    expect(page.locator(".recorded-film").first).to_be_visible()


WORDS_OVER_A_PLACE = """() => [...document.querySelectorAll(".is-asking .panel")].filter((panel) => {
  const words = getComputedStyle(panel, "::after");
  const stands = panel.getClientRects().length > 0 || getComputedStyle(panel).display === "none";
  return words.content.includes("Shown with") && words.position === "absolute" && !stands;
}).map((panel) => panel.className)"""
"""Panels that are no box, and whose words would stand wherever the page begins."""
NAMED_BUT_EMPTY = """() => [...document.querySelectorAll(".is-asking .panel-holds")].filter(
  (panel) => !getComputedStyle(panel, "::after").content.includes("Shown with the answer.")
).length"""


def test_a_link_to_a_run_puts_the_lesson_away_that_was_open(open_page: Callable[..., Page], stored_run: Server) -> None:
    page = open_page(f"{stored_run.url}/#lesson=what-does-an-expert-own", wait_for=".is-asking", width=1440)
    asking = page.locator(".is-asking")
    expect(asking).to_have_count(1)
    run_id = stored_run.run()["run_id"]
    page.evaluate("(run) => (location.hash = `#run=${run}`)", run_id)
    expect(asking).to_have_count(0)
    page.wait_for_function("(run) => window.topologyLab.views[0].stream.runId === run", arg=run_id)
    page.go_back()
    expect(page.get_by_role("button", name="about three")).to_be_visible()
    assert faults(page) == []


def test_a_run_chosen_in_the_header_puts_the_lesson_away_that_was_open(
    open_page: Callable[..., Page], stored_run: Server
) -> None:
    page = open_page(f"{stored_run.url}/#lesson=what-does-an-expert-own", wait_for=".is-asking", width=1440)
    expect(page.locator(".is-asking")).to_have_count(1)
    run_id = stored_run.run()["run_id"]
    page.locator("[data-part='run-list']").select_option(run_id)
    expect(page.locator(".has-lesson")).to_have_count(0)
    patiently(lambda: page.evaluate("topologyLab.views[0].stream.runId") == run_id, "the run to be shown")


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (390, 844)])
def test_question_answer_and_the_way_on_are_seen_and_lie_on_nothing(
    open_page: Callable[..., Page], stored_run: Server, width: int, height: int
) -> None:
    page = open_page(f"{stored_run.url}/lessons", wait_for=".lesson-card", width=width, height=height)
    page.get_by_role("link", name=re.compile("What carves the structure")).click()
    answer = page.get_by_role("button", name=re.compile("as many as in A"))
    expect(answer).to_be_in_viewport(ratio=1)
    assert page.evaluate(WORDS_OVER_A_PLACE) == []
    assert page.evaluate(NAMED_BUT_EMPTY) == 0
    answer.click()
    expect(page.get_by_role("button", name=re.compile("what happened"))).to_be_visible()
    way_on = page.get_by_role("button", name="Next lesson")
    expect(way_on).to_be_in_viewport(ratio=1)
    way_on.click(trial=True)  # nothing lies on it
    claim = page.get_by_role("link", name="The topology becomes sparse because of the conflict")
    if width > 1000:
        claim.click(trial=True)
        said, on = claim.bounding_box(), page.get_by_role("link", name="All lessons").bounding_box()
        assert said is not None
        assert on is not None
        assert said["y"] + said["height"] <= on["y"], "the verdict is covered by the buttons"


def test_take_away_stands_whole_below_a_lesson_before_and_after_its_answer(
    open_page: Callable[..., Page], stored_run: Server
) -> None:
    page = open_page(
        f"{stored_run.url}/#lesson=what-carves-the-structure", wait_for="[data-answer]", width=1440, height=900
    )
    for is_told in (False, True):
        if is_told:
            page.locator("[data-answer='2']").click()
            expect(page.locator(".lesson-after")).to_be_in_viewport(ratio=1)
            expect(page.locator("[data-answer='2']")).to_be_in_viewport(ratio=1)
            expect(page.get_by_role("button", name="Next lesson")).to_be_in_viewport(ratio=1)
        expect(page.locator(".panel-take")).to_be_in_viewport(ratio=1)
        page.locator("[data-takes=data] summary").click(trial=True)  # nothing lies on it
        expect(page.locator(".panel-log")).to_be_in_viewport(ratio=1)
        assert page.evaluate("document.documentElement.scrollHeight <= innerHeight")


@pytest.mark.slow
def test_every_lesson_is_played_through_from_its_card_to_its_claim(
    open_page: Callable[..., Page], stored_run: Server
) -> None:
    lessons = stored_run.ask("GET", "/lessons/lessons.json")["lessons"]
    page = open_page(f"{stored_run.url}/lessons", wait_for=".lesson-card", width=1440, height=900)
    expect(page.locator(".lesson-card")).to_have_count(len(lessons))
    expect(page.locator(".recorded-film img").first).to_be_attached()
    assert faults(page) == []
    page.locator(".lesson-card").first.click()
    card = page.locator("[data-part=lesson]")
    for lesson in lessons:
        expect(card.locator("h2")).to_have_text(lesson["title"])
        expect(card.locator(".lesson-after")).to_have_count(0)
        wrong = (lesson["right"] + 1) % 3
        card.locator(f"[data-answer='{wrong}']").click()
        expect(card.locator(f"[data-answer='{lesson['right']}']")).to_contain_text("what happened")
        expect(card.locator(".lesson-after")).to_have_text(lesson["after"])
        expect(card.locator(".dots-dot")).to_have_count(sum(len(group["values"]) for group in lesson["groups"]))
        expect(card.locator(".lesson-claim b")).to_have_text(lesson["claim"]["verdict"])
        look = lesson["look"]
        expect(page).to_have_url(re.compile(rf"recorded={re.escape(look['run'])}(&|$)"))
        expect(page.locator("[data-part=chip-model]")).to_contain_text(look["run"])
        expect(page.locator("[data-part=twin]")).to_be_visible(visible=look["beside"] is not None)
        if look["moment"] is not None:
            expect(page.locator("[data-part=chip-words]")).to_have_text("Looking back")
        if lesson["next"] is not None:
            card.get_by_role("button", name="Next lesson").click()
    assert faults(page) == []
    card.get_by_role("link", name="All lessons").click()
    expect(page.locator(".lesson-state[data-state=done]")).to_have_count(len(lessons))
