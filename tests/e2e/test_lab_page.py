"""The Lab page in a real browser, on a real run."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Request, expect

from tests.e2e.served import Server, drawn, patiently, serving

pytestmark = pytest.mark.browser

PICTURES = ("topology", "routing", "conflict")
OpenPage = Callable[..., Page]


def pixels(page: Page, picture: str) -> str:
    """What a canvas shows, as text that differs when the picture differs."""
    return str(page.evaluate("name => document.querySelector(`[data-picture='${name}'] canvas`).toDataURL()", picture))


def part(page: Page, name: str) -> Locator:
    """An element of the view, by the name that the page's modules find it by."""
    return page.locator(f"[data-part={name}]")


def view(page: Page, expression: str) -> Any:
    """A value of the view of the run, such as `model.run`."""
    return page.evaluate(f"topologyLab.views[0].{expression}")


def thumb(control: str) -> str:
    """Selector of a slider."""
    return f"[data-control={control}] input[type=range]"


def entry(control: str) -> str:
    """Selector of the field beside a slider."""
    return f"[data-control={control}] .control-value"


def note(control: str) -> str:
    """Selector of what is said under a slider."""
    return f"[data-control={control}] .note"


def open_menu(page: Page) -> None:
    """Open the menu of speed, run until and reset."""
    page.click("[data-part=menu] > summary")


def start_another(page: Page, **wanted: str) -> None:
    """Start a run in the place of this one, with the preset or the seed that is wanted."""
    page.click("[data-part=start-another]")
    expect(part(page, "ends")).to_contain_text(re.compile(r"^This ends live, seed \d+, at step [\d,]+\."))
    if "seed" in wanted:
        page.fill("[data-part=seed]", wanted["seed"])
    if "preset" in wanted:
        page.select_option("[data-part=preset]", wanted["preset"])
    page.click("[data-part=new-run]")


def marks(page: Page) -> int:
    """Violet lines on the chart: what people changed."""
    return page.locator("line.chart-mark-person").count()


@pytest.mark.slow
def test_without_a_run_the_page_says_so_and_starts_one(open_page: OpenPage, tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        page = open_page(server.url)
        expect(part(page, "notice")).to_contain_text("No run yet")
        page.click("text=Start the live run")
        drawn(page)
        assert server.run()["run_id"] in page.url
        page.close()


def test_every_picture_shows_the_run_and_moves_with_it(lab: Page) -> None:
    before = {name: pixels(lab, name) for name in PICTURES}
    for name in PICTURES:
        patiently(lambda name=name: pixels(lab, name) != before[name], f"{name} to change")
    step = view(lab, "model.store.lastStep")
    patiently(lambda: view(lab, "model.store.lastStep") > step, "training to go on")
    expect(part(lab, "chip-status")).to_contain_text(re.compile(r"Training ?step [\d,]+ of [\d,]+"))
    expect(part(lab, "chip-speed")).to_contain_text(re.compile(r"steps/s · \d+ frames/s"))
    expect(part(lab, "facts")).to_contain_text("stand-in for KMNIST")


def test_each_main_slider_shows_what_applied_and_marks_the_chart(lab: Page, running: Server) -> None:
    known = marks(lab)
    for name in ("p_drop", "lambda_conflict", "lr_ratio"):
        lab.locator(thumb(name)).focus()
        before = running.run()["controls"]["applied"][name]
        lab.keyboard.press("PageUp")
        patiently(
            lambda name=name, before=before: running.run()["controls"]["applied"][name] != before, f"{name} to apply"
        )
        expect(lab.locator(note(name))).to_contain_text(re.compile(r"→ [\d.]+ at step [\d,]+"))
        applied = running.run()["controls"]["applied"][name]
        assert float(lab.locator(entry(name)).input_value()) == pytest.approx(applied, rel=1e-3)
    patiently(lambda: marks(lab) == known + 3, "three more marks on the chart")
    expect(lab.locator(".event-person").first).to_contain_text(re.compile(r"rate ratio .*→"))


def test_a_slider_is_dragged_typed_and_restored_by_a_double_click(lab: Page, running: Server) -> None:
    def value() -> Any:
        return running.run()["controls"]["applied"]["p_drop"]

    box = lab.locator(thumb("p_drop")).bounding_box()
    assert box is not None
    lab.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    lab.mouse.down()
    lab.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + box["height"] / 2, steps=4)
    lab.mouse.up()
    patiently(lambda: value() > 0.8, "the dragged value")
    lab.fill(entry("p_drop"), "0.25")
    lab.keyboard.press("Enter")
    patiently(lambda: value() == 0.25, "the typed value")
    lab.dblclick(thumb("p_drop"))
    patiently(lambda: value() == 0.5, "the preset's value")


