"""Commands are bounded, idempotent, and refused in one sentence that changes nothing."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from cdsp_core.settings.presets import PRESETS
from tests.backend.lab import Lab, ThreadWorker, lab

BAD_COMMANDS: list[tuple[dict[str, Any] | str, str]] = [
    ({}, "type must be one of set, pause"),
    ({"type": "explode"}, "Found 'explode'."),
    ({"type": ["set"]}, "type must be one of"),
    ({"type": "pause", "command_id": ""}, "command_id must be 1 to 64"),
    ({"type": "pause", "command_id": "a/b"}, "command_id must be"),
    ({"type": "pause", "command_id": 7}, "Found 7."),
    ({"type": "pause", "now": True}, "a pause command has no field 'now'"),
    ({"type": "set", "controls": {}}, "at least one control"),
    ({"type": "set"}, "controls must be an object. Found None."),
    ({"type": "set", "controls": {"p_drop": 1.5}}, "p_drop must be a number from 0 to 1. Found 1.5."),
    ({"type": "set", "controls": {"p_drop": "0.5"}}, "p_drop must be a number from 0 to 1. Found '0.5'."),
    ({"type": "set", "controls": {"p_drop": True}}, "p_drop must be a number from 0 to 1. Found True."),
    ({"type": "set", "controls": {"p_drop": None}}, "Found None."),
    ({"type": "set", "controls": {"lr_ratio": 0}}, "lr_ratio must be a number from 0.1 to 100. Found 0.0."),
    ({"type": "set", "controls": {"momentum": 1}}, "controls has no field 'momentum'"),
    ({"type": "set", "controls": {"p_drop": 0.1}, "base_revision": -1}, "base_revision must be a whole number"),
    ({"type": "set", "controls": {"p_drop": 0.1}, "base_revision": 0.5}, "Found 0.5."),
    ('{"type": "set", "command_id": "a", "controls": {"p_drop": NaN}}', "a number must be finite. Found NaN."),
    ('{"type": "set", "command_id": "a", "controls": {"p_drop": Infinity}}', "a number must be finite."),
    ('{"type": "set", "command_id": "a", "controls": {"p_drop": 1e999}}', "a number must be finite. Found 1e999."),
    ('{"type": "step", "command_id": "a", "steps": ' + "9" * 400 + "}", "at most 20 digits. Found 400."),
    ({"type": "step", "steps": 0}, "steps must be a whole number from 1"),
    ({"type": "step", "steps": 1.0}, "Found 1.0."),
    ({"type": "run_until"}, "step must be a whole number from 1"),
    ({"type": "reset", "seed": -1}, "seed must be a whole number from 0"),
    ({"type": "restore"}, "checkpoint_id must be the name of a checkpoint"),
    ({"type": "restore", "checkpoint_id": "../../etc/passwd"}, "checkpoint_id must be the name of a checkpoint"),
    ({"type": "speed"}, "steps_per_s must be a number"),
    ({"type": "speed", "steps_per_s": 0}, "steps_per_s must be a number from 0.1"),
    ("not json", "The message must be JSON."),
    ("[]", "The message must be a JSON object."),
    ("[" * 3000, "nested too deeply"),
    ('"\\ud800"', "The message must be a JSON object."),
]

BAD_RUNS: list[tuple[Any, str]] = [
    ({"preset": "huge"}, f"preset must be one of {', '.join(PRESETS)}. Found 'huge'."),
    ({"preset": ["live"]}, "preset must be"),
    ({"preset": "live", "config": {}}, "not both"),
    ({"config": 3}, "config must be an object. Found 3."),
    ({"config": {"model": {"d_model": 7}}}, "d_model"),
    ({"config": {"model": {"depth": 7}}}, "model has no field 'depth'"),
    ({"config": {"train": {"seed": 0.5}}}, "seed must be a whole number"),
    ({"seed": -1}, "seed must be a whole number from 0"),
    ({"seed": "x"}, "seed must be a whole number"),
    ({"data": "imagenet"}, "data must be one of embedded, full. Found 'imagenet'."),
    ({"name": ""}, "name must be 1 to 80"),
    ({"name": "a\u0000b"}, "name must be 1 to 80"),
    ({"name": "x" * 81}, "name must be 1 to 80"),
    ({"size": 3}, "a new run has no field 'size'"),
]


async def refused(it: Lab, path: str, body: Any, part: str) -> None:
    text = body if isinstance(body, str) else json.dumps(body)
    answer = await it.http.post(path, content=text)
    assert answer.status_code == 422, answer.text
    sentence = answer.json()["error"]
    assert part in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence


async def test_a_bad_command_gets_one_sentence_and_changes_nothing(tmp_path: Path) -> None:
    async with lab(tmp_path) as it, ThreadWorker(it.port, it.settings.checkpoint_dir):
        run_id = await it.new_run()
        await it.until_status(run_id, "running")
        await it.command(run_id, "speed", steps_per_s=20)
        before = await it.run(run_id)
        async with it.page(run_id) as page:
            await page.frame("snapshot")
            for body, part in BAD_COMMANDS:
                if isinstance(body, dict) and "type" in body:
                    body = {"command_id": "a", **body}
                await refused(it, f"/api/runs/{run_id}/commands", body, part)
            after = await it.run(run_id)
            for name in ("status", "revision", "controls", "epoch", "speed"):
                assert after[name] == before[name]
            await page.until_step(after["step"] + 2)


async def test_a_bad_config_gets_one_sentence_and_makes_no_run(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        for body, part in BAD_RUNS:
            await refused(it, "/api/runs", body, part)
        assert (await it.http.get("/api/runs")).json() == []


async def test_the_same_command_id_gets_the_same_answer_and_is_applied_once(tmp_path: Path) -> None:
    async with lab(tmp_path) as it, ThreadWorker(it.port, it.settings.checkpoint_dir):
        run_id = await it.new_run()
        await it.until_status(run_id, "running")
        first, second, third = await asyncio.gather(
            *(it.command(run_id, "set", command_id="once", controls={"p_drop": 0.1}) for _ in range(3))
        )
        assert first.json() == second.json() == third.json()
        again = await it.command(run_id, "set", command_id="once", controls={"p_drop": 0.9})
        assert again.json() == first.json()
        assert (await it.run(run_id))["revision"] == 1
        await it.command(run_id, "stop")
    async with lab(tmp_path) as it:
        again = await it.command(run_id, "set", command_id="once", controls={"p_drop": 0.1})
        assert again.json() == first.json()


async def test_one_command_id_on_two_runs_of_a_worker_is_two_commands(tmp_path: Path) -> None:
    async with lab(tmp_path) as it, ThreadWorker(it.port, it.settings.checkpoint_dir):
        for _ in range(2):
            run_id = await it.new_run()
            await it.until_status(run_id, "running")
            answer = await it.command(run_id, "stop", command_id="the-same")
            assert (answer.status_code, answer.json()["status"]) == (200, "applied")


async def test_a_stale_revision_gets_the_current_values(tmp_path: Path) -> None:
    async with lab(tmp_path) as it, ThreadWorker(it.port, it.settings.checkpoint_dir):
        run_id = await it.new_run()
        await it.until_status(run_id, "running")
        await it.command(run_id, "set", base_revision=0, controls={"p_drop": 0.1})
        late = await it.command(run_id, "set", base_revision=0, controls={"p_drop": 0.9})
        assert late.status_code == 409
        assert late.json()["revision"] == 1
        assert late.json()["controls"]["applied"]["p_drop"] == 0.1
        assert late.json()["error"] == "base_revision must be 1, the current one. Found 0."


async def test_of_two_people_who_move_the_same_slider_at_once_one_is_told(tmp_path: Path) -> None:
    async with lab(tmp_path) as it, ThreadWorker(it.port, it.settings.checkpoint_dir):
        run_id = await it.new_run()
        await it.until_status(run_id, "running")
        moves = (it.command(run_id, "set", base_revision=0, controls={"p_drop": value}) for value in (0.1, 0.9))
        assert sorted(answer.status_code for answer in await asyncio.gather(*moves)) == [200, 409]
        run = await it.run(run_id)
        assert run["controls"]["requested"] == run["controls"]["applied"]


async def test_a_command_that_makes_no_sense_now_is_rejected_with_a_reason(tmp_path: Path) -> None:
    async with lab(tmp_path) as it, ThreadWorker(it.port, it.settings.checkpoint_dir):
        run_id = await it.new_run()
        await it.until(run_id, lambda run: run["step"] > 5)
        for kind, fields, part in (
            ("resume", {}, "training already"),
            ("run_until", {"step": 1}, "step must be from"),
            ("run_until", {"step": 1_000_001}, "to 1000000. Found 1000001."),
        ):
            answer = (await it.command(run_id, kind, **fields)).json()
            assert answer["status"] == "rejected"
            assert part in answer["reason"]
        await it.command(run_id, "pause")
        assert "paused already" in (await it.command(run_id, "pause")).json()["reason"]
        await it.command(run_id, "stop")
        answer = (await it.command(run_id, "set", controls={"p_drop": 0.1})).json()
        assert answer["reason"] == "The run is interrupted; reset it to go on."
        assert (await it.command(run_id, "resume")).json()["status"] == "applied"


async def test_a_run_without_a_worker_says_so_in_time(tmp_path: Path) -> None:
    async with lab(tmp_path, start_timeout_s=0.1) as it:
        run_id = await it.new_run()
        answer = await it.command(run_id, "pause")
        assert answer.status_code == 503
        assert "waits for a worker" in answer.json()["error"]
        assert (await it.command(run_id, "stop")).json()["status"] == "applied"
        assert (await it.run(run_id))["status"] == "interrupted"
        waiting = await it.command(run_id, "reset")
        assert waiting.status_code == 503


async def test_a_worker_that_does_not_answer_gives_503_and_the_answer_on_the_next_try(tmp_path: Path) -> None:
    async with (
        lab(tmp_path, command_timeout_s=0.2) as it,
        ThreadWorker(it.port, it.settings.checkpoint_dir, hangs=True) as worker,
    ):
        run_id = await it.new_run()
        await it.until_status(run_id, "running")
        body = {"command_id": "slow", "controls": {"l1": 0.5}}
        late = await it.command(run_id, "set", **body)
        assert late.status_code == 503
        worker.trainers.hangs.clear()
        await it.until(run_id, lambda run: run["controls"]["applied"]["l1"] == 0.5)
        assert (await it.command(run_id, "set", **body)).json()["status"] == "applied"


async def test_bodies_are_bounded(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        run_id = await it.new_run()
        for path, most in (("/api/runs", 16_384), (f"/api/runs/{run_id}/commands", 4096)):
            answer = await it.http.post(path, content=b"{" + b" " * most + b"}")
            assert answer.status_code == 413
            assert answer.json()["error"] == f"The body must have at most {most} bytes. Found more."


async def test_what_is_not_there_is_404_in_words(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        run_id = await it.new_run()
        for path in (
            "/api/nothing",
            "/api/runs/run-none",
            "/api/runs/..%2f..%2fetc",
            f"/api/runs/{run_id}/frames/0/0",
            f"/api/runs/{run_id}/scalars",
            f"/api/runs/{run_id}/weights",
        ):
            answer = await it.http.get(path)
            assert answer.status_code == 404, path
            assert answer.json()["error"].endswith(".")
        answer = await it.http.get(f"/api/runs/{run_id}/frames?limit=99999")
        assert answer.status_code == 422
        assert "limit" in answer.json()["error"]
        assert (await it.http.get(f"/api/runs/{run_id}/frames?after=x")).status_code == 422
        assert (await it.http.get(f"/api/runs/{run_id}/export?format=xml")).status_code == 422
        answer = await it.http.delete(f"/api/runs/{run_id}/frames")
        assert (answer.status_code, answer.json()["error"]) == (404, f"There is no DELETE /api/runs/{run_id}/frames.")


async def test_a_name_that_stands_twice_is_refused(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        for body in ('{"preset": "live", "preset": "paper"}', '{"config": {"train": {"seed": 1, "seed": 2}}}'):
            answer = await it.http.post("/api/runs", content=body)
            assert answer.status_code == 422
            assert "must have each name once" in answer.json()["error"]
