"""What the page Runs needs: names and notes, what a run came to and takes on disk, pages of the list, deleting."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed

from backend.live.records import from_record, to_record
from backend.live.state import RunState
from backend.storage.schema import OF_A_RUN, VERSION
from backend.storage.store import Store, StoreError
from cdsp_core.settings.presets import preset
from tests.backend.lab import Lab, ThreadWorker, lab

CHANGES: list[tuple[dict[str, Any], str]] = [
    ({"name": ""}, "name must be 1 to 80 printable characters. Found ''."),
    ({"name": "x" * 81}, "name must be 1 to 80 printable characters."),
    ({"name": 7}, "name must be 1 to 80 printable characters. Found 7."),
    ({"name": "a\u0000b"}, "name must be 1 to 80 printable characters."),
    ({"note": "x" * 501}, "note must be at most 500 printable characters."),
    ({"note": "a\u001bb"}, "note must be at most 500 printable characters."),
    ({"seed": 1}, "a change of a run has no field 'seed'. It has name, note, kept."),
]


async def finished_run(it: Lab, steps: int = 50) -> str:
    run_id = await it.new_run_of_steps(steps)
    await it.until_status(run_id, "finished")
    return run_id


async def test_a_run_is_renamed_and_noted_for_everybody_and_for_good(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        run_id = await it.new_run(name="first")
        async with it.page(run_id) as page:
            await page.text("hello")
            answer = await it.http.patch(f"/api/runs/{run_id}", json={"name": "second", "note": "two\nlines"})
            assert (answer.status_code, answer.json()["name"], answer.json()["note"]) == (200, "second", "two\nlines")
            while (told := await page.text("run"))["run"]["name"] != "second":
                pass
            assert told["run"]["note"] == "two\nlines"
        answer = await it.http.patch(f"/api/runs/{run_id}", json={"note": ""})
        assert (answer.json()["name"], answer.json()["note"]) == ("second", "")
    async with lab(tmp_path) as it:
        assert (await it.run(run_id))["name"] == "second"


@pytest.mark.parametrize(("body", "sentence"), CHANGES)
async def test_a_bad_change_gets_one_sentence(tmp_path: Path, body: dict[str, Any], sentence: str) -> None:
    async with lab(tmp_path) as it:
        run_id = await it.new_run(name="kept")
        answer = await it.http.patch(f"/api/runs/{run_id}", json=body)
        assert answer.status_code == 422
        assert answer.json()["error"].startswith(sentence)
        assert (await it.run(run_id))["name"] == "kept"


async def test_the_list_says_what_a_run_came_to_also_after_a_new_start(tmp_path: Path) -> None:
    async with (
        lab(tmp_path) as it,
        ThreadWorker(it.port, it.settings.checkpoint_dir, further=("layer0/alpha_sparsity",)),
    ):
        waiting = await it.new_run()
        await it.command(waiting, "stop")
        run_id = await finished_run(it)
        rows = {row["run_id"]: row for row in (await it.http.get("/api/runs")).json()}
    assert rows[run_id]["accuracy"] == 0.5
    assert rows[run_id]["blind_accuracy"] is None
    assert rows[run_id]["links_cut"] == 7 * 16
    checkpoints = sum(file.stat().st_size for file in (tmp_path / "checkpoints" / run_id).iterdir())
    assert rows[run_id]["size_bytes"] > checkpoints > 0
    async with lab(tmp_path) as it:
        row = await it.run(run_id)
    assert (row["accuracy"], row["links_cut"]) == (0.5, 7 * 16)
    assert row["size_bytes"] >= rows[run_id]["size_bytes"]


async def test_the_list_comes_in_pages_newest_first(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        made = [await it.new_run(name=f"run {number}") for number in range(5)]
        whole = await it.http.get("/api/runs")
        assert [row["run_id"] for row in whole.json()] == made[::-1]
        page = await it.http.get("/api/runs?limit=2&offset=1")
        assert [row["run_id"] for row in page.json()] == made[::-1][1:3]
        assert page.headers["x-total-count"] == "5"
        assert (await it.http.get("/api/runs?offset=9")).json() == []
        for query in ("limit=0", "limit=x", "offset=-1"):
            assert (await it.http.get(f"/api/runs?{query}")).status_code == 422


async def test_only_an_ended_run_is_deleted_and_then_nothing_of_it_is_left(tmp_path: Path) -> None:
    async with lab(tmp_path) as it, ThreadWorker(it.port, it.settings.checkpoint_dir):
        run_id, other = await it.new_run(), await it.new_run()
        await it.until(run_id, lambda run: run["step"] > 20)
        answer = await it.http.delete(f"/api/runs/{run_id}")
        assert answer.status_code == 409
        assert answer.json()["error"] == "A run must have ended before it is deleted. Found it running: stop it first."
        await it.command(run_id, "stop")
        async with it.page(run_id) as page:
            await page.frame("snapshot")
            assert (await it.http.delete(f"/api/runs/{run_id}")).status_code == 204
            assert (await page.text("error"))["reason"] == "The run was deleted."
            with pytest.raises(ConnectionClosed) as closed:
                await page.read()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 4404
        assert (await it.http.get(f"/api/runs/{run_id}")).status_code == 404
        assert (await it.http.delete(f"/api/runs/{run_id}")).status_code == 404
        assert not (tmp_path / "checkpoints" / run_id).exists()
        await it.until(other, lambda run: run["step"] > 5)
        with sqlite3.connect(tmp_path / "history.sqlite") as history:
            for table in OF_A_RUN:
                found = history.execute(f"SELECT COUNT(*) FROM {table} WHERE run_id = ?", (run_id,)).fetchone()[0]
                assert found == 0, table
    async with lab(tmp_path) as it:
        assert [row["run_id"] for row in (await it.http.get("/api/runs")).json()] == [other]


async def test_a_deleted_run_takes_the_log_of_its_worker_with_it(tmp_path: Path) -> None:
    async with lab(tmp_path, launcher="local", local_workers=0) as it:
        run_id = await it.new_run()
        await it.command(run_id, "stop")
        hub = it.runs.get(run_id)
        hub.state.take("0123456789abcdef", 1)
        hub.state.end("failed", "for the test")
        log = tmp_path / "logs" / "worker-01234567.log"
        log.parent.mkdir()
        log.write_text("the last words")
        assert (await it.http.delete(f"/api/runs/{run_id}")).status_code == 204
        assert not log.exists()


def test_a_history_from_before_there_were_versions_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    state = RunState(run_id="run-1", name="old", config=preset("live"), created_ms=1.0, generation=3, status="finished")
    record = to_record(state)
    for name in ("generation", "description", "note"):
        del record[name]
    static = {"tasks": [], "scalar_names": ["step", "loss"], "layers": 1, "experts": 4, "device": None}
    record |= {"epoch": 3, "static": static, "device": None}
    with sqlite3.connect(path) as history:
        history.execute("CREATE TABLE runs (run_id TEXT PRIMARY KEY, created_ms REAL NOT NULL, record TEXT NOT NULL)")
        history.execute("INSERT INTO runs VALUES ('run-1', 1.0, ?)", (json.dumps(record),))
        empty = json.dumps({**record, "run_id": "run-2", "epoch": -1, "static": {}})
        history.execute("INSERT INTO runs VALUES ('run-2', 2.0, ?)", (empty,))
        history.execute("INSERT INTO runs VALUES ('run-3', 3.0, ?)", ("no JSON",))
        history.execute(
            "CREATE TABLE scalars (run_id TEXT, epoch INTEGER, seq INTEGER, after_seq INTEGER NOT NULL,"
            " columns INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (run_id, epoch, seq))"
        )
        rows = np.ones((2, 2), dtype="<f4").tobytes()
        history.execute("INSERT INTO scalars VALUES ('run-1', 3, 0, -1, 2, ?)", (rows,))
    history.close()
    store = Store(path)
    store.open()
    store.close()
    with sqlite3.connect(path) as history:
        assert history.execute("PRAGMA user_version").fetchone()[0] == VERSION
        records = [row[0] for row in history.execute("SELECT record FROM runs ORDER BY created_ms")]
    old, never_begun = (from_record(json.loads(each)) for each in records[:2])
    assert (old.unreadable, old.generation, old.note, old.described.scalar_names) == (None, 3, "", ["step", "loss"])
    assert (never_begun.unreadable, never_begun.generation, never_begun.description) == (None, -1, None)
    assert records[2] == "no JSON"
    assert store.size_bytes("run-1") == len(rows)


def test_a_history_of_a_later_version_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    with sqlite3.connect(path) as history:
        history.execute(f"PRAGMA user_version = {VERSION + 1}")
    with pytest.raises(StoreError, match=r"was written by a newer version \(schema \d+, .*with --data-dir\.$"):
        Store(path).open()
    with sqlite3.connect(path) as history:
        assert history.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0] == 0


async def test_what_changes_while_the_list_is_asked_does_no_harm(tmp_path: Path) -> None:
    async with lab(tmp_path) as it, ThreadWorker(it.port, it.settings.checkpoint_dir):
        kept = await it.new_run()
        await it.until_status(kept, "running")
        doomed = [await it.new_run() for _ in range(3)]
        for run_id in doomed:
            await it.command(run_id, "stop")
        lists = [it.http.get("/api/runs") for _ in range(5)]
        deletions = [it.http.delete(f"/api/runs/{run_id}") for run_id in doomed]
        answers = await asyncio.gather(*lists, *deletions)
        assert {answer.status_code for answer in answers} == {200, 204}
