"""Runs beside each other in a real Chromium: stored ones, a live fork, their difference, and the ways back."""

from __future__ import annotations

import base64
import re
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from cdsp_core.wire.frames import decode_frame
from tests.e2e.served import Server, patiently

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]  # processes with torch start late on a busy machine

OpenPage = Callable[..., Page]
MODEL = {"patch_size": 14, "d_model": 16, "d_base": 32, "num_experts": 4, "num_partitions": 4, "num_layers": 2}
ENDS_AT = 60
LONG_S = 60.0
"""a process with torch takes a while to start on a busy machine"""


@dataclass(frozen=True)
class Twins:
    """A server with a run that trains slowly, and four that have ended."""

    server: Server
    shown: str
    same_seed: str
    """the same but for lambda 0"""
    others: tuple[str, ...]
    """of other seeds, three"""

    def link(self, **state: str) -> str:
        """A link into the Lab."""
        return f"{self.server.url}/#" + "&".join(f"{name}={value}" for name, value in state.items())

    def run(self, run_id: str) -> Any:
        return self.server.ask("GET", f"/api/runs/{run_id}")

    def stored_near(self, run_id: str, step: int) -> int:
        """The step of the stored frame that lies nearest."""
        with urllib.request.urlopen(f"{self.server.url}/api/runs/{run_id}/moments/0/{step}", timeout=30) as answer:
            return decode_frame(answer.read()).step

    def command(self, run_id: str, kind: str, **fields: Any) -> Any:
        command = {"command_id": f"test-{time.monotonic_ns()}", "type": kind, **fields}
        return self.server.ask("POST", f"/api/runs/{run_id}/commands", command)


def slowly(condition: Callable[[], Any], what: str) -> Any:
    """The first true value of `condition`, with more patience."""
    until = time.monotonic() + LONG_S
    while not (value := condition()):
        assert time.monotonic() < until, f"waited in vain for {what}"
        time.sleep(0.1)
    return value


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twins]:
    server = Server(tmp_path_factory.mktemp("twins"))

    def begin(name: str, seed: int, *, steps: int = 100_000, **controls: float) -> str:
        train = {"steps": steps, "eval_every": 20, "eval_batch": 30, "batch_size": 8}
        body = {"config": {"model": MODEL, "train": train, "controls": controls}, "seed": seed, "name": name}
        return str(server.ask("POST", "/api/runs", body)["run_id"])

    try:
        slowly(server.is_up, "the server to answer")
        others = tuple(begin(f"seed {seed}", seed, steps=ENDS_AT) for seed in (1, 2, 3))
        same_seed = begin("nothing cuts", 0, steps=ENDS_AT, lambda_conflict=0.0)
        found = Twins(server, begin("live", 0), same_seed, others)
        for run_id in (*others, same_seed):
            slowly(lambda run_id=run_id: found.run(run_id)["status"] == "finished", "a run to end")
        slowly(lambda: found.run(found.shown)["status"] == "running", "the run to train")
        found.command(found.shown, "speed", steps_per_s=10)
        slowly(lambda: found.run(found.shown)["step"] > ENDS_AT, "the run to come further than the others")
        yield found
    finally:
        server.close()


@pytest.fixture
def lab(open_page: OpenPage, twins: Twins) -> Page:
    """The page with the run that trains, by itself."""
    page = open_page(twins.link(run=twins.shown), width=1440, height=900)
    slowly(lambda: page.evaluate("window.topologyLab?.stats.frames > 2"), "pictures")
    return page


@pytest.fixture
def compared(open_page: OpenPage, twins: Twins) -> Page:
    """The page with the run that trains as A, beside the stored one of the same seed."""
    return opened_beside(open_page, twins, twins.same_seed)


def opened_beside(open_page: OpenPage, twins: Twins, others: str, *, width: int = 1440, height: int = 900) -> Page:
    """A link with the run that trains as A and others beside it, opened and drawn."""
    link = twins.link(run=twins.shown, **{"with": others})
    return beside(open_page(link, width=width, height=height, wait_for="[data-side=b]"))


def beside(page: Page) -> Page:
    """The page, once it has drawn both runs."""
    slowly(
        lambda: page.evaluate(
            "window.topologyLab?.views[0].comparison.guests[0]?.frame !== undefined"
            " && topologyLab.views[0].comparison.guests[0].frame !== null"
        ),
        "both runs to be drawn",
    )
    return page


