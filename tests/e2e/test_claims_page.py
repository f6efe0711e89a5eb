"""The page of claims in a real browser, on a real worker."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from frontend.app import NO_EVIDENCE
from tests.e2e.served import Server, patiently

pytestmark = pytest.mark.browser

OpenPage = Callable[..., Page]


def claim(text: str, verdict: str, measured: float, interval: list[float], published: str | None) -> dict[str, Any]:
    return {
        "claim": text,
        "source": "arXiv:2512.20291, section 4",
        "published": published,
        "verdict": verdict,
        "text": f"What was measured: {measured}.",
        "measured": measured,
        "interval": interval,
        "seeds": 10,
        "why": f"The reason of: {text}",
    }


LINE = {"label": "CDSP-MoE", "x": [1, 2, 3], "mean": [0.5, 0.7, 0.8], "low": [0.4, 0.6, 0.7], "high": [0.6, 0.8, 0.9]}
CHART = {"title": "By epoch", "x_label": "epoch", "y_label": "accuracy", "x_labels": [], "x_scale": "linear"}
EVIDENCE = {
    "format": 1,
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
                claim("It is as good.", "holds", 95.4, [95.2, 95.6], "95.14 %"),
                claim("It is better than blind.", "fails", -0.8, [-1.3, -0.4], None),
                claim("It is near.", "mixed", 0.3, [-0.1, 0.7], "-0.6 points"),
            ],
            "charts": [{**CHART, "lines": [LINE]}],
            "notes": ["kana is easier."],
        }
    ],
}


@pytest.fixture
def claims(open_page: OpenPage, server: Server) -> Page:
    return claims_page(open_page, server)


def claims_page(open_page: OpenPage, server: Server, **options: Any) -> Page:
    """The page with known results in place of those of the repository, addressed at the study that has some."""
    answers = {"/claims/evidence.json": EVIDENCE}
    return open_page(f"{server.url}/claims#study-table", wait_for="#study-table .claim", answers=answers, **options)


def test_the_lab_links_to_the_claims_and_back(open_page: OpenPage) -> None:
    page = open_page()
    page.click("nav >> text=Claims")
    expect(page.locator("h1")).to_have_text("Claims")
    expect(page.locator("nav [aria-current=page]")).to_have_text("Claims")
    page.click("nav >> text=Lab")
    expect(page.locator("[data-picture=topology0]")).to_be_visible()


def test_every_claim_shows_verdict_figures_interval_and_on_demand_its_reason(claims: Page) -> None:
    for word, count in (("holds", "1"), ("mixed", "1"), ("fails", "1")):
        expect(claims.locator(f"#tally-{word}")).to_have_text(count)
    row = claims.locator("#study-table .claim").nth(1)
    expect(row.locator(".verdict")).to_have_text("fails")
    expect(row.locator(".shape-fails")).to_be_visible()
    expect(row).not_to_contain_text("Published")
    expect(claims.locator("#study-table .claim").nth(2)).to_contain_text("Published−0.6 points")
    expect(row).to_contain_text("What was measured: −0.8.")
    expect(row.locator("svg")).to_have_attribute("aria-label", "stored: −0.800, interval −1.30 to −0.400")
    expect(row.locator(".claim-why p")).to_be_hidden()
    row.locator("summary").focus()
    claims.keyboard.press("Enter")
    expect(row.locator(".claim-why p")).to_have_text("The reason of: It is better than blind.")
    claims.click("#study-table .study-more summary")
    expect(claims.locator("#study-table .study-chart")).to_be_visible()


def test_a_study_is_folded_to_its_verdicts_until_opened_addressed_or_filtered(
    open_page: OpenPage, server: Server
) -> None:
    answers = {"/claims/evidence.json": EVIDENCE}
    page = open_page(f"{server.url}/claims", wait_for="#study-blind", answers=answers)
    counts = page.locator("#study-table .study-counts")
    expect(counts.locator(".verdict")).to_have_text(["1 hold", "1 mixed", "1 fail"])
    expect(counts.locator(".shape-holds, .shape-mixed, .shape-fails")).to_have_count(3)
    shown = page.locator(".claim:visible")
    expect(shown).to_have_count(0)
    page.locator("#study-table .study-fold > summary").focus()
    page.keyboard.press("Enter")
    expect(shown).to_have_count(3)
    page.keyboard.press("Enter")
    expect(shown).to_have_count(0)
    page.locator("#filter >> text=fails").focus()
    page.keyboard.press("Space")
    expect(shown.locator(".claim-verdict")).to_have_text(["fails"])
    expect(counts.locator(".verdict")).to_have_text(["1 fail"])
    expect(page.locator("#study-blind")).to_be_hidden()
    page.click("#filter >> text=all")
    expect(shown).to_have_count(0)
    expect(counts.locator(".verdict")).to_have_count(3)
    expect(page.locator("#study-blind .button")).to_be_visible()


def test_a_link_to_a_study_that_there_is_not_says_so_until_another_is_followed(claims: Page) -> None:
    claims.evaluate("location.hash = 'study-nope'")
    expect(claims.locator("#unknown")).to_have_text("There is no study nope.")
    claims.evaluate("location.hash = 'study-blind'")
    expect(claims.locator("#unknown")).to_have_text("")


def test_a_link_to_another_study_unfolds_it_even_where_the_filter_hid_it(claims: Page) -> None:
    claims.click("#filter >> text=holds")
    expect(claims.locator("#study-blind")).to_be_hidden()
    claims.evaluate("location.hash = 'study-blind'")
    expect(claims.locator("#study-blind .study-question")).to_be_visible()
    expect(claims.locator("#filter [aria-pressed=true]")).to_have_text("all")


def test_a_study_that_runs_is_shown_whatever_the_filter(open_page: OpenPage, server: Server) -> None:
    quiet = {"title": "Any", "question": "Which?", "reason": None, "started_ms": 1, "ended_ms": None, "result": None}
    running = {**quiet, "study": "blind", "state": "running", "done": 0.5, "total": 2, "text": "step 10 of 20"}
    idle = {**quiet, "study": "deceptive", "state": "idle", "done": 0, "total": 0, "text": ""}
    answers = {
        "/claims/evidence.json": EVIDENCE,
        "/api/studies": {"unavailable": None, "studies": [running, idle]},
    }
    page = open_page(f"{server.url}/claims", wait_for="#study-blind [role=progressbar]", answers=answers)
    page.click("#filter >> text=mixed")
    expect(page.locator("#study-deceptive")).to_be_hidden()
    expect(page.locator("#study-blind")).to_contain_text(re.compile(r"25.% of 2 jobs · step 10 of 20"))
    expect(page.locator("#study-blind .button")).to_have_text("Stop")


def test_a_study_is_started_watched_and_stopped(claims: Page) -> None:
    button = claims.locator("#study-table .button")
    expect(button).to_have_text("Measure now")
    button.focus()
    claims.keyboard.press("Enter")
    expect(button).to_have_text("Stop")
    progress = claims.locator("#study-table .study-progress")
    patiently(lambda: re.search(r"% of \d+ jobs", progress.inner_text()), "the worker to begin the study")
    claims.reload()
    expect(button).to_have_text("Stop")
    expect(claims.locator("#study-table [role=progressbar]")).to_be_visible()
    expect(claims.locator("#study-blind .button")).to_be_disabled()
    button.click()
    patiently(lambda: button.inner_text() == "Go on measuring", "the study to end")
    expect(claims.locator("#study-table .study-note")).to_have_text("Stopped; started again, it goes on from here.")


def test_new_results_stand_beside_the_stored_ones(open_page: OpenPage, server: Server) -> None:
    new = claim("It is near.", "holds", 0.6, [0.2, 0.9], None)
    live = {"study": "table", "title": "Table", "question": "Which?", "state": "finished", "done": 1, "total": 1}
    live |= {"text": "", "reason": None, "started_ms": 1, "ended_ms": 2, "result": {"claims": [new], "ended_ms": 2}}
    answers = {"/claims/evidence.json": EVIDENCE, "/api/studies": {"unavailable": None, "studies": [live]}}
    page = open_page(f"{server.url}/claims#study-table", wait_for="#study-table .claim-fresh", answers=answers)
    row = page.locator("#study-table .claim").nth(2)
    expect(row.locator(".claim-fresh .verdict")).to_have_text("holds")
    expect(row.locator(".claim-verdict .verdict")).to_have_text("mixed")
    expect(row.locator(".whisker-stored circle, .whisker-new circle")).to_have_count(2)
    expect(page.locator("#study-table .button")).to_have_text("Measure again")


def test_without_stored_results_the_page_says_which_command_makes_them(open_page: OpenPage, server: Server) -> None:
    nothing = {"/claims/evidence.json": {"studies": [], "missing": NO_EVIDENCE}}
    page = open_page(f"{server.url}/claims", wait_for="#study-table", answers=nothing)
    expect(page.locator("#made")).to_have_text(NO_EVIDENCE)
    expect(page.locator("#tallies, #filter").filter(visible=True)).to_have_count(0)
    expect(page.locator("#study-table .button")).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_of_the_claims_overflows(open_page: OpenPage, server: Server, width: int, theme: str) -> None:
    page = claims_page(open_page, server, width=width, theme=theme)
    page.click("#study-table .study-more summary")
    patiently(lambda: page.evaluate("document.fonts.status === 'loaded'"), "the typeface")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("document.documentElement.dataset.theme") == theme
