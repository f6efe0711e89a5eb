"""A link, a file and a recorded run that run again, and own images as tasks: as a person sees them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.core.own_data import arrays
from tests.e2e.assistive import faults
from tests.e2e.fixed_run import put_fixed_run
from tests.e2e.served import Server, patiently, serving

pytestmark = pytest.mark.browser

SMALL = {"num_layers": 1, "patch_size": 14, "d_model": 16, "d_base": 32, "num_experts": 4, "num_partitions": 4}
RECIPE = {
    "config": {"preset": "live", "model": SMALL, "train": {"seed": 3, "steps": 400, "batch_size": 8}},
    "edits": [{"step": 40, "controls": {"lambda_conflict": 0}}],
}
TASKS = ["low digits", "high digits", "hats", "shoes"]


@pytest.fixture(scope="module")
def lent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a finished run, and an .npz of four tasks in its folder of data sets."""
    folder = tmp_path_factory.mktemp("recipes")
    put_fixed_run(folder)
    (folder / "datasets").mkdir()
    images = np.random.default_rng(2).integers(0, 255, (400, 10, 10), dtype=np.uint8)
    content: dict[str, object] = dict(arrays(images=images, task_names=np.array(TASKS)))
    content |= {"tasks": np.arange(400) % 4, "labels": np.arange(400) // 4 % 3}
    np.savez(folder / "datasets" / "My tasks.npz", **content)  # type: ignore[arg-type]
    with serving(folder) as server:
        yield server


def dialog(page: Page) -> str:
    expect(page.locator("[data-part=start-dialog]")).to_be_visible()
    return page.locator("[data-part=preset-note]").inner_text()


@pytest.mark.slow
def test_a_link_to_a_run_that_is_not_here_asks_and_runs_its_recipe_again(
    open_page: Callable[..., Page], lent: Server
) -> None:
    link = f"{lent.url}/#run=gone&step=60&recipe={quote(json.dumps(RECIPE))}"
    page = open_page(link, wait_for="[data-part=notice] .button-primary", may_fail=True)
    runs = len(lent.ask("GET", "/api/runs"))
    words = "at the same steps: λ 0 after step 40; it pauses at step 60, the moment of the link."
    expect(page.locator("[data-part=notice]")).to_contain_text(words)
    page.get_by_role("button", name="Run it again…").click()
    assert dialog(page).endswith(words)
    assert faults(page) == []
    assert len(lent.ask("GET", "/api/runs")) == runs, "nothing starts before it is asked for"
    page.locator("[data-part=new-run]").click()
    expect(page.locator("[data-part=chip-words]")).to_have_text("Paused")
    run = lent.run()
    assert (run["seed"], run["step"], run["controls"]["applied"]["lambda_conflict"]) == (3, 60, 0)
    expect(page.locator("[data-part=events]")).to_contain_text("λ 10 → 0")


@pytest.mark.slow
def test_a_recipe_in_a_file_is_opened_and_a_broken_one_is_one_sentence(
    open_page: Callable[..., Page], lent: Server
) -> None:
    page = open_page(f"{lent.url}/#run=run-fixed")
    page.locator("[data-part=start-another]").click()
    chooser = page.locator("[data-part=recipe-place] input")
    chooser.set_input_files({"name": "mine.json", "mimeType": "application/json", "buffer": b"{"})
    expect(page.locator("[data-part=new-run-note]")).to_have_text(
        "“mine.json” must be JSON. Found what cannot be read."
    )
    name = lent.ask("GET", "/api/recorded")["recorded"][0]["name"]
    found = page.request.get(f"{lent.url}/api/recorded/{name}/recording").body()
    chooser.set_input_files({"name": "a.recording", "mimeType": "application/octet-stream", "buffer": found})
    expect(page.locator("[data-part=preset-note]")).to_contain_text(", from step 0 again")
    chooser.set_input_files(
        {"name": "mine.json", "mimeType": "application/json", "buffer": json.dumps(RECIPE).encode()}
    )
    expect(page.locator("[data-part=preset-note]")).to_contain_text("Trains live, seed 3, with num layers 1,")
    page.locator("[data-part=start-cancel]").click()


def test_start_from_its_settings_asks(open_page: Callable[..., Page], lent: Server) -> None:
    name = lent.ask("GET", "/api/recorded")["recorded"][0]["name"]
    page = open_page(f"{lent.url}/#recorded={name}")
    runs = len(lent.ask("GET", "/api/runs"))
    page.get_by_role("button", name="Start from its settings").click()
    assert "from step 0 again" in dialog(page)
    assert len(lent.ask("GET", "/api/runs")) == runs
    page.locator("[data-part=start-cancel]").click()


@pytest.mark.slow
def test_the_film_is_taken_as_mp4(open_page: Callable[..., Page], lent: Server) -> None:
    page = open_page(f"{lent.url}/#run=run-fixed", width=1440, height=900)
    page.wait_for_function("() => window.topologyLab?.views[0].pictures.frame")
    page.locator("[data-takes=film] summary").click()
    with page.expect_download() as download:
        page.locator("[data-take=mp4]").click()
    content = Path(download.value.path()).read_bytes()
    assert content[4:8] == b"ftyp"
    assert b"live, seed 0" in content


@pytest.mark.slow
def test_own_images_are_looked_at_chosen_and_learned(open_page: Callable[..., Page], lent: Server) -> None:
    page = open_page(f"{lent.url}/#run=run-fixed", width=1440, height=900)
    page.locator("[data-part=start-another]").click()
    data = page.locator("[data-part=data]")
    data.select_option("My tasks.npz: not read yet")
    shown = page.locator(".data-task")
    expect(shown).to_have_count(len(TASKS))
    expect(shown.first).to_contain_text("low digits 82 to train on, 18 to test")
    expect(shown.first).to_contain_text("0 28, 1 27, 2 27; from 27 to 28 a class")
    expect(shown.first.locator("canvas")).to_have_count(10)
    expect(page.locator("[data-part=data-shown]")).to_contain_text("cut into 4 by 4 patches")
    assert faults(page) == []
    page.set_viewport_size({"width": 390, "height": 844})
    patiently(lambda: page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page to fit a phone")
    assert faults(page) == []
    page.set_viewport_size({"width": 1440, "height": 900})
    page.locator("[data-part=seed]").fill("1")
    page.locator("[data-part=new-run]").click()
    expect(page.locator("[data-part=chip-words]")).to_have_text("Training")
    page.wait_for_function("() => window.topologyLab?.views[0].model.frame?.step > 2")
    lent.command("pause")
    legend = page.locator(".picture-routing .legend-item")
    expect(legend.filter(has_text="hats")).to_be_visible()
    assert lent.run()["settings"]["dataset"].startswith("my-tasks@")
    page.locator("summary", has_text="About this run").click()
    expect(page.locator("[data-part=facts]")).to_contain_text("my-tasks@")
    page.locator("[data-part=probe-fold] summary").click()
    expect(page.locator(".probe-thumb")).to_have_count(9)
    expect(page.locator(".probe-thumb").first).to_have_attribute("title", "low digits 0")