def switch(page: Page) -> Locator:
    return page.get_by_role("switch", name="Compare")


def steps(page: Page) -> list[int]:
    """The steps of the frames of A and B that are shown."""
    script = """() => { const { comparison, pictures } = topologyLab.views[0];
      return [pictures.frame.step, comparison.guests[0].frame.step]; }"""
    return list(page.evaluate(script))


def side(page: Page, letter: str) -> Locator:
    return page.locator(f"[data-side={letter}]")


def test_runs_of_the_same_seed_are_offered_first_with_what_differs_in_bold(lab: Page, twins: Twins) -> None:
    switch(lab).click()
    first = lab.locator(".choice").first
    expect(first.locator(".choice-name")).to_have_text("nothing cuts")
    expect(first.locator(".choice-settings")).to_contain_text("seed 0")
    expect(first.locator(".choice-settings b").first).to_have_text("λ 0")
    expect(lab.locator(".choice").nth(1).locator(".choice-settings b", has_text="seed")).to_have_count(1)
    first.locator("input").check()
    lab.get_by_role("button", name="Compare", exact=True).click()
    expect(switch(lab)).to_be_checked()
    expect(side(lab, "a").locator("h2")).to_contain_text("λ 10")
    expect(side(lab, "b").locator("h2")).to_contain_text("λ 0")
    expect(lab).to_have_url(re.compile(f"with={twins.same_seed}"))


def test_a_stored_run_stands_beside_the_live_one_aligned_by_step(compared: Page, twins: Twins) -> None:
    expect(side(compared, "b").locator(".twin-note")).to_contain_text(f"finished at step {ENDS_AT}")
    expect(compared.locator("[data-part=story]")).to_contain_text("λ 0")
    expect(compared.locator("[data-part=story-below]")).to_contain_text("Same seed, so the same start")
    expect(compared.locator(".film-row")).to_have_count(2)
    patiently(lambda: compared.locator(".chart-line.is-b").count() > 0, "the line of B")
    compared.locator("[data-part=scrub]").focus()
    compared.keyboard.press("Home")
    patiently(lambda: steps(compared) == [0, 0], "both at the beginning")
    compared.keyboard.press("ArrowRight")
    of_a = twins.stored_near(twins.shown, 50)
    near = [of_a, twins.stored_near(twins.same_seed, of_a)]
    assert min(near) > 0
    patiently(lambda: steps(compared) == near, "A at its stored frame nearest to 50, B at its own nearest to that")
    compared.keyboard.press("End")
    patiently(lambda: steps(compared)[0] > ENDS_AT, "A to be live again")
    assert steps(compared)[1] == ENDS_AT


def test_the_difference_is_a_lens_that_the_keyboard_reads(compared: Page) -> None:
    compared.get_by_role("group", name="Lens of both runs").get_by_role("button", name="Difference").click()
    expect(compared).to_have_url(re.compile("lens=difference"))
    expect(compared.get_by_role("heading", name="B minus A")).to_be_visible()
    expect(compared.locator(".twin-difference .twin-counts")).to_contain_text("cut in A alone")
    compared.locator(".twin-difference canvas").focus()
    compared.keyboard.press("ArrowRight")
    expect(compared.locator("#announcer")).to_contain_text(re.compile(r"E0 to B0: σ\(A\) .* in A, .* in B, [+−]"))
    compared.keyboard.press("l")
    expect(side(compared, "b")).to_be_visible()


@pytest.mark.slow
def test_every_lens_shows_both_runs(compared: Page) -> None:
    lenses = compared.get_by_role("group", name="Lens of both runs")
    for name, title in (("Threads", "Topology"), ("Routing", "Routing"), ("Conflict", "Conflict")):
        lenses.get_by_role("button", name=name).click()
        for letter in "ab":
            canvas = side(compared, letter).locator("canvas").first
            expect(canvas).to_have_attribute("aria-label", re.compile(f"{title} of run {letter.upper()}, layer 1"))
    compared.get_by_role("button", name="Layer 2").click()
    expect(side(compared, "a").locator("canvas").first).to_have_attribute("aria-label", re.compile("layer 2"))


