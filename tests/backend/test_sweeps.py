"""Maps over HTTP: trained in a process of their own, one at a time, stopped, resumed, extended, held, deleted."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.jobs.sweep_folder import SweepFolder
from backend.web.sweep_routes import cell_by_cell
from cdsp_core.settings.presets import preset
from cdsp_core.studies.sweeps.files import parquet_of
from cdsp_core.studies.sweeps.run import run_sweep
from cdsp_core.studies.sweeps.spec import Sweep, axis_of
from tests.backend.lab import PATIENCE_S, Lab, ThreadWorker, lab
from tests.core.tiny_study import Silent, set_up
from tests.core.tiny_sweep import run as tiny_cell

AXES = [{"field": "lambda_conflict", "values": [0, 10]}, {"field": "p_drop", "low": 0, "high": 1, "count": 2}]
SMALL = {"axes": AXES, "steps": 10}


def tiny(folder: Path, processes: int, more: Sequence[str] = ()) -> Sequence[str]:
    """The command that trains maps of cells of a few milliseconds."""
    return [sys.executable, "-m", "tests.core.tiny_sweep", str(folder), str(processes)]


class Holding:
    """The same; the cells of the first map that is started wait for its file `hold` to go."""

    def __init__(self) -> None:
        self.held: Path | None = None

    def __call__(self, folder: Path, processes: int, more: Sequence[str]) -> Sequence[str]:
        if self.held is None:
            self.held = folder / "hold"
            self.held.touch()
        return tiny(folder, processes)

    def free(self) -> None:
        assert self.held is not None
        self.held.unlink()


async def new_map(it: Lab, **fields: Any) -> dict[str, Any]:
    answer = await it.http.post("/api/sweeps", json={**SMALL, **fields})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def until_map(it: Lab, sweep_id: str, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            found: dict[str, Any] = (await it.http.get(f"/api/sweeps/{sweep_id}")).json()
            if wanted(found):
                return found
            await asyncio.sleep(0.05)


def is_(state: str) -> Callable[[dict[str, Any]], bool]:
    return lambda found: bool(found["state"] == state)


async def until_ran(it: Lab, sweep_id: str) -> None:
    """Until a cell has begun."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            if ran(it, sweep_id):
                return
            await asyncio.sleep(0.05)


def ran(it: Lab, sweep_id: str) -> list[str]:
    path = it.settings.sweep_dir / sweep_id / "ran"
    return path.read_text().split() if path.exists() else []


async def test_a_map_trains_to_its_end_and_every_cell_has_its_measures_and_its_picture(tmp_path: Path) -> None:
    async with lab(tmp_path, sweep_command=tiny) as it:
        made = await new_map(it, name="My map", measures=["links_cut"])
        assert (made["name"], made["total"], made["recorded"]) == ("My map", 4, False)
        assert made["axes"][1] == {"field": "p_drop", "values": [0.0, 1.0]}
        ended = await until_map(it, made["sweep_id"], is_("finished"))
        assert {(cell["x"], cell["y"], cell["measures"]["links_cut"]) for cell in ended["cells"]} == {
            (0, 0, 0.0), (0, 1, 0.0), (1, 0, 10.0), (1, 1, 10.0),
        }  # fmt: skip
        assert {cell["state"] for cell in ended["cells"]} == {"done"}
        assert ended["cells"][0]["connection"][0][0][0] == 128
        detail = await it.runs.sweeps.get(made["sweep_id"])
        assert cell_by_cell(detail) == detail.to_text()
        lines = await it.http.get(f"/api/sweeps/{made['sweep_id']}?format=lines")
        assert lines.headers["content-type"] == "application/jsonl"
        told, *cells = map(json.loads, lines.text.splitlines())
        assert {**told, "cells": len(cells)} == {**ended, "cells": 4}
        for cell, whole in zip(cells, ended["cells"], strict=True):
            content = np.frombuffer(base64.b64decode(cell["connection"]["base64"]), np.uint8)
            assert content.reshape(cell["connection"]["shape"]).tolist() == whole["connection"]
            assert {**cell, "connection": None} == {**whole, "connection": None}
        refused = await it.http.get(f"/api/sweeps/{made['sweep_id']}?format=xml")
        assert (refused.status_code, refused.json()["error"]) == (422, "format must be json or lines. Found 'xml'.")
        assert [measure["name"] for measure in ended["measures"]] == ["links_cut"]
        key = ended["cells"][0]["key"]
        assert (await it.http.get(f"/api/sweeps/{made['sweep_id']}/cells/{key}?format=json")).json()["steps"] == [0, 10]
        name = ended["cells"][0]["replay"]
        shown = (await it.http.get(f"/api/recorded/{name}/hello")).json()["run"]
        assert (shown["run_id"], shown["name"]) == (f"recorded:{name}", "lambda_conflict 0, p_drop 0, seed 0")
        replay = await it.http.get(f"/api/recorded/{name}?format=json")
        assert replay.json()["recipe"]["config"]["controls"]["lambda_conflict"] == 0.0
        listed = (await it.http.get(f"/api/recorded?also={name},none")).json()["recorded"]
        assert [row["name"] for row in listed][-1] == name
        table = await it.http.get(f"/api/sweeps/{made['sweep_id']}/parquet")
        assert table.content[:4] == b"PAR1"
        listed = (await it.http.get("/api/sweeps")).json()
        assert listed["unavailable"] is None
        assert [each["sweep_id"] for each in listed["sweeps"] if not each["recorded"]] == [made["sweep_id"]]


