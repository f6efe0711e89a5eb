"""A worker that hangs but lives is told of, replaced, and can be stopped; one that leaves in order is no death."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest

from backend.launchers.local import Launch
from backend.runs.runs import TICK_S
from backend.settings import Settings
from backend.workers.processes import Processes
from cdsp_core.wire.messages.link import End
from cdsp_core.worker.pulse import LONG_WORK_S, Pulse
from tests.backend.lab import Lab, ThreadWorker, lab, until

SILENT_AFTER_S = 1000.0
"""beyond what any test takes: `pass_by` alone makes so much time pass"""


def _stand_still(seconds: float) -> None:
    """Do what SIGSTOP does to a server: nothing on its event loop goes on."""
    time.sleep(seconds)


async def hung_run(it: Lab, worker: ThreadWorker) -> str:
    """A run whose worker hangs, and says not even that it lives."""
    run_id = await it.new_run()
    await it.until(run_id, lambda run: run["step"] > 50)
    worker.trainers.hangs.set()
    await until(lambda: not worker.link.pulse.is_beating)
    return run_id


def pass_by(it: Lab, seconds: float) -> None:
    """What the server does when so much time has passed in which no worker said a word."""
    it.runs.placement.tick(seconds)


@pytest.mark.slow
async def test_a_main_thread_that_hangs_is_told_of_and_has_no_speed(tmp_path: Path) -> None:
    async with (
        lab(tmp_path, silent_after_s=SILENT_AFTER_S, replaced_after_s=1e9) as it,
        ThreadWorker(it.port, it.settings.checkpoint_dir) as worker,
    ):
        run_id = await hung_run(it, worker)
        pass_by(it, SILENT_AFTER_S)
        run = await it.until(run_id, lambda run: (run["reason"] or "").startswith("The worker has not answered for "))
        assert (run["status"], run["steps_per_s"]) == ("running", None)
        stopped = (await it.command(run_id, "stop")).json()
        assert stopped["status"] == "applied"
        run = await it.run(run_id)
        assert (run["status"], run["reason"]) == ("interrupted", "Stopped while its worker did not answer.")
        await until(lambda: worker.worker_id in it.runs.workers)
        other = await it.new_run()
        await asyncio.sleep(0.5)
        assert (await it.run(other))["status"] == "queued"
        worker.trainers.hangs.clear()
        await it.until(other, lambda run: run["step"] > 0)


async def test_a_stop_that_waits_is_carried_out_once_its_worker_is_known_to_be_silent(tmp_path: Path) -> None:
    async with (
        lab(tmp_path, silent_after_s=SILENT_AFTER_S, replaced_after_s=1e9, command_timeout_s=0.2) as it,
        ThreadWorker(it.port, it.settings.checkpoint_dir) as worker,
    ):
        run_id = await hung_run(it, worker)
        body = {"command_id": "the-stop", "type": "stop"}
        assert (await it.http.post(f"/api/runs/{run_id}/commands", json=body)).status_code == 503
        pass_by(it, SILENT_AFTER_S)
        await it.until_status(run_id, "interrupted")
        answer = await it.http.post(f"/api/runs/{run_id}/commands", json=body)
        assert (answer.status_code, answer.json()["status"]) == (200, "applied")


async def test_a_worker_that_stays_silent_is_replaced_from_the_last_checkpoint(tmp_path: Path) -> None:
    async with (
        lab(tmp_path, silent_after_s=SILENT_AFTER_S, replaced_after_s=2 * SILENT_AFTER_S) as it,
        ThreadWorker(it.port, it.settings.checkpoint_dir) as worker,
    ):
        run_id = await hung_run(it, worker)
        pass_by(it, 2 * SILENT_AFTER_S)
        await it.until(run_id, lambda run: run["status"] == "queued")
        texts = [event["text"] for event in await it.events(run_id)]
        assert any(text.startswith("The worker had not answered for ") for text in texts)
        worker.trainers.hangs.clear()
        run = await it.until(run_id, lambda run: run["epoch"] == 1 and run["status"] == "running")
        assert run["restarts"] == 1


@pytest.mark.slow
async def test_a_server_that_was_stopped_itself_does_not_count_that_as_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[float] = []
    async with lab(tmp_path) as it, ThreadWorker(it.port, it.settings.checkpoint_dir):
        run_id = await it.new_run()
        await it.until(run_id, lambda run: run["step"] > 20)
        tick = it.runs.placement.tick

        def counting(elapsed_s: float) -> None:
            counted.append(elapsed_s)
            tick(elapsed_s)

        monkeypatch.setattr(it.runs.placement, "tick", counting)
        await until(lambda: len(counted) > 0)
        before = len(counted)
        _stand_still(4 * TICK_S)
        await until(lambda: len(counted) > before)
    assert max(counted) <= 2 * TICK_S < it.settings.silent_after_s


def test_long_work_counts_as_alive_and_a_thread_that_hangs_does_not() -> None:
    now = [100.0]
    pulse = Pulse(lambda: now[0])
    assert pulse.is_beating
    now[0] += 3
    assert not pulse.is_beating
    with pulse.long_work():
        now[0] += LONG_WORK_S - 1
        assert pulse.is_beating
        now[0] += 2
        assert not pulse.is_beating
    assert pulse.is_beating


async def test_a_worker_that_leaves_in_order_gives_its_run_to_another_at_once(tmp_path: Path) -> None:
    async with lab(tmp_path, worker_grace_s=3600) as it, ThreadWorker(it.port, it.settings.checkpoint_dir) as first:
        run_id = await it.new_run()
        await it.until(run_id, lambda run: run["step"] > 50)
        async with ThreadWorker(it.port, it.settings.checkpoint_dir) as second:
            await until(lambda: second.worker_id in it.runs.workers)
            first.inbox.put(End(reason="Asked to end by a signal."))
            run = await it.until(run_id, lambda run: run["epoch"] == 1 and run["status"] == "running")
            assert run["restarts"] == 0
            texts = [event["text"] for event in await it.events(run_id)]
            wanted = "Its worker has left (Asked to end by a signal); the run goes on from its last checkpoint."
            assert wanted in texts


async def test_a_worker_elsewhere_that_is_killed_gives_its_run_to_one_that_is_idle_and_is_not_waited_for(
    tmp_path: Path,
) -> None:
    async with (
        lab(tmp_path, worker_grace_s=3600, moved_after_s=0.1) as it,
        ThreadWorker(it.port, it.settings.checkpoint_dir) as second,
    ):
        async with ThreadWorker(it.port, it.settings.checkpoint_dir, crashes=True) as first:
            await until(lambda: {first.worker_id, second.worker_id} == set(it.runs.workers))
            run_ids = [await it.new_run(), await it.new_run()]
            for run_id in run_ids:
                await it.until(run_id, lambda run: run["step"] > 50)
            held = {run_id: it.runs.get(run_id).state.worker_id for run_id in run_ids}
            (ended,) = (run_id for run_id, worker_id in held.items() if worker_id == second.worker_id)
            (killed,) = set(run_ids) - {ended}
        await it.until(killed, lambda run: run["reason"] is not None)
        assert (await it.run(killed))["epoch"] == 0, "nobody is there to take it"
        await it.command(ended, "stop")
        run = await it.until(killed, lambda run: run["epoch"] == 1 and run["status"] == "running")
        assert run["restarts"] == 1


async def test_a_worker_of_another_version_is_refused_once_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("cdsp_core.worker.link.LINK_PROTOCOL", 99)
    async with lab(tmp_path) as it:
        async with ThreadWorker(it.port, it.settings.checkpoint_dir) as worker:
            await until(lambda: not worker.alive)
            assert worker.ended is not None
            assert worker.ended.startswith("The backend refused this worker: a hello must have protocol ")
            assert worker.ended.endswith("Found protocol 99.")
            assert worker.link.refused == worker.ended
        assert [record.exc_info for record in caplog.records if record.name == "backend.workers.link"] == [None]


async def test_only_processes_that_were_started_here_are_signalled(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, launcher="local")
    launch = Launch(settings, token="t" * 16, on_exit=lambda worker_id, sentence: None)
    process = await asyncio.create_subprocess_exec("sleep", "60")
    launch.kill("a worker that names this process")
    assert not launch.is_gone("a worker that names this process")
    Processes(tmp_path / "workers.json").remember("ours", process.pid)
    (tmp_path / "workers.json").write_text(
        (tmp_path / "workers.json").read_text().replace(f"[{process.pid}, ", f"[{process.pid}, 1")
    )
    Launch(settings, token="t" * 16, on_exit=lambda worker_id, sentence: None).kill("ours")
    assert process.returncode is None
    os.kill(process.pid, 0)
    Processes(tmp_path / "workers.json").remember("ours", process.pid)
    Launch(settings, token="t" * 16, on_exit=lambda worker_id, sentence: None).kill("ours")
    assert await process.wait() == -signal.SIGKILL


async def test_a_process_that_was_lost_is_not_counted_as_on_its_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    launch = Launch(Settings(data_dir=tmp_path, launcher="local"), token="t" * 16, on_exit=lambda *_: None)
    started: list[str] = []

    def spawn() -> None:
        started.append(f"worker-{len(started)}")
        launch._processes[started[-1]] = None  # type: ignore[assignment]

    monkeypatch.setattr(launch, "_spawn", spawn)
    launch.launch(1, [])
    launch.launch(1, [])
    assert started == ["worker-0"]
    launch.launch(0, ["worker-0"])
    launch.launch(1, [])
    assert started == ["worker-0", "worker-1"]