def test_a_cell_pointed_at_is_read_in_both_runs(compared: Page) -> None:
    canvas = side(compared, "a").locator("canvas").first
    canvas.focus()
    compared.keyboard.press("ArrowDown")
    said = r"A, E0 to its own block B0: σ\(A\) \d\.\d+.*\. B: σ\(A\) \d\.\d+"
    expect(compared.locator(".twin-reading")).to_have_text(re.compile(said))


def test_the_probe_says_what_the_twin_answers_and_how_surely(compared: Page, twins: Twins) -> None:
    images = twins.server.ask("GET", f"/api/runs/{twins.shown}/images")["images"]
    image = base64.urlsafe_b64encode(bytes(images[0]["pixels"])).decode().rstrip("=")
    query = f"image={image}&task={images[0]['task']}&step={ENDS_AT}"
    of_twin = twins.server.ask("GET", f"/api/runs/{twins.same_seed}/probe?{query}")
    assert of_twin["step"] == ENDS_AT, "the twin has ended, so its last state is the nearest to all that A shows"
    compared.locator(".probe-fold summary").click()
    expect(compared.locator(".probe-answers dt")).to_have_text(["with ID", "without", "twin, with ID"])
    answers = compared.locator(".probe-answers dd")
    expect(answers).to_have_text([re.compile(r"^\S+ \d+ %$")] * 3)
    told = of_twin["told"]
    name = compared.evaluate(
        "([q, label]) => topologyLab.views[0].model.hello.tasks[q].class_names[label]",
        [images[0]["task"], told["label"]],
    )
    expect(answers.nth(2)).to_have_text(f"{name} {round(100 * told['share'])} %")
    switch(compared).click()
    expect(compared.locator(".probe-answers dt")).to_have_text(["with ID", "without"])


def test_swapped_the_other_run_is_the_one_that_controls_act_on(compared: Page, twins: Twins) -> None:
    compared.get_by_role("button", name="Swap A and B").click()
    expect(compared).to_have_url(re.compile(f"run={twins.same_seed}&with={twins.shown}"))
    beside(compared)
    expect(side(compared, "a").locator("h2")).to_contain_text("λ 0")
    expect(compared.locator("[data-control=lambda_conflict] .control-value")).to_have_value("0")
    expect(compared.locator("[data-control=lambda_conflict] .twin-value")).to_have_value("10")
    compared.go_back()
    expect(side(compared, "a").locator("h2")).to_contain_text("λ 10")


def test_the_switch_ends_a_comparison_and_nothing_else(compared: Page, twins: Twins) -> None:
    switch(compared).click()
    expect(compared.locator(".twin")).to_be_hidden()
    expect(compared.locator("[data-picture=topology]")).to_be_visible()
    expect(compared).not_to_have_url(re.compile("with="))
    assert twins.run(twins.shown)["status"] == "running"


@pytest.mark.slow
def test_up_to_four_runs_have_lines_and_names_of_their_own(open_page: OpenPage, twins: Twins) -> None:
    others = ",".join((twins.same_seed, *twins.others[:2]))
    page = opened_beside(open_page, twins, others)
    for place in "bcd":
        patiently(lambda place=place: page.locator(f".chart-line.is-{place}").count() > 0, f"the line of {place}")
    expect(page.locator(".chart-labels .is-strong")).to_have_count(4)
    expect(page.locator(".film-row")).to_have_count(4)
    dashes = {
        page.locator(f".chart-line.is-{place}").first.evaluate("line => getComputedStyle(line).strokeDasharray")
        for place in "bcd"
    }
    assert len(dashes) == 3
    page.get_by_role("button", name=re.compile("Leave out run D")).click()
    expect(page.locator(".film-row")).to_have_count(3)


@pytest.mark.slow
def test_other_seeds_of_the_same_settings_are_a_band_that_the_legend_names(lab: Page, compared: Page) -> None:
    for page, place in ((lab, "a"), (compared, "a")):
        slowly(lambda page=page, place=place: page.locator(f".chart-band.is-{place}").count() > 0, "the band")
        expect(page.locator(".chart-told")).to_contain_text("mean and 95 % t-interval of other seeds")
    expect(lab.locator(".chart-told")).to_contain_text("of other seeds (3)")
    lab.locator("[data-measure=busy]").click()
    expect(lab.locator(".chart-told")).not_to_contain_text("t-interval")


