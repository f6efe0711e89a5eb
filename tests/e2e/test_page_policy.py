"""No style counts that comes in as text, and no page needs one: the browser reports no violation on any."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pytest
from playwright.sync_api import Page

from tests.e2e.served import Server, patiently

pytestmark = pytest.mark.slow  # every page, loaded once more

OPENED: Final = {
    "/": "[data-picture=topology]",
    "/runs": ".ag-row",
    "/claims": ".claim, .study",
    "/lessons": ".ag-row",
    "/map": ".map-square, #map-squares, .map-grid",
    "/docs": "h1",
    "/nowhere": "h1",
}
"""each page, and what is there once it is drawn"""
LISTEN: Final = """window.refused = [];
    addEventListener("securitypolicyviolation", ({ effectiveDirective, sample, sourceFile }) =>
        window.refused.push(`${effectiveDirective} ${sample} ${sourceFile}`));"""
COME_IN: Final = """() => {
    const way_in = document.createElement("div");
    document.body.append(way_in);
    way_in.innerHTML = '<style>#app, body { opacity: .5 }</style><p style="opacity: .5">x</p>';
    return [getComputedStyle(document.body).opacity, getComputedStyle(way_in.querySelector("p")).opacity];
}"""


@pytest.mark.parametrize("path", OPENED)
def test_a_page_needs_no_style_that_stands_in_it(open_page: Callable[..., Page], stored_run: Server, path: str) -> None:
    page = open_page(stored_run.url + path, wait_for=OPENED[path], may_fail=True)
    page.add_init_script(LISTEN)
    page.reload()
    page.wait_for_selector(OPENED[path])
    page.wait_for_load_state("networkidle")
    assert page.evaluate("() => window.refused") == []
    assert page.evaluate(COME_IN) == ["1", "1"]
    patiently(lambda: len(page.evaluate("() => window.refused")) == 2, "both to be reported")