def test_one_arrow_key_moves_a_slider_and_back_and_sends_nothing_else(lab: Page, running: Server) -> None:
    def controls() -> Any:
        return running.run()["controls"]["applied"]

    lab.fill(entry("p_drop"), "0.4")
    lab.keyboard.press("Enter")
    patiently(lambda: controls()["p_drop"] == 0.4, "the typed value")
    lab.locator(thumb("p_drop")).focus()
    lab.keyboard.press("ArrowRight")
    patiently(lambda: controls()["p_drop"] == 0.41, "one step up")
    expect(lab.locator(note("p_drop"))).to_contain_text("0.4 → 0.41")
    revision = running.run()["revision"]
    lab.fill(entry("p_drop"), "0,41")
    lab.keyboard.press("Enter")
    expect(lab.locator(entry("p_drop"))).to_have_value("0.41")
    lab.click("[data-control=p_drop] .control-preset")
    patiently(lambda: controls()["p_drop"] == 0.5, "the preset's value")
    assert running.run()["revision"] == revision + 1
    expect(lab.locator("[data-control=p_drop] .control-preset")).to_be_hidden()


def test_what_is_not_clearly_a_decimal_number_is_refused(lab: Page, running: Server) -> None:
    applied = running.run()["controls"]["applied"]["lr_ratio"]
    for typed in ("0x1", "1,000", "1 0"):
        lab.fill(entry("lr_ratio"), typed)
        lab.keyboard.press("Enter")
        expect(lab.locator(note("lr_ratio"))).to_contain_text(f"Found {typed}.")
    assert running.run()["controls"]["applied"]["lr_ratio"] == applied


def test_a_value_out_of_bounds_is_refused_in_one_sentence_and_the_truth_returns(lab: Page, running: Server) -> None:
    applied = running.run()["controls"]["applied"]["p_drop"]
    lab.fill(entry("p_drop"), "7")
    lab.keyboard.press("Enter")
    expect(lab.locator(note("p_drop"))).to_have_text("p_drop must be 0 to 1. Found 7.")
    expect(lab.locator(entry("p_drop"))).to_have_value(str(applied))
    assert running.run()["controls"]["applied"]["p_drop"] == applied
    expect(lab.locator(note("p_drop"))).not_to_contain_text("Found 7", timeout=20_000)


def test_a_refused_stop_leaves_the_field_and_is_told_in_words(lab: Page, running: Server) -> None:
    stop = str(running.run()["total_steps"])
    open_menu(lab)
    lab.fill("[data-part=until]", stop)
    lab.keyboard.press("Enter")
    expect(lab.locator("#announcer")).to_have_text(f"Running until step {stop}.")
    beyond = str(int(stop) + 1)
    lab.fill("[data-part=until]", beyond)
    lab.keyboard.press("Enter")
    expect(part(lab, "menu-note")).to_contain_text(f"Found {beyond}.")
    over = """(note) => { const { x, y } = note.getBoundingClientRect();
      return note === document.elementFromPoint(x + 4, y + 4); }"""
    assert part(lab, "menu-note").evaluate(over), "nothing lies over the reason"
    expect(lab.locator(".event-warning b").first).to_contain_text(re.compile(r"^Run until was refused: step must be"))
    lab.keyboard.press("Escape")
    expect(part(lab, "until")).to_have_value(stop)


