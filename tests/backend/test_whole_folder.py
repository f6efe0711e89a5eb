"""A data folder: what is missing of it is said, what it lacks is found, it stays under its cap."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from backend.__main__ import main
from backend.live.records import to_record
from backend.live.state import RunState
from backend.runs.upkeep import LOGS_KEPT
from backend.storage.checksums import why_damaged
from backend.storage.store import Store, StoreError
from cdsp_core.settings.presets import preset
from cdsp_core.training.checkpoint import save_checkpoint
from cdsp_core.wire.checkpoint_names import list_checkpoints
from tests.backend.lab import ThreadWorker, lab, until
from tests.core.small import small_trainer


def stored(path: Path, runs: int = 3) -> None:
    """A history with that many runs, closed in order."""
    store = Store(path, gather_s=0.0)
    store.open()
    for number in range(runs):
        state = RunState(run_id=f"run-{number}", name="x", config=preset("live"), created_ms=0.0, status="finished")
        store.save_run(state.run_id, 0.0, to_record(state))
        store.flush()
    store.close()


def begun(path: Path) -> Store:
    store = Store(path, gather_s=0.0)
    store.open()
    return store


# what is missing


def test_a_whole_history_lacks_nothing(tmp_path: Path) -> None:
    stored(tmp_path / "history.sqlite")
    store = begun(tmp_path / "history.sqlite")
    assert store.missing is None
    store.close()


def test_a_removed_wal_is_told_of(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    stored(path)
    before = {one.name: one.read_bytes() for one in tmp_path.glob("history.sqlite*")}
    store = begun(path)
    for number in range(4):
        store.save_run(f"later-{number}", 0.0, {"run_id": f"later-{number}"})
        store.flush()
    mark = (tmp_path / "history.sqlite.mark").read_bytes()
    store.close()
    for name, content in before.items():  # as if it had been killed, and its WAL were gone
        (tmp_path / name).write_bytes(content)
    (tmp_path / "history.sqlite.mark").write_bytes(mark)
    again = begun(path)
    assert again.missing is not None
    assert "lacks its newest 4 of 7 writes" in again.missing
    again.close()
    told_once = begun(path)
    assert told_once.missing is None
    told_once.close()


def test_an_empty_file_in_place_of_the_history_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    stored(path)
    path.write_bytes(b"")
    with pytest.raises(StoreError, match=r"is empty, and it had 3 writes.*or delete"):
        begun(path)
    assert path.stat().st_size == 0


async def test_what_is_missing_is_said_on_the_page_and_to_whoever_asks(tmp_path: Path) -> None:
    stored(tmp_path / "history.sqlite")
    (tmp_path / "history.sqlite").unlink()
    async with lab(tmp_path) as it:
        assert "lacks its newest 3 of 3 writes" in (await it.http.get("/healthz")).json()["problems"][0]


# scalars


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "history.sqlite", scalars_mib_a_run=1, gather_s=0.0)
    store.open()
    store.save_generation("run-1", 0, None, ["step", "loss", "accuracy"])
    yield store
    store.close()


def test_scalars_beyond_their_size_are_thinned_by_age(small: Store) -> None:
    pieces, rows_a_piece = 40_000, 4
    for seq in range(pieces):
        steps = np.arange(seq * rows_a_piece, (seq + 1) * rows_a_piece, dtype=np.float32)
        rows = np.stack([steps, steps / 2, np.where(steps % 20 == 0, steps, np.nan)], axis=1)
        small.save_frame("run-1", 0, seq, after_seq=seq - 1, step=int(steps[-1]), message=None, scalars=rows)
        if seq % 2000 == 1999:
            small.flush()
            assert small.size_bytes("run-1") <= 2**20
    kept = small.archive.scalars("run-1", 0)
    assert kept is not None
    steps = kept[:, 0]
    total = pieces * rows_a_piece
    assert len(steps) < total / 1.5
    assert (np.diff(steps) > 0).all()
    assert (np.diff(steps)[: len(steps) // 4] > 1).mean() > 0.9
    np.testing.assert_array_equal(steps[-20_000:], np.arange(total - 20_000, total))
    measured = kept[~np.isnan(kept[:, 2])]
    assert set(range(0, total, 20)) >= set(measured[:, 2].astype(int))
    np.testing.assert_array_equal(kept[:, 1], steps / 2)
    assert small.archive.last_seq("run-1", 0) == pieces - 1
    with closing(sqlite3.connect(small._path)) as disk:
        chain = disk.execute("SELECT after_seq, seq FROM scalars ORDER BY seq").fetchall()
        assert disk.execute("SELECT scalar_bytes FROM sizes").fetchone()[0] == kept.nbytes
    assert [after for after, _ in chain] == [-1, *(seq for _, seq in chain[:-1])]


def test_scalars_that_were_thinned_are_not_passed_off_as_every_step(small: Store) -> None:
    for seq in range(25_000):
        rows = np.full((4, 3), seq, dtype=np.float32)
        small.save_frame("run-1", 0, seq, after_seq=seq - 1, step=seq, message=None, scalars=rows)
    small.flush()
    assert small.archive.scalars_between("run-1", 0, 600, 24_999, most=4000) is None
    exact = small.archive.scalars_between("run-1", 0, 24_899, 24_999, most=4000)
    assert exact is not None
    assert len(exact) == 400


# the cap


async def test_beyond_the_cap_the_oldest_runs_go_that_nobody_has_kept(tmp_path: Path) -> None:
    async with lab(tmp_path) as it, ThreadWorker(it.port, it.settings.checkpoint_dir):
        runs = [await it.new_run_of_steps(30) for _ in range(4)]
        for run_id in runs:
            await it.until_status(run_id, "finished")
        going = await it.new_run()
        await it.until(going, lambda run: run["step"] > 5)
        for run_id in runs:
            (it.settings.checkpoint_dir / run_id / "large").write_bytes(b"\0" * 3_000_000)
        kept = await it.http.patch(f"/api/runs/{runs[0]}", json={"kept": True})
        assert kept.json()["kept"] is True
        await it.runs.upkeep.look()
        storage = (await it.http.get("/api/storage")).json()
        assert (storage["kept_runs"], storage["size_bytes"] > 12_000_000) == (1, True)
        assert storage["cap_bytes"] > storage["size_bytes"]
        it.runs.upkeep.cap_bytes = storage["size_bytes"] - 1_000_000
        await it.runs.upkeep.look()
        left = {run["run_id"] for run in (await it.http.get("/api/runs")).json()}
        assert left == {runs[0], runs[2], runs[3], going}
        assert not (it.settings.checkpoint_dir / runs[1]).exists()
        assert it.runs.upkeep.problem() is None
        it.runs.upkeep.cap_bytes = 1
        await it.runs.upkeep.look()
        left = {run["run_id"] for run in (await it.http.get("/api/runs")).json()}
        assert left == {runs[0], going}
        problems = (await it.http.get("/healthz")).json()["problems"]
        assert any("every run is kept or goes on" in sentence for sentence in problems)


async def test_a_kept_run_is_kept_after_a_new_start(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        run_id = await it.new_run()
        await it.http.patch(f"/api/runs/{run_id}", json={"kept": True})
    async with lab(tmp_path) as it:
        assert (await it.run(run_id))["kept"] is True


def test_the_file_shrinks_when_runs_go(tmp_path: Path) -> None:
    store = begun(tmp_path / "history.sqlite")
    for seq in range(100):
        store.save_frame(
            "run-1", 0, seq, after_seq=seq - 1, step=seq, message=b"x" * 100_000, scalars=np.zeros((0, 2), np.float32)
        )
    store.flush()
    store.forget("run-1")
    store.flush()
    assert store.archive.unused_bytes() > 9_000_000
    store.shrink()
    store.flush()
    assert store.archive.unused_bytes() < 1_000_000
    store.close()
    assert (tmp_path / "history.sqlite").stat().st_size < 1_000_000


async def test_old_logs_and_what_was_half_written_are_cleared(tmp_path: Path) -> None:
    logs, folder = tmp_path / "logs", tmp_path / "checkpoints" / "run-x"
    logs.mkdir()
    folder.mkdir(parents=True)
    for number in range(LOGS_KEPT + 7):
        (logs / f"worker-{number:08d}.log").write_text("said")
        os.utime(logs / f"worker-{number:08d}.log", (1000 + number, 1000 + number))
    (folder / ".e000000-s000000009.json.partial").write_text("{")
    (folder / ".e000000-s000000008.json.partial").write_text("{")
    os.utime(folder / ".e000000-s000000008.json.partial", (1000, 1000))
    async with lab(tmp_path) as it:
        await it.runs.upkeep.look()
        await until(lambda: len(list(logs.iterdir())) == LOGS_KEPT)
    assert not (logs / "worker-00000006.log").exists()
    assert [path.name for path in folder.iterdir()] == [".e000000-s000000009.json.partial"]


# checking


def settle(folder: Path) -> None:
    """The tiny trainer writes no tensors, and files are made under the umask of the tests."""
    for head in folder.glob("checkpoints/*/*.json"):
        head.with_suffix(".safetensors").touch(mode=0o600)
    for path in (folder, *folder.rglob("*")):
        path.chmod(path.stat().st_mode & 0o700)


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    """A data folder with a run that has trained."""
    async with lab(tmp_path) as it, ThreadWorker(it.port, it.settings.checkpoint_dir):
        run_id = await it.new_run_of_steps(60)
        await it.until_status(run_id, "finished")
        await asyncio.to_thread(it.runs.store.flush)
    settle(tmp_path)
    return tmp_path


def checked(folder: Path, *options: str) -> int:
    return main(["check", "--data-dir", str(folder), *options])


def test_a_whole_folder_is_said_to_be_whole(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert checked(folder) == 0
    assert capsys.readouterr().out == f"{folder} is whole.\n"


def test_what_is_wrong_is_found_and_mended(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, checkpoints = folder / "history.sqlite", folder / "checkpoints"
    (run,) = checkpoints.iterdir()
    with closing(sqlite3.connect(path)) as disk:
        disk.execute("UPDATE sizes SET scalar_bytes = 5")
        disk.execute("INSERT INTO events (run_id, source, n, body) VALUES ('gone', 's', 1, '{}')")
        disk.execute("INSERT INTO frames VALUES (?, 0, 999999, 5, 7, 'abc')", (run.name,))
        disk.commit()
    (checkpoints / "run-nobody").mkdir(mode=0o700)
    (run / ".e000000-s000000001.json.partial").write_text("{")
    newest = list_checkpoints(run)[0]
    damaged = run / f"{newest}.json"
    damaged.write_text(json.dumps({**json.loads(damaged.read_text()), "sha256": "0" * 64}))
    path.chmod(0o644)
    before = {one: one.read_bytes() for one in folder.rglob("*") if one.is_file() and "history" not in one.name}

    assert checked(folder) == 1
    said = capsys.readouterr().out
    for part in (
        "1 rows of events belong to no run",
        "1 rows of frames are not what they say they are",
        "sizes of runs are not those of their scalars",
        "run-nobody belong to no run",
        f"{run.name}/{newest}: its checksum is not the one written with it",
        "1 files were left half-written",
        "files or folders may be read by other users",
        "7 found, 7 left. --repair mends what can be mended.",
    ):
        assert part in said, part
    assert {one: one.read_bytes() for one in before} == before

    assert checked(folder, "--repair") == 0
    assert "7 found, all mended." in capsys.readouterr().out
    assert checked(folder) == 0
    assert (folder / "orphans" / "checkpoints" / run.name / f"{newest}.json").exists()


def test_gaps_are_found_and_cannot_be_mended(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(sqlite3.connect(folder / "history.sqlite")) as disk:
        disk.execute("DELETE FROM scalars WHERE seq = (SELECT seq FROM scalars ORDER BY seq LIMIT 1 OFFSET 1)")
        assert disk.execute("SELECT COUNT(*) FROM scalars").fetchone()[0] > 2
        disk.execute("INSERT OR REPLACE INTO sizes SELECT run_id, SUM(LENGTH(body)) FROM scalars GROUP BY run_id")
        disk.commit()
    assert checked(folder, "--repair") == 1
    said = capsys.readouterr().out
    assert "the scalars have 1 gaps, the first after step" in said
    assert "1 found, 1 left." in said


def test_a_damaged_history_is_found_and_left_as_it_is(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = folder / "history.sqlite"
    content = bytearray(path.read_bytes())
    content[4096 * 2 : 4096 * 4] = os.urandom(8192)
    path.write_bytes(content)
    assert checked(folder, "--repair") == 1
    assert "Cannot be mended" in capsys.readouterr().out
    assert path.read_bytes()[4096 * 2 : 4096 * 4] == bytes(content[4096 * 2 : 4096 * 4])


async def test_a_folder_in_use_is_not_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with lab(tmp_path):
        assert checked(tmp_path) == 2
    assert "is in use by another server" in capsys.readouterr().err
    assert checked(tmp_path / "nothing") == 2
    assert "There is no history" in capsys.readouterr().err


def test_checksums_agree_with_those_of_the_trainer(tmp_path: Path) -> None:
    save_checkpoint(small_trainer(), tmp_path, "e000000-s000000000")
    assert why_damaged(tmp_path, "e000000-s000000000") is None
    path = tmp_path / "e000000-s000000000.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert "checksum" in str(why_damaged(tmp_path, "e000000-s000000000"))
