"""A run's model is asked from its checkpoints, by a process that training does not wait for."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from pathlib import Path

import pytest

from backend.errors import BadInputError, NotNowError, RunNotFoundError
from backend.jobs.asked_ahead import LOOK_S, keep_ready
from backend.jobs.inspector import ELSEWHERE, Inspector, state_of
from backend.web.inspector_routes import pixels_of
from cdsp_core.wire.checkpoint_names import checkpoint_name, milestone_name
from cdsp_core.wire.messages.inspect import AskImages, SampleImages
from cdsp_core.worker.checkpoints import Milestones
from tests.backend.lab import ThreadWorker, lab, until
from tests.backend.test_real_worker import small_run

QUESTION = AskImages(run="run-1", state=milestone_name(0, 0))


def test_the_state_nearest_to_a_step_is_asked_and_of_two_as_near_the_earlier(tmp_path: Path) -> None:
    with pytest.raises(RunNotFoundError, match="No state of this run is kept yet"):
        state_of(tmp_path, 0, 5)
    for generation, step in ((0, 0), (0, 50), (0, 71), (1, 60)):
        (tmp_path / f"{milestone_name(generation, step)}.json").touch()
    (tmp_path / f"{checkpoint_name(0, 100, kept=False)}.json").touch()
    found = [state_of(tmp_path, 0, step) for step in (0, 25, 26, 65, 5000, None)]
    steps = [int(name[9:]) for name in found]
    assert steps == [0, 0, 50, 71, 100, 100]
    assert state_of(tmp_path, 1, 62) == milestone_name(1, 60)
    assert state_of(tmp_path, 1, None) == milestone_name(1, 60)


def test_milestones_are_step_0_and_then_of_every_root_of_two_from_50(tmp_path: Path) -> None:
    milestones, kept = Milestones(tmp_path, 0, after=-1), []
    for step in range(300):
        if milestones.is_due(step):
            milestones.keep(step, lambda name: kept.append(name))
    assert kept == [milestone_name(0, step) for step in (0, 50, 71, 100, 141, 200, 283)]
    assert not Milestones(tmp_path, 1, after=100).is_due(141 - 1)
    assert Milestones(tmp_path, 1, after=100).is_due(141)


def test_a_large_model_keeps_one_milestone_and_a_full_disk_none(tmp_path: Path) -> None:
    large = Milestones(tmp_path, 0, after=-1)

    def write(name: str) -> None:
        (tmp_path / f"{name}.safetensors").write_bytes(bytes(4_000_001))

    assert large.keep(0, write) == milestone_name(0, 0)
    assert large.is_due(50), "it is a picture of the film all the same"
    assert large.keep(50, write) is None

    def refuse(name: str) -> None:
        raise OSError(28, "No space left on device")

    full = Milestones(tmp_path, 0, after=-1)
    assert full.keep(0, refuse) is None
    assert full.keep(50, lambda name: pytest.fail("no more after a disk that refused one")) is None


def test_an_image_of_another_size_or_of_other_letters_is_refused_with_its_bound() -> None:
    assert pixels_of(base64.urlsafe_b64encode(bytes([0, 1, 254, 255])).decode().rstrip("="), 2) == [0, 1, 254, 255]
    with pytest.raises(BadInputError, match=r"image must hold 784 pixels, 28 rows of 28\. Found 3\."):
        pixels_of("AAAA", 28)
    with pytest.raises(BadInputError, match=r"image must be URL-safe base64\. Found other letters\."):
        pixels_of("!!!!", 28)


async def test_where_no_model_is_one_sentence_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotNowError, match=ELSEWHERE):
        await Inspector(None, tmp_path / "log").ask(QUESTION, SampleImages)


async def test_a_process_that_ends_is_begun_anew(tmp_path: Path) -> None:
    program = "import os; input(); print('{\"images\": []}', flush=True); input(); os._exit(1)"
    inspector = Inspector([sys.executable, "-c", program], tmp_path / "log")
    assert await inspector.ask(QUESTION, SampleImages) == SampleImages(images=[])
    with pytest.raises(NotNowError, match="The process that answers has ended"):
        await inspector.ask(QUESTION, SampleImages)
    assert await inspector.ask(QUESTION, SampleImages) == SampleImages(images=[])
    await inspector.close()


async def test_a_process_that_nobody_asks_ends_and_the_next_question_begins_another(tmp_path: Path) -> None:
    program = "import os\nwhile input(): print('{\"images\": []}', flush=True)"
    inspector = Inspector([sys.executable, "-c", program], tmp_path / "log", idle_s=0.05)
    await inspector.ask(QUESTION, SampleImages)
    assert inspector.is_running
    await asyncio.sleep(0.5)
    assert not inspector.is_running
    assert await inspector.ask(QUESTION, SampleImages) == SampleImages(images=[])
    await inspector.close()
    assert not inspector.is_running


ANSWERS = """
while asked := input():
    with open(PATH, "a") as file:
        file.write(asked + "\\n")
    print('{"images": []}', flush=True)
