"""Own data over HTTP: what there is, what is in it, a set made of a folder, and runs that name one."""

from __future__ import annotations

import base64
from pathlib import Path

import httpx
import numpy as np
import pytest

from backend.jobs import datasets
from cdsp_core.data.own.stored import path_of
from cdsp_core.wire.recording import decode
from tests.backend.lab import Lab, lab
from tests.backend.test_real_worker import CONFIG
from tests.backend.test_sweeps import until_map
from tests.core.own_data import TASKS, arrays, write_folders


async def made(it: Lab, name: str, source: str) -> httpx.Response:
    return await it.http.post("/api/datasets", json={"name": name, "source": source})


async def test_a_folder_and_an_npz_become_sets_which_are_listed_and_shown(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        folder = it.settings.dataset_dir
        write_folders(folder / "My shapes")
        np.savez(folder / "two.npz", **arrays())  # type: ignore[arg-type]
        (folder / "broken.dataset").write_bytes(b"nothing")
        found = (await it.http.get("/api/datasets")).json()
        assert (found["datasets"], found["sources"]) == ([], ["My shapes", "two.npz"])
        assert found["refused"][0].startswith("broken.dataset ")
        answer = await made(it, "shapes", "My shapes")
        assert answer.status_code == 201, answer.text
        assert [(task["name"], tuple(task["class_names"])) for task in answer.json()["tasks"]] == list(TASKS.items())
        assert answer.json()["tasks"][1]["train"] == [8, 8]
        assert (await made(it, "two", "two.npz")).status_code == 201
        listed = (await it.http.get("/api/datasets")).json()["datasets"]
        assert [each["name"] for each in listed] == ["shapes", "two"]
        shown = (await it.http.get("/api/datasets/shapes")).json()
        assert [image["task"] for image in shown["images"]] == [0] * 10 + [1] * 10
        assert len(base64.b64decode(shown["images"][0]["pixels"])) == 28 * 28
        assert (await it.http.get("/api/datasets/none")).json()["error"] == "There is no data set none here."


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"name": "a", "source": "../secret"}, "source must be a folder or an .npz in datasets/. Found '../secret'."),
        ({"name": "a", "source": "/etc"}, "source must be a folder or an .npz in datasets/. Found '/etc'."),
        ({"name": "a", "source": "link"}, "source must be a folder or an .npz in datasets/. Found 'link'."),
        ({"name": "a", "source": "none"}, "source must be a folder or an .npz in datasets/. Found 'none'."),
        ({"name": "../a", "source": "broken"}, "name must be 1 to 32 small letters, digits, - or _, a letter first."),
        ({"name": "a"}, "source must be a name in the folder of data sets. Found None."),
        ({"name": "a", "source": "broken"}, "broken/dots/few/03.png must be an image: PNG, JPEG, GIF, BMP or WEBP."),
    ],
)
async def test_a_source_that_is_none_is_one_sentence_that_names_the_file(
    tmp_path: Path, body: dict[str, str], sentence: str
) -> None:
    async with lab(tmp_path / "data") as it:
        write_folders(tmp_path / "data" / "secret")
        (it.settings.dataset_dir / "link").symlink_to(tmp_path / "data" / "secret")
        write_folders(it.settings.dataset_dir / "broken")
        (it.settings.dataset_dir / "broken" / "dots" / "few" / "03.png").write_text("no image")
        answer = await it.http.post("/api/datasets", json=body)
        assert answer.status_code == 422
        assert answer.json()["error"].startswith(sentence)
        assert not list(it.settings.dataset_dir.glob("*.dataset"))


async def test_what_takes_too_long_to_read_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "READ_TIMEOUT_S", 0.01)
    async with lab(tmp_path) as it:
        write_folders(it.settings.dataset_dir / "shapes")
        answer = await made(it, "shapes", "shapes")
        assert answer.json() == {"error": "shapes was not read within 0 s; it is too much."}


async def test_who_may_only_watch_sees_sets_and_makes_none(tmp_path: Path) -> None:
    async with lab(tmp_path, token="presenter" * 3, viewer_token="viewer" * 4) as it:
        watching = {"authorization": f"Bearer {'viewer' * 4}"}
        assert (await it.http.get("/api/datasets", headers=watching)).status_code == 200
        answer = await it.http.post("/api/datasets", json={"name": "a", "source": "a"}, headers=watching)
        assert answer.status_code == 403


