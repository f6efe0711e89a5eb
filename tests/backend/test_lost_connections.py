"""Links break, workers die, the server is started again: no step is lost and none is counted twice."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from backend.storage.writer import Writer
from cdsp_core.wire.checkpoint_names import list_checkpoints
from cdsp_core.wire.frames import Frame, decode_frame
from tests.backend.lab import Lab, ThreadWorker, free_port, lab, until


async def stored_steps(it: Lab, run_id: str) -> list[int]:
    """The step of every stored row of scalars."""
    answer = await it.http.get(f"/api/runs/{run_id}/scalars")
    assert answer.status_code == 200, answer.text
    return [int(step) for step in decode_frame(answer.content).arrays["scalars"][:, 0]]


async def test_a_page_sees_no_gap_when_the_link_to_the_worker_is_cut(tmp_path: Path) -> None:
    async with lab(tmp_path) as it, ThreadWorker(it.port, it.settings.checkpoint_dir) as worker:
        run_id = await it.new_run()
        async with it.page(run_id) as page:
            await page.until_step(50)
            for _ in range(3):
                before = await it.run(run_id)
                await it.runs.workers[worker.worker_id].close()
                await page.until_step(before["step"] + 100)
            np.testing.assert_array_equal(page.scalars[:, 0], np.arange(1, page.frames[-1].step + 1))
        run = await it.run(run_id)
        assert (run["epoch"], run["restarts"]) == (0, 0)


async def test_a_worker_that_stays_away_is_replaced_and_the_run_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    async with lab(tmp_path, worker_grace_s=0.3) as it:
        async with ThreadWorker(it.port, it.settings.checkpoint_dir, crashes=True):
            run_id = await it.new_run()
            await it.until(run_id, lambda run: run["step"] > 100)
        left_at = max(int(name[9:18]) for name in list_checkpoints(it.settings.checkpoint_dir / run_id))
        async with ThreadWorker(it.port, it.settings.checkpoint_dir):
            run = await it.until(run_id, lambda run: run["epoch"] == 1 and run["step"] > left_at + 20)
            assert run["restarts"] == 1
            await it.pause(run_id)
            steps = await stored_steps(it, run_id)
            assert steps == list(range(1, len(steps) + 1))
        texts = [event["text"] for event in await it.events(run_id)]
        assert any("Begun again from the last checkpoint, 1 of 5 times." in text for text in texts)


async def test_a_run_whose_workers_keep_dying_fails_in_the_end(tmp_path: Path) -> None:
    async with lab(tmp_path, worker_grace_s=0.01, max_restarts=2) as it:
        run_id = await it.new_run()
        for epoch in range(3):
            async with ThreadWorker(it.port, it.settings.checkpoint_dir, crashes=True) as worker:
                worker.trainers.refuses_to_save = epoch > 0
                await it.until(run_id, lambda run, epoch=epoch: run["epoch"] == epoch and run["step"] > 0)
        run = await it.until_status(run_id, "failed")
        assert "begun again 2 times" in run["reason"]
        async with ThreadWorker(it.port, it.settings.checkpoint_dir):
            assert (await it.command(run_id, "resume")).json()["status"] == "applied"
            assert (await it.run(run_id))["restarts"] == 0


async def test_a_paused_run_stays_paused_when_its_worker_is_replaced(tmp_path: Path) -> None:
    async with lab(tmp_path, worker_grace_s=0.2) as it:
        async with ThreadWorker(it.port, it.settings.checkpoint_dir):
            run_id = await it.new_run()
            await it.until(run_id, lambda run: run["step"] > 20)
            await it.command(run_id, "set", controls={"l1": 0.5})
            await it.pause(run_id)
            at = (await it.run(run_id))["step"]
        async with ThreadWorker(it.port, it.settings.checkpoint_dir):
            run = await it.until(run_id, lambda run: run["epoch"] == 1)
            assert (run["status"], run["step"]) == ("paused", at)
            assert run["controls"]["applied"]["l1"] == 0.5


async def test_a_worker_outlives_its_backend_and_delivers_to_the_next_one(tmp_path: Path) -> None:
    port = free_port()
    async with ThreadWorker(port, tmp_path / "checkpoints") as worker:
        async with lab(tmp_path, port=port) as it:
            run_id = await it.new_run()
            await it.until(run_id, lambda run: run["step"] > 50)
        trained_alone = worker.outbox.last
        await until(lambda: worker.outbox.last > trained_alone + 10)
        async with lab(tmp_path, port=port) as it:
            run = await it.until(run_id, lambda run: run["status"] == "running" and run["reason"] is None)
            await it.until(run_id, lambda now: now["step"] > run["step"] + 50)
            run = await it.pause(run_id)
            assert (run["epoch"], run["restarts"]) == (0, 0)
            assert await stored_steps(it, run_id) == list(range(1, run["step"] + 1))
            assert len((await it.http.get("/api/runs")).json()) == 1


async def test_a_backend_started_again_without_the_worker_goes_on_from_the_checkpoint(tmp_path: Path) -> None:
    async with lab(tmp_path) as it, ThreadWorker(it.port, it.settings.checkpoint_dir):
        run_id = await it.new_run(seed=5)
        await it.until(run_id, lambda run: run["step"] > 50)
    async with (
        lab(tmp_path, survivor_grace_s=0.05, autostart=True) as it,
        ThreadWorker(it.port, it.settings.checkpoint_dir),
    ):
        run = await it.until(run_id, lambda run: run["epoch"] == 1 and run["step"] > 60)
        assert (run["seed"], run["restarts"]) == (5, 0)
        assert [run["run_id"] for run in (await it.http.get("/api/runs")).json()] == [run_id]
        async with it.page(run_id) as page:
            await page.frame("snapshot")
            await page.until_step(run["step"] + 20)
            np.testing.assert_array_equal(page.scalars[:, 0], np.arange(1, page.frames[-1].step + 1))


async def test_scalars_that_no_backend_was_there_to_take_are_found_beside_the_checkpoint(tmp_path: Path) -> None:
    port = free_port()
    async with ThreadWorker(port, tmp_path / "checkpoints") as worker:
        async with lab(tmp_path, port=port) as it:
            run_id = await it.new_run()
            await it.until(run_id, lambda run: run["step"] > 50)
        trained_alone = worker.outbox.last
        await until(lambda: worker.outbox.last > trained_alone + 10)
    async with (
        lab(tmp_path, survivor_grace_s=0.05) as it,
        ThreadWorker(it.port, it.settings.checkpoint_dir),
    ):
        await it.until(run_id, lambda run: run["epoch"] == 1)
        run = await it.pause(run_id)
        assert await stored_steps(it, run_id) == list(range(1, run["step"] + 1))


async def test_a_survivor_whose_run_was_given_away_drops_it(tmp_path: Path) -> None:
    port = free_port()
    # It thins nothing away meanwhile: five checkpoints take longer than the minute in which a worker is waited for.
    async with ThreadWorker(port, tmp_path / "checkpoints", checkpoint_every_s=3600.0) as late:
        async with lab(tmp_path, port=port) as it:
            run_id = await it.new_run()
            await it.until(run_id, lambda run: run["step"] > 20)
        async with lab(tmp_path, survivor_grace_s=0.0) as it, ThreadWorker(it.port, it.settings.checkpoint_dir):
            await it.until(run_id, lambda run: run["epoch"] == 1 and run["step"] > 0)
            await it.command(run_id, "stop")
        async with lab(tmp_path, port=port) as it:
            await until(lambda: late.worker_id in it.runs.workers)
            run = await it.run(run_id)
            assert (run["status"], run["epoch"]) == ("interrupted", 1)
            other = await it.new_run()
            await it.until(other, lambda run: run["step"] > 0)


async def test_a_worker_without_a_backend_writes_a_checkpoint_and_ends(tmp_path: Path) -> None:
    port = free_port()
    async with ThreadWorker(port, tmp_path / "checkpoints", lost_after_s=0.3) as worker:
        async with lab(tmp_path, port=port) as it:
            run_id = await it.new_run()
            await it.until(run_id, lambda run: run["step"] > 20)
            before = list_checkpoints(it.settings.checkpoint_dir / run_id)
        await until(lambda: not worker.alive)
        assert worker.ended is not None
        assert "has been away" in worker.ended
        assert list_checkpoints(tmp_path / "checkpoints" / run_id)[:1] != before[:1]


async def test_a_worker_with_the_wrong_token_is_told_so_and_ends(tmp_path: Path) -> None:
    async with lab(tmp_path, worker_token="another token, not the tests'") as it:
        async with ThreadWorker(it.port, it.settings.checkpoint_dir) as worker:
            await until(lambda: not worker.alive)
        assert worker.ended == "The backend refused the worker token."


async def test_a_clean_stop_ends_an_adopted_worker_with_a_checkpoint(tmp_path: Path) -> None:
    async with lab(tmp_path, launcher="local") as it, ThreadWorker(it.port, it.settings.checkpoint_dir) as worker:
        await until(lambda: worker.worker_id in it.runs.workers)
        run_id = await it.new_run()
        await it.until(run_id, lambda run: run["step"] > 50)
        await it.runs.placement.end_adopted()
        await until(lambda: not worker.alive)
        assert worker.ended == "The server was stopped."
        run = await it.run(run_id)
        newest = max(int(name[9:18]) for name in list_checkpoints(it.settings.checkpoint_dir / run_id))
        assert (run["status"], run["step"], run["restarts"]) == ("running", newest, 0)


async def test_what_is_said_again_after_a_cut_while_the_disk_is_full_is_shown_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr("backend.storage.writer.RETRY_S", 0.05)
    async with lab(tmp_path) as it, ThreadWorker(it.port, it.settings.checkpoint_dir) as worker:
        run_id = await it.new_run_of_steps(1_000_000)
        await it.until(run_id, lambda run: run["step"] > 5)
        with monkeypatch.context() as patch:
            patch.setattr(Writer, "_write", refuse)
            await until(lambda: it.runs.store.error is not None)
            for l1 in (0.4, 0.2, 0.4):
                assert (await it.command(run_id, "set", controls={"l1": l1})).json()["status"] == "applied"
            before = it.runs.workers[worker.worker_id]
            await before.close()
            await until(lambda: it.runs.workers.get(worker.worker_id, before) is not before)
            step = (await it.run(run_id))["step"]
            seen = [(await it.until(run_id, lambda run: run["step"] > step + 100))["controls"]["applied"]["l1"]]
            async with it.page(run_id) as page:
                shown = (await page.text("hello"))["events"]
        ids = [event["data"]["command"]["command_id"] for event in shown if event["kind"] == "applied"]
        assert len(ids) == len(set(ids)) == 3
        assert seen == [0.4]
        await until(lambda: it.runs.store.error is None)
        await it.command(run_id, "stop")
        stored = [event for event in await it.events(run_id) if event["kind"] == "applied"]
        assert len(stored) == 4


@pytest.mark.parametrize(
    ("numbers", "why"),
    [(251_000, "a frame must have at most 1000000 bytes"), (270_000, "a message was too long|over size limit|exceeds")],
    ids=["more than a frame may have", "more than a message may have"],
)
async def test_a_worker_whose_message_the_backend_never_takes_ends_and_its_run_goes_on(
    tmp_path: Path, numbers: int, why: str
) -> None:
    async with lab(tmp_path) as it:
        async with ThreadWorker(it.port, it.settings.checkpoint_dir) as worker:
            run_id = await it.new_run()
            run = await it.until(run_id, lambda run: run["step"] > 100)
            arrays = {"scalars": np.zeros((0, 0), np.float32), "x": np.zeros(numbers, np.float32)}
            unfit = Frame(run=run_id, epoch=0, seq=10**6, step=10**6, revision=0, time_ms=0.0, arrays=arrays)
            worker.outbox.put(unfit)
            await until(lambda: not worker.alive)
            assert worker.ended is not None
            assert re.search(f"closed the link 3 times at the same message of this worker: .*({why})", worker.ended)
        async with ThreadWorker(it.port, it.settings.checkpoint_dir):
            await it.until(run_id, lambda now: now["epoch"] == 1 and now["step"] > run["step"] + 20)