@pytest.mark.slow
def test_the_preset_s_value_is_ticked_once_a_slider_left_it(lab: Page, running: Server) -> None:
    lab.click("[data-part=more-forces] > summary")
    lab.fill(entry("lr_base"), "1e-4")
    lab.keyboard.press("Enter")
    expect(lab.locator("[data-control=lr_base] .control-preset")).to_have_text(re.compile(r"^preset [\d.]"))
    expect(lab.locator("[data-control=lr_base] .control-tick")).to_be_visible()
    expect(part(lab, "more-forces-note")).to_have_text("1 changed")
    lab.click("[data-control=lr_base] .control-preset")
    expect(lab.locator("[data-control=lr_base] .control-tick")).to_be_hidden()


def test_a_change_of_someone_else_moves_the_slider(lab: Page, running: Server) -> None:
    revision = running.run()["revision"]
    running.command("set", base_revision=revision, controls={"lambda_conflict": 3.0})
    expect(lab.locator(entry("lambda_conflict"))).to_have_value("3")


def test_a_lost_connection_greys_the_pictures_and_resumes_without_a_gap(open_page: OpenPage, running: Server) -> None:
    page = drawn(open_page(f"http://127.0.0.1:{running.proxy.port}", may_fail=True))
    before = view(page, "model.store.lastStep")
    running.proxy.cut()
    expect(part(page, "banner")).to_contain_text("Connection lost at")
    expect(page.locator("[data-run-view]")).to_have_class(re.compile("is-stale"))
    running.proxy.mend()
    patiently(lambda: view(page, "stream.reconnects") == 1, "the page to reconnect")
    patiently(lambda: view(page, "model.store.lastStep") > before + 20, "new steps")
    expect(part(page, "banner")).to_be_hidden()
    assert view(page, "model.store.gaps") == 0


def test_the_page_is_driven_by_keyboard_alone(lab: Page, running: Server) -> None:
    lab.keyboard.press("Space")
    running.wait_for_run("paused")
    expect(part(lab, "run-pause")).to_have_text("Run")
    step = running.run()["step"]
    lab.keyboard.press("s")
    patiently(lambda: running.run()["step"] == step + 1, "one step")
    lab.locator("[data-picture=topology] .picture canvas").focus()
    lab.keyboard.press("ArrowRight")
    lab.keyboard.press("ArrowDown")
    expect(lab.locator("#announcer")).to_have_text(re.compile(r"E1 to block B0: σ\(A\) \d\.\d+, A -?\d"))
    lab.keyboard.press("2")
    assert "layer=2" in lab.url
    lab.keyboard.press("l")
    assert "lens=threads" in lab.url
    expect(lab.locator("[data-picture=threads]")).to_be_visible()
    lab.keyboard.press("?")
    expect(lab.locator("#shortcuts")).to_be_visible()
    lab.keyboard.press("Escape")
    expect(lab.locator("#shortcuts")).to_be_hidden()
    epoch = running.run()["epoch"]
    lab.keyboard.press("r")
    lab.keyboard.press("s")
    patiently(lambda: running.run()["step"] == step + 2, "another step")
    assert running.run()["epoch"] == epoch, "no key resets a run"


@pytest.mark.slow
def test_keys_of_one_character_can_be_switched_off(lab: Page, running: Server) -> None:
    lab.keyboard.press("?")
    lab.uncheck("#single-keys")
    lab.click("#shortcuts-close")
    lab.keyboard.press("2")
    lab.keyboard.press("l")
    assert "layer" not in lab.url
    assert "lens" not in lab.url
    lab.reload()
    drawn(lab)
    lab.keyboard.press("2")
    assert "layer" not in lab.url
    lab.click("#shortcuts-open")
    lab.check("#single-keys")
    lab.click("#shortcuts-close")
    lab.keyboard.press("2")
    assert "layer=2" in lab.url