@pytest.mark.slow
async def test_a_stopped_map_goes_on_from_its_finished_cells(tmp_path: Path) -> None:
    command = Holding()
    async with lab(tmp_path, sweep_command=command) as it:
        sweep_id = (await new_map(it))["sweep_id"]
        await until_ran(it, sweep_id)
        second = await new_map(it)
        assert second["state"] == "waiting"
        assert (await it.http.delete(f"/api/sweeps/{second['sweep_id']}")).status_code == 409
        stopped = (await it.http.post(f"/api/sweeps/{sweep_id}/stop")).json()
        assert stopped["state"] == "stopped"
        await until_map(it, second["sweep_id"], is_("finished"))
        assert (await it.http.delete(f"/api/sweeps/{second['sweep_id']}")).status_code == 204
        assert not (it.settings.sweep_dir / second["sweep_id"]).exists()

        command.free()
        await it.http.post(f"/api/sweeps/{sweep_id}/resume")
        assert (await until_map(it, sweep_id, is_("finished")))["done"] == 4


@pytest.mark.slow
async def test_an_extended_map_does_nothing_over(tmp_path: Path) -> None:
    async with lab(tmp_path, sweep_command=tiny) as it:
        sweep_id = (await new_map(it))["sweep_id"]
        await until_map(it, sweep_id, is_("finished"))
        before = ran(it, sweep_id)
        more = {"axes": [{"field": "p_drop", "values": [0.5]}]}
        extended = (await it.http.post(f"/api/sweeps/{sweep_id}/extend", json=more)).json()
        assert extended["total"] == 6
        await until_map(it, sweep_id, is_("finished"))
        assert sorted(ran(it, sweep_id)[len(before) :]) == [
            "lambda_conflict-0.0_p_drop-0.5-seed0",
            "lambda_conflict-10.0_p_drop-0.5-seed0",
        ]


async def test_a_map_goes_on_by_itself_when_its_server_starts_again(tmp_path: Path) -> None:
    command = Holding()
    async with lab(tmp_path, sweep_command=command) as it:
        made = await new_map(it)
    command.free()
    async with lab(tmp_path, sweep_command=tiny) as it:
        ended = await until_map(it, made["sweep_id"], is_("finished"))
        assert ended["done"] == 4


async def test_a_map_waits_while_a_run_trains_where_that_is_asked(tmp_path: Path) -> None:
    command = Holding()
    async with lab(tmp_path, sweep_command=command) as it, ThreadWorker(it.port, it.settings.checkpoint_dir):
        run_id = await it.new_run()
        await it.until_status(run_id, "running")
        made = await new_map(it, waits=True)
        waiting = await until_map(it, made["sweep_id"], is_("paused"))
        assert waiting["reason"] == "Waits while a run trains."
        assert (it.settings.sweep_dir / made["sweep_id"] / "cells" / "held").exists()
        command.free()
        await it.command(run_id, "stop")
        await until_map(it, made["sweep_id"], is_("finished"))


