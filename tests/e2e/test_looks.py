"""How every page looks at every size, on a run, results and a list of runs that never change; in the dark at two sizes.

A desktop and a phone by day in every run, all others in CI. `make looks` stores how they look now. One server a kind
of page; a page is loaded once a theme and resized.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, Page

from tests.e2e.assistive import faults
from tests.e2e.fixed_run import CREATED_MS, FIXED_FILE, NAMED, TWIN_FILE, put_fixed_run
from tests.e2e.looks import check
from tests.e2e.page_server import PageServer
from tests.e2e.served import Server, patiently, serving
from tests.e2e.test_claims_page import EVIDENCE, STUDIES
from tests.frontend.test_map import CELLS, a_map

pytestmark = pytest.mark.browser

SIZES: Final = ((1440, 900), (1366, 768), (1280, 720), (1024, 768), (768, 1024), (390, 844))
PHONE: Final = 390
IN_EVERY_RUN: Final = (SIZES[0], SIZES[5])
TRIES: Final = 8
HEADLINES: Final = {
    "headlines": [
        {"text": "Sparse because of conflict", "verdict": "holds", "tone": "holds", "address": "/claims#a"},
        {"text": "Costs under one point", "verdict": "undecided", "tone": "undecided", "address": "/claims#b"},
        {"text": "As good without ID", "verdict": "fails", "tone": "fails", "address": "/claims#c"},
    ]
}
LENT: Final = {
    "lab": "",
    "back": "",
    "threads": "#lens=threads",
    "new": "",
    "twin": f"#run={NAMED[FIXED_FILE]}&with={NAMED[TWIN_FILE]}",
}
"""What follows the address of the Lab in each of its states."""
LOADED: Final = {
    "claims": ".claim",
    "runs": "[row-id=run-00] [col-id=name]",
    "map": ".map-square >> nth=34",
    "going": ".map-square",
    "lessons": ".recorded-film img:visible",
}
"""What is there when a page is; `going` is Map with a map that trains."""
OF_WHAT_IS_RECORDED: Final = ("lessons", "map")
"""Pages that show what lies in the repository."""
ALL_SIZES: Final = ("lab", "claims", "runs", "map", "lessons")
CASES: Final = [
    *[(page, "light", size) for page in ALL_SIZES for size in SIZES],
    *[(page, "dark", size) for page in ALL_SIZES for size in (SIZES[0], SIZES[5])],
    ("going", "light", SIZES[0]),
    *[("back", "light", SIZES[0]), ("back", "dark", SIZES[5]), ("new", "light", SIZES[0]), ("new", "light", SIZES[2])],
    ("threads", "light", SIZES[0]),
    *[("twin", "light", size) for size in (SIZES[0], SIZES[2], SIZES[5])],
    ("twin", "dark", SIZES[0]),
]


def case(page: str, theme: str, size: tuple[int, int]) -> Any:
    """How a case is called, and whether it runs in CI alone."""
    marks = () if theme == "light" and size in IN_EVERY_RUN else (pytest.mark.slow,)
    return pytest.param(page, theme, size, marks=marks, id=f"{page}-{theme}-{size[0]}x{size[1]}")


@pytest.fixture(scope="module")
def known_pages(all_pages: PageServer) -> PageServer:
    """Claims, Runs and Map with what the tests of those pages know, and more runs than a window holds."""
    all_pages.reset()
    all_pages.tell(EVIDENCE)
    all_pages.studies["studies"] = [dict(study) for study in STUDIES]
    all_pages.runs = [_run(number) for number in range(40)]
    all_pages.sweeps = [a_map(list(CELLS))]
    return all_pages


@pytest.fixture(scope="module")
def stored_twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the fixed run and its twin without conflict."""
    folder = tmp_path_factory.mktemp("twin")
    for file in (TWIN_FILE, FIXED_FILE):
        put_fixed_run(folder, file)
    with serving(folder) as server:
        yield server


