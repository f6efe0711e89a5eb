"""Why a link was cut, and what an expert is: clicked in the figure, told in the card."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.assistive import faults
from tests.e2e.served import Server, patiently

pytestmark = pytest.mark.browser

PLACE = """([name, row, col]) => {
  const panel = topologyLab.views[0].pictures.panels.find((each) => each.picture.name === name);
  const g = panel.heatmap.geometry;
  const box = panel.section.querySelector("canvas").getBoundingClientRect();
  const x = col < 0 ? 12 : g.left + (col + 0.5) * g.cellWidth - g.gap / 2;
  return [box.left + x, box.top + g.top + (row + 0.5) * g.cellHeight - g.gap / 2];
}"""
NUMBER = re.compile(r"^([+−])(\d\.\d\de[+-]\d+)$|^(0)$")


def shown(page: Page) -> Page:
    """The page with a picture; a run that rests sends no further frames."""
    page.wait_for_function("() => window.topologyLab?.views[0].pictures.frame")
    return page


def click_cell(page: Page, row: int, col: int, picture: str = "topology") -> None:
    """Click a cell of a picture; column -1 is the row's label."""
    page.locator(f"[data-picture={picture}] canvas").scroll_into_view_if_needed()
    x, y = page.evaluate(PLACE, [picture, row, col])
    page.mouse.click(x, y)


def number(text: str) -> float:
    """A push as it is written."""
    found = NUMBER.match(text)
    assert found, text
    return 0.0 if found[3] else float(found[2]) * (1 if found[1] == "+" else -1)


def begun_anew(running: Server) -> None:
    """A history from step 0 on: an earlier test may have left a run that goes on from a checkpoint."""
    before = running.run()["epoch"]
    running.command("reset")
    patiently(lambda: running.run()["epoch"] > before, "the run to begin anew")
    if running.run()["status"] == "paused":
        running.command("resume")
    running.wait_for_run("running")
    running.train_past(60)


def pushed_by_both(running: Server) -> tuple[int, int]:
    """Expert and block of layer 1's entry that task and conflict pushed most alike: it differs between machines."""
    run = running.run()
    likeness: dict[tuple[int, int], float] = {}
    for expert in range(8):
        for block in range(8):
            told = running.ask("GET", f"/api/runs/{run['run_id']}/entries/{run['epoch']}/0/{expert}/{block}")
            task = max((abs(push) for push in told["task"] if push is not None), default=0.0)
            conflict = max((abs(push) for push in told["conflict"] if push is not None), default=0.0)
            likeness[expert, block] = min(task, conflict) / max(task, conflict, 1e-30)
    return max(likeness, key=lambda entry: likeness[entry])


@pytest.mark.parametrize(
    ("width", "height"),
    [
        (1440, 900),
        (1280, 720),
        (390, 844),
    ],
)
@pytest.mark.slow
def test_a_clicked_link_tells_its_history_and_what_pushed_it(
    open_page: Callable[..., Page], running: Server, width: int, height: int
) -> None:
    begun_anew(running)
    running.command("pause")
    running.wait_for_run("paused")
    expert, block = pushed_by_both(running)
    page = shown(open_page(running.url, width=width, height=height, theme="dark" if width == 1280 else "light"))
    click_cell(page, expert, block)
    inquiry = page.locator("[data-part=card-inquiry]")
    expect(inquiry.locator("h3")).to_contain_text(f"E{expert} to B{block}")
    expect(inquiry.locator(".inquiry-verdict")).to_contain_text(re.compile(r"Not cut|Cut between|Cut from"))
    expect(inquiry.locator(".push-chart [data-push=task]").first).to_be_attached()
    expect(inquiry.locator(".push-chart [data-push=conflict]").first).to_be_attached()
    cells = inquiry.locator(".inquiry-table td")
    *parts, total = [number(text) for text in cells.all_inner_texts()]
    assert len(parts) == 4
    assert any(parts)
    assert sum(parts) == pytest.approx(total, abs=0.011 * max(map(abs, parts)))
    expect(page.locator("[data-part=card]")).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert faults(page) == []
    page.keyboard.press("Escape")
    expect(inquiry).to_be_hidden()


@pytest.mark.slow
def test_by_keyboard_the_inquiry_follows_the_cursor(lab: Page) -> None:
    canvas = lab.locator("[data-picture=topology] canvas")
    canvas.focus()
    lab.keyboard.press("ArrowDown")
    lab.keyboard.press("Enter")
    heading = lab.locator("[data-part=card-inquiry] h3")
    expect(heading).to_contain_text("E0 to B0")
    lab.keyboard.press("ArrowRight")
    expect(heading).to_contain_text("E0 to B1")
    lab.keyboard.press("Escape")
    expect(heading).to_be_hidden()


@pytest.mark.slow
def test_a_stored_run_without_pushes_says_so_in_one_sentence(
    open_page: Callable[..., Page], stored_run: Server
) -> None:
    page = shown(open_page(stored_run.url, width=1440, height=900))
    click_cell(page, 3, 5)
    inquiry = page.locator("[data-part=card-inquiry]")
    expect(inquiry.locator(".inquiry-problem")).to_have_text(re.compile("^The frames of this run do not hold"))
    expect(inquiry.locator(".push-sigma")).to_be_attached()
    expect(inquiry.locator(".inquiry-table")).to_have_count(0)


def test_a_clicked_expert_tells_what_it_holds_and_its_surest_patches(lab: Page) -> None:
    click_cell(lab, 5, -1)
    inquiry = lab.locator("[data-part=card-inquiry]")
    expect(inquiry.locator("h3")).to_have_text("What E5 holds and takes")
    expect(inquiry.locator(".inquiry-holds")).to_contain_text(re.compile(r"Dimensions: \d+ of B\d"))
    expect(inquiry.locator(".inquiry-table tbody tr")).to_have_count(3)
    expect(inquiry.locator(".inquiry-patches li, .subtitle:has-text('It takes no patch')").first).to_be_attached()
    assert faults(lab) == []
    inquiry.page.locator("[data-part=card-free]").click()
    expect(inquiry).to_be_hidden()


def test_an_expert_is_muted_on_a_copy_and_the_run_does_not_hear_of_it(lab: Page, running: Server) -> None:
    run_id = running.run()["run_id"]
    before = [event["text"] for event in running.ask("GET", f"/api/runs/{run_id}/events")]
    click_cell(lab, 5, -1)
    lab.locator("[data-lesion=mute]").click()
    lesion = lab.locator(".lesion")
    expect(lesion.locator("caption").first).to_contain_text("E5, ")
    expect(lesion.locator("table").first.locator("tbody tr")).to_have_count(3)
    expect(lesion.locator("table").first).to_be_in_viewport()
    expect(lesion.locator("table").first.locator("td").first).to_have_text(re.compile(r"^\d+\.\d %$"))
    lab.locator("[data-lesion=random]").click()
    expect(lesion.locator("caption").first).to_contain_text("Drawn: E")
    assert faults(lab) == []
    lab.locator("[data-lesion=undo]").click()
    expect(lesion.locator("table")).to_have_count(0)
    click_cell(lab, 5, 5)
    expect(lab.locator("[data-lesion=random]")).to_have_text("A random link")
    lab.locator("[data-lesion=mute]").click()
    expect(lesion.locator("caption").first).to_contain_text("E5 to B5, ")
    after = [event["text"] for event in running.ask("GET", f"/api/runs/{run_id}/events")]
    assert not [text for text in after[len(before) :] if "mute" in text.lower() or "lesion" in text.lower()]
