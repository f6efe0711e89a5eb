"""Forks: new runs that begin with the exact state of another."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from cdsp_core.wire.checkpoint_names import checkpoint_name
from cdsp_core.wire.frames import Array, Frame, decode_frame
from cdsp_core.wire.recipe import Recipe
from cdsp_core.wire.recording import decode
from tests.backend.lab import Lab, ThreadWorker, lab

CONFIG = {
    "model": {"patch_size": 14, "d_model": 16, "d_base": 32, "num_experts": 4, "num_partitions": 4, "num_layers": 1},
    "train": {"steps": 100_000, "eval_every": 50, "eval_batch": 30, "batch_size": 8},
}
LATER = 130
"""steps, in which test images are looked at twice"""


async def forked(it: Lab, run_id: str, **body: Any) -> dict[str, Any]:
    answer = await it.http.post(f"/api/runs/{run_id}/fork", json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def refused(it: Lab, run_id: str, **body: Any) -> tuple[int, str]:
    answer: httpx.Response = await it.http.post(f"/api/runs/{run_id}/fork", json=body)
    return answer.status_code, answer.json()["error"]


async def paused_run(it: Lab, **body: Any) -> tuple[str, int]:
    """A run that has trained a little and waits, and its step."""
    answer = await it.http.post("/api/runs", json=body or {"preset": "live"})
    assert answer.status_code == 201, answer.text
    run_id = str(answer.json()["run_id"])
    await it.until(run_id, lambda run: run["step"] > 0)
    assert (await it.command(run_id, "pause")).json()["status"] == "applied"
    return run_id, (await it.run(run_id))["step"]


async def paused_at(it: Lab, run_id: str, step: int) -> None:
    """Train up to a step and wait there."""
    answer = await it.command(run_id, "run_until", step=step)
    assert answer.json()["status"] == "applied", answer.text
    await it.until(run_id, lambda run: run["status"] == "paused" and run["step"] == step)


async def rows_of(it: Lab, run_id: str) -> Array:
    rows = decode_frame((await it.http.get(f"/api/runs/{run_id}/scalars")).content).arrays["scalars"]
    return rows


async def recipe_of(it: Lab, run_id: str) -> Recipe:
    return decode((await it.http.get(f"/api/runs/{run_id}/recording")).content, called=run_id).recipe


async def newest_frame(it: Lab, run_id: str) -> Frame:
    await rows_of(it, run_id)  # which waits for the disk
    epoch = (await it.run(run_id))["epoch"]
    return decode_frame((await it.http.get(f"/api/runs/{run_id}/frames/{epoch}/1000000")).content)


async def columns_of_every_step(it: Lab, run_id: str) -> list[int]:
    """Places of the scalars that do not depend on when a frame is taken."""
    names = it.runs.get(run_id).scalar_names
    return [index for index, name in enumerate(names) if not name.startswith("layer")]


async def assert_equal_bits(it: Lab, one: str, other: str, *, step: int) -> None:
    """Both stand at that step with the same arrays, and every step on the way had the same scalars."""
    first, second = await newest_frame(it, one), await newest_frame(it, other)
    assert first.step == second.step == step
    assert first.arrays.keys() == second.arrays.keys()
    for name in first.arrays.keys() - {"scalars"}:
        np.testing.assert_array_equal(first.arrays[name], second.arrays[name], err_msg=name)
    columns = await columns_of_every_step(it, one)
    first_rows, second_rows = await rows_of(it, one), await rows_of(it, other)
    np.testing.assert_array_equal(first_rows[:, 0], np.arange(1, step + 1))
    np.testing.assert_array_equal(first_rows[:, columns], second_rows[:, columns])


@pytest.mark.slow
async def test_a_fork_that_gets_the_same_edit_is_the_same_run_bit_for_bit(tmp_path: Path) -> None:
    async with lab(tmp_path, launcher="local") as it:
        run_id, at = await paused_run(it, config=CONFIG)
        made = await forked(it, run_id)
        assert made["parent"] == {"run_id": run_id, "epoch": 0, "step": at}
        assert (made["step"], made["epoch"]) == (at, 0)
        await it.until(made["run_id"], lambda run: run["status"] == "paused" and run["epoch"] == 1)
        for each in (run_id, made["run_id"]):
            answer = await it.command(each, "set", controls={"lambda_conflict": 0.0, "p_drop": 0.25})
            assert answer.json()["applied_step"] == at
            await paused_at(it, each, at + LATER)
        await assert_equal_bits(it, run_id, made["run_id"], step=at + LATER)
        recipes = [await recipe_of(it, each) for each in (run_id, made["run_id"])]
        assert recipes[0] == recipes[1]
        assert [edit.step for edit in recipes[0].edits] == [at]
        listed = await it.run(made["run_id"])
        assert listed["blind_accuracy"] is not None
        assert listed["links_cut"] is not None


@pytest.mark.slow
async def test_an_edited_fork_leaves_the_other_run_what_it_would_have_been_without_it(tmp_path: Path) -> None:
    async with lab(tmp_path, launcher="local") as it:
        uninterrupted, first = await paused_run(it, config=CONFIG)
        run_id, at = await paused_run(it, config=CONFIG)
        end = max(first, at) + LATER
        await paused_at(it, uninterrupted, end)
        edited = await forked(it, run_id, controls={"lambda_conflict": 0, "lr_base": 0.001}, paused=True)
        assert edited["status"] == "queued"
        full = "all 2 train other runs, more would not fit this machine"
        assert edited["reason"] == f"Waits for a worker: {full}. Stop one, or wait until one ends."
        cores = len(os.sched_getaffinity(0))
        told = [event["text"] for event in await it.events(run_id) if "fork" in event["data"]]
        note = f"2 runs share this machine's {cores} cores: each may be slower."
        assert told == [f"'live, fork at {at}' was forked from step {at}. {note}"]
        await paused_at(it, run_id, end)
        await assert_equal_bits(it, uninterrupted, run_id, step=end)
        await it.command(uninterrupted, "stop")
        await it.until(edited["run_id"], lambda run: run["status"] == "paused" and run["epoch"] == 1)
        await paused_at(it, edited["run_id"], end)
        other, own = await newest_frame(it, run_id), await newest_frame(it, edited["run_id"])
        assert not np.array_equal(other.arrays["layer0/connection"], own.arrays["layer0/connection"])
        rows, own_rows = await rows_of(it, run_id), await rows_of(it, edited["run_id"])
        columns = await columns_of_every_step(it, run_id)
        np.testing.assert_array_equal(rows[:at, columns], own_rows[:at, columns])
        assert not np.array_equal(rows[:, columns], own_rows[:, columns], equal_nan=True)


async def test_a_fork_has_the_past_and_outlives_the_run_it_comes_from(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        folder = it.settings.checkpoint_dir
        async with ThreadWorker(it.port, folder), ThreadWorker(it.port, folder):
            run_id, begun = await paused_run(it, preset="live", seed=3)
            await it.command(run_id, "set", controls={"p_drop": 0.25})
            at, end = begun + 30, begun + 60
            await paused_at(it, run_id, at)
            made = await forked(it, run_id, name="the other one", controls={"p_drop": 0.75})
            assert made["name"] == "the other one"
            assert made["controls"]["applied"]["p_drop"] == 0.75
            assert made["controls"]["applied_step"]["p_drop"] == at
            await it.until(made["run_id"], lambda run: run["status"] == "paused" and run["epoch"] == 1)
            told = [event["text"] for event in await it.events(run_id) if event["data"].get("fork") == made["run_id"]]
            assert told == [f"'the other one' was forked from step {at}."]
            await it.command(run_id, "stop")
            assert (await it.http.delete(f"/api/runs/{run_id}")).status_code == 204
            await paused_at(it, made["run_id"], end)
            assert (await it.run(made["run_id"]))["parent"] == {"run_id": run_id, "epoch": 0, "step": at}
            rows = await rows_of(it, made["run_id"])
            np.testing.assert_array_equal(rows[:, 0], np.arange(1, end + 1))
            since = [1 / (1 + step) + 3 + 0.75 for step in range(at + 1, end + 1)]
            np.testing.assert_allclose(rows[at:, 2], since, rtol=1e-6)
            edits = [event["text"] for event in await it.events(made["run_id"]) if event["kind"] == "applied"]
            assert any("p_drop 0.5 to 0.25" in text for text in edits)
            assert f"p_drop 0.25 to 0.75 at step {at}." in edits
            frames = (await it.http.get(f"/api/runs/{made['run_id']}/frames")).json()["frames"]
            assert {frame["run"] for frame in frames} == {made["run_id"]}
            assert frames[0]["step"] == 0
            async with it.page(made["run_id"]) as page:
                hello = await page.text("hello")
                assert hello["run"]["parent"]["run_id"] == run_id
                snapshot = await page.frame("snapshot")
                np.testing.assert_array_equal(snapshot.arrays["scalars"][:, 0], np.arange(1, end + 1))
            kept = checkpoint_name(0, at, kept=True)
            restored = await it.command(made["run_id"], "restore", checkpoint_id=kept)
            assert restored.json()["new"]["step"] == at


async def test_a_fork_of_a_checkpoint_begins_at_its_step_with_its_controls(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        folder = it.settings.checkpoint_dir
        async with ThreadWorker(it.port, folder), ThreadWorker(it.port, folder):
            run_id, at = await paused_run(it)
            await it.command(run_id, "checkpoint")
            await it.command(run_id, "set", controls={"p_drop": 0.25})
            await paused_at(it, run_id, at + 40)
            made = await forked(it, run_id, step=at, paused=False)
            assert made["controls"]["applied"]["p_drop"] == 0.5
            run = await it.until(made["run_id"], lambda run: run["step"] > at)
            assert run["controls"]["applied"]["p_drop"] == 0.5
            assert run["parent"]["step"] == at


async def test_a_fork_of_a_run_in_training_trains_and_the_other_goes_on(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        folder = it.settings.checkpoint_dir
        async with ThreadWorker(it.port, folder), ThreadWorker(it.port, folder):
            run_id = await it.new_run()
            await it.until(run_id, lambda run: run["step"] > 20)
            made = await forked(it, run_id)
            at = made["step"]
            await asyncio.gather(*(it.until(each, lambda run: run["step"] > at) for each in (run_id, made["run_id"])))
            other, own = [await rows_of(it, each) for each in (run_id, made["run_id"])]
            shared = min(len(other), len(own))
            assert shared > at
            np.testing.assert_array_equal(other[:shared], own[:shared])


async def test_a_fork_that_waits_for_a_worker_outlives_the_server(tmp_path: Path) -> None:
    async with lab(tmp_path) as it, ThreadWorker(it.port, it.settings.checkpoint_dir):
        run_id, at = await paused_run(it)
        made = await forked(it, run_id, controls={"p_drop": 0.75})
        assert made["status"] == "queued"
        await it.command(run_id, "stop")
        await it.until_status(made["run_id"], "paused")
        again = await forked(it, made["run_id"])
        assert again["status"] == "queued"
    async with lab(tmp_path) as it, ThreadWorker(it.port, it.settings.checkpoint_dir):
        await it.until(again["run_id"], lambda run: run["status"] in ("paused", "queued"))
        for other in (made, again):
            run = await it.until(other["run_id"], lambda run: run["status"] == "paused")
            await it.command(other["run_id"], "stop")
            assert run["step"] == at
            assert run["controls"]["applied"]["p_drop"] == 0.75


async def test_a_step_without_a_checkpoint_is_refused_with_the_nearest_one(tmp_path: Path) -> None:
    async with lab(tmp_path) as it, ThreadWorker(it.port, it.settings.checkpoint_dir):
        run_id = await it.new_run_of_steps(100)
        await it.until_status(run_id, "finished")
        status, sentence = await refused(it, run_id, step=7)
        assert status == 404
        assert sentence.startswith("The run has no checkpoint of step 7. The nearest is of step ")
        status, sentence = await refused(it, run_id)
        assert status == 422
        assert sentence.startswith("step must be before 100, the run's last. Found 100.")
        assert len((await it.http.get("/api/runs")).json()) == 1


async def test_a_run_that_never_trained_is_refused(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        run_id = await it.new_run()
        for step in ("now", 5):
            sentence = "A run must have trained before it is forked. Found one that has not begun."
            assert await refused(it, run_id, step=step) == (409, sentence)
        assert (await refused(it, "run-none"))[0] == 404


async def test_a_checkpoint_that_cannot_be_read_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    async with lab(tmp_path) as it, ThreadWorker(it.port, it.settings.checkpoint_dir):
        run_id = await it.new_run()
        await it.until(run_id, lambda run: run["step"] > 10)
        await it.pause(run_id)
        kept = (await it.command(run_id, "checkpoint")).json()["new"]["checkpoint_id"]
        (it.settings.checkpoint_dir / run_id / f"{kept}.json").write_text('{"step": 3')
        step = (await it.run(run_id))["step"]
        status, sentence = await refused(it, run_id, step=step)
        assert status == 422
        assert sentence.startswith(f"The checkpoint of step {step} cannot be read: ")
        assert [path.name for path in it.settings.checkpoint_dir.iterdir()] == [run_id]


async def test_what_is_no_fork_is_refused_in_one_sentence(tmp_path: Path) -> None:
    async with lab(tmp_path) as it, ThreadWorker(it.port, it.settings.checkpoint_dir):
        run_id = await it.new_run()
        await it.until_status(run_id, "running")
        for body, sentence in (
            ({"step": "then"}, "step must be now or a whole number from 0 to 16777216. Found 'then'."),
            ({"step": -1}, "step must be now or a whole number from 0 to 16777216. Found -1."),
            ({"step": True}, "step must be now or a whole number from 0 to 16777216. Found True."),
            ({"paused": "yes"}, "paused must be true or false. Found 'yes'."),
            ({"controls": {"p_drop": 2}}, "p_drop must be a number from 0 to 1. Found 2.0."),
            ({"at": 5}, "a fork has no field 'at'. It has step, controls, name, paused."),
        ):
            assert await refused(it, run_id, **body) == (422, sentence)
