"""Runs made from a recipe: each edit after its step, also after a crash, a pause, a fork; bit for bit the same."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from cdsp_core.studies.framework.replay import replayed
from cdsp_core.training.device import prepare_process
from cdsp_core.wire.recording import decode
from tests.backend.lab import Lab, ThreadWorker, lab

SMALL = {
    "model": {"patch_size": 14, "d_model": 16, "d_base": 32, "num_experts": 4, "num_partitions": 4, "num_layers": 1},
    "train": {"steps": 700, "eval_every": 50, "eval_batch": 30, "batch_size": 8},
}
TINY = {"num_layers": 1, "num_experts": 4, "num_partitions": 4}
"""the sizes of the tiny trainer's pictures"""
EDITS = [{"step": 30, "controls": {"p_drop": 0.25}}, {"step": 60, "controls": {"p_drop": 0.75, "l1": 0.5}}]


async def made(it: Lab, *, steps: int = 100, **body: Any) -> str:
    config = {"model": TINY, "train": {"steps": steps}}
    answer = await it.http.post("/api/runs", json={"config": config, "edits": EDITS, **body})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["run_id"])


async def edits_of(it: Lab, run_id: str) -> list[tuple[int, dict[str, float], str]]:
    events = [event["data"] for event in await it.events(run_id) if event["kind"] == "applied"]
    return [(data["applied_step"], data["new"], data["by"]) for data in events if data["command"]["type"] == "set"]


async def test_each_edit_of_a_recipe_is_made_after_its_step_and_told(tmp_path: Path) -> None:
    async with lab(tmp_path) as it, ThreadWorker(it.port, it.settings.checkpoint_dir):
        run_id = await made(it)
        async with it.page(run_id) as page:
            assert (await page.text("hello"))["edits"] == EDITS
        run = await it.until_status(run_id, "finished")
        assert await edits_of(it, run_id) == [(each["step"], each["controls"], "recipe") for each in EDITS]
        assert run["controls"]["applied"]["l1"] == run["controls"]["requested"]["l1"] == 0.5
        assert run["controls"]["applied_step"]["p_drop"] == 60
        told = [event["text"] for event in await it.events(run_id)]
        assert "The recipe: p_drop 0.5 to 0.25 at step 30." in told
        recipe = decode((await it.http.get(f"/api/runs/{run_id}/recording")).content, called="it").recipe
        assert [{"step": edit.step, "controls": edit.controls} for edit in recipe.edits] == EDITS


async def test_a_run_pauses_at_the_moment_that_is_asked_for(tmp_path: Path) -> None:
    async with lab(tmp_path) as it, ThreadWorker(it.port, it.settings.checkpoint_dir):
        run_id = await made(it, pause_at=45)
        run = await it.until_status(run_id, "paused")
        assert (run["step"], run["controls"]["applied"]["p_drop"]) == (45, 0.25)
        await it.command(run_id, "resume")
        assert len(await edits_of(it, (await it.until_status(run_id, "finished"))["run_id"])) == 2


async def test_after_a_crash_edits_are_made_at_the_same_steps_and_what_people_set_stays(tmp_path: Path) -> None:
    async with lab(tmp_path, worker_grace_s=0.1) as it:
        async with ThreadWorker(it.port, it.settings.checkpoint_dir, checkpoint_every_s=3600, crashes=True):
            run_id = await made(it, pause_at=20)
            await it.until_status(run_id, "paused")
            await it.command(run_id, "checkpoint")
            await it.command(run_id, "run_until", step=40)
            await it.until(run_id, lambda run: run["status"] == "paused" and run["step"] == 40)
            assert (await it.command(run_id, "set", controls={"lambda_conflict": 1.0})).json()["status"] == "applied"
            await it.command(run_id, "run_until", step=62)
            await it.until(run_id, lambda run: run["status"] == "paused" and run["step"] == 62)
        async with ThreadWorker(it.port, it.settings.checkpoint_dir):
            await it.until(run_id, lambda run: run["epoch"] == 1)
            await it.command(run_id, "resume")
            run = await it.until_status(run_id, "finished")
        assert run["epoch"] == 1
        assert run["controls"]["applied"]["p_drop"] == 0.75
        assert run["controls"]["applied"]["lambda_conflict"] == 1.0
        assert run["controls"]["applied_step"]["lambda_conflict"] == 20
        made_again = [
            event for event in await it.events(run_id) if event["epoch"] == 1 and event["data"].get("by") == "recipe"
        ]
        assert [event["step"] for event in made_again] == [30, 60]
        recipe = decode((await it.http.get(f"/api/runs/{run_id}/recording")).content, called="it").recipe
        assert [edit.step for edit in recipe.edits] == [20, 30, 60]
        assert recipe.edits[0].controls == {"lambda_conflict": 1.0}


async def test_what_people_set_after_an_edit_outlives_a_crash(tmp_path: Path) -> None:
    async with lab(tmp_path, worker_grace_s=0.1) as it:
        async with ThreadWorker(it.port, it.settings.checkpoint_dir, checkpoint_every_s=3600, crashes=True):
            run_id = await made(it, steps=2000, pause_at=70)
            await it.until_status(run_id, "paused")
            await it.command(run_id, "set", controls={"p_drop": 0.1})
        async with ThreadWorker(it.port, it.settings.checkpoint_dir):
            await it.until(run_id, lambda run: run["epoch"] == 1)
            await it.command(run_id, "run_until", step=90)
            run = await it.until(run_id, lambda run: run["status"] == "paused" and run["step"] == 90)
        assert (run["controls"]["applied"]["p_drop"], run["controls"]["applied"]["l1"]) == (0.1, 0.5)