def _run(number: int) -> dict[str, Any]:
    status = ("running", "finished", "paused", "interrupted", "failed")[number % 5]
    return {
        "run_id": f"run-{number:02}",
        "name": ("live", "a run that a script has started", "λ 0 from the start")[number % 3],
        "preset": ("live", "paper", "standard")[number % 3],
        "seed": number % 7,
        "status": status,
        "step": 18_720 - 37 * number,
        "accuracy": 0.9 - 0.01 * number,
        "blind_accuracy": None if number % 4 == 0 else 0.8 - 0.01 * number,
        "links_cut": None if number % 3 == 2 else 100 - number,
        "size_bytes": 2.1e7 * (number + 1),
        "created_ms": CREATED_MS - 28_800_000.0 * number,
        "note": "the one to look at" if number % 6 == 0 else "",
    }


@pytest.fixture(scope="module")
def opened(
    chromium: Browser, stored_run: Server, stored_twin: Server, known_pages: PageServer
) -> Iterator[Callable[[str, str], Page]]:
    """A page in a theme, opened once."""
    pages: dict[tuple[str, str], Page] = {}
    wrong: list[str] = []

    def opened(name: str, theme: Any) -> Page:
        if (name, theme) in pages:
            return pages[name, theme]
        context = chromium.new_context(
            viewport={"width": 1440, "height": 900}, color_scheme=theme, timezone_id="UTC", locale="en-GB"
        )
        context.set_default_timeout(90_000)  # a machine that is busy loads late; what never comes still fails
        page = pages[name, theme] = context.new_page()
        page.on("pageerror", lambda error: wrong.append(f"error on {name}: {error}"))
        page.clock.set_fixed_time(CREATED_MS / 1000 + 86_400)
        if name != "new":
            page.add_init_script("localStorage.setItem('introduced', 'yes')")
        if name in LENT:
            page.route("**/claims/headlines.json", lambda route: route.fulfill(json=HEADLINES))
            page.goto(f"{(stored_twin if name == 'twin' else stored_run).url}/{LENT[name]}")
            patiently(lambda: page.evaluate("window.topologyLab?.stats.frames > 0"), "the run's picture")
            patiently(lambda: page.locator(".chart-line").count() > 1, "the run's curves")
            page.wait_for_selector(".headline")
            if name in ("back", "threads"):
                page.evaluate("topologyLab.views[0].scrubber.seekStep(400)")
                patiently(lambda: page.evaluate("topologyLab.views[0].scrubber.pinned?.step === 400"), "the moment")
        else:
            of = stored_run if name in OF_WHAT_IS_RECORDED else known_pages
            page.goto(f"{of.url}/{'map' if name == 'going' else name}")
            page.wait_for_selector(LOADED[name])
        page.evaluate("document.fonts.ready.then(() => true)")
        return page

    yield opened
    for page in pages.values():
        page.context.close()
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(("name", "theme", "size"), [case(*each) for each in CASES])
def test_a_page_looks_as_it_did(
    opened: Callable[[str, str], Page], name: str, theme: str, size: tuple[int, int]
) -> None:
    page = opened(name, theme)
    width, height = size
    page.set_viewport_size({"width": width, "height": height})
    said: str | None = ""
    for patience in range(TRIES):
        page.wait_for_timeout(250 * (patience + 1))  # charts are drawn five times a second
        shot = page.screenshot(full_page=width == PHONE, animations="disabled", caret="hide")
        said = check(f"{name}-{theme}-{width}", shot)
        if said is None:
            break
    assert said is None, said


@pytest.mark.parametrize("theme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", [*LENT, *LOADED])
def test_axe_finds_nothing_moderate_or_serious(opened: Callable[[str, str], Page], name: str, theme: str) -> None:
    page = opened(name, theme)
    page.set_viewport_size({"width": 1440, "height": 900})
    assert faults(page) == []


def test_stored_pictures_are_small() -> None:
    sizes = {path.name: path.stat().st_size for path in (Path(__file__).parent / "fixed" / "looks").glob("*.png")}
    assert len(sizes) == len(CASES)
    assert sum(sizes.values()) < 1_800_000
    assert max(sizes.values()) < 40_000
