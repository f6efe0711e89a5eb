"""Recorded runs over HTTP, and a stored run as one."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import numpy as np
import pytest
from safetensors.numpy import load

from cdsp_core.__main__ import main
from cdsp_core.settings.overrides import with_settings
from cdsp_core.settings.presets import preset
from cdsp_core.wire.frames import decode_frame
from cdsp_core.wire.recipe import Edit, Recipe
from cdsp_core.wire.recording import decode, read_recording, record, write_recording
from tests.backend.lab import ThreadWorker, lab

ROOT = Path(__file__).parents[2]


def write_one(folder: Path, name: str, labels: dict[str, str] | None = None) -> None:
    layer = np.full((8, 8), 0.05, dtype=np.float32)
    rows = np.array([[1, 0.5], [2, 0.25]], dtype=np.float32)
    shares = {"known": {"mnist": 0.5, "kana": 1.0}, "blind": {"mnist": 0.25, "kana": 0.25}}
    made = record(
        Recipe(config=preset("live"), edits=(Edit(step=1, controls={"p_drop": 0.0}),)),
        [(step, [layer, layer]) for step in (0, 1, 2)],
        rows=rows,
        names=["step", "loss"],
        accuracy=shares,
        labels=labels,
    )
    write_recording(made, folder / f"{name}.recording")


async def test_recorded_runs_are_listed_and_served_as_binary_and_as_json(tmp_path: Path) -> None:
    folder = tmp_path / "recorded"
    write_one(folder, "first")
    (folder / "broken.recording").write_bytes(b"nothing")
    async with lab(tmp_path / "data", recorded_dir=folder) as it:
        listed = (await it.http.get("/api/recorded")).json()
        (row,) = listed["recorded"]
        assert (row["name"], row["steps"], row["pictures"], row["edits"]) == ("first", 2, 3, 1)
        assert (row["links_cut"], row["accuracy"], row["blind_accuracy"]) == (128, 0.75, 0.25)
        assert row["size_bytes"] == (folder / "first.recording").stat().st_size
        (sentence,) = listed["refused"]
        assert sentence.startswith("broken.recording must be a recorded run of format 1. Found ")
        binary = await it.http.get("/api/recorded/first")
        np.testing.assert_array_equal(load(binary.content)["steps"], [0, 1, 2])
        as_json = (await it.http.get("/api/recorded/first?format=json")).json()
        assert as_json["scalars"] == [[None], [0.5], [0.25]]
        assert as_json["recipe"]["edits"] == [{"step": 1, "controls": {"p_drop": 0.0}}]
        assert as_json["connection"][0][0][0][0] == 13


async def test_runs_of_a_study_lie_in_a_folder_of_their_own_and_say_their_arm(tmp_path: Path) -> None:
    write_one(tmp_path / "recorded", "first")
    write_one(tmp_path / "recorded" / "headline", "paper-lambda_0-seed3")
    write_one(tmp_path / "recorded" / "headline", "paper-cdsp-seed3", {"rules": "paper", "arm": "told"})
    async with lab(tmp_path / "data", recorded_dir=tmp_path / "recorded") as it:
        listed = (await it.http.get("/api/recorded")).json()
        arms = {row["name"]: row["arm"] for row in listed["recorded"]}
        assert arms == {"first": None, "paper-cdsp-seed3": "told", "paper-lambda_0-seed3": "lambda_0"}
        one = (await it.http.get("/api/recorded/paper-cdsp-seed3?format=json")).json()
        assert one["labels"] == {"rules": "paper", "arm": "told"}


async def test_what_is_not_there_is_refused_with_the_nearest(tmp_path: Path) -> None:
    folder = tmp_path / "recorded"
    write_one(folder, "live-seed0")
    (folder / "broken.recording").write_bytes(b"nothing")
    async with lab(tmp_path / "data", recorded_dir=folder) as it:
        for path, status, sentence in (
            ("live-seed1", 404, "There is no recorded run 'live-seed1'. The nearest is live-seed0."),
            ("broken", 422, "broken.recording must be a recorded run of format 1."),
            ("live-seed0?format=xml", 422, "format must be binary or json. Found 'xml'."),
            ("..%2F..%2Fetc%2Fpasswd", 404, "There is no"),
        ):
            answer = await it.http.get(f"/api/recorded/{path}")
            assert answer.status_code == status
            assert answer.json()["error"].startswith(sentence)
    async with lab(tmp_path / "other", recorded_dir=tmp_path / "none") as it:
        assert (await it.http.get("/api/recorded")).json() == {"recorded": [], "refused": []}
        answer = await it.http.get("/api/recorded/any")
        assert answer.json()["error"] == "There is no recorded run 'any'. There are none."


async def test_a_stored_run_becomes_a_recorded_one_with_its_edits(tmp_path: Path) -> None:
    config = {"model": {"num_layers": 1, "num_experts": 4, "num_partitions": 4}}
    async with lab(tmp_path) as it, ThreadWorker(it.port, it.settings.checkpoint_dir):
        run_id = (await it.http.post("/api/runs", json={"config": config})).json()["run_id"]
        await it.until(run_id, lambda run: run["step"] > 10)
        await it.pause(run_id)
        at = (await it.command(run_id, "set", controls={"p_drop": 0.25})).json()["applied_step"]
        await it.command(run_id, "run_until", step=at + 50)
        await it.until(run_id, lambda run: run["step"] == at + 50)
        answer = await it.http.get(f"/api/runs/{run_id}/recording")
        assert answer.status_code == 200, answer.text
        found = decode(answer.content, called="the answer")
        assert found.recipe.edits == (Edit(step=at, controls={"p_drop": 0.25}),)
        assert (found.steps[0], found.steps[-1]) == (0, at + 50)
        assert set(found.connection.ravel().tolist()) == {128}
        forked = (await it.http.post(f"/api/runs/{run_id}/fork", json={})).json()["run_id"]
        of_fork = decode((await it.http.get(f"/api/runs/{forked}/recording")).content, called="the fork's")
        assert of_fork.recipe.edits == found.recipe.edits
        assert of_fork.steps[-1] == found.steps[-1]


async def test_a_run_without_pictures_cannot_be_recorded(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        run_id = await it.new_run()
        answer = await it.http.get(f"/api/runs/{run_id}/recording")
        assert answer.status_code == 404
        assert answer.json()["error"].startswith("The run has no pictures yet.")


async def test_the_command_fetches_a_servers_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:

    config = {"model": {"num_layers": 1, "num_experts": 4, "num_partitions": 4}}
    async with lab(tmp_path) as it, ThreadWorker(it.port, it.settings.checkpoint_dir):
        run_id = (await it.http.post("/api/runs", json={"config": config})).json()["run_id"]
        await it.until(run_id, lambda run: run["step"] > 10)
        url, out = f"http://127.0.0.1:{it.port}", tmp_path / "fetched.recording"
        assert await asyncio.to_thread(main, ["record", run_id, "--server", url, "--out", str(out)]) == 0
        assert read_recording(out).recipe.config.model.num_experts == 4
        assert await asyncio.to_thread(main, ["record", "run-none", "--server", url, "--out", str(out)]) == 2
        assert "refused: There is no run 'run-none'." in capsys.readouterr().err
    assert await asyncio.to_thread(main, ["record", run_id, "--server", url, "--out", str(out)]) == 2
    assert "cannot be reached" in capsys.readouterr().err
    assert await asyncio.to_thread(main, ["record", run_id, "--out", str(out)]) == 2
    assert "RUN and --server must be given together" in capsys.readouterr().err


def test_the_recorded_runs_of_the_repository_can_be_read() -> None:
    paths = sorted((ROOT / "docs" / "recorded").glob("*.recording"))
    assert paths
    for path in paths:
        found = read_recording(path)
        assert len(found.steps) == 60
        assert found.steps[-1] == 3000
        assert f"seed{found.recipe.config.train.seed}" in path.name
        assert f"lambda{found.recipe.config.controls.lambda_conflict:g}-" in path.name
        assert found.accuracy is not None


async def test_the_servers_own_recorded_runs_are_those_of_the_repository(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        answer: httpx.Response = await it.http.get("/api/recorded")
        assert answer.json()["refused"] == []
        assert answer.json()["recorded"]


async def test_a_recorded_run_answers_what_a_page_asks_of_a_run(tmp_path: Path) -> None:
    write_one(tmp_path / "recorded", "first")
    async with lab(tmp_path / "data", recorded_dir=tmp_path / "recorded") as it:
        hello = (await it.http.get("/api/recorded/first/hello")).json()
        run = hello["run"]
        assert (run["run_id"], run["status"], run["step"], run["total_steps"]) == ("recorded:first", "finished", 2, 2)
        assert run["controls"]["applied"]["p_drop"] == 0.0
        assert run["controls"]["applied_step"]["p_drop"] == 1
        assert hello["scalar_names"] == ["step", "loss", "layer0/alpha_sparsity", "layer1/alpha_sparsity"]
        (edit,) = [event for event in hello["events"] if event["kind"] == "applied"]
        assert (edit["step"], edit["data"]["old"], edit["data"]["new"]) == (1, {"p_drop": 0.5}, {"p_drop": 0.0})
        phases = [event["data"]["phase"] for event in hello["events"] if event["kind"] == "phase"]
        assert phases.count("cuts") == 2  # one a layer: every link is cut from the beginning
        snapshot = decode_frame((await it.http.get("/api/recorded/first/snapshot")).content)
        assert (snapshot.kind, snapshot.step) == ("snapshot", 2)
        np.testing.assert_array_equal(snapshot.arrays["scalars"][:, [0, 2]], [[0, 1], [1, 1], [2, 1]])
        assert snapshot.arrays["scalars"][2, 1] == 0.25
        moment = decode_frame((await it.http.get("/api/recorded/first/moments/0/1")).content)
        assert moment.step == 1
        np.testing.assert_allclose(moment.arrays["layer1/connection"], np.full((8, 8), 13 / 255), rtol=1e-6)
        film = decode_frame((await it.http.get("/api/recorded/first/film?epoch=0")).content)
        np.testing.assert_array_equal(film.arrays["steps"], [0, 1, 2])
        assert film.arrays["layer0/connection"].shape == (3, 64)
        file = await it.http.get("/api/recorded/first/recording")
        assert decode(file.content, called="the file").recipe.edits[0].step == 1
        for path in ("first/moments/1/0", "none/hello", "none/film"):
            assert (await it.http.get(f"/api/recorded/{path}")).status_code == 404


async def test_a_recorded_run_without_a_topology_shows_its_scalars(tmp_path: Path) -> None:
    rows = np.array([[0, 0.5], [4, 0.75]], dtype=np.float32)
    names = ["step", "test_accuracy/mnist"]
    made = record(Recipe(config=preset("standard")), [(0, []), (4, [])], rows=rows, names=names)
    write_recording(made, tmp_path / "recorded" / "bare.recording")
    async with lab(tmp_path / "data", recorded_dir=tmp_path / "recorded") as it:
        hello = (await it.http.get("/api/recorded/bare/hello")).json()
        assert (hello["topology"], hello["events"]) == (False, [])
        assert [task["label"] for task in hello["tasks"]] == ["MNIST"]
        snapshot = decode_frame((await it.http.get("/api/recorded/bare/snapshot")).content)
        assert list(snapshot.arrays) == ["scalars"]


async def test_a_recorded_run_on_own_data_names_its_tasks_and_classes(tmp_path: Path) -> None:
    rows = np.array([[0, 0.5, 0.5], [4, 0.75, 0.5]], dtype=np.float32)
    names = ["step", "test_accuracy/dots", "test_accuracy/many"]
    reference = "shapes@0123456789abcdef"
    recipe = Recipe(config=with_settings(preset("standard"), {"dataset": reference}))
    classes = {"dots": ("few", "none"), "many": tuple(f"c{n}" for n in range(12))}
    for name, known in (("named", classes), ("older", None)):
        made = record(recipe, [(0, []), (4, [])], rows=rows, names=names, class_names=known)
        write_recording(made, tmp_path / "recorded" / f"{name}.recording")
    async with lab(tmp_path / "data", recorded_dir=tmp_path / "recorded") as it:
        named = (await it.http.get("/api/recorded/named/hello")).json()["tasks"]
        assert {task["name"]: tuple(task["class_names"]) for task in named} == classes
        assert [task["note"] for task in named] == [
            f"2 classes of the data set {reference}: few, none.",
            f"12 classes of the data set {reference}: {', '.join(f'c{n}' for n in range(10))} and 2 more.",
        ]
        older = (await it.http.get("/api/recorded/older/hello")).json()["tasks"]
        assert [(task["label"], task["class_names"]) for task in older] == [("dots", []), ("many", [])]
        assert older[0]["note"] == f"A task of the data set {reference}."


async def test_a_name_too_long_for_a_runs_id_is_refused(tmp_path: Path) -> None:
    write_one(tmp_path / "recorded", "x" * 60)
    async with lab(tmp_path / "data", recorded_dir=tmp_path / "recorded") as it:
        (sentence,) = (await it.http.get("/api/recorded")).json()["refused"]
        assert sentence.endswith("must have a name of at most 55 characters. Found 60.")
