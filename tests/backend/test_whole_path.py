"""From a step in the worker to a page, and from a command back to the worker, over real sockets."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np

from tests.backend.lab import ThreadWorker, lab


async def test_a_page_gets_hello_then_a_snapshot_then_frames_without_a_gap(tmp_path: Path) -> None:
    async with lab(tmp_path) as it, ThreadWorker(it.port, it.settings.checkpoint_dir):
        run_id = await it.new_run(seed=3)
        await it.until(run_id, lambda run: run["step"] >= 10)
        async with it.page(run_id) as page:
            hello = await page.read()
            assert isinstance(hello, dict)
            assert hello["type"] == "hello"
            assert hello["run"]["seed"] == 3
            assert hello["scalar_names"][0] == "step"
            assert not hello["resumed"]
            await page.frame("snapshot")
            await page.until_step(200)
            np.testing.assert_array_equal(page.scalars[:, 0], np.arange(1, page.frames[-1].step + 1))


async def test_every_command_is_answered_with_what_it_did(tmp_path: Path) -> None:
    async with lab(tmp_path) as it, ThreadWorker(it.port, it.settings.checkpoint_dir):
        run_id = await it.new_run()
        await it.until_status(run_id, "running")
        paused = (await it.command(run_id, "pause")).json()
        assert (paused["status"], paused["new"]["status"]) == ("applied", "paused")
        at = (await it.run(run_id))["step"]

        changed = (await it.command(run_id, "set", base_revision=0, controls={"p_drop": 0.25})).json()
        assert changed["old"] == {"p_drop": 0.5}
        assert changed["new"] == {"p_drop": 0.25}
        assert (changed["applied_step"], changed["revision"]) == (at, 1)
        run = await it.run(run_id)
        assert run["controls"]["applied"]["p_drop"] == run["controls"]["requested"]["p_drop"] == 0.25
        assert run["controls"]["applied_step"]["p_drop"] == at

        await it.command(run_id, "step", steps=7)
        run = await it.until(run_id, lambda run: run["status"] == "paused" and run["step"] > at)
        assert run["step"] == at + 7

        await it.command(run_id, "run_until", step=at + 30)
        run = await it.until(run_id, lambda run: run["status"] == "paused" and run["step"] > at + 7)
        assert run["step"] == at + 30

        assert (await it.command(run_id, "speed", steps_per_s=500)).json()["new"] == {"steps_per_s": 500.0}
        assert (await it.command(run_id, "resume")).json()["status"] == "applied"
        assert (await it.command(run_id, "stop")).json()["status"] == "applied"
        assert (await it.run(run_id))["status"] == "interrupted"


async def test_a_reset_begins_a_new_epoch_and_pages_are_told_to_forget(tmp_path: Path) -> None:
    async with lab(tmp_path) as it, ThreadWorker(it.port, it.settings.checkpoint_dir):
        run_id = await it.new_run()
        async with it.page(run_id) as page:
            await page.until_step(20)
            answer = (await it.command(run_id, "reset", seed=9)).json()
            assert answer["new"] == {"epoch": 1, "step": 0, "seed": 9}
            reset = await page.text("reset")
            assert reset["epoch"] == 1
            hello = await page.text("hello")
            assert hello["run"]["seed"] == 9
            snapshot = await page.frame("snapshot")
            assert snapshot.epoch == 1
            await page.until_step(30)
            np.testing.assert_array_equal(page.scalars[:, 0], np.arange(1, page.frames[-1].step + 1))


async def test_a_finished_run_is_reset_by_a_worker_that_is_given_it_again(tmp_path: Path) -> None:
    async with lab(tmp_path) as it, ThreadWorker(it.port, it.settings.checkpoint_dir):
        run_id = await it.new_run_of_steps(40)
        run = await it.until_status(run_id, "finished")
        assert run["step"] == 40
        refused = (await it.command(run_id, "step")).json()
        assert refused["status"] == "rejected"
        assert "finished" in refused["reason"]
        again = (await it.command(run_id, "reset")).json()
        assert again["status"] == "applied"
        assert again["new"]["epoch"] == 1
        await it.until(run_id, lambda run: run["status"] == "finished" and run["epoch"] == 1)


async def test_a_run_waits_until_a_worker_is_free(tmp_path: Path) -> None:
    async with lab(tmp_path) as it, ThreadWorker(it.port, it.settings.checkpoint_dir):
        first = await it.new_run()
        await it.until_status(first, "running")
        second = await it.new_run()
        run = await it.run(second)
        assert run["status"] == "queued"
        assert "worker" in run["reason"]
        await it.command(first, "stop")
        await it.until_status(second, "running")


async def test_restore_goes_back_to_a_checkpoint_and_keeps_the_past(tmp_path: Path) -> None:
    async with lab(tmp_path) as it, ThreadWorker(it.port, it.settings.checkpoint_dir):
        run_id = await it.new_run()
        await it.until(run_id, lambda run: run["step"] >= 30)
        await it.pause(run_id)
        kept = (await it.command(run_id, "checkpoint")).json()["new"]["checkpoint_id"]
        at = (await it.run(run_id))["step"]
        await it.command(run_id, "step", steps=50)
        await it.until(run_id, lambda run: run["step"] == at + 50 and run["status"] == "paused")
        restored = (await it.command(run_id, "restore", checkpoint_id=kept)).json()
        assert restored["status"] == "applied"
        assert restored["new"]["step"] == at
        async with it.page(run_id) as page:
            snapshot = await page.frame("snapshot")
            assert snapshot.epoch == 1
            np.testing.assert_array_equal(snapshot.arrays["scalars"][:, 0], np.arange(1, at + 1))
        unknown = await it.command(run_id, "restore", checkpoint_id="e000009-s000000001")
        assert unknown.status_code == 404


async def test_commands_work_while_paused_and_every_page_sees_their_effect(tmp_path: Path) -> None:
    async with lab(tmp_path) as it, ThreadWorker(it.port, it.settings.checkpoint_dir):
        run_id = await it.new_run()
        await it.until_status(run_id, "running")
        await it.pause(run_id)
        async with it.page(run_id) as page:
            snapshot = await page.frame("snapshot")
            await it.command(run_id, "set", controls={"lr_ratio": 20})
            frame = await page.frame()
            assert frame.revision == snapshot.revision + 1
            assert frame.step == snapshot.step
            assert any(text["type"] == "event" and text["kind"] == "applied" for text in page.texts)


async def test_a_loss_that_is_not_finite_pauses_and_says_how_to_go_on(tmp_path: Path) -> None:
    async with lab(tmp_path) as it, ThreadWorker(it.port, it.settings.checkpoint_dir):
        run_id = await it.new_run()
        await it.until(run_id, lambda run: run["step"] >= 10)
        await it.command(run_id, "checkpoint")
        await it.command(run_id, "set", controls={"lr_base": 0.1})
        run = await it.until_status(run_id, "paused")
        assert "task_loss is not finite at step" in run["reason"]
        error = next(event for event in await it.events(run_id) if event["kind"] == "error")
        assert error["data"]["term"] == "task_loss"
        refused = (await it.command(run_id, "resume")).json()
        assert refused["status"] == "rejected"
        assert "Restore a checkpoint" in refused["reason"]
        restored = await it.command(run_id, "restore", checkpoint_id=error["data"]["checkpoint_id"])
        assert restored.json()["status"] == "applied"
        assert (await it.command(run_id, "resume")).json()["status"] == "applied"
        await it.until(run_id, lambda run: run["status"] == "running" and run["step"] > error["step"])


async def test_two_workers_train_two_runs_at_once(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        folder = it.settings.checkpoint_dir
        async with ThreadWorker(it.port, folder), ThreadWorker(it.port, folder):
            runs = [await it.new_run(seed=seed) for seed in (1, 2)]
            await asyncio.gather(*(it.until(run_id, lambda run: run["step"] > 20) for run_id in runs))
