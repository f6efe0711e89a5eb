"""A page that comes back gets exactly what it missed, or is told to begin anew."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backend.storage import history
from cdsp_core.wire.frames import decode_frame
from tests.backend.lab import ThreadWorker, lab


async def test_a_page_that_comes_back_misses_no_step(tmp_path: Path) -> None:
    async with lab(tmp_path) as it, ThreadWorker(it.port, it.settings.checkpoint_dir):
        run_id = await it.new_run()
        async with it.page(run_id) as page:
            await page.until_step(30)
            drawn = page.frames[-1]
        await it.until(run_id, lambda run: run["step"] > drawn.step + 50)
        async with it.page(run_id, after=f"{drawn.epoch}:{drawn.seq}") as page:
            page.last_seq = drawn.seq
            hello = await page.text("hello")
            assert hello["resumed"]
            await page.until_step(drawn.step + 100)
            assert not any(text["type"] == "reset" for text in page.texts)
            np.testing.assert_array_equal(page.scalars[:, 0], np.arange(drawn.step + 1, page.frames[-1].step + 1))


async def test_what_memory_no_longer_holds_comes_from_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MAX_RING_ENTRIES", 10)
    async with lab(tmp_path) as it, ThreadWorker(it.port, it.settings.checkpoint_dir):
        run_id = await it.new_run()
        async with it.page(run_id) as page:
            await page.until_step(30)
            drawn = page.frames[-1]
        await it.until(run_id, lambda run: run["step"] > drawn.step + 300)
        async with it.page(run_id, after=f"{drawn.epoch}:{drawn.seq}") as page:
            page.last_seq = drawn.seq
            assert (await page.text("hello"))["resumed"]
            await page.until_step(drawn.step + 400)
            np.testing.assert_array_equal(page.scalars[:, 0], np.arange(drawn.step + 1, page.frames[-1].step + 1))


async def test_a_page_resumes_across_a_new_start_of_the_server(tmp_path: Path) -> None:
    async with lab(tmp_path) as it, ThreadWorker(it.port, it.settings.checkpoint_dir):
        run_id = await it.new_run_of_steps(60)
        async with it.page(run_id) as page:
            await page.until_step(20)
            drawn = page.frames[-1]
        await it.until_status(run_id, "finished")
    async with lab(tmp_path) as it, it.page(run_id, after=f"{drawn.epoch}:{drawn.seq}") as page:
        page.last_seq = drawn.seq
        hello = await page.text("hello")
        assert hello["resumed"]
        assert hello["run"]["step"] == 60
        while not page.rows or page.scalars[-1, 0] < 60:
            await page.read()
        np.testing.assert_array_equal(page.scalars[:, 0], np.arange(drawn.step + 1, 61))


@pytest.mark.parametrize("kept", [False, True], ids=["from-the-last-step", "from-an-earlier-epoch"])
async def test_a_run_goes_on_under_a_version_that_measures_more(tmp_path: Path, kept: bool) -> None:
    async with lab(tmp_path) as it, ThreadWorker(it.port, it.settings.checkpoint_dir):
        run_id = await it.new_run()
        await it.until(run_id, lambda run: run["step"] > 25)
        await it.pause(run_id)
        checkpoint_id = (await it.command(run_id, "checkpoint")).json()["new"]["checkpoint_id"]
        at = (await it.run(run_id))["step"]
        if kept:
            await it.command(run_id, "reset")
        await it.command(run_id, "stop")
    async with lab(tmp_path) as it, ThreadWorker(it.port, it.settings.checkpoint_dir, further=("new",)):
        if kept:
            await it.command(run_id, "restore", checkpoint_id=checkpoint_id)
        await it.command(run_id, "resume")
        await it.until(run_id, lambda run: run["status"] == "running" and run["step"] > at + 10)
        async with it.page(run_id) as page:
            hello = await page.text("hello")
            assert hello["scalar_names"] == ["step", "data_epoch", "loss", "new", "test_accuracy/mnist"]
            await page.until_step(at + 30)
            rows = page.scalars
        np.testing.assert_array_equal(rows[:, 0], np.arange(1, page.frames[-1].step + 1))
        np.testing.assert_array_equal(rows[:, 3], np.where(rows[:, 0] > at, 7.0, np.nan))
        assert rows[19, 4] == 0.5
        await it.pause(run_id)
        lines = (await it.http.get(f"/api/runs/{run_id}/export?format=csv")).text.splitlines()
        table = [dict(zip(lines[0].split(","), line.split(","), strict=False)) for line in lines[1:]]
        measured = {int(row["step"]): row for row in table if row["loss"]}
        assert (measured[20]["new"], measured[20]["test_accuracy/mnist"]) == ("", "0.5")
        assert measured[at + 1]["new"] == "7"


@pytest.mark.parametrize("after", ["9:3", "0:999999", "nonsense", "-1:0", "0:-5", "0:1:2", "", "0:" + "9" * 200])
async def test_an_id_that_cannot_be_continued_from_gives_a_reset_and_a_snapshot(tmp_path: Path, after: str) -> None:
    async with lab(tmp_path) as it, ThreadWorker(it.port, it.settings.checkpoint_dir):
        run_id = await it.new_run()
        await it.until(run_id, lambda run: run["step"] > 5)
        async with it.page(run_id, after=after) as page:
            readable = after in ("9:3", "0:999999")
            reason = f"Frame {after} cannot" if readable else "after must be EPOCH:SEQ, two whole numbers. Found "
            assert (await page.text("reset"))["reason"].startswith(reason)
            assert not (await page.text("hello"))["resumed"]
            await page.frame("snapshot")
            await page.until_step(20)
            np.testing.assert_array_equal(page.scalars[:, 0], np.arange(1, page.frames[-1].step + 1))


async def test_a_finished_run_is_shown_whole_after_a_new_start(tmp_path: Path) -> None:
    async with lab(tmp_path) as it, ThreadWorker(it.port, it.settings.checkpoint_dir):
        run_id = await it.new_run_of_steps(60)
        await it.until_status(run_id, "finished")
    async with lab(tmp_path) as it, it.page(run_id) as page:
        hello = await page.text("hello")
        assert hello["run"]["status"] == "finished"
        assert any(event["kind"] == "status" for event in hello["events"])
        snapshot = await page.frame("snapshot")
        assert snapshot.step == 60
        np.testing.assert_array_equal(page.scalars[:, 0], np.arange(1, 61))


async def test_a_run_stopped_before_its_first_step_goes_on_with_every_step(tmp_path: Path) -> None:
    async with lab(tmp_path) as it, ThreadWorker(it.port, it.settings.checkpoint_dir):
        run_id = await it.new_run()
        await it.until_status(run_id, "running")
        for kind in ("pause", "reset", "stop", "resume"):
            answer = await it.command(run_id, kind)
            assert (answer.status_code, answer.json()["status"]) == (200, "applied"), kind
        await it.until(run_id, lambda run: run["step"] > 30)
        run = await it.pause(run_id)
        assert run["epoch"] == 2
        scalars = decode_frame((await it.http.get(f"/api/runs/{run_id}/scalars?epoch=2")).content).arrays["scalars"]
        assert scalars[:, 0].tolist() == list(range(1, run["step"] + 1))
