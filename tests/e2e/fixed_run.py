"""Stored `live` runs that never change, with conflict and without: frames of real ones, their curves and events.

    python -m tests.e2e.fixed_run DATA_DIR FILE    takes them from the newest run of a data folder

`put_fixed_run` writes one into the history of a data folder, where a server shows it like any finished run.
Arrays are rounded to float16 and curves thinned, so that a file stays below 150 kB; NaN stays NaN.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np

from backend.storage.archive import Archive
from backend.storage.film import film_steps
from backend.storage.store import Store
from cdsp_core.wire.frames import Array, Frame, decode_frame
from cdsp_core.wire.messages.run import Event

FIXED: Final = Path(__file__).parent / "fixed"
FIXED_FILE: Final = FIXED / "live-seed0.npz"
TWIN_FILE: Final = FIXED / "live-seed0-lambda0.npz"
"""the same run but for lambda 0"""
CREATED_MS: Final = 1_767_225_600_000.0  # the first of January 2026, 00:00 UTC
NAMED: Final = {FIXED_FILE: "run-fixed", TWIN_FILE: "run-fixed-lambda0"}
ROWS_KEPT_WHOLE: Final = 60
ROWS_AFTER: Final = 240
LONG_AGO: Final = {"worker_id": None, "worker_pid": None, "waiting": None, "pause_at": None, "steps_per_s": None}


def put_fixed_run(folder: Path, file_of_run: Path = FIXED_FILE) -> str:
    """Write a run into the history of a data folder that no server uses. Returns the run's id."""
    run_id = NAMED[file_of_run]
    with np.load(file_of_run) as file:
        head = json.loads(bytes(file["head"]))
        arrays = {name: file[name] for name in file.files if name != "head"}
    folder.mkdir(parents=True, exist_ok=True)
    store = Store(folder / "history.sqlite", gather_s=0.0)
    store.open()
    try:
        store.save_run(run_id, CREATED_MS, head["record"])
        store.save_generation(run_id, 0, None, head["record"]["description"]["scalar_names"])
        for n, event in enumerate(head["events"]):
            store.save_event(run_id, run_id, n, Event.model_validate(event))
        rows = arrays.pop("scalars").astype(np.float32)
        rows[:, 0] = head["steps_of_rows"]
        before = -1
        for seq, step in enumerate(head["steps"]):
            message = _frame(run_id, arrays, seq, step).encode()
            between = rows[(rows[:, 0] > before) & (rows[:, 0] <= step)]
            store.save_frame(run_id, 0, seq, after_seq=seq - 1, step=step, message=message, scalars=between)
            before = step
        store.flush()
        assert store.error is None, store.error
    finally:
        store.close()
    return run_id


def _frame(run_id: str, arrays: dict[str, Array], seq: int, step: int) -> Frame:
    own = {name: all_[seq] for name, all_ in arrays.items()}
    full = {name: each if each.dtype == np.uint8 else each.astype(np.float32) for name, each in own.items()}
    return Frame(
        run=run_id,
        epoch=0,
        seq=seq,
        step=step,
        revision=0,
        time_ms=CREATED_MS + 15 * step,
        arrays={"scalars": np.empty((0, 0), dtype=np.float32), **full},
    )


def take_fixed_run(folder: Path, kept_as: Path) -> None:
    """Keep the newest run of a data folder as a fixed one."""
    archive = Archive(folder / "history.sqlite")
    record = archive.runs()[-1] | LONG_AGO
    run_id = record["run_id"]
    last = archive.last_step(run_id, 0)
    assert last is not None, "the run has no frames"
    messages = archive.moments(run_id, 0, film_steps(0, last))
    frames = list({frame.step: frame for frame in map(decode_frame, messages)}.values())
    rows = archive.scalars(run_id, 0, upto_step=last, names=record["description"]["scalar_names"])
    assert rows is not None, "the run has no curves"
    kept = rows[_places(len(rows))]
    names = [name for name in frames[0].arrays if name != "scalars"]
    arrays: dict[str, Any] = {
        name: np.stack([_small(frame.arrays[name]) for frame in frames if name in frame.arrays]) for name in names
    }
    record |= {
        "run_id": NAMED[kept_as],
        "status": "finished",
        "step": last,
        "total_steps": last,
        "reason": None,
        "created_ms": CREATED_MS,
    }
    head = {
        "record": record,
        "steps": [frame.step for frame in frames],
        "steps_of_rows": kept[:, 0].tolist(),
        "events": [event | {"run": NAMED[kept_as]} for event in archive.events(run_id)],
    }
    kept_as.parent.mkdir(exist_ok=True)
    text = np.frombuffer(json.dumps(head).encode(), dtype=np.uint8)
    np.savez_compressed(kept_as, head=text, scalars=kept.astype(np.float16), **arrays)
    print(f"{kept_as.name}: {len(frames)} frames up to step {last}, {kept_as.stat().st_size / 1000:.0f} kB")


def _places(rows: int) -> Array:
    """Which rows of the curves are kept: the first ones, then as many to every doubling, and the tests among them."""
    tests = np.arange(19, rows, 20)
    log = np.geomspace(ROWS_KEPT_WHOLE, rows, ROWS_AFTER).astype(int) - 1
    early = np.arange(min(ROWS_KEPT_WHOLE, rows))
    return np.unique(np.concatenate([early, log, tests]))


def _small(array: Array) -> Array:
    return array if array.dtype == np.uint8 else array.astype(np.float16)


if __name__ == "__main__":
    take_fixed_run(Path(sys.argv[1]), FIXED / sys.argv[2])
