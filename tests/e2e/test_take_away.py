"""Taking away: pictures and the chart, the film, the data and one file that works without a server."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET
from collections.abc import Callable
from functools import partial
from pathlib import Path
from urllib.parse import quote

import pyarrow.parquet
import pytest
from PIL import Image
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from tests.e2e.assistive import faults
from tests.e2e.served import Server

pytestmark = pytest.mark.browser


@pytest.fixture
def taking(open_page: Callable[..., Page], stored_run: Server) -> Page:
    page = open_page(stored_run.url, width=1440, height=900)
    page.wait_for_function("() => window.topologyLab?.views[0].pictures.frame")
    return page


def taken(page: Page, group: str, name: str) -> bytes:
    """The file that a button or a link of a group gives."""
    fold = page.locator(f"[data-takes={group}]")
    if fold.get_attribute("open") is None:
        fold.locator("summary").click()
    with page.expect_download() as download:
        fold.locator(f"[data-take='{name}'], a[download$='.{name}']").first.click()
    return Path(download.value.path()).read_bytes()


def test_a_picture_and_the_chart_are_taken_as_svg_and_png_with_their_caption(taking: Page) -> None:
    for name in ("topology", "threads", "routing", "conflict", "chart"):
        root = ET.fromstring(taken(taking, "figure", f"{name}-svg"))
        words = " ".join("".join(each.itertext()) for each in root.iter("{http://www.w3.org/2000/svg}text"))
        assert "live, seed 0" in words
        assert "Topology Lab" in words
        assert len(list(root.iter("{http://www.w3.org/2000/svg}path"))) >= 3
        picture = Image.open(io.BytesIO(taken(taking, "figure", f"{name}-png")))
        assert picture.format == "PNG"
        assert len(picture.convert("RGB").getcolors(1_000_000) or []) > 10, f"{name} must not be blank"
    assert faults(taking) == []


@pytest.mark.slow
def test_the_film_is_taken_as_a_strip_and_as_a_moving_picture(taking: Page) -> None:
    strip = Image.open(io.BytesIO(taken(taking, "film", "strip")))
    assert strip.format == "PNG"
    assert strip.width > 4 * strip.height
    moving = Image.open(io.BytesIO(taken(taking, "film", "gif")))
    assert moving.format == "GIF"
    assert getattr(moving, "n_frames", 1) > 5
    first = moving.convert("RGB").tobytes()
    moving.seek(getattr(moving, "n_frames", 1) - 1)
    assert moving.convert("RGB").tobytes() != first
    assert b"live, seed 0" in moving.info.get("comment", b"")


def test_what_cannot_be_taken_says_why_where_it_is_seen(open_page: Callable[..., Page], stored_run: Server) -> None:
    page = open_page(stored_run.url, width=1440, height=700, may_fail=True)
    page.wait_for_function("() => window.topologyLab?.views[0].pictures.frame")
    page.route("**/film.mp4?*", lambda route: route.fulfill(status=503, json={"error": "No film can be made now."}))
    page.locator("[data-takes=film] summary").click(timeout=20_000)
    page.locator("[data-take=mp4]").click(timeout=20_000)
    expect(page.get_by_text("No film can be made now.")).to_be_in_viewport(ratio=1)


@pytest.mark.slow
def test_the_data_are_taken_as_parquet_and_all_of_a_run_as_a_page_that_works_offline(
    taking: Page, chromium: Browser, tmp_path: Path
) -> None:
    table = pyarrow.parquet.read_table(io.BytesIO(taken(taking, "data", "parquet")))
    assert {"epoch", "step", "loss"} <= set(table.column_names)
    content = taken(taking, "data", "html")
    assert len(content) < 2_000_000
    path = tmp_path / "run.html"
    path.write_bytes(content)
    context = chromium.new_context(offline=True, viewport={"width": 390, "height": 844})
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", partial(_note_error, problems))
    page.goto(f"file://{quote(str(path))}")
    expect(page.locator("#caption")).to_contain_text("live, seed 0")
    last = page.locator("#step").inner_text()
    before = page.locator("#figure").inner_html()
    page.locator("#scrub").focus()
    page.keyboard.press("Home")
    expect(page.locator("#step")).not_to_have_text(last)
    assert page.locator("#figure").inner_html() != before
    page.locator("[data-link='3,5']").hover()
    expect(page.locator("#said")).to_contain_text("E3 to B5: σ(A)")
    page.get_by_role("button", name="Threads").click()
    expect(page.get_by_role("button", name="Threads")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Layer 2").click()
    expect(page.locator("#figure path").first).to_be_attached()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert faults(page) == []
    assert problems == []
    context.close()


def _note_error(problems: list[str], message: ConsoleMessage) -> None:
    if message.type == "error":
        problems.append(message.text)