"""
"""a program that answers and writes down what it was asked"""


def writes_down(asked: Path) -> list[str]:
    return [sys.executable, "-c", f"PATH = {str(asked)!r}{ANSWERS}"]


async def the_question() -> AskImages:
    return QUESTION


async def test_a_model_is_loaded_once_before_it_is_asked_and_nobody_waits_for_it(tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    inspector = Inspector(writes_down(asked), tmp_path / "log")
    for _ in range(3):
        inspector.warm(the_question)
    assert not inspector.is_running, "who looks at a link does not wait for the process"
    await until(lambda: asked.exists() and inspector.is_running)
    inspector.warm(the_question)
    assert await inspector.ask(QUESTION, SampleImages) == SampleImages(images=[])
    await until(lambda: asked.read_text().count("\n") == 2)
    await inspector.close()


async def test_what_cannot_be_loaded_yet_is_asked_again_when_it_is_looked_at_next(tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    inspector = Inspector(writes_down(asked), tmp_path / "log")
    tried = []

    async def question() -> AskImages:
        tried.append(1)
        if len(tried) == 1:
            raise RunNotFoundError("No state of this run is kept yet.")
        return QUESTION

    inspector.warm(question)
    await until(lambda: len(tried) == 1)
    await asyncio.sleep(0)
    inspector.warm(question)
    await until(asked.exists)
    await inspector.close()


async def test_looking_at_a_link_has_the_run_s_model_loaded(tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    async with lab(tmp_path) as it, ThreadWorker(it.port, it.settings.checkpoint_dir):
        it.app.state.inspector = Inspector(writes_down(asked), tmp_path / "log")
        config = {"model": {"num_layers": 1, "num_experts": 4, "num_partitions": 4}}
        run_id = (await it.http.post("/api/runs", json={"config": config})).json()["run_id"]
        await it.until(run_id, lambda run: run["step"] > 10)
        await it.command(run_id, "checkpoint")
        assert (await it.http.get(f"/api/runs/{run_id}/entries/0/0/1/2")).status_code == 200
        await until(asked.exists)
        await until(lambda: asked.read_text().endswith("\n"))
        said = json.loads(asked.read_text())
        assert (said["type"], said["run"]) == ("images", run_id)
        await it.app.state.inspector.close()


async def test_a_page_that_draws_a_run_has_its_model_ready_before_anything_is_asked(tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    async with lab(tmp_path) as it, ThreadWorker(it.port, it.settings.checkpoint_dir):
        inspector = it.app.state.inspector = Inspector(writes_down(asked), tmp_path / "log")
        run_id = await it.new_run()
        await it.until(run_id, lambda run: run["step"] > 10)
        await it.command(run_id, "checkpoint")
        async with it.page(run_id) as page:
            await page.frame("snapshot", ack=False)
            await asyncio.sleep(2 * LOOK_S)
            assert not inspector.is_running, "for a page in the background nothing is begun"
            await page.ack(page.frames[-1])
            await until(lambda: asked.exists() and asked.read_text().endswith("\n"))
        said = json.loads(asked.read_text())
        assert (said["type"], said["run"]) == ("images", run_id)
        await inspector.close()


async def test_a_server_that_begins_a_run_itself_is_ready_for_it_once_without_a_page(tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    inspector = Inspector(writes_down(asked), tmp_path / "log", idle_s=0.3)
    async with lab(tmp_path) as it, ThreadWorker(it.port, it.settings.checkpoint_dir):
        await it.new_run()
        ready = asyncio.create_task(keep_ready(lambda: inspector, it.runs.list, after_start_s=0.1, look_s=0.02))
        await until(asked.exists)
        await until(lambda: not inspector.is_running)
        await asyncio.sleep(0.5)
        assert not inspector.is_running, "nobody looks"
        ready.cancel()
    await inspector.close()


async def test_the_process_stays_while_somebody_looks_and_ends_a_while_after(tmp_path: Path) -> None:
    inspector = Inspector(writes_down(tmp_path / "asked"), tmp_path / "log", idle_s=1.0)
    await inspector.ask(QUESTION, SampleImages)
    for _ in range(8):
        await asyncio.sleep(0.2)
        inspector.warm(the_question)
        assert inspector.is_running
    await until(lambda: not inspector.is_running)
    await inspector.close()


async def test_a_process_that_dies_is_ready_again_for_who_looks_but_not_begun_all_the_time(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    program = f"open({str(begun)!r}, 'a').write('x')"
    inspector = Inspector([sys.executable, "-c", program], tmp_path / "log", again_s=3600.0)
    inspector.warm(the_question)
    await until(lambda: begun.exists() and not inspector.is_running)
    for _ in range(20):
        inspector.warm(the_question)
        await asyncio.sleep(0.02)
    assert begun.read_text() == "x"
    often = Inspector([sys.executable, "-c", program], tmp_path / "log", again_s=0.0)
    while begun.read_text() != "xxx":
        often.warm(the_question)
        await asyncio.sleep(0.02)
    for each in (inspector, often):
        await each.close()


@pytest.mark.slow
async def test_a_real_run_is_asked_while_it_trains(tmp_path: Path) -> None:
    async with small_run(tmp_path) as (it, run_id):
        run = f"/api/runs/{run_id}"
        images = (await it.http.get(f"{run}/images", timeout=60)).json()["images"]
        assert len(images) == 9
        text = base64.urlsafe_b64encode(bytes(images[4]["pixels"])).decode().rstrip("=")
        first = (await it.http.get(f"{run}/probe", params={"image": text, "task": 1, "step": 0})).json()
        assert first["step"] == 0
        assert 0 in first["known"]
        assert len(first["expert"]) == 1
        assert len(first["expert"][0]) == 4
        await it.until(run_id, lambda now: now["step"] > 120)
        later = (await it.http.get(f"{run}/probe", params={"image": text, "task": 1, "step": 104})).json()
        assert later["step"] == 100
        patches = (await it.http.get(f"{run}/surest/0/1")).json()
        assert patches["images"] == 300
        lesion = (await it.http.get(f"{run}/lesion/0/1")).json()
        assert len(lesion["before"]) == 3
        assert all(len(task) == 10 for task in lesion["after"])
        refused = await it.http.get(f"{run}/surest/0/9")
        assert (refused.status_code, refused.json()["error"]) == (
            422,
            "expert must be a whole number from 0 to 3. Found 9.",
        )
        assert (await it.run(run_id))["status"] == "running"
