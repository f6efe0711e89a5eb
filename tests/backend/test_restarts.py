"""Restarts are counted by progress, wait longer each time, and end where a run never gets to its first step."""

from __future__ import annotations

from pathlib import Path

from cdsp_core.wire.checkpoint_names import list_checkpoints
from tests.backend.lab import ThreadWorker, lab, until


async def test_a_new_run_has_a_checkpoint_at_step_0(tmp_path: Path) -> None:
    async with lab(tmp_path) as it, ThreadWorker(it.port, it.settings.checkpoint_dir, hangs=True):
        run_id = await it.new_run()
        await it.until_status(run_id, "running")
        assert list_checkpoints(it.settings.checkpoint_dir / run_id) == ["e000000-s000000000"]


async def test_a_run_that_gets_on_between_its_losses_is_begun_again_without_end(tmp_path: Path) -> None:
    async with lab(tmp_path, worker_grace_s=0.01, max_restarts=1) as it:
        run_id = await it.new_run()
        folder = it.settings.checkpoint_dir / run_id
        for epoch in range(4):
            async with ThreadWorker(it.port, it.settings.checkpoint_dir, crashes=True):
                await it.until(run_id, lambda run, epoch=epoch: run["epoch"] == epoch and run["step"] > 0)
                newest = list_checkpoints(folder)[0]
                await until(lambda newest=newest: list_checkpoints(folder)[0] != newest)
        run = await it.until_status(run_id, "queued")
        assert run["restarts"] == 1


async def test_two_losses_before_the_first_step_fail_the_run_and_name_memory(tmp_path: Path) -> None:
    async with lab(tmp_path, worker_grace_s=0.01) as it:
        run_id = await it.new_run()
        for epoch in range(2):
            async with ThreadWorker(it.port, it.settings.checkpoint_dir, crashes=True, hangs=True):
                await it.until(run_id, lambda run, epoch=epoch: run["epoch"] == epoch and run["status"] == "running")
        run = await it.until_status(run_id, "failed")
        assert run["reason"] == (
            "The worker did not come back. It was lost 2 times before its first step. "
            "If its memory ran out, a smaller model or a smaller batch would train."
        )


async def test_the_second_restart_in_a_row_waits(tmp_path: Path) -> None:
    async with lab(tmp_path, worker_grace_s=0.01, restart_wait_s=30.0) as it:
        run_id = await it.new_run()
        for epoch in range(2):
            async with ThreadWorker(it.port, it.settings.checkpoint_dir, crashes=True) as worker:
                worker.trainers.refuses_to_save = epoch > 0
                await it.until(run_id, lambda run, epoch=epoch: run["epoch"] == epoch and run["step"] > 0)
                worker.trainers.refuses_to_save = True
        run = await it.until_status(run_id, "queued")
        assert (run["restarts"], run["reason"]) == (2, "Begins again in 30 s.")
        assert (await it.command(run_id, "stop")).json()["status"] == "applied"