def test_a_reset_asks_first_and_then_marks_what_differs_from_the_preset(lab: Page, running: Server) -> None:
    lab.fill(entry("lambda_conflict"), "4")
    lab.keyboard.press("Enter")
    expect(lab.locator(note("lambda_conflict"))).to_contain_text("→ 4 at step")
    epoch = running.run()["epoch"]
    open_menu(lab)
    lab.click("[data-part=reset]")
    expect(part(lab, "reset-question")).to_be_visible()
    lab.click("[data-part=reset-no]")
    assert running.run()["epoch"] == epoch
    lab.click("[data-part=reset]")
    lab.click("[data-part=reset-yes]")
    patiently(lambda: view(lab, "model.run.epoch") > epoch, "the page to follow the reset")
    expect(lab.locator(entry("lambda_conflict"))).to_have_value("4")
    expect(lab.locator("[data-control=lambda_conflict]")).to_have_class(re.compile("is-moved"))
    lab.click("[data-control=lambda_conflict] .control-preset")
    patiently(lambda: running.run()["controls"]["applied"]["lambda_conflict"] == 10, "the preset's value")


def test_looking_back_shows_a_stored_moment_until_live(lab: Page, running: Server) -> None:
    running.train_past(40)
    patiently(lambda: view(lab, "model.store.lastStep") > 40, "some history")
    view(lab, "scrubber.seekStep(20)")
    expect(part(lab, "chip-status")).to_contain_text(re.compile(r"Looking back ?step \d+"))
    expect(part(lab, "story-below")).to_contain_text(re.compile(r"^Looking back at step \d+\. Training goes on: step"))
    expect(lab.locator(thumb("p_drop"))).to_be_disabled()
    assert abs(view(lab, "scrubber.pinned.step") - 20) <= 5
    shown = pixels(lab, "topology")
    newest = lab.evaluate("topologyLab.stats.frames")
    patiently(lambda: lab.evaluate("topologyLab.stats.frames") > newest + 5, "training to go on")
    assert pixels(lab, "topology") == shown
    part(lab, "scrub").focus()
    lab.keyboard.press("End")
    expect(part(lab, "chip-status")).to_contain_text("Training")


@pytest.mark.slow
def test_a_moment_before_a_reset_can_still_be_seen(lab: Page, running: Server) -> None:
    running.train_past(40)
    patiently(lambda: view(lab, "model.store.lastStep") > 40, "some history")
    epoch = running.run()["epoch"]
    running.command("reset")
    patiently(lambda: view(lab, "model.frame?.epoch") == epoch + 1, "the page to follow the reset")
    expect(lab.locator(".events-divider").first).to_have_text("before the reset")
    lab.evaluate("epoch => topologyLab.views[0].scrubber.seekStep(20, epoch)", epoch)
    expect(part(lab, "chip-status")).to_contain_text(re.compile(r"Looking back, before the reset ?step \d+"))
    assert view(lab, "scrubber.pinned.epoch") == epoch
    assert abs(view(lab, "scrubber.pinned.step") - 20) <= 5


@pytest.mark.slow
def test_a_reloaded_link_brings_back_run_layer_lens_and_theme(open_page: OpenPage, running: Server) -> None:
    run_id = running.run()["run_id"]
    link = f"{running.url}/#run={run_id}&layer=2&lens=threads&theme=dark"
    page = drawn(open_page(link, wait_for="[data-picture=threads]"))
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    expect(part(page, "layers").locator("button").nth(1)).to_have_attribute("aria-pressed", "true")
    expect(page.locator("[data-picture=threads]")).to_be_visible()
    page.click("#theme-toggle")
    assert page.evaluate("document.documentElement.dataset.theme") == "light"
    assert "theme=light" in page.url


