"""The page of claims in a real browser."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from frontend.claims.evidence import NO_EVIDENCE
from tests.e2e.page_server import PageServer
from tests.e2e.served import Server, patiently

pytestmark = pytest.mark.browser

OpenPage = Callable[..., Page]


def claim(text: str, verdict: str, measured: float, interval: list[float], **more: Any) -> dict[str, Any]:
    return {
        "claim": text,
        "source": "arXiv:2512.20291, section 4",
        "published": None,
        "verdict": verdict,
        "text": f"What was measured: {measured}.",
        "measured": measured,
        "interval": interval,
        "seeds": 10,
        "bound": [0, None],
        "for_method": True,
        "headline": None,
        "why": f"Holds above 0, fails below. The reason of: {text}",
        **more,
    }


LINE = {"label": "CDSP-MoE", "x": [1, 2, 3], "mean": [0.5, 0.7, 0.8], "low": [0.4, 0.6, 0.7], "high": [0.6, 0.8, 0.9]}
CHART = {"title": "By epoch", "x_label": "epoch", "y_label": "accuracy", "x_labels": [], "x_scale": "linear"}
BASELINE = "A standard mixture that is told the task trains to a higher accuracy than CDSP-MoE"
EVIDENCE = {
    "format": 2,
    "summary": ["Of 4 claims 1 holds.", "What it needs is more seeds."],
    "caveat": "No number compares with one on KMNIST.",
    "studies": [
        {
            "study": "table",
            "title": "Table",
            "question": "Which model is best?",
            "data": "The embedded set.",
            "form": "whole",
            "seeds": 10,
            "claims": [
                claim("It is as good.", "holds", 2.5, [2.1, 2.9], published="95.14 %", published_value=2.2),
                claim("It is better than blind.", "fails", -0.8, [-1.3, -0.4]),
                claim("It is near.", "no effect", 0.3, [-0.1, 0.7], published="-0.6 points"),
                claim(BASELINE, "holds", 1.5, [1.4, 1.6], see="/#run=abc", for_method=False),
                claim("It is last.", "undecided", 0.1, [-0.5, 0.7], decided_by=24),
            ],
            "charts": [{**CHART, "lines": [LINE]}],
            "checks": [claim("Chance is chance.", "holds", 1.0, [0.9, 1.1])],
            "notes": ["kana is easier."],
        }
    ],
}
IDLE = {"title": "Any", "question": "Which?", "reason": None, "started_ms": 1, "ended_ms": None, "result": None}
IDLE |= {"state": "idle", "done": 0, "total": 0, "text": ""}
STUDIES = [{**IDLE, "study": "table", "title": "Table"}, {**IDLE, "study": "blind", "title": "Blind"}]
LAST = "#claim-table-it-is-last"


@pytest.fixture
def known(pages: PageServer) -> PageServer:
    """The pages with known results and two studies that can be started."""
    pages.tell(EVIDENCE)
    pages.studies["studies"] = [dict(study) for study in STUDIES]
    return pages


@pytest.fixture
def claims(open_page: OpenPage, known: PageServer) -> Page:
    return open_page(f"{known.url}/claims", wait_for=".claim")


def press(page: Page, word: str) -> None:
    page.click(f"#filter >> text='{word}'")
    expect(page.locator("#filter [aria-pressed=true]")).to_have_text(word)


@pytest.mark.slow
def test_the_lab_links_to_the_claims_and_back(open_page: OpenPage) -> None:
    page = open_page()
    page.click("nav >> text=Claims")
    expect(page.locator("nav [aria-current=page]")).to_have_text("Claims")
    expect(page.locator("h1")).to_contain_text("claims")
    page.click("nav >> text=Lab")
    expect(page.locator("nav [aria-current=page]")).to_have_text("Lab")
    expect(page.locator("[data-picture=topology]")).to_be_attached()


def test_the_page_says_in_one_sentence_how_the_claims_came_out(claims: Page) -> None:
    expect(claims.locator("h1")).to_have_text("Of 4 claims 1 holds.")
    expect(claims.locator("#claims-head p").first).to_have_text("What it needs is more seeds.")
    expect(claims.locator("#tally-holds")).to_have_text("1")
    expect(claims.locator("#tally-aside")).to_have_text("Claims for a baseline, counted apart: 1 hold.")


def test_every_claim_has_verdict_figures_interval_and_its_own_threshold(claims: Page) -> None:
    row = claims.locator("#claim-table-it-is-better-than-blind")
    expect(row.locator(".verdict")).to_have_text("fails")
    expect(row.locator(".shape-fails")).to_be_visible()
    expect(row.locator(".row-value")).to_have_text("−0.80 −1.30 to −0.40claim: above 0")
    expect(claims.locator(".plot .point")).to_have_count(5)
    symbols = claims.locator(".plot .point").evaluate_all("all => all.map((each) => each.getBoundingClientRect().y)")
    middle = row.bounding_box()
    assert middle is not None
    assert min(abs(y + 4.5 - middle["y"] - middle["height"] / 2) for y in symbols) < 3


def test_a_claim_for_a_baseline_is_told_apart_and_never_a_green_success(claims: Page) -> None:
    verdict = claims.locator(".claim", has_text="A standard mixture").locator(".verdict")
    expect(verdict).to_have_text("holdsfor a baseline")
    colour = "getComputedStyle(document.querySelector(arguments)).color"
    assert verdict.evaluate("each => getComputedStyle(each).color") != claims.locator(
        "#claim-table-it-is-as-good .verdict"
    ).evaluate("each => getComputedStyle(each).color"), colour
    press(claims, "Hold")
    expect(claims.locator(".claim .verdict")).to_have_text(["holds", "holdsfor a baseline"])
    press(claims, "For a baseline")
    expect(claims.locator(".claim")).to_have_count(1)


def test_a_claim_leads_into_the_lab_by_its_own_link_or_to_the_run_that_shows_its_theme(claims: Page) -> None:
    see = claims.locator(".claim", has_text="A standard mixture").get_by_text("See it")
    expect(see).to_have_attribute("href", "/#run=abc")
    expect(claims.locator("#claim-table-it-is-as-good .see")).to_have_attribute("href", "/#start=standard")


def test_the_fold_holds_what_stands_behind_each_claim(claims: Page) -> None:
    fold = claims.locator("#theme-accuracy .fold")
    expect(fold).to_have_text("Details, 5 claims, 4 drawn")
    expect(claims.locator("#study-table")).to_have_count(0)
    fold.focus()
    claims.keyboard.press("Enter")
    expect(claims.locator("#theme-accuracy .claim")).to_have_count(5)
    expect(claims.locator("#theme-accuracy .fold")).to_be_focused()
    why = claims.locator("#study-table .claim-why").nth(2)
    expect(why.locator("dl")).to_be_hidden()
    why.locator("summary").focus()
    claims.keyboard.press("Enter")
    expect(why.locator("dl")).to_contain_text("The reason of: It is near.")
    expect(why.locator("dl")).to_contain_text("Published−0.6 points")
    checks = claims.locator("#study-table .study-more", has_text="1 check of program and measures")
    checks.locator("summary").first.click()
    expect(checks.locator(".study-check")).to_contain_text("holdsChance is chance.")
    claims.click("#study-table .study-more summary >> text=chart")
    expect(claims.locator("#study-table .curves .js-line")).to_have_count(2)
    claims.keyboard.press("Shift+Tab")
    claims.locator("#theme-accuracy .fold").click()
    expect(claims.locator("#study-table")).to_have_count(0)


def test_the_filter_shows_the_claims_of_one_verdict_alone(claims: Page) -> None:
    claims.locator("#filter >> text=Fail").focus()
    claims.keyboard.press("Space")
    expect(claims.locator(".claim .verdict")).to_have_text(["fails"])
    expect(claims.locator(".theme-counts .verdict")).to_have_text(["1 fail"])
    expect(claims.locator("#filter >> text=Fail")).to_be_focused()
    expect(claims.locator("#theme-without\\ ID")).to_have_count(0)
    press(claims, "All")
    expect(claims.locator("[id='theme-without ID']")).to_be_visible()


def test_the_search_finds_claims_by_their_words(claims: Page) -> None:
    claims.fill("#claims-search", "than BLIND")
    expect(claims.locator(".claim")).to_have_count(1)
    claims.fill("#claims-search", "nowhere said")
    expect(claims.locator(".nothing")).to_have_text("No claim has these words and this verdict.")


def test_a_link_to_a_claim_opens_its_theme_under_any_filter(claims: Page) -> None:
    press(claims, "Hold")
    claims.evaluate(f"location.hash = '{LAST}'")
    expect(claims.locator(LAST)).to_be_focused()
    expect(claims.locator("#filter [aria-pressed=true]")).to_have_text("All")
    expect(claims.locator(LAST)).to_contain_text("24 seeds would decide")


@pytest.mark.slow
def test_a_link_with_a_question_mark_is_as_good(open_page: OpenPage, known: PageServer) -> None:
    page = open_page(f"{known.url}/claims?claim=table-it-is-last", wait_for=LAST)
    expect(page.locator(LAST)).to_be_in_viewport()


@pytest.mark.slow
def test_a_link_to_a_study_that_there_is_not_says_so_until_another_is_followed(claims: Page) -> None:
    claims.evaluate("location.hash = 'study-nope'")
    expect(claims.locator("#claims-unknown")).to_have_text("There is no study nope.")
    claims.evaluate("location.hash = 'study-blind'")
    expect(claims.locator("#claims-unknown")).to_have_text("")
    expect(claims.locator("#study-blind")).to_be_visible()


@pytest.mark.slow
def test_a_link_to_another_study_unfolds_it_even_where_the_filter_hid_it(claims: Page) -> None:
    press(claims, "Hold")
    expect(claims.locator("[id='theme-without ID']")).to_have_count(0)
    claims.evaluate("location.hash = 'study-blind'")
    expect(claims.locator("#study-blind .study-question")).to_be_visible()
    expect(claims.locator("#filter [aria-pressed=true]")).to_have_text("All")


@pytest.mark.slow
def test_a_study_that_runs_is_shown_and_followed_whatever_the_filter(claims: Page, known: PageServer) -> None:
    press(claims, "Undecided")
    known.studies["studies"][1] |= {"state": "running", "done": 0.5, "total": 2, "text": "step 10 of 20"}
    progress = claims.locator("#study-blind")
    expect(progress).to_contain_text(re.compile(r"25 % of 2 jobs · step 10 of 20"))
    expect(progress.locator("[role=progressbar]")).to_have_attribute("aria-valuenow", "25")
    known.studies["studies"][1] |= {"done": 1.5, "text": "step 3 of 20"}
    expect(progress).to_contain_text(re.compile(r"75 % of 2 jobs · step 3 of 20"))
    expect(progress.locator(".button")).to_have_text("Stop")
    known.studies["studies"][1]["state"] = "stopped"
    expect(progress).to_have_count(0)
    expect(claims.locator("#announcer")).to_have_text("Blind: stopped.")


@pytest.mark.slow
def test_a_study_is_started_and_stopped_by_keyboard(claims: Page, known: PageServer) -> None:
    claims.click("#theme-accuracy .fold")
    button = claims.locator("#study-table .button")
    expect(button).to_have_text("Measure now")
    button.focus()
    claims.keyboard.press("Enter")
    expect(button).to_have_text("Stop")
    claims.keyboard.press("Enter")
    expect(button).to_have_text("Go on measuring")
    assert [path for _, path, _ in known.asked] == ["studies/table/start", "studies/table/stop"]


def test_a_study_that_starts_and_stops_sends_no_figure_and_draws_no_dot_anew(
    open_page: OpenPage, known: PageServer
) -> None:
    page = open_page(f"{known.url}/claims#study-table", wait_for="#study-table .button")
    expect(page.locator(".plot .point")).to_have_count(6)
    page.evaluate("document.querySelectorAll('.plot .point').forEach((each) => (each.isOld = true))")
    answers: list[str] = []
    page.on("response", lambda told: answers.append(told.text()) if "_dash-update" in told.url else None)
    button = page.locator("#study-table .button")
    button.click()
    expect(button).to_have_text("Stop")
    button.click()
    expect(button).to_have_text("Go on measuring")
    expect(page.locator("#announcer")).to_have_text("Table: stopped.")
    known.studies["studies"][0]["state"] = "failed"
    expect(page.locator("#announcer")).to_have_text("Table: failed.")
    assert answers
    assert not any("figure" in answer for answer in answers)
    assert page.locator(".plot .point").evaluate_all("all => all.every((each) => each.isOld)")


@pytest.mark.slow
def test_charts_that_are_unfolded_follow_the_theme(open_page: OpenPage, known: PageServer) -> None:
    page = open_page(f"{known.url}/claims#study-table", wait_for="#study-table")
    expect(page.locator("#study-table .curves")).to_have_count(0)
    page.click("#study-table .study-more summary >> text=chart")
    line = page.locator("#study-table .curves .js-line").last
    before = line.evaluate("each => getComputedStyle(each).stroke")
    page.click("#theme-toggle")
    patiently(lambda: line.evaluate("each => getComputedStyle(each).stroke") != before, "the chart in dark colours")
    page.click("#study-table .study-more summary >> text=chart")
    expect(page.locator("#study-table .curves").first).to_be_hidden()


def test_a_refused_start_says_why(claims: Page, known: PageServer) -> None:
    known.refusal = "Study table is running already."
    claims.click("#theme-accuracy .fold")
    claims.click("#study-table .button")
    expect(claims.locator("#study-table .study-note")).to_have_text(known.refusal)


def test_where_no_study_can_be_started_the_page_says_why(open_page: OpenPage, known: PageServer) -> None:
    known.studies["unavailable"] = "No worker is connected."
    page = open_page(f"{known.url}/claims#study-table", wait_for="#study-table")
    expect(page.locator("#claims-unavailable")).to_have_text("No worker is connected.")
    expect(page.locator("#study-table .button")).to_be_disabled()


@pytest.mark.slow
def test_a_real_study_is_started_watched_and_stopped(open_page: OpenPage, server: Server) -> None:
    table = next(each for each in server.ask("GET", "/api/studies")["studies"] if each["study"] == "table")
    if table["state"] == "running":  # from a try before this one
        server.ask("POST", "/api/studies/table/stop", {})
    page = open_page(f"{server.url}/claims#study-table", wait_for="#study-table .button")
    button = page.locator("#study-table .button")
    button.click()
    expect(button).to_have_text("Stop")
    progress = page.locator("#study-table .study-act")
    patiently(lambda: re.search(r"% of \d+ jobs", progress.inner_text()), "the worker to begin the study")
    page.reload()
    expect(button).to_have_text("Stop")
    button.click()
    patiently(lambda: button.inner_text() == "Go on measuring", "the study to end")
    expect(page.locator("#study-table .study-note")).to_have_text("Stopped; started again, it goes on from here.")


def test_new_results_stand_beside_the_stored_ones(open_page: OpenPage, known: PageServer) -> None:
    new = claim("It is near.", "holds", 0.6, [0.2, 0.9])
    known.studies["studies"][0] |= {"state": "finished", "result": {"claims": [new], "ended_ms": 2}}
    page = open_page(f"{known.url}/claims#study-table", wait_for="#study-table")
    row = page.locator("#claim-table-it-is-near")
    expect(row.locator(".fresh .verdict")).to_have_text("holds")
    expect(row.locator(".fresh")).to_contain_text("on 1970-01-01")
    expect(row.locator(".row-verdict .verdict")).to_have_text("no effect")
    expect(page.locator("#study-table .button")).to_have_text("Measure again")


def test_without_stored_results_the_page_says_which_command_makes_them(open_page: OpenPage, pages: PageServer) -> None:
    pages.studies["studies"] = [dict(study) for study in STUDIES]
    page = open_page(f"{pages.url}/claims#study-table", wait_for="#study-table")
    expect(page.locator("#made")).to_have_text(NO_EVIDENCE)
    expect(page.locator(".tally, #filter button")).to_have_count(0)
    expect(page.locator("#study-table .button")).to_be_enabled()


@pytest.mark.slow
def test_the_theme_of_the_dots_follows_the_button(claims: Page) -> None:
    before = claims.locator(".plot .point").first.evaluate("each => getComputedStyle(each).fill")
    claims.click("#theme-toggle")
    patiently(
        lambda: claims.locator(".plot .point").first.evaluate("each => getComputedStyle(each).fill") != before,
        "the dots to be drawn anew",
    )
    claims.reload()
    expect(claims.locator("html")).to_have_attribute("data-theme", "dark")


LEAST_OF_A_CHART = 140
"""pixels, in which an interval can be told from its threshold"""


@pytest.mark.parametrize("theme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
def test_nothing_of_the_claims_overflows(open_page: OpenPage, known: PageServer, theme: str) -> None:
    page = open_page(f"{known.url}/claims#study-table", wait_for="#study-table", width=1440, theme=theme)
    page.click("#study-table .study-more summary >> text=chart")
    expect(page.locator("#study-table .curves .js-line").first).to_be_visible()
    page.evaluate("document.fonts.ready.then(() => true)")
    assert page.evaluate("document.documentElement.dataset.theme") == theme
    row = page.locator("#claim-table-it-is-better-than-blind")
    for width in (1440, 1280, 768, 390):
        page.set_viewport_size({"width": width, "height": 800})
        fits = f"document.documentElement.scrollWidth <= {width}"
        patiently(lambda fits=fits: page.evaluate(fits), f"the page to fit into {width} pixels")
        words, value = row.locator(".row-name").bounding_box(), row.locator(".row-value").bounding_box()
        assert words is not None
        assert value is not None
        assert words["y"] + words["height"] <= value["y"] or words["x"] + words["width"] <= value["x"], width
        dots = page.locator(".dots").first.bounding_box()
        assert dots is not None
        assert dots["width"] >= LEAST_OF_A_CHART, (width, dots)
