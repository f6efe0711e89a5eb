"""The real worker: a process of its own that trains the real model, is killed, and goes on."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from cdsp_core.wire.frames import LAYER_ARRAYS, decode_frame
from tests.backend.lab import Lab, lab, until

CONFIG = {
    "model": {"patch_size": 14, "d_model": 16, "d_base": 32, "num_experts": 4, "num_partitions": 4, "num_layers": 1},
    "train": {"steps": 5000, "eval_every": 50, "eval_batch": 30, "batch_size": 8},
}


@asynccontextmanager
async def small_run(data_dir: Path) -> AsyncIterator[tuple[Lab, str]]:
    async with lab(data_dir, launcher="local", local_workers=1) as it:
        answer = await it.http.post("/api/runs", json={"config": CONFIG})
        assert answer.status_code == 201, answer.text
        run_id = answer.json()["run_id"]
        await it.until(run_id, lambda run: run["step"] > 20)
        yield it, run_id


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


async def test_a_real_run_streams_every_array_and_takes_every_command(tmp_path: Path) -> None:
    async with small_run(tmp_path) as (it, run_id):
        run = await it.run(run_id)
        assert run["device"]["kind"] in ("cpu", "cuda")
        async with it.page(run_id) as page:
            snapshot = await page.frame("snapshot")
            assert {f"layer0/{name}" for name in LAYER_ARRAYS} <= set(snapshot.arrays)
            assert snapshot.arrays["layer0/connection"].shape == (4, 4)
            changed = (await it.command(run_id, "set", controls={"p_drop": 0.9, "lr_ratio": 30})).json()
            assert changed["status"] == "applied"
            await page.until_step(changed["applied_step"] + 20)
            np.testing.assert_array_equal(page.scalars[:, 0], np.arange(1, page.frames[-1].step + 1))
            assert np.isfinite(page.scalars[:, 2]).all()
        for kind in ("pause", "checkpoint", "step", "reset"):
            answer = (await it.command(run_id, kind)).json()
            assert answer["status"] == "applied", answer
        run = await it.run(run_id)
        assert (run["epoch"], run["step"], run["controls"]["applied"]["p_drop"]) == (1, 0, 0.9)


async def test_a_killed_worker_is_replaced_from_the_last_checkpoint(tmp_path: Path) -> None:
    async with small_run(tmp_path) as (it, run_id):
        kept = (await it.command(run_id, "checkpoint")).json()
        at = int(kept["new"]["checkpoint_id"][9:18])
        (worker,) = it.runs.workers.values()
        os.kill(worker.pid, signal.SIGKILL)
        run = await it.until(run_id, lambda run: run["epoch"] == 1 and run["step"] > at + 5)
        assert run["restarts"] == 1
        run = await it.pause(run_id)
        scalars = decode_frame((await it.http.get(f"/api/runs/{run_id}/scalars")).content).arrays["scalars"]
        assert scalars[:, 0].tolist() == list(range(1, run["step"] + 1))
        texts = [event["text"] for event in await it.events(run_id)]
        assert any(text.startswith("The worker was ended by SIGKILL.") for text in texts)


@pytest.mark.slow
async def test_a_run_goes_on_after_the_server_was_ended_and_started_again(tmp_path: Path) -> None:
    async with small_run(tmp_path) as (it, run_id):
        (worker,) = it.runs.workers.values()
        pid = worker.pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    async with lab(tmp_path, launcher="local", autostart=True) as it:
        run = await it.until(run_id, lambda run: run["epoch"] == 1 and run["step"] > 20)
        assert run["restarts"] == 0
        run = await it.pause(run_id)
        scalars = decode_frame((await it.http.get(f"/api/runs/{run_id}/scalars")).content).arrays["scalars"]
        assert scalars[:, 0].tolist() == list(range(1, run["step"] + 1))
        assert len((await it.http.get("/api/runs")).json()) == 1


async def test_a_run_on_full_data_without_their_folder_is_refused_at_once(tmp_path: Path) -> None:
    async with lab(tmp_path, launcher="local") as it:
        answer = await it.http.post("/api/runs", json={"preset": "live", "data": "full"})
        assert answer.status_code == 422
        sentence = "The full sets need a folder: start the server with --data-root, or use data embedded."
        assert answer.json() == {"error": sentence}
        assert (await it.http.get("/api/runs")).json() == []


async def test_a_run_that_cannot_begin_fails_with_the_reason(tmp_path: Path) -> None:
    root = tmp_path / "full"
    for name in ("MNIST", "KMNIST", "FashionMNIST"):
        (root / name / "raw").mkdir(parents=True)
        for part in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
            (root / name / "raw" / f"{part}-ubyte").write_bytes(b"this is no data set")
    async with lab(tmp_path, launcher="local", data_root=root) as it:
        run_id = await it.new_run(data="full")
        run = await it.until_status(run_id, "failed")
        assert "train-images-idx3-ubyte" in run["reason"]
        assert "\n" not in run["reason"]


async def test_a_worker_with_the_wrong_token_ends_with_a_status_and_without_a_traceback(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "cdsp_core.worker", "--connect", f"ws://127.0.0.1:{it.port}/ws/worker",
            "--checkpoint-dir", str(tmp_path), "--study-dir", str(tmp_path),
            env={**os.environ, "CDSP_WORKER_TOKEN": "not the token of this server"}, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        _, said = await process.communicate()
    assert process.returncode == 1
    assert b"Traceback" not in said


@pytest.mark.slow
async def test_a_worker_has_its_kernels_before_a_run_needs_them(tmp_path: Path) -> None:
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path), "CDSP_WORKER_TOKEN": "a token of at least sixteen"}
    nobody = "ws://127.0.0.1:9/ws/worker"
    worker = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "cdsp_core.worker",
        "--connect",
        nobody,
        env=environment,
        stderr=asyncio.subprocess.DEVNULL,
    )
    await until(lambda: any(tmp_path.rglob("native-*.so")))
    worker.kill()
    await worker.wait()
