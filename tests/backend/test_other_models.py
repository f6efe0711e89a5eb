"""Runs of models without a topology, and controls that the run's own controller moves."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from backend.live.hub import RunHub
from backend.live.state import RunState
from backend.storage.store import Store
from cdsp_core.settings.model import ModelConfig
from cdsp_core.settings.presets import preset
from cdsp_core.wire.frames import Frame
from cdsp_core.wire.messages.run import Event
from cdsp_core.wire.phases import PhaseWatch
from tests.backend.lab import ThreadWorker, lab


def a_hub(folder: Path) -> RunHub:
    """A hub that no worker trains."""
    store = Store(folder / "history.sqlite", gather_s=0.0)
    config = dataclasses.replace(preset("live"), model=ModelConfig(architecture="dense"))
    state = RunState(
        run_id="run-1", name="test", config=config, created_ms=0.0, status="running", generation=0, revision=4
    )
    return RunHub(
        state,
        store=store,
        checkpoint_dir=folder,
        timeout_s=1,
        start_timeout_s=1,
        begin=lambda hub: None,
        abandon=lambda worker: None,
    )


async def test_before_a_worker_has_begun_the_hello_says_what_the_model_lacks(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        answer = await it.http.post("/api/runs", json={"config": {"model": {"architecture": "standard"}}})
        async with it.page(answer.json()["run_id"]) as page:
            hello = await page.text("hello")
    assert (hello["architecture"], hello["topology"]) == ("standard", False)
    assert (hello["experts"], hello["partitions"], hello["dims"], hello["rank"]) == (8, 0, 0, 0)


async def test_what_the_controller_moved_is_in_force_for_everybody(tmp_path: Path) -> None:
    hub = a_hub(tmp_path)
    hub.state.ask({"p_drop": 0.7})
    moved = {"old": {"lambda_conflict": 10.0}, "new": {"lambda_conflict": 12.0}}
    event: dict[str, Any] = {
        "kind": "applied",
        "run": "run-1",
        "epoch": 0,
        "step": 400,
        "revision": 5,
        "time_ms": 0.0,
        "text": "moved",
    }
    hub.on_event(Event(**event, data={"by": "controller", **moved}), "worker", 1)
    state = hub.info().to_json()
    assert state["revision"] == 5
    assert state["controls"]["applied"]["lambda_conflict"] == 12.0
    assert state["controls"]["requested"]["lambda_conflict"] == 12.0
    assert state["controls"]["applied_step"]["lambda_conflict"] == 400


async def test_a_person_who_did_not_see_the_controllers_move_is_told_the_values_now(tmp_path: Path) -> None:
    async with lab(tmp_path) as it, ThreadWorker(it.port, it.settings.checkpoint_dir):
        run_id = await it.new_run()
        await it.until_status(run_id, "running")
        hub = it.runs.get(run_id)
        event: dict[str, Any] = {
            "kind": "applied",
            "run": run_id,
            "epoch": 0,
            "step": 1,
            "revision": 1,
            "time_ms": 0.0,
            "text": "moved",
        }
        moved = {"by": "controller", "old": {"lambda_conflict": 10.0}, "new": {"lambda_conflict": 12.0}}
        hub.on_event(Event(**event, data=moved), "controller", 1)
        answer = await it.command(run_id, "set", base_revision=0, controls={"p_drop": 0.1})
        assert answer.status_code == 409
        assert answer.json()["controls"]["applied"]["lambda_conflict"] == 12.0


def test_traffic_alone_is_no_phase_of_a_model_without_topology() -> None:
    watch = PhaseWatch(has_diagonal=True)
    load_e = np.array([0.5, 0.5, 0.0], dtype=np.float32)
    for step in (1, 2000):
        arrays = {"layer1/load": load_e}
        frame = Frame(run="r", epoch=0, seq=step, step=step, revision=0, time_ms=0.0, arrays=arrays)
        assert watch.observe(frame) == []