def test_a_fork_takes_the_next_change_and_leaves_the_run_as_it_is(lab: Page, twins: Twins) -> None:
    switch(lab).click()
    lab.get_by_role("button", name="Fork at the next change").click()
    expect(lab.locator(".compare-below")).to_have_text("the next change makes a twin")
    value = lab.locator("[data-control=lambda_conflict] .control-value")
    value.fill("0")
    value.press("Enter")
    expect(lab).to_have_url(re.compile("with="), timeout=60_000)
    fork = lab.url.split("with=")[1].split("&")[0]
    try:
        made = twins.run(fork)
        assert made["parent"]["run_id"] == twins.shown
        assert made["controls"]["applied"]["lambda_conflict"] == 0
        assert twins.run(twins.shown)["controls"]["applied"]["lambda_conflict"] == 10
        expect(value).to_have_value("10")
        expect(lab.locator("[data-part=chip-model]")).to_contain_text("with twin")
        expect(side(lab, "b").locator("h2")).to_have_text("λ 0, the twin")
        began = made["parent"]["step"]
        slowly(lambda: twins.run(fork)["status"] == "running", "the fork to train")
        slowly(lambda: min(steps(lab)) > began, "both to be seen beyond the fork")
        shown = steps(lab)
        assert abs(shown[0] - shown[1]) <= max(3, 0.02 * max(shown))
        expect(lab.locator("[data-part=story-below]")).to_contain_text(f"One run up to step {began:,}")
        expect(lab.locator(".compare-note")).to_contain_text("Both train: A")
        lab.get_by_role("button", name="Undo the fork").click()
        slowly(lambda: twins.run(fork)["status"] == "interrupted", "the fork to end")
        expect(lab.locator(".twin")).to_be_hidden()
        run = twins.run(twins.shown)
        assert (run["status"], run["controls"]["applied"]["lambda_conflict"]) == ("running", 10)
        expect(lab).not_to_have_url(re.compile("with="))
    finally:
        if twins.run(fork)["status"] not in ("interrupted", "failed"):
            twins.command(fork, "stop")


def test_a_change_that_was_to_make_a_twin_can_be_called_off(lab: Page, twins: Twins) -> None:
    before = len(twins.server.ask("GET", "/api/runs"))
    switch(lab).click()
    lab.get_by_role("button", name="Fork at the next change").click()
    lab.get_by_role("button", name="Cancel", exact=True).click()
    expect(switch(lab)).not_to_be_checked()
    assert len(twins.server.ask("GET", "/api/runs")) == before


def test_a_link_to_a_run_beside_that_is_not_there_names_the_nearest(open_page: OpenPage, twins: Twins) -> None:
    page = open_page(twins.link(run=twins.shown, **{"with": "run-gone"}), width=1440, height=900)
    problem = page.get_by_role("alert").filter(has_text="run-gone")
    expect(problem).to_contain_text("There is no run “run-gone” to compare with; the nearest is", timeout=60_000)
    slowly(lambda: page.evaluate("window.topologyLab?.stats.frames > 2"), "the run to go on")
    page.get_by_role("button", name="Compare with it").click()
    expect(problem).to_be_hidden()
    beside(page)


@pytest.mark.slow
def test_a_link_whose_own_run_is_not_there_names_one_that_is(open_page: OpenPage, twins: Twins) -> None:
    link = twins.link(run="run-gone", **{"with": twins.same_seed})
    page = open_page(link, may_fail=True, wait_for="[data-part=notice]:not([hidden])")
    expect(page.locator("[data-part=notice]")).to_contain_text(
        f"There is no run “run-gone” here. The nearest is nothing cuts, seed 0, at step {ENDS_AT}."
    )
    page.get_by_role("button", name="Show that one").click()
    expect(page).to_have_url(re.compile(f"run={twins.same_seed}"))


@pytest.mark.slow
def test_a_comparison_fits_the_page(compared: Page) -> None:
    for width, height in ((1440, 900), (1280, 720), (390, 844)):
        compared.set_viewport_size({"width": width, "height": height})
        fits = f"document.documentElement.scrollWidth <= {width}"
        patiently(lambda fits=fits: compared.evaluate(fits), f"the page to fit into {width} pixels")
        if width > 900:
            box = compared.locator(".panel-film").bounding_box()
            assert box is not None
            assert box["y"] + box["height"] <= height, width
    compared.get_by_role("button", name="Controls").click()
    expect(switch(compared)).to_be_visible()
