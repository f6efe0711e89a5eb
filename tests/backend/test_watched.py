"""A program of somebody's own that the page watches: its run, its steps, what it lets people change, and its end."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cdsp_core import CDSPLayer, Controls, ModelConfig
from cdsp_core.watching.watch import WatchError, Watching, watch
from cdsp_core.wire.frames import decode_frame
from examples import watched
from tests.backend.lab import PATIENCE_S, WORKER_TOKEN, Lab, ThreadWorker, lab

TASKS = ("digits", "letters")
SIZES = ModelConfig(d_model=16, d_base=32, num_experts=4, num_partitions=4, d_task=4)


class Layers(nn.Module):
    """Two CDSP layers, one after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = CDSPLayer(SIZES), CDSPLayer(SIZES)

    def forward(self, x_BSD: Tensor) -> Tensor:
        task_BQ = x_BSD.new_zeros(len(x_BSD), SIZES.d_task)
        found: Tensor = self.second(self.first(x_BSD, task_BQ)[0], task_BQ)[0]
        return found


def watching(it: Lab, model: nn.Module | None, **options: Any) -> Watching:
    return watch(model, tasks=TASKS, address=f"http://127.0.0.1:{it.port}", worker_token=WORKER_TOKEN, **options)


def steps_of(lab_of: Watching, model: nn.Module, steps: int) -> None:
    """Forward passes of two samples, one of each task, the second without its ID."""
    for number in range(steps):
        loss = model(torch.randn(2, 3, SIZES.d_model)).sum()
        hidden = torch.tensor([False, number % 2 == 1])
        lab_of.step(loss=loss, task=torch.tensor([0, 1]), hidden=hidden, accuracy={"digits": 0.25})


async def test_every_step_and_the_layers_of_a_program_reach_the_page(tmp_path: Path) -> None:
    model = Layers()
    async with lab(tmp_path) as it:

        def program() -> str:
            with watching(it, model, name="mine", steps=30, controls=Controls(p_drop=0.25)) as lab_of:
                steps_of(lab_of, model, 30)
                assert lab_of.run_id is not None
                return lab_of.run_id

        run_id = await asyncio.to_thread(program)
        run = await it.until_status(run_id, "finished")
        assert (run["name"], run["step"], run["total_steps"]) == ("mine", 30, 30)
        assert run["controls"]["applied"]["p_drop"] == 0.25
        frame = decode_frame((await it.http.get(f"/api/runs/{run_id}/moments/0/30")).content)
        topology = model.second.topology
        np.testing.assert_allclose(frame.arrays["layer1/connection"], topology.connection().detach(), atol=1e-6)
        np.testing.assert_allclose(frame.arrays["layer0/routing"].sum(1), 1.0, atol=1e-5)
        blind_QE = frame.arrays["layer0/routing_blind"]
        assert np.isnan(blind_QE[0]).all(), "digits always had their ID"
        np.testing.assert_allclose(blind_QE[1].sum(), 1.0, atol=1e-5)
        names = it.runs.get(run_id).scalar_names
        found = (await it.http.get(f"/api/runs/{run_id}/scalars")).content
        rows = decode_frame(found).arrays["scalars"]
        assert rows[:, 0].tolist() == list(range(1, 31))
        assert np.isfinite(rows[:, names.index("loss")]).all()
        assert set(rows[:, names.index("test_accuracy/digits")]) == {0.25}


@pytest.mark.parametrize(
    "tasks", [("mnist", "letters of my own"), ("x" * 61, "long"), tuple(f"task {n}" for n in range(9))]
)
async def test_a_recording_of_a_watched_run_names_its_tasks(tmp_path: Path, tasks: tuple[str, ...]) -> None:
    async with lab(tmp_path, recorded_dir=tmp_path / "recorded") as it:

        def program() -> str:
            model = Layers()
            options: dict[str, Any] = {"address": f"http://127.0.0.1:{it.port}", "worker_token": WORKER_TOKEN}
            with watch(model, tasks=tasks, **options) as lab_of:
                for _ in range(3):
                    loss = model(torch.randn(2, 3, SIZES.d_model)).sum()
                    lab_of.step(loss=loss, accuracy=dict.fromkeys(tasks, 0.25))
                assert lab_of.run_id is not None
                return lab_of.run_id

        run_id = await asyncio.to_thread(program)
        live = it.runs.get(run_id).state.description
        await it.until_status(run_id, "finished")
        recording = (await it.http.get(f"/api/runs/{run_id}/recording")).content
        (tmp_path / "recorded").mkdir()
        (tmp_path / "recorded" / "mine.recording").write_bytes(recording)
        hello = (await it.http.get("/api/recorded/mine/hello")).json()
        assert live is not None
        assert [(task["name"], task["label"]) for task in hello["tasks"]] == [(t.name, t.label) for t in live.tasks]
        assert tuple(task["label"] for task in hello["tasks"]) == tasks
        assert hello["tasks"][0]["class_names"] == [], "a task that is called as one of the program's is none of it"