async def test_a_fork_makes_the_edits_that_are_left_and_a_reset_none(tmp_path: Path) -> None:
    async with lab(tmp_path) as it, ThreadWorker(it.port, it.settings.checkpoint_dir) as _one:
        run_id = await made(it, pause_at=45)
        await it.until_status(run_id, "paused")
        fork = await it.http.post(f"/api/runs/{run_id}/fork", json={"paused": False})
        assert fork.status_code == 201, fork.text
        assert (await it.command(run_id, "reset")).json()["status"] == "applied"
        async with it.page(run_id) as page:
            assert (await page.text("hello"))["edits"] == []
        await it.command(run_id, "resume")
        await it.until_status(run_id, "finished")
        own = [event for event in await it.events(run_id) if event["data"].get("by") == "recipe"]
        assert [event["epoch"] for event in own] == [0]
        forked = fork.json()["run_id"]
        run = await it.until_status(forked, "finished")
        assert run["controls"]["applied"]["p_drop"] == 0.75
        assert [step for step, _, by in await edits_of(it, forked) if by == "recipe"] == [30, 60]


async def test_a_restart_of_the_server_keeps_the_recipe(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        run_id = await made(it)
    async with lab(tmp_path) as it, ThreadWorker(it.port, it.settings.checkpoint_dir):
        await it.until_status(run_id, "finished")
        assert [step for step, _, _ in await edits_of(it, run_id)] == [30, 60]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"edits": EDITS[::-1]}, "edits must be at most 100 objects of step and controls, in the order of their steps"),
        ({"edits": [EDITS[0]] * 101}, "edits must be at most 100 objects of step and controls"),
        ({"edits": [{"step": -1, "controls": {"p_drop": 0.1}}]}, "edits must be at most 100 objects"),
        ({"edits": [{"step": 1, "controls": {"p_drop": 2}}]}, "p_drop must be a number from 0 to 1. Found 2"),
        ({"edits": [{"step": 1, "controls": {"nothing": 2}}]}, "controls has no field 'nothing'."),
        ({"edits": [{"step": 1, "controls": {}}]}, "controls must name at least one control. Found {}."),
        ({"edits": [{"step": 100, "controls": {"p_drop": 0.1}}]}, "an edit must come before step 100, the last."),
        ({"edits": "p_drop"}, "edits must be at most 100 objects"),
        ({"pause_at": 0}, "pause_at must be a whole number from 1 to "),
        ({"watcher": f"watch-{'0' * 32}"}, "a run that is only watched must have no edits. Found some."),
    ],
)
async def test_a_recipe_that_is_none_is_refused_in_one_sentence(
    tmp_path: Path, body: dict[str, Any], sentence: str
) -> None:
    async with lab(tmp_path) as it:
        asked = {"config": {"train": {"steps": 100}}, "edits": EDITS, **body}
        answer = await it.http.post("/api/runs", json=asked)
        assert answer.status_code == 422
        assert answer.json()["error"].startswith(sentence)
        assert (await it.http.get("/api/runs")).json() == []


async def test_an_edit_after_the_last_step_of_the_data_fails_the_run_with_a_sentence(tmp_path: Path) -> None:
    async with lab(tmp_path) as it, ThreadWorker(it.port, it.settings.checkpoint_dir):
        edits = [{"step": 2_000_000, "controls": {"p_drop": 0.1}}]
        answer = await it.http.post("/api/runs", json={"preset": "live", "edits": edits})
        run = await it.until_status(answer.json()["run_id"], "failed")
        assert run["reason"] == "an edit must come before step 1000000, the last. Found one at 2000000."


async def test_a_recipe_may_be_longer_than_other_bodies(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        edits = [{"step": 10 * n, "controls": {"lambda_conflict": 0.123456789, "p_drop": 0.2}} for n in range(100)]
        answer = await it.http.post("/api/runs", json={"preset": "live", "edits": edits})
        assert answer.status_code == 201, answer.text
        huge = await it.http.post("/api/runs", json={"preset": "live", "name": "x" * 17_000})
        assert huge.json()["error"] == "The body must have at most 16384 bytes. Found more."


@pytest.mark.slow  # two workers with torch, one after the other
async def test_a_run_from_a_recipe_whose_worker_is_killed_comes_out_bit_for_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    edits = [
        {"step": 40, "controls": {"lambda_conflict": 50.0}},
        {"step": 150, "controls": {"lr_base": 0.02, "p_drop": 0.9}},
        {"step": 600, "controls": {"lambda_conflict": 0.0}},
    ]
    async with lab(tmp_path, launcher="local", local_workers=1) as it:
        answer = await it.http.post("/api/runs", json={"config": SMALL, "edits": edits, "pause_at": 100})
        run_id = answer.json()["run_id"]
        await it.until_status(run_id, "paused")
        assert (await it.command(run_id, "checkpoint")).json()["status"] == "applied"
        await it.command(run_id, "run_until", step=300)
        await it.until(run_id, lambda run: run["status"] == "paused" and run["step"] == 300)
        (worker,) = it.runs.workers.values()
        os.kill(worker.pid, signal.SIGKILL)
        await it.until(run_id, lambda run: run["epoch"] == 1)
        again = [event["step"] for event in await it.events(run_id) if event["data"].get("by") == "recipe"]
        await it.command(run_id, "resume")
        await it.until_status(run_id, "finished")
        recording = decode((await it.http.get(f"/api/runs/{run_id}/recording")).content, called=run_id)
    assert again[:2] == [40, 150]
    assert [edit.step for edit in recording.recipe.edits] == [40, 150, 600]
    threads = torch.get_num_threads()
    prepare_process()
    torch.set_num_threads(1)
    try:
        assert replayed(recording, device=torch.device("cpu")) is None
    finally:
        torch.set_num_threads(threads)