async def test_a_map_that_cannot_be_trained_says_why(tmp_path: Path) -> None:
    def refusing(folder: Path, processes: int, more: Sequence[str]) -> Sequence[str]:
        (folder / "refuse").touch()
        return tiny(folder, processes)

    async with lab(tmp_path, sweep_command=refusing) as it:
        made = await new_map(it)
        failed = await until_map(it, made["sweep_id"], is_("failed"))
        assert failed["reason"] == "This map cannot be trained."


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"axes": AXES[:1]}, "axes must be two: what varies across, then what varies down. Found 1."),
        ({"axes": [AXES[0], AXES[0]]}, "the two axes must be two settings. Found lambda_conflict twice."),
        (
            {"axes": [AXES[0], {"field": "p_drop"}]},
            "an axis must be {field, values} or {field, low, high, count, spacing: linear or log}. "
            "Found {'field': 'p_drop'}.",
        ),
        (
            {"axes": [AXES[0], {"field": "p_drop", "values": [2]}]},
            "p_drop must be a number from 0 to 1. Found 2.0.",
        ),
        ({"seeds": 501}, "a map must have at most 2000 cells, each seed counted. Found 2 x 2 x 501."),
        ({"seeds": 0}, "seeds must be a whole number from 1 to 2000. Found 0."),
        (
            {"axis": 1},
            "a map has no field 'axis'. It has name, preset, config, axes, seed, seeds, steps, measures, data, waits.",
        ),
        (
            {"measures": ["beauty"]},
            "a measure must be one of links_cut, accuracy, blind_accuracy, blind_gap, "
            "diagonal_gini, load_gini, routing_overlap, entropy, conflict. Found 'beauty'.",
        ),
    ],
)
async def test_bad_input_is_one_sentence(tmp_path: Path, fields: dict[str, Any], sentence: str) -> None:
    async with lab(tmp_path, sweep_command=tiny) as it:
        answer = await it.http.post("/api/sweeps", json={**SMALL, **fields})
        assert (answer.status_code, answer.json()) == (422, {"error": sentence})
        assert [each for each in (await it.http.get("/api/sweeps")).json()["sweeps"] if not each["recorded"]] == []


async def test_what_is_refused_leaves_a_run_and_a_map_as_they_are(tmp_path: Path) -> None:
    command = Holding()
    async with lab(tmp_path, sweep_command=command) as it, ThreadWorker(it.port, it.settings.checkpoint_dir):
        run_id = await it.new_run()
        await it.until_status(run_id, "running")
        made = await new_map(it)
        await until_ran(it, made["sweep_id"])
        for refused in (
            {"axes": [AXES[0], AXES[0]]},
            {"axes": [AXES[0], {"field": "p_drop", "values": [2]}]},
            {"seeds": 501},
        ):
            assert (await it.http.post("/api/sweeps", json={**SMALL, **refused})).status_code == 422
        step = (await it.run(run_id))["step"]
        run = await it.until(run_id, lambda run: run["step"] > step + 20)
        assert (run["status"], run["reason"]) == ("running", None)
        command.free()
        ended = await until_map(it, made["sweep_id"], is_("finished"))
        assert (ended["done"], ended["reason"]) == (4, None)


