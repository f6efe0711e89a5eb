"""The header of the Lab at every width: nothing in it lies on anything else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.e2e.served import Server

pytestmark = pytest.mark.browser

WIDTHS = (390, 900, 1000, 1119, 1120, 1200, 1280, 1399, 1400)
IN_ORDER = """() => [...document.querySelectorAll(
  ".topbar > .brand, .topbar nav, .chips > *, .topbar-buttons > *"
)].map((each) => {
  const { left, right, top, bottom } = each.getBoundingClientRect();
  return { name: each.id || each.className || each.tagName, left, right, top, bottom };
}).filter(({ left, right }) => right > left)"""


def overlaps(page: Page) -> list[str]:
    """Pairs of parts of the header that share more than a pixel, and what leaves the window."""
    parts: list[dict[str, Any]] = page.evaluate(IN_ORDER)
    width = page.evaluate("innerWidth")
    assert len(parts) > 6, "the header must have its parts"
    found = [f"{each['name']} leaves the window" for each in parts if each["left"] < 0 or each["right"] > width]
    for at, one in enumerate(parts):
        for other in parts[at + 1 :]:
            across = min(one["right"], other["right"]) - max(one["left"], other["left"])
            down = min(one["bottom"], other["bottom"]) - max(one["top"], other["top"])
            if across > 1 and down > 1:
                found.append(f"{one['name']} and {other['name']}")
    return found


@pytest.mark.parametrize("link", ["", "#recorded=paper-cdsp-seed2&with=recorded:paper-lambda_0-seed2"])
def test_nothing_in_the_header_lies_on_anything_at_any_width(
    open_page: Callable[..., Page], stored_run: Server, link: str
) -> None:
    page = open_page(f"{stored_run.url}/{link}", width=390, height=844)
    page.wait_for_function("() => window.topologyLab?.views[0].pictures.frame")
    found = {}
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        found[width] = overlaps(page)
    assert found == {width: [] for width in WIDTHS}