@pytest.mark.slow
async def test_a_run_names_its_data_with_their_content_and_is_refused_without_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    async with lab(tmp_path, launcher="local", local_workers=1) as it:
        write_folders(it.settings.dataset_dir / "shapes")
        reference = (await made(it, "shapes", "shapes")).json()["reference"]
        config = {**CONFIG, "train": {**CONFIG["train"], "steps": 60, "batch_size": 8}}
        answer = await it.http.post("/api/runs", json={"config": config, "dataset": "shapes"})
        assert answer.status_code == 201, answer.text
        run_id = answer.json()["run_id"]
        run = await it.until_status(run_id, "finished")
        assert run["settings"]["dataset"] == reference
        async with it.page(run_id) as page:
            hello = await page.text("hello")
        assert [task["class_names"] for task in hello["tasks"]] == [list(classes) for classes in TASKS.values()]
        assert reference in hello["data"]["note"]
        images = (await it.http.get(f"/api/runs/{run_id}/images")).json()["images"]
        assert [(image["task"], image["label"]) for image in images] == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]
        lesion = (await it.http.get(f"/api/runs/{run_id}/lesion/0/0")).json()
        assert [len(row) for row in lesion["before"]] == [3, 3], "the head has as many outputs as the largest task"
        content = (await it.http.get(f"/api/runs/{run_id}/recording")).content
        recording = decode(content, called=run_id)
        assert recording.class_names == TASKS
        recipe = recording.recipe
        assert recipe.config.train.dataset == reference
        again = {"config": recipe.to_json()["config"]}
        write_folders(it.settings.dataset_dir / "others", of_a_class=12)
        await made(it, "shapes", "others")
        refused = await it.http.post("/api/runs", json=again)
        assert refused.status_code == 422
        assert refused.json()["error"].startswith("The data set shapes is another one now: this run's has the content ")
        path_of("shapes", it.settings.dataset_dir).unlink()
        refused = await it.http.post("/api/runs", json=again)
        assert refused.json()["error"] == "There is no data set shapes here."


@pytest.mark.slow
async def test_a_map_on_own_data_is_trained_with_it_and_refused_in_a_sentence_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CDSP_DATASET_DIR", raising=False)
    monkeypatch.setenv("CDSP_DATA_DIR", str(tmp_path / "elsewhere"))
    config = {**CONFIG, "train": {**CONFIG["train"], "batch_size": 8, "dataset": "shapes"}}
    axes = [{"field": "lambda_conflict", "values": [0, 10]}, {"field": "p_drop", "values": [0, 0.5]}]
    asked = {"axes": axes, "steps": 10, "config": config}
    async with lab(tmp_path / "data", launcher="local", local_workers=1) as it:
        missing = await it.http.post("/api/sweeps", json=asked)
        assert (missing.status_code, missing.json()["error"]) == (422, "There is no data set shapes here.")
        write_folders(it.settings.dataset_dir / "shapes")
        reference = (await made(it, "shapes", "shapes")).json()["reference"]
        answer = await it.http.post("/api/sweeps", json=asked)
        assert answer.status_code == 201, answer.text
        sweep_id = answer.json()["sweep_id"]
        assert answer.json()["config"]["train"]["dataset"] == reference
        ended = await until_map(it, sweep_id, lambda found: found["state"] in ("finished", "failed"))
        assert (ended["state"], ended["reason"]) == ("finished", None)
        assert [cell["reason"] for cell in ended["cells"]] == [None] * 4
        assert all(0 <= cell["measures"]["accuracy"] <= 1 for cell in ended["cells"])
        hello = (await it.http.get(f"/api/recorded/{ended['cells'][0]['replay']}/hello")).json()
        assert {task["name"]: tuple(task["class_names"]) for task in hello["tasks"]} == TASKS
        path_of("shapes", it.settings.dataset_dir).unlink()
        for what, body in (("extend", {"seeds": 2}), ("resume", {})):
            more = await it.http.post(f"/api/sweeps/{sweep_id}/{what}", json=body)
            assert (more.status_code, more.json().get("error")) == (422, "There is no data set shapes here."), what
        assert (await it.http.get(f"/api/sweeps/{sweep_id}")).json()["total"] == 4