async def test_a_server_whose_workers_run_elsewhere_trains_no_maps_and_says_so(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        answer = await it.http.post("/api/sweeps", json=SMALL)
        assert answer.status_code == 503
        assert "start one with launcher local" in answer.json()["error"]
        assert (await it.http.get("/api/sweeps/none")).status_code == 404


async def test_who_may_only_watch_sees_maps_and_starts_none(tmp_path: Path) -> None:
    watch = "the-token-of-those-who-watch"
    async with lab(tmp_path, sweep_command=tiny, token="the-token-of-those-who-steer", viewer_token=watch) as it:
        watching = {"authorization": f"Bearer {watch}"}
        assert (await it.http.get("/api/sweeps", headers=watching)).status_code == 200
        refused = await it.http.post("/api/sweeps", json=SMALL, headers=watching)
        assert refused.status_code == 403


async def test_maps_that_come_with_the_program_are_shown_and_stay_as_they_are(tmp_path: Path) -> None:
    asked = Sweep(base=preset("live"), x=axis_of("lambda_conflict", "0"), y=axis_of("p_drop", "0"), steps=10)
    out = tmp_path / "recorded" / "maps" / "one"
    await asyncio.to_thread(run_sweep, asked, out=out, processes=1, progress=Silent(), run=tiny_cell, set_up=set_up)
    async with lab(tmp_path / "data", sweep_command=tiny, recorded_dir=tmp_path / "recorded") as it:
        found = (await it.http.get("/api/sweeps/one")).json()
        assert (found["recorded"], found["state"], found["done"]) == (True, "finished", 1)
        for verb, path in (("POST", "/stop"), ("POST", "/resume"), ("DELETE", "")):
            assert (await it.http.request(verb, f"/api/sweeps/one{path}")).status_code == 409
        assert (await it.http.get("/api/recorded")).json() == {"recorded": [], "refused": []}
        await asyncio.to_thread(shutil.copytree, out, out.with_name("two"))
        listed = (await it.http.get("/api/sweeps")).json()["sweeps"]
        assert [each["sweep_id"] for each in listed] == ["one", "two"]
        asked = Sweep(base=preset("live"), x=axis_of("lambda_conflict", "0,1"), y=axis_of("p_drop", "0"), steps=10)
        out = out.with_name("wide")
        await asyncio.to_thread(run_sweep, asked, out=out, processes=1, progress=Silent(), run=tiny_cell, set_up=set_up)
    async with lab(tmp_path / "data", sweep_command=tiny, recorded_dir=tmp_path / "recorded") as it:
        listed = (await it.http.get("/api/sweeps")).json()["sweeps"]
        assert [each["sweep_id"] for each in listed] == ["wide", "one", "two"]  # the largest is shown at once


def test_the_maps_that_come_with_the_program_are_whole() -> None:
    for path in (Path(__file__).parents[2] / "docs" / "recorded" / "maps").iterdir():
        assert {cell.state for cell in SweepFolder(path).cells(since_ns=None)} == {"done"}, path
        assert parquet_of(path).exists()


async def test_files_of_a_cell_that_cannot_be_read_are_told_and_break_nothing(tmp_path: Path) -> None:
    asked = Sweep(base=preset("live"), x=axis_of("lambda_conflict", "0,1"), y=axis_of("p_drop", "0"), steps=10)
    out = tmp_path / "recorded" / "maps" / "one"
    await asyncio.to_thread(run_sweep, asked, out=out, processes=1, progress=Silent(), run=tiny_cell, set_up=set_up)
    broken, failed = sorted((out / "cells").glob("*.recording"))
    broken.write_bytes(b"nothing")
    failed.with_suffix(".failed").write_bytes(b"\xff" + b"<b>" * 10**6)
    async with lab(tmp_path / "data", sweep_command=tiny, recorded_dir=tmp_path / "recorded") as it:
        for form in ("json", "lines"):
            assert (await it.http.get(f"/api/sweeps/one?format={form}")).status_code == 200
        cells = {cell["key"]: cell for cell in (await it.http.get("/api/sweeps/one")).json()["cells"]}
        assert cells[broken.stem]["state"] == "waiting"
        assert cells[failed.stem]["reason"] == "\N{REPLACEMENT CHARACTER}" + "<b>" * 99 + "<b"
        answer = await it.http.get(f"/api/sweeps/one/cells/{broken.stem}")
        assert (answer.status_code, answer.json()["error"][:44]) == (
            503,
            f"The cell cannot be read: {broken.name}"[:44],
        )
        broken.unlink()
        broken.mkdir()
        assert (await it.http.get(f"/api/sweeps/one/cells/{broken.stem}?format=file")).status_code == 404
