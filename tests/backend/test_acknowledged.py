"""Commands are carried out once, also across 503, and what is acknowledged is on disk before it is said."""

from __future__ import annotations

import asyncio
import sqlite3
import statistics
import time
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from backend.storage.writer import Writer
from tests.backend.lab import Lab, ThreadWorker, lab


async def ask(it: Lab, run_id: str, command_id: str, type: str, **fields: object) -> httpx.Response:
    body = {"command_id": command_id, "type": type, **fields}
    return await it.http.post(f"/api/runs/{run_id}/commands", json=body)


async def test_a_reset_that_waited_for_a_worker_too_long_is_not_done_again(tmp_path: Path) -> None:
    async with lab(tmp_path, start_timeout_s=0.2) as it:
        async with ThreadWorker(it.port, it.settings.checkpoint_dir):
            run_id = await it.new_run()
            await it.until(run_id, lambda run: run["step"] > 20)
            await it.command(run_id, "stop")
        assert (await ask(it, run_id, "R1", "reset")).status_code == 503
        assert (await ask(it, run_id, "R1", "reset")).status_code == 503
        async with ThreadWorker(it.port, it.settings.checkpoint_dir):
            await it.until(run_id, lambda run: run["epoch"] == 1 and run["step"] > 30)
            answer = await ask(it, run_id, "R1", "reset")
            assert (answer.status_code, answer.json()["status"]) == (200, "applied")
            assert answer.json()["new"]["epoch"] == 1
            run = await it.run(run_id)
            assert run["epoch"] == 1
            assert run["step"] > 30


async def test_a_reset_that_waits_is_answered_when_its_run_is_stopped(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        async with ThreadWorker(it.port, it.settings.checkpoint_dir):
            run_id = await it.new_run()
            await it.until(run_id, lambda run: run["step"] > 20)
            await it.command(run_id, "stop")
        waiting = asyncio.create_task(ask(it, run_id, "R1", "reset"))
        await it.until_status(run_id, "queued")
        assert (await it.command(run_id, "stop")).json()["status"] == "applied"
        assert (await waiting).json()["status"] == "rejected"
        again = (await ask(it, run_id, "R1", "reset")).json()
        assert (again["status"], again["reason"]) == ("rejected", "Stopped before a worker took it.")


async def test_a_command_that_waits_is_answered_when_its_run_fails(tmp_path: Path) -> None:
    async with (
        lab(tmp_path, worker_grace_s=0.05, max_restarts=0, command_timeout_s=0.1) as it,
        ThreadWorker(it.port, it.settings.checkpoint_dir, hangs=True, crashes=True),
    ):
        run_id = await it.new_run()
        await it.until_status(run_id, "running")
        assert (await ask(it, run_id, "S1", "set", controls={"l1": 0.5})).status_code == 503
        hub = it.runs.get(run_id)
        hub.end("failed", "It failed.")
        answer = await ask(it, run_id, "S1", "set", controls={"l1": 0.5})
        assert (answer.status_code, answer.json()["status"]) == (200, "rejected")


async def test_an_answer_is_on_disk_before_it_is_given_at_a_low_price(tmp_path: Path) -> None:
    async with lab(tmp_path, stored_after_s=5.0) as it, ThreadWorker(it.port, it.settings.checkpoint_dir, step_s=0.02):
        run_id = await it.new_run()
        with closing(sqlite3.connect(it.settings.data_dir / "history.sqlite")) as disk:
            assert disk.execute("SELECT COUNT(*) FROM runs WHERE run_id = ?", (run_id,)).fetchone() == (1,)
            await it.until(run_id, lambda run: run["step"] > 5)
            took_s = []
            for number in range(20):
                began = time.monotonic()
                answer = (await ask(it, run_id, f"S{number}", "set", controls={"l1": number / 100})).json()
                took_s.append(time.monotonic() - began)
                body = disk.execute("SELECT body FROM answers WHERE command_id = ?", (f"S{number}",)).fetchone()
                assert body is not None
                assert answer["status"] == "applied"
                (record,) = disk.execute("SELECT record FROM runs WHERE run_id = ?", (run_id,)).fetchone()
                assert f'"revision":{answer["revision"]}' in record
        assert statistics.median(took_s) < it.settings.stored_after_s


@pytest.mark.slow
async def test_an_answer_does_not_wait_for_a_disk_that_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    async with lab(tmp_path) as it, ThreadWorker(it.port, it.settings.checkpoint_dir):
        run_id = await it.new_run()
        await it.until(run_id, lambda run: run["step"] > 5)
        with monkeypatch.context() as patch:
            patch.setattr(Writer, "_write", refuse)
            assert (await it.command(run_id, "pause")).json()["status"] == "applied"
            assert (await it.command(run_id, "resume")).json()["status"] == "applied"
            assert it.runs.store.error is not None


async def test_a_control_in_force_after_a_crash_counts_from_where_the_run_goes_on(tmp_path: Path) -> None:
    async with lab(tmp_path, worker_grace_s=0.05) as it:
        async with ThreadWorker(it.port, it.settings.checkpoint_dir, crashes=True) as worker:
            run_id = await it.new_run()
            await it.until(run_id, lambda run: run["step"] > 250)
            worker.trainers.refuses_to_save = True
            changed = (await it.command(run_id, "set", controls={"lambda_conflict": 0.0})).json()
        async with ThreadWorker(it.port, it.settings.checkpoint_dir):
            run = await it.until(run_id, lambda run: run["epoch"] == 1)
            began = next(event for event in await it.events(run_id) if event["text"].startswith("In force from step "))
        assert run["controls"]["applied"]["lambda_conflict"] == 0.0
        assert run["controls"]["applied_step"]["lambda_conflict"] == began["step"] < changed["applied_step"]
        assert began["text"] == f"In force from step {began['step']}, where the run goes on: lambda_conflict 0."
        assert began["epoch"] == 1


async def test_runs_are_ordered_by_number_whatever_the_clock_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with lab(tmp_path) as it:
        first = await it.new_run()
        monkeypatch.setattr("backend.runs.runs.time.time", lambda: 1.0)
        second = await it.new_run()
        assert [run["run_id"] for run in (await it.http.get("/api/runs")).json()] == [second, first]
        monkeypatch.undo()
    async with lab(tmp_path) as it:
        third = await it.new_run()
        assert [run["run_id"] for run in (await it.http.get("/api/runs")).json()] == [third, second, first]