def test_a_dead_link_says_so_and_offers_the_newest_run(open_page: OpenPage, running: Server) -> None:
    page = open_page(f"{running.url}/#run=gone", may_fail=True)
    expect(part(page, "notice")).to_contain_text("There is no run “gone” here.")
    page.get_by_role("button", name="Show that one").click()
    drawn(page)
    assert running.run()["run_id"] in page.url


@pytest.mark.slow
def test_a_page_whose_script_is_gone_loads_itself_again_and_only_once(open_page: OpenPage, running: Server) -> None:
    page = drawn(open_page(may_fail=True))
    documents: list[str] = []

    def note(request: Request) -> None:
        if request.is_navigation_request():
            documents.append(request.url)

    page.on("request", note)
    page.route(
        "**/lab/*/main.js",
        lambda route: route.fulfill(status=404) if len(documents) == 1 else route.continue_(),
    )
    page.reload()
    patiently(lambda: len(documents) == 2, "the page to load itself again")
    drawn(page)
    page.route("**/lab/*/main.js", lambda route: route.fulfill(status=404))
    page.reload()
    expect(page.locator("body")).to_contain_text("A part of the page is missing: load it again.")
    assert len(documents) == 4


@pytest.mark.parametrize("theme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
def test_nothing_overflows(open_page: OpenPage, running: Server, theme: str) -> None:
    page = open_page(theme=theme)
    patiently(lambda: page.evaluate("window.topologyLab?.stats.frames > 3"), "frames")
    cut = """() => [...document.querySelectorAll("button, label, h2, .chip, .legend")]
      .filter((e) => e.checkVisibility() && e.scrollWidth > e.clientWidth + 1).map((e) => e.id || e.textContent)"""
    for width in (1280, 390):
        resize(page, width)
        fits = f"document.documentElement.scrollWidth <= {width}"
        patiently(lambda fits=fits: page.evaluate(fits), f"the page to fit into {width} pixels")
        patiently(lambda: page.evaluate(cut) == [], f"no text to be cut off at {width} pixels")


def resize(page: Page, width: int, height: int = 900) -> None:
    """Give the window another size, and wait until the page is drawn in it."""
    page.set_viewport_size({"width": width, "height": height})
    drawn_since = page.evaluate("topologyLab.stats.frames")
    patiently(lambda: page.evaluate("topologyLab.stats.frames") > drawn_since + 1, f"frames at {width} pixels")


SIZES = [(1440, 900), (1280, 720), (1366, 768)]


def test_figure_film_and_controls_lie_above_the_fold(open_page: OpenPage, running: Server) -> None:
    page = open_page(width=1440, height=900)
    for width, height in SIZES:
        resize(page, width, height)
        parts = ("story", "pictures", "film", "scrub", "start-another")
        for found in (page.locator(".chart"), *(part(page, name) for name in parts)):
            box = found.bounding_box()
            assert box is not None
            assert box["y"] + box["height"] <= height, (found, width)
        scrolls = "rail => rail.scrollHeight > rail.clientHeight"
        assert not part(page, "controls").evaluate(scrolls), f"all of the left rail is seen at {width} by {height}"


def test_rows_of_all_pictures_lie_on_the_same_lines(lab: Page) -> None:
    tops = """[...document.querySelectorAll("[data-picture] canvas")]
      .filter((canvas) => canvas.offsetParent && !canvas.closest("[data-picture=backbone]"))
      .map((canvas) => canvas.getBoundingClientRect()).map(({ top, height }) => `${top} ${height}`)"""
    assert len(set(lab.evaluate(tops))) == 1


def test_a_refusal_moves_nothing(lab: Page, running: Server) -> None:
    places = "[...document.querySelectorAll('.control, .panel-film')].map((e) => e.getBoundingClientRect().top)"
    before = lab.evaluate(places)
    lab.fill(entry("lambda_conflict"), "7e9")
    lab.keyboard.press("Enter")
    expect(lab.locator(note("lambda_conflict"))).to_contain_text("Found 7e9.")
    assert lab.evaluate(places) == before


def test_every_target_is_at_least_24_pixels(open_page: OpenPage, running: Server) -> None:
    page = open_page(width=1440, height=900)
    small = """[...document.querySelectorAll("a, button, select, input:not([type=range]), summary")]
      .filter((e) => e.checkVisibility() && !e.classList.contains("skip-link")
        && !e.closest(".card-text, .introduction"))
      .map((e) => [e.id || e.textContent || e.className || e.outerHTML, e.getBoundingClientRect()])
      .filter(([, box]) => box.width && (box.width < 24 || box.height < 24)).map(([name]) => name)"""
    for width in (1440, 1280, 390):
        resize(page, width)
        assert page.evaluate(small) == [], width
        open_menu(page)
        expect(part(page, "reset")).to_be_visible()
        assert page.evaluate(small) == [], (width, "its menu open")
        page.click("[data-part=menu] > summary")


@pytest.mark.slow
def test_no_text_is_smaller_than_it_should_be(open_page: OpenPage, running: Server) -> None:
    page = open_page(width=1440, height=900)
    small = """(least) => [...document.querySelectorAll("body *")]
      .filter((e) => e.offsetParent && !e.closest("svg, .why > summary")
        && [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()))
      .filter((e) => parseFloat(getComputedStyle(e).fontSize) < least).map((e) => e.textContent)"""
    for width, least in ((1440, 12), (1280, 13)):
        resize(page, width)
        assert page.evaluate(small, least) == [], width


def test_pointing_lights_an_expert_in_every_picture_and_a_click_pins_it(open_page: OpenPage, running: Server) -> None:
    page = drawn(open_page(width=1440, height=900))
    canvas = page.locator("[data-picture=topology] canvas")
    canvas.hover(position={"x": 120, "y": 130})
    expect(part(page, "card-title")).to_have_text("Expert 3")
    expect(page.locator(".figure-band")).to_be_visible()
    expect(part(page, "reading")).to_contain_text(re.compile(r"^E3 to block B2: σ\(A\) "))
    canvas.click(position={"x": 120, "y": 130})
    page.mouse.move(5, 5)
    expect(part(page, "card-how")).to_have_text("pinned; Escape frees")
    page.keyboard.press("Escape")
    expect(part(page, "card-introduction")).to_be_visible()


def test_where_the_page_is_narrow_the_right_rail_opens_from_the_header(lab: Page) -> None:
    expect(part(lab, "take")).to_be_hidden()
    lab.click("[data-part=rail-take]")
    expect(part(lab, "take").locator("a").first).to_have_attribute("href", re.compile(r"/export\?format=csv$"))
    lab.keyboard.press("Escape")
    expect(part(lab, "take")).to_be_hidden()
    lab.click("[data-part=rail-log]")
    expect(part(lab, "events")).to_be_visible()


def test_on_a_phone_the_controls_are_one_tap_away(open_page: OpenPage, running: Server) -> None:
    page = open_page(width=390, height=844)
    patiently(lambda: page.evaluate("window.topologyLab?.stats.frames > 3"), "frames")
    expect(page.locator(thumb("p_drop"))).to_be_hidden()
    page.click("[data-part=sheet-toggle]")
    expect(page.locator(thumb("p_drop"))).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(thumb("p_drop"))).to_be_hidden()
    page.click("[data-part=run-pause]")
    running.wait_for_run("paused")


