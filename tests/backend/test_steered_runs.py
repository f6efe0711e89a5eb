"""The controller's moves in a served run: events like a person's, with who asked for it, and a person's word stands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.backend.lab import Lab, ThreadWorker, lab
from tests.backend.test_real_worker import CONFIG

STEERED = {"train": {"steps": 400, "controller": "lambda_conflict"}}


async def steered_run(it: Lab, config: dict[str, Any] = STEERED) -> str:
    answer = await it.http.post("/api/runs", json={"config": config})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["run_id"])


def moves(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [event for event in events if event["kind"] == "applied" and event["data"].get("by") == "controller"]


async def test_a_move_is_an_applied_event_with_its_reason_and_grows_the_revision(tmp_path: Path) -> None:
    async with lab(tmp_path) as it, ThreadWorker(it.port, it.settings.checkpoint_dir):
        run_id = await steered_run(it)
        run = await it.until(run_id, lambda run: run["controls"]["applied"]["lambda_conflict"] == 5.0)
        assert run["controls"]["requested"]["lambda_conflict"] == 5.0
        assert run["controls"]["applied_step"]["lambda_conflict"] == 30
        assert run["revision"] == 1
        (event,) = moves(await it.events(run_id))
        assert event["step"] == 30
        assert event["text"] == "The controller: lambda_conflict 10 to 5 at step 30. Because it is step 30."
        data = event["data"]
        assert (data["old"], data["new"]) == ({"lambda_conflict": 10.0}, {"lambda_conflict": 5.0})
        assert (data["command"]["type"], data["command"]["requested_step"], data["applied_step"]) == ("set", 30, 30)
        assert data["reason"] == "Because it is step 30."


async def test_a_page_sees_the_move_and_every_step(tmp_path: Path) -> None:
    async with lab(tmp_path) as it, ThreadWorker(it.port, it.settings.checkpoint_dir):
        run_id = await steered_run(it)
        async with it.page(run_id) as page:
            await page.until_step(60)
            assert page.scalars[:, 0].tolist() == list(range(1, page.frames[-1].step + 1))
            seen = [text for text in page.texts if text["type"] == "event"]
        assert len(moves(seen)) == 1


async def test_a_persons_later_change_wins_and_is_told_apart(tmp_path: Path) -> None:
    async with lab(tmp_path) as it, ThreadWorker(it.port, it.settings.checkpoint_dir):
        run_id = await steered_run(it)
        run = await it.until(run_id, lambda run: run["revision"] == 1)
        stale = await it.command(run_id, "set", base_revision=0, controls={"lambda_conflict": 7})
        assert stale.status_code == 409
        answer = await it.command(run_id, "set", base_revision=run["revision"], controls={"lambda_conflict": 7})
        assert answer.json()["status"] == "applied"
        run = await it.run(run_id)
        assert (run["revision"], run["controls"]["applied"]["lambda_conflict"]) == (2, 7.0)
        events = await it.events(run_id)
        assert [event["data"]["by"] for event in events if event["kind"] == "applied"] == ["controller", "person"]


async def test_two_runs_in_one_worker_are_both_steered(tmp_path: Path) -> None:
    async with lab(tmp_path) as it, ThreadWorker(it.port, it.settings.checkpoint_dir):
        for _ in range(2):
            run_id = await steered_run(it, {"train": {"steps": 40, "controller": "lambda_conflict"}})
            await it.until_status(run_id, "finished")
            assert len(moves(await it.events(run_id))) == 1


async def test_a_command_from_outside_cannot_pose_as_the_controller(tmp_path: Path) -> None:
    async with lab(tmp_path) as it, ThreadWorker(it.port, it.settings.checkpoint_dir):
        run_id = await it.new_run()
        answer = await it.command(run_id, "set", controls={"p_drop": 0.1}, by="controller")
        assert answer.status_code == 422
        assert "has no field 'by'" in answer.json()["error"]


@pytest.mark.slow
async def test_a_real_worker_is_steered_by_the_accuracy_without_task_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    train = {**CONFIG["train"], "controller": "sharing", "controller_every": 20, "eval_every": 10}
    async with lab(tmp_path, launcher="local", local_workers=1) as it:
        run_id = await steered_run(it, {**CONFIG, "train": train})
        run = await it.until(run_id, lambda run: run["revision"] >= 3)
        await it.pause(run_id)
        found = moves(await it.events(run_id))
        assert len(found) >= 3
        assert all(event["step"] % 20 == 0 and "sharing" in event["data"]["new"] for event in found)
        assert all("Accuracy without task ID" in event["text"] for event in found)
        run = await it.run(run_id)
        assert run["controls"]["applied"]["sharing"] == found[-1]["data"]["new"]["sharing"]
        exported = (await it.http.get(f"/api/runs/{run_id}/export?format=json")).json()
        assert len(moves(exported["events"])) == len(found)
