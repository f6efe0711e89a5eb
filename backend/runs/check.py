"""`python -m backend check --data-dir DIR [--repair]`: whether a data folder is whole, and what can be mended of it.

Nothing is written without --repair. With it no file of a run is deleted: what belongs to no run, and checkpoints that
cannot be read, are moved to DIR/orphans.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sqlite3
import struct
import sys
from collections.abc import Iterator
from contextlib import closing
from functools import partial as partial_of
from pathlib import Path
from typing import Final

from backend.live.records import from_record
from backend.runs.check_storage import findings_of_storages
from backend.runs.finding import Finding
from backend.runs.upkeep import half_written
from backend.storage.archive import connected
from backend.storage.checksums import why_damaged
from backend.storage.folder import locked
from backend.storage.schema import OF_A_RUN, VERSION, prepare
from backend.storage.store import StoreError
from backend.storage.watermark import Watermark, writes_of
from cdsp_core.wire.checkpoint_names import list_checkpoints, marked_stored

ORPHANS: Final = "orphans"
NAMED: Final = 5
"""of a kind of things, that a line names"""


def main(arguments: list[str], *, program: str) -> int:
    """Print what is wrong. Exit status: 0 nothing is, or all was mended; 1 something is; 2 it cannot be looked at."""
    parser = argparse.ArgumentParser(prog=f"{program} check", description=__doc__)
    default = Path(os.environ.get("CDSP_DATA_DIR", "runs"))
    parser.add_argument("--data-dir", type=Path, default=default, metavar="DIR")
    parser.add_argument("--repair", action="store_true", help="mend what can be mended")
    options = parser.parse_args(arguments)
    if not (options.data_dir / "history.sqlite").is_file():
        print(f"There is no history in {options.data_dir}. Name the folder with --data-dir.", file=sys.stderr)
        return 2
    before = os.umask(0o077)
    try:
        with locked(options.data_dir):
            return _report(options.data_dir, repair=options.repair)
    except StoreError as error:
        print(error, file=sys.stderr)
        return 2
    finally:
        os.umask(before)


def _report(folder: Path, *, repair: bool) -> int:
    left = 0
    count = 0
    for finding in findings(folder):
        count += 1
        can = finding.mend is not None
        if finding.mend is not None and repair:
            finding.mend()
        left += not (can and repair)
        said = "Mended" if can and repair else "Would mend" if can else "Cannot be mended"
        print(f"{finding.text}\n  {said}: {finding.way_out}")
    if not count:
        print(f"{folder} is whole.")
    elif left:
        print(f"{count} found, {left} left." + ("" if repair else " --repair mends what can be mended."))
    else:
        print(f"{count} found, all mended.")
    return 1 if left else 0


def findings(folder: Path) -> Iterator[Finding]:
    """What is wrong with a data folder, worst first. A history that is damaged hides what depends on it."""
    path = folder / "history.sqlite"
    try:
        with closing(connected(path, "FULL")) as connection:
            damage = _damage(connection)
            if damage is not None:
                yield damage
                return
            yield from _of_rows(connection, Watermark(path))
            runs = {str(row[0]) for row in connection.execute("SELECT run_id FROM runs")}
            yield from _of_files(folder, runs)
            yield from findings_of_storages(connection, folder / "checkpoints")
            yield from _of_space(connection)
    except sqlite3.Error as error:
        yield Finding(text=f"{path} cannot be read: {error}.", way_out="put a copy in its place, or move it away.")


def _damage(connection: sqlite3.Connection) -> Finding | None:
    way_out = "put a copy in its place; `sqlite3 history.sqlite .recover` may save some rows."
    said = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(5)")]
    if said != ["ok"]:
        return Finding(text=f"The history is damaged: {' '.join(said)[:300]}.", way_out=way_out)
    found = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if found > VERSION:
        text = f"The history has schema {found}, of a newer version; this one reads up to {VERSION}."
        return Finding(text=text, way_out="check it with that version.")
    if found < VERSION:
        text = f"The history has schema {found}, of an earlier version; what it holds was not looked at."
        way_out = f"bring it to schema {VERSION}; then check again."
        return Finding(text=text, way_out=way_out, mend=partial_of(prepare, connection))
    return None


def _of_rows(connection: sqlite3.Connection, mark: Watermark) -> Iterator[Finding]:
    """What the tables hold that cannot be, or should not."""
    writes = writes_of(connection)
    missing = mark.missing(writes)
    if missing is not None:
        yield Finding(text=missing, way_out="what is there counts from now on.", mend=partial_of(mark.put, writes))
    for (record,) in connection.execute("SELECT record FROM runs WHERE NOT json_valid(record)").fetchall():
        yield Finding(text=f"A run's record is no JSON: {record[:60]!r}.", way_out="delete the run.")
    for run_id, reason in _unreadable(connection):
        yield Finding(text=f"Run {run_id}: {reason}", way_out="start the version that wrote it, or delete the run.")
    no_run, not_whole = "belong to no run", "are not what they say they are"
    for table, where, what in (
        *((table, "run_id NOT IN (SELECT run_id FROM runs)", no_run) for table in OF_A_RUN if table != "runs"),
        ("frames", "size != LENGTH(body)", not_whole),
        ("scalars", "columns < 1 OR LENGTH(body) % (4 * columns) != 0", not_whole),
        ("events", "NOT json_valid(body)", not_whole),
        ("answers", "NOT json_valid(body)", not_whole),
    ):
        count = connection.execute(f"SELECT COUNT(*) FROM {table} WHERE {where}").fetchone()[0]
        if count:
            sql = f"DELETE FROM {table} WHERE {where}"
            yield Finding(
                text=f"{count} rows of {table} {what}.",
                way_out="delete them.",
                mend=partial_of(_execute, connection, sql),
            )
    yield from _gaps(connection)
    sql = (
        "SELECT COUNT(*) FROM (SELECT run_id, SUM(LENGTH(body)) AS size FROM scalars GROUP BY run_id) AS found "
        "LEFT JOIN sizes USING (run_id) WHERE found.size IS NOT sizes.scalar_bytes"
    )
    if connection.execute(sql).fetchone()[0]:
        sql = "INSERT OR REPLACE INTO sizes SELECT run_id, SUM(LENGTH(body)) FROM scalars GROUP BY run_id"
        yield Finding(
            text="The sizes of runs are not those of their scalars.",
            way_out="count them again.",
            mend=partial_of(_execute, connection, sql),
        )


def _unreadable(connection: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    for run_id, record in connection.execute("SELECT run_id, record FROM runs WHERE json_valid(record)").fetchall():
        state = from_record({"run_id": run_id, **json.loads(record)})
        if state.unreadable is not None:
            yield str(run_id), state.reason or "It cannot be read."


def _gaps(connection: sqlite3.Connection) -> Iterator[Finding]:
    """Scalars whose steps do not follow one another: a generation lacks some. A frame may have none of its own."""
    sql = """
        SELECT run_id, epoch, last, substr(body, 1, 4) FROM (
            SELECT run_id, epoch, after_seq, body, LAG(seq) OVER pieces AS seq_before,
                   LAG(substr(body, -4 * columns, 4)) OVER pieces AS last
            FROM scalars WINDOW pieces AS (PARTITION BY run_id, epoch ORDER BY seq))
        WHERE after_seq > seq_before
    """
    found: dict[tuple[str, int], list[int]] = {}
    for run_id, epoch, last, first in connection.execute(sql):
        before, after = (struct.unpack("<f", step)[0] for step in (last, first))
        if after > before + 1:
            found.setdefault((run_id, epoch), []).append(int(before))
    for (run_id, epoch), steps in found.items():
        yield Finding(
            text=f"Run {run_id}, epoch {epoch}: the scalars have {len(steps)} gaps, the first after step {steps[0]}.",
            way_out="those steps were never stored; the curves have no value there.",
        )


def _of_files(folder: Path, runs: set[str]) -> Iterator[Finding]:
    """Checkpoints, logs and what was left half-written."""
    checkpoints = folder / "checkpoints"
    for path in sorted(checkpoints.iterdir()) if checkpoints.is_dir() else []:
        if path.name not in runs:
            yield _aside(folder, [path], f"The checkpoints in {path.name} belong to no run.")
            continue
        for name in list_checkpoints(path):
            if name in marked_stored(path) and not (path / f"{name}.json").exists():
                continue  # a storage keeps it
            reason = why_damaged(path, name)
            if reason is not None:
                yield _aside(folder, sorted(path.glob(f"{name}.*")), f"Checkpoint {path.name}/{name}: {reason}")
        alone = [one for one in path.glob("*.safetensors") if not one.with_suffix(".json").exists()]
        if alone:
            yield _aside(folder, alone, f"{len(alone)} files of {path.name} are tensors of no checkpoint.")
    partial = half_written(checkpoints) if checkpoints.is_dir() else []
    if partial:
        yield Finding(
            text=f"{len(partial)} files were left half-written: {', '.join(one.name for one in partial[:NAMED])}.",
            way_out="delete them.",
            mend=partial_of(_delete, partial),
        )
    open_to_others = [path for path in folder.rglob("*") if not path.is_symlink() and path.stat().st_mode & 0o077]
    if folder.stat().st_mode & 0o077:
        open_to_others.append(folder)
    if open_to_others:
        yield Finding(
            text=f"{len(open_to_others)} files or folders may be read by other users.",
            way_out="make them 0600 and 0700.",
            mend=partial_of(_narrow, open_to_others),
        )


def _of_space(connection: sqlite3.Connection) -> Iterator[Finding]:
    if connection.execute("PRAGMA auto_vacuum").fetchone()[0] != 2:

        def mend() -> None:
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            connection.execute("VACUUM")

        yield Finding(
            text="The history's file does not shrink when runs are deleted.",
            way_out="write it anew, which takes as much free space as it has.",
            mend=mend,
        )


def _aside(folder: Path, paths: list[Path], text: str) -> Finding:
    def mend() -> None:
        for path in paths:
            target = folder / ORPHANS / path.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(path, target)  # it may lie in a volume of its own

    return Finding(text=text, way_out=f"move them to {ORPHANS}/.", mend=mend)


def _execute(connection: sqlite3.Connection, sql: str) -> None:
    connection.execute(sql)


def _delete(paths: list[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _narrow(paths: list[Path]) -> None:
    for path in paths:
        if path.exists():
            path.chmod(path.stat().st_mode & 0o700)