def test_a_new_run_with_another_seed_replaces_this_one(lab: Page, running: Server) -> None:
    before = running.run()["run_id"]
    open_menu(lab)
    lab.fill("[data-part=until]", str(running.run()["total_steps"]))
    lab.keyboard.press("Enter")
    expect(lab.locator("#announcer")).to_contain_text("Running until step")
    lab.fill(entry("lambda_conflict"), "0")
    lab.keyboard.press("Enter")
    expect(lab.locator(note("lambda_conflict"))).to_contain_text("→ 0 at step")
    start_another(lab, seed="12")
    patiently(lambda: running.run()["run_id"] != before, "the new run")
    running.wait_for_run("running")
    assert running.run()["seed"] == 12
    expect(part(lab, "until")).to_have_value("")
    expect(lab.locator(entry("lambda_conflict"))).to_have_value("10")
    expect(lab.locator(note("lambda_conflict"))).not_to_contain_text("→")
    patiently(lambda: view(lab, "model.run?.seed") == 12 and view(lab, "model.store.lastStep") > 5, "its first steps")
    assert running.run()["run_id"] in lab.url
    assert running.ask("GET", f"/api/runs/{before}")["status"] == "interrupted"
    lab.go_back()
    patiently(lambda: view(lab, "model.run?.run_id") == before, "the earlier run")
    expect(part(lab, "run-pause")).to_have_text("Resume")
    expect(part(lab, "transport-note")).to_contain_text("Interrupted:")