async def test_people_change_what_the_program_lets_them_and_pause_it(tmp_path: Path) -> None:
    seen: list[float] = []

    def change(controls: Controls) -> None:
        if controls.p_drop > 0.9:
            raise ValueError("p_drop must stay below 0.9 here.")
        seen.append(controls.lambda_conflict)

    model, began, stop = Layers(), threading.Event(), threading.Event()
    async with lab(tmp_path) as it:
        with_lab = watching(it, model, on_change=change)

        def program() -> None:
            with with_lab as lab_of:
                began.set()
                while not stop.is_set():
                    steps_of(lab_of, model, 1)

        running = asyncio.create_task(asyncio.to_thread(program))
        await asyncio.to_thread(began.wait, PATIENCE_S)
        assert with_lab.run_id is not None
        run_id = with_lab.run_id
        await it.until(run_id, lambda run: run["step"] > 3)
        applied = (await it.command(run_id, "set", controls={"lambda_conflict": 3.0})).json()
        assert (applied["status"], seen) == ("applied", [3.0])
        refused = (await it.command(run_id, "set", controls={"p_drop": 0.95})).json()
        assert (refused["status"], refused["reason"]) == ("rejected", "p_drop must stay below 0.9 here.")
        step = (await it.pause(run_id))["step"]
        await asyncio.sleep(0.2)
        assert (await it.run(run_id))["step"] == step
        assert (await it.command(run_id, "resume")).json()["status"] == "applied"
        await it.until(run_id, lambda run: run["step"] > step)
        for kind in ("checkpoint", "reset"):
            answer = (await it.command(run_id, kind)).json()
            assert "Its own program keeps and begins this model anew" in answer["reason"]
        stop.set()
        await running
        await it.until_status(run_id, "finished")


async def test_without_on_change_the_page_only_watches_and_stopping_it_leaves_the_program_alone(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        lab_of = watching(it, None, experts=4, layers=1)
        await asyncio.to_thread(lab_of.__enter__)
        assert lab_of.run_id is not None

        def step() -> None:
            lab_of.step(loss=1.0, task=torch.tensor([0, 1]), chosen=[torch.tensor([[[0, 1]], [[2, 3]]])])

        stepping = asyncio.create_task(asyncio.to_thread(step))
        await stepping
        for kind in ("pause", "set"):
            command = asyncio.create_task(
                it.command(lab_of.run_id, kind, **({"controls": {"p_drop": 0.1}} if kind == "set" else {}))
            )
            while not command.done():
                await asyncio.to_thread(step)
            assert "is only watched: it takes no commands" in command.result().json()["reason"]
        stop = asyncio.create_task(it.command(lab_of.run_id, "stop"))
        while not stop.done():
            await asyncio.to_thread(step)
        await it.until_status(lab_of.run_id, "interrupted")
        await asyncio.to_thread(step)
        await asyncio.to_thread(lab_of.__exit__, None, None, None)


async def test_a_program_gets_no_other_run_and_its_run_goes_to_no_other_worker(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        lab_of = watching(it, Layers())
        await asyncio.to_thread(lab_of.__enter__)
        other = await it.new_run()
        await it.until(other, lambda run: run["reason"] == "Waits for a worker.")
        lab_of._link.close(flush_s=0.0)  # it is gone without a word
        assert lab_of.run_id is not None
        async with ThreadWorker(it.port, tmp_path / "checkpoints"):
            await it.until_status(other, "running")
            hub = it.runs.get(lab_of.run_id)
            it.runs.placement._recovery.restart(hub, "The worker did not come back.")
            run = await it.until_status(lab_of.run_id, "interrupted")
            assert run["reason"] == "The program that trained it has ended, and no other can go on with it."
            assert (await it.run(other))["status"] == "running"
        lab_of._folder.cleanup()


async def test_what_cannot_be_watched_is_said_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cdsp_core.watching.watch.FOUND_WITHIN_S", 5.0)
    with pytest.raises(ValueError, match="needs experts and layers"):
        watch(nn.Linear(2, 2), tasks=TASKS, worker_token=WORKER_TOKEN)
    with pytest.raises(ValueError, match="tasks must be different names"):
        watch(Layers(), tasks=("a", "a"), worker_token=WORKER_TOKEN)
    monkeypatch.setenv("CDSP_DATA_DIR", str(tmp_path / "none"))
    with pytest.raises(WatchError, match=r"The worker token cannot be read from .*worker\.token"):
        watch(Layers(), tasks=TASKS)
    with pytest.raises(WatchError, match=r"No page answers at http://127\.0\.0\.1:9 "):
        await asyncio.to_thread(
            watch(Layers(), tasks=TASKS, address="http://127.0.0.1:9", worker_token=WORKER_TOKEN).__enter__
        )
    async with lab(tmp_path) as it:
        wrong = watch(
            Layers(), tasks=TASKS, address=f"http://127.0.0.1:{it.port}", worker_token="not the token of this server"
        )
        with pytest.raises(WatchError, match="did not let this program in"):
            await asyncio.to_thread(wrong.__enter__)
        told = watching(it, Layers())
        await asyncio.to_thread(told.__enter__)
        with pytest.raises(ValueError, match=r"a number must be one of step, .* Found 'los'"):
            told.step(loss=1.0, los=2.0)
        experts = [torch.zeros(5, 2, dtype=torch.int64)] * 2
        with pytest.raises(ValueError, match=r"task must be one of each sample\. Found 2 for 5 tokens\."):
            told.step(loss=1.0, task=torch.tensor([0, 1]), chosen=experts)
        with pytest.raises(ValueError, match=r"chosen must have 2 layers\. Found 1"):
            told.step(loss=1.0, chosen=experts[:1])
        await asyncio.to_thread(told.__exit__, None, None, None)


async def test_the_example_is_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDSP_WORKER_TOKEN", WORKER_TOKEN)
    async with lab(tmp_path) as it:
        await asyncio.to_thread(watched.main, 12, address=f"http://127.0.0.1:{it.port}")
        (run,) = (await it.http.get("/api/runs")).json()
        assert (run["name"], run["status"], run["step"]) == ("my own model", "finished", 12)
