"""The store: once and for all, bounded, and honest about a disk that refuses."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from backend.live.records import to_record
from backend.live.state import RunState
from backend.storage.store import Store, StoreError
from backend.storage.thinning import NEVER_THINNED
from backend.web.export import csv_lines
from cdsp_core.settings.presets import preset
from cdsp_core.wire.messages.run import Event, KeptResult
from cdsp_core.wire.messages.vocabulary import Outcome
from tests.backend.lab import ThreadWorker, lab, until


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "history.sqlite", frames_mib_a_run=1, gather_s=0.0)
    opened.open()
    yield opened
    opened.close()


def event_at(epoch: int, step: int, text: str = "") -> Event:
    said = text or f"at {step}"
    return Event(kind="phase", run="run-1", epoch=epoch, step=step, revision=0, time_ms=0.0, text=said, data={})


def answer(status: Outcome) -> KeptResult:
    return KeptResult(command_id="a", status=status, applied_step=1, revision=0, old={}, new={}, stale=False)


def add_frames(store: Store, number: int, *, size: int, epoch: int = 0, first: int = 0) -> None:
    for seq in range(first, first + number):
        rows = np.full((2, 3), seq, dtype=np.float32)
        store.save_frame("run-1", epoch, seq, after_seq=seq - 1, step=2 * seq, message=b"x" * size, scalars=rows)


def test_old_frames_are_thinned_by_powers_of_two_and_no_scalar_or_event_goes(store: Store) -> None:
    store.save_generation("run-1", 0, None, ["step", "loss", "x"])
    for n in range(50):
        store.save_event("run-1", "test", n, event_at(0, n))
    total = 4000
    for first in range(0, total, 500):
        add_frames(store, 500, size=700, first=first)
        store.flush()
    with sqlite3.connect(store._path) as connection:
        kept = [row[0] for row in connection.execute("SELECT seq FROM frames ORDER BY seq")]
        stored_bytes = connection.execute("SELECT SUM(size) FROM frames").fetchone()[0]
    assert stored_bytes <= 2**20
    assert kept[-NEVER_THINNED:] == list(range(total - NEVER_THINNED, total))
    old = [seq for seq in kept if seq < total - NEVER_THINNED - 500]
    assert old
    assert all(seq % 2 == 0 for seq in old)
    scalars = store.archive.scalars("run-1", 0)
    assert scalars is not None
    assert len(scalars) == 2 * total
    assert len(store.archive.events("run-1")) == 50


def test_large_frames_are_thinned_too(store: Store) -> None:
    add_frames(store, 40, size=100_000)
    store.flush()
    frames, more = store.archive.frames("run-1", (-1, -1), limit=100, every=1, max_bytes=2**40)
    assert not more
    assert 0 < len(frames) <= 10


def test_what_is_handed_over_twice_is_stored_once(store: Store) -> None:
    for _ in range(2):
        add_frames(store, 5, size=10)
        store.save_event("run-1", "worker", 7, event_at(0, 1, "once"))
        store.save_answer("run-1", answer("applied"))
        store.save_received("worker", 7)
    store.save_answer("run-1", answer("rejected"))
    store.flush()
    scalars = store.archive.scalars("run-1", 0)
    assert scalars is not None
    assert scalars[:, 0].tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert len(store.archive.events("run-1")) == 1
    assert store.archive.answer("run-1", "a") == answer("applied")
    assert store.archive.received("worker") == 7
    assert store.archive.received("another") == 0


def test_an_epoch_continues_the_scalars_of_its_parent_up_to_the_checkpoint(store: Store) -> None:
    names = ["step"]
    for epoch, parent, steps in ((0, None, (1, 2, 3, 4)), (1, (0, 2), (3, 4, 5, 6)), (2, (1, 4), (5, 6, 7))):
        store.save_generation("run-1", epoch, parent, names)
        rows = np.array(steps, dtype=np.float32)[:, None] + epoch / 10
        store.save_frame("run-1", epoch, 0, after_seq=-1, step=0, message=b"", scalars=rows)
    store.flush()
    scalars = store.archive.scalars("run-1", 2)
    assert scalars is not None
    np.testing.assert_allclose(scalars[:, 0], [1, 2, 3.1, 5.2, 6.2, 7.2], rtol=1e-6)


def test_scalars_of_a_parent_that_measured_other_things_have_the_columns_of_the_epoch(store: Store) -> None:
    for epoch, parent, names in ((0, None, ["step", "gone", "loss"]), (1, (0, 1), ["step", "loss", "new"])):
        store.save_generation("run-1", epoch, parent, names)
        rows = np.array([[1 + epoch, 10, 100], [2 + epoch, 20, 200]], dtype=np.float32)
        store.save_frame("run-1", epoch, 0, after_seq=-1, step=0, message=b"", scalars=rows)
    store.flush()
    nan, same = np.nan, np.testing.assert_array_equal
    same(store.archive.scalars("run-1", 1), [[1, 100, nan], [2, 10, 100], [3, 20, 200]])
    same(store.archive.scalars("run-1", 0), [[1, 10, 100], [2, 20, 200]])
    same(store.archive.scalars("run-1", 0, upto_step=1, names=["step", "x", "loss"]), [[1, nan, 100]])
    state = RunState(run_id="run-1", name="x", config=preset("live"), created_ms=0.0)
    assert "".join(csv_lines(store.archive, state, {})).splitlines() == [
        "epoch,step,loss,new,gone,events",
        "0,1,100,,10,",
        "0,2,200,,20,",
        "1,2,10,100,,",
        "1,3,20,200,,",
    ]


def test_a_worker_is_told_only_of_what_is_on_disk(tmp_path: Path) -> None:
    store = Store(tmp_path / "history.sqlite", gather_s=0.0)
    told: list[tuple[str, int, bool]] = []
    store.open()
    store.writer.on_saved = lambda worker_id, n: told.append((worker_id, n, store.archive.received(worker_id) >= n))
    for n in range(1, 20):
        add_frames(store, 1, size=10, first=n)
        store.save_received("worker", n)
    store.flush()
    store.close()
    assert told[-1] == ("worker", 19, True)
    assert all(on_disk for *_, on_disk in told)


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StoreError, match=r"^The data folder .* cannot be written .* Choose another with --data-dir\.$"):
        Store(tmp_path / "file" / "history.sqlite").open()
    (tmp_path / "history.sqlite").write_text("this is no database, and long enough to be sure of that")
    with pytest.raises(StoreError, match="is damaged"):
        Store(tmp_path / "history.sqlite").open()


async def test_training_goes_on_while_the_disk_refuses_and_says_so_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.storage.writer.RETRY_S", 0.05)
    async with lab(tmp_path) as it, ThreadWorker(it.port, it.settings.checkpoint_dir) as worker:
        run_id = await it.new_run()
        await it.until(run_id, lambda run: run["step"] > 10)
        async with it.page(run_id) as page:
            write = it.runs.store.writer._write

            def refuse(*_: object) -> None:
                raise sqlite3.OperationalError("database or disk is full")

            monkeypatch.setattr(it.runs.store.writer, "_write", refuse)
            await until(lambda: it.runs.store.error is not None)
            at = (await it.run(run_id))["step"]
            await page.until_step(at + 100)
            errors = [text for text in page.texts if text["type"] == "event" and text["kind"] == "error"]
            assert len(errors) == 1
            assert "The history cannot be written (database or disk is full)" in errors[0]["text"]
            monkeypatch.setattr(it.runs.store.writer, "_write", write)
            await until(lambda: it.runs.store.error is None)
        await it.pause(run_id)
        await until(lambda: worker.outbox.frames == 0)
        run = await it.run(run_id)
        scalars = it.runs.store.archive.scalars(run_id, 0)
        assert scalars is not None
        assert scalars[:, 0].tolist() == list(range(1, run["step"] + 1))


async def test_history_is_served_as_json_as_binary_and_as_files(tmp_path: Path) -> None:
    async with lab(tmp_path) as it, ThreadWorker(it.port, it.settings.checkpoint_dir, step_s=0.005):
        run_id = await it.new_run_of_steps(50)
        await it.until(run_id, lambda run: run["step"] > 5)
        await it.command(run_id, "set", controls={"p_drop": 0.25})
        await it.until_status(run_id, "finished")
        events = await it.events(run_id)
        assert [event["kind"] for event in events].count("applied") == 1
        first = (await it.http.get(f"/api/runs/{run_id}/frames?limit=2")).json()
        assert [frame["seq"] for frame in first["frames"]] == [0, 1]
        assert first["next"] == "0:1"
        assert first["frames"][1]["arrays"]["scalars"][0][3] is None
        rest = (await it.http.get(f"/api/runs/{run_id}/frames?after=0:1&limit=500")).json()
        assert rest["frames"][0]["seq"] == 2
        assert rest["next"] is None
        answer = await it.http.get(f"/api/runs/{run_id}/frames/0/1")
        assert answer.headers["content-type"] == "application/octet-stream"
        lines = (await it.http.get(f"/api/runs/{run_id}/export?format=csv")).text.splitlines()
        assert lines[0] == "epoch,step,data_epoch,loss,test_accuracy/mnist,events"
        assert [line.split(",")[1] for line in lines[1:] if line.split(",")[2]] == [str(step) for step in range(1, 51)]
        assert any("p_drop 0.5 to 0.25" in line for line in lines)
        whole = (await it.http.get(f"/api/runs/{run_id}/export?format=json")).json()
        assert len(whole["epochs"][0]["scalars"]) == 50
        assert whole["epochs"][0]["scalars"][0][3] is None
        assert len(whole["events"]) == len(events)


def test_what_happened_between_rows_stands_at_its_place_in_the_csv(store: Store) -> None:
    state = RunState(run_id="run-1", name="x", config=preset("live"), created_ms=0.0)
    store.save_generation("run-1", 1, (0, 100), ["step", "loss"])
    for n, step in enumerate((100, 101, 110, 90)):
        store.save_event("run-1", "test", n, event_at(1, step))
    rows = np.array([[101, 0.5], [102, 0.25]], dtype=np.float32)
    store.save_frame("run-1", 1, 0, after_seq=-1, step=102, message=None, scalars=rows)
    store.flush()
    assert "".join(csv_lines(store.archive, state, {})).splitlines() == [
        "epoch,step,loss,events",
        "1,90,,at 90",
        "1,100,,at 100",
        "1,101,0.5,at 101",
        "1,102,0.25,",
        "1,110,,at 110",
    ]


async def test_a_stored_run_that_cannot_be_read_is_shown_as_failed_and_left_as_it_is(tmp_path: Path) -> None:
    opened = Store(tmp_path / "history.sqlite", gather_s=0.0)
    opened.open()
    good = RunState(run_id="run-good", name="good", config=preset("live"), created_ms=1.0, status="finished")
    broken = to_record(good) | {"run_id": "run-broken", "name": "broken", "config": {"model": {"rank": -1}}}
    opened.save_run("run-good", 1.0, to_record(good))
    opened.save_run("run-broken", 2.0, broken)
    opened.close()
    async with lab(tmp_path) as it:
        runs = {run["run_id"]: run for run in (await it.http.get("/api/runs")).json()}
        assert runs["run-good"]["status"] == "finished"
        assert (runs["run-broken"]["status"], runs["run-broken"]["name"]) == ("failed", "broken")
        assert "rank" in runs["run-broken"]["reason"]
        answer = (await it.command("run-broken", "reset")).json()
        assert (answer["status"], answer["reason"]) == ("rejected", runs["run-broken"]["reason"])
    assert broken in opened.archive.runs()