def test_a_run_started_elsewhere_is_counted_and_can_be_chosen_from_the_list(lab: Page, running: Server) -> None:
    shown = running.run()["run_id"]
    patiently(lambda: view(lab, "model.run?.run_id") == shown, "the first run")
    other = running.ask("POST", "/api/runs", {"preset": "live", "seed": 7, "name": "of a script"})["run_id"]
    running.wait_for_run("running")
    runs = part(lab, "run-list")
    runs.focus()
    expect(part(lab, "other-runs")).to_have_text("+1")
    expect(runs).to_have_value(shown)
    expect(runs.locator("option").first).to_contain_text("of a script · seed 7 · training")
    runs.select_option(other)
    patiently(lambda: view(lab, "model.run?.seed") == 7, "the chosen run")
    assert other in lab.url
    running.ask("POST", f"/api/runs/{shown}/commands", {"command_id": f"list-{time.monotonic_ns()}", "type": "stop"})
    runs.blur()
    runs.focus()
    expect(part(lab, "other-runs")).to_have_text("")
    expect(runs.locator(f"option[value={shown}]")).to_contain_text("interrupted at step")


@pytest.mark.slow
def test_a_model_without_topology_says_so_and_everything_else_goes_on(lab: Page, running: Server) -> None:
    expect(part(lab, "chip-model")).to_contain_text("seed")
    start_another(lab, preset="standard")
    patiently(lambda: running.run()["preset"] == "standard", "the new run")
    expect(part(lab, "chip-model")).to_contain_text("standard, seed")
    sentence = "A standard mixture of experts has no topology matrix: each expert owns its weights."
    expect(part(lab, "story")).to_have_text(sentence)
    for picture in ("topology", "threads", "conflict", "backbone"):
        expect(lab.locator(f"[data-picture={picture}]")).to_be_hidden()
    for control in ("lambda_conflict", "lr_ratio", "l1", "binarize"):
        expect(lab.locator(thumb(control))).to_be_disabled()
        expect(lab.locator(thumb(control))).to_have_attribute("title", re.compile("no topology matrix A"))
        expect(lab.locator(note(control))).to_have_text("no effect: this model has no A")
    expect(lab.locator(thumb("p_drop"))).to_be_enabled()
    for measure in ("accuracy", "busy", "loss"):
        expect(lab.locator(f"[data-measure={measure}]")).to_be_visible()
    for measure in ("cut", "conflict"):
        expect(lab.locator(f"[data-measure={measure}]")).to_have_count(0)
    before = pixels(lab, "routing")
    patiently(lambda: pixels(lab, "routing") != before, "the routing to change")
    lab.locator("[data-measure=loss]").click()
    patiently(lambda: lab.locator(".chart-line").count() > 0, "a line of the loss")
    view(lab, "scrubber.seekStep(10)")
    expect(part(lab, "chip-status")).to_contain_text(re.compile(r"Looking back ?step \d+"))
