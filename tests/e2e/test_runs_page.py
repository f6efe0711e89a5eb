"""The table of runs in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Dialog, Page, expect

from tests.e2e.page_server import PageServer
from tests.e2e.served import patiently

pytestmark = pytest.mark.browser


def run(run_id: str, status: str, **fields: Any) -> dict[str, Any]:
    return {"run_id": run_id, "name": run_id, "preset": "live", "seed": 0, "status": status, "step": 1234, **fields}


@pytest.fixture
def runs(open_page: Callable[..., Page], pages: PageServer) -> Page:
    pages.runs = [
        run("ended", "finished", accuracy=0.875, blind_accuracy=0.5, links_cut=50, size_bytes=2.5e6, note="first"),
        run("going", "running"),
    ]
    return open_page(f"{pages.url}/runs", wait_for="[row-id=ended] [col-id=name]", width=1440)


def cell(page: Page, run_id: str, column: str) -> Any:
    return page.locator(f"[row-id={run_id}] [col-id={column}]")


def choose(page: Page, run_id: str) -> None:
    page.locator(f"[row-id={run_id}] input[type=checkbox]").check()
    expect(page.locator("#runs-chosen")).to_have_text("1 chosen")


def test_each_run_has_its_numbers_and_a_field_that_is_not_told_is_empty(runs: Page) -> None:
    expect(cell(runs, "ended", "step")).to_have_text("1,234")
    expect(cell(runs, "ended", "accuracy")).to_have_text("87.5")
    expect(cell(runs, "ended", "blind_accuracy")).to_have_text("50.0")
    expect(cell(runs, "going", "accuracy")).to_have_text("")
    expect(cell(runs, "ended", "open").locator("a")).to_have_attribute("href", "/#run=ended")


@pytest.mark.slow
def test_a_refresh_keeps_what_is_chosen(runs: Page, pages: PageServer) -> None:
    choose(runs, "ended")
    pages.runs[1]["step"] = 2000
    expect(cell(runs, "going", "step")).to_have_text("2,000")
    expect(runs.locator("#runs-chosen")).to_have_text("1 chosen")
    expect(runs.locator("[row-id=ended] input[type=checkbox]")).to_be_checked()


def test_a_name_is_changed_in_its_cell(runs: Page, pages: PageServer) -> None:
    cell(runs, "ended", "name").dblclick()
    runs.keyboard.press("Control+A")
    runs.keyboard.type("My run")
    runs.keyboard.press("Enter")
    patiently(lambda: pages.asked, "the change to be sent")
    assert pages.asked == [("PATCH", "runs/ended", {"name": "My run"})]
    assert pages.largest_post < 16_384 / 4


def test_a_run_is_deleted_only_after_a_confirmation(runs: Page, pages: PageServer) -> None:
    choose(runs, "ended")
    said: list[str] = []

    def dismiss(dialog: Dialog) -> None:
        said.append(dialog.message)
        dialog.dismiss()

    runs.once("dialog", dismiss)
    runs.click("#runs-delete")
    patiently(lambda: runs.evaluate("true") and said, "the page to ask")
    assert said == ["Delete ended (seed 0)? Pictures, curves and checkpoints go with it and cannot be had back."]
    assert pages.asked == []
    runs.once("dialog", lambda dialog: dialog.accept())
    runs.click("#runs-delete")
    expect(runs.locator("[row-id=ended]")).to_have_count(0)
    assert pages.asked == [("DELETE", "runs/ended", None)]


@pytest.mark.slow
def test_a_run_that_trains_can_be_stopped_but_not_deleted(runs: Page, pages: PageServer) -> None:
    choose(runs, "going")
    expect(runs.locator("#runs-delete")).to_be_disabled()
    said: list[str] = []

    def accept(dialog: Dialog) -> None:
        said.append(dialog.message)
        dialog.accept()

    runs.once("dialog", accept)
    runs.click("#runs-stop")
    expect(cell(runs, "going", "status")).to_have_text("interrupted")
    assert pages.asked[0][2]["type"] == "stop"
    assert said[0].startswith("Stop going (seed 0)? It ends for everybody who watches")


def test_a_run_is_kept_and_no_longer_kept_with_one_button(runs: Page, pages: PageServer) -> None:
    expect(runs.locator("#runs-storage")).to_contain_text("holds 1.50 of 20 GiB")
    choose(runs, "ended")
    runs.click("#runs-keep")
    expect(cell(runs, "ended", "kept")).to_have_text("kept")
    assert pages.asked == [("PATCH", "runs/ended", {"kept": True})]
    choose(runs, "ended")
    expect(runs.locator("#runs-keep")).to_have_text("Do not keep")
    runs.click("#runs-keep")
    expect(cell(runs, "ended", "kept")).to_have_text("")
