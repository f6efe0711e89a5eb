"""Whether the checkpoints that storages keep of runs are there and whole: each is fetched and read once."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Collection, Iterator
from functools import partial
from pathlib import Path

from backend.runs.finding import Finding
from backend.storage.checksums import why_damaged
from backend.storage.shelf import Shelf
from cdsp_core.storage.place import StorageError, StorageUrlError
from cdsp_core.wire.checkpoint_names import STORED, list_checkpoints, marked_stored


def findings_of_storages(connection: sqlite3.Connection, checkpoints: Path) -> Iterator[Finding]:
    """What is wrong with what storages keep of the runs of a history. `checkpoints` says what they acknowledged."""
    for run_id, text in connection.execute("SELECT run_id, record FROM runs WHERE json_valid(record)").fetchall():
        record = json.loads(text)
        url = record.get("storage") if isinstance(record, dict) else None
        if not isinstance(url, str):
            continue
        try:
            yield from _of_run(str(run_id), url, checkpoints / str(run_id))
        except (StorageError, StorageUrlError) as error:
            sentence = f"The checkpoints of run {run_id} cannot be looked at: {error}"
            yield Finding(text=sentence, way_out="check again when the storage lets this machine in.")


def _of_run(run_id: str, url: str, own: Path) -> Iterator[Finding]:
    with tempfile.TemporaryDirectory() as folder:
        shelf = Shelf(run_id, Path(folder), url)
        shelf.look()
        lost = marked_stored(own) - marked_stored(shelf.folder)
        if lost:
            yield Finding(
                text=f"{len(lost)} states of run {run_id} are not in {url} any more: {', '.join(sorted(lost)[:5])}.",
                way_out="forget them; the run goes on from those that are there.",
                mend=partial(_forget, own, lost),
            )
        for name in list_checkpoints(shelf.folder):
            shelf.fetch(name)
            reason = why_damaged(shelf.folder, name)
            if reason is not None:
                way_out = "the run goes on from another; reset it where there is none."
                yield Finding(text=f"Checkpoint {run_id}/{name} in {url}: {reason}", way_out=way_out)


def _forget(own: Path, names: Collection[str]) -> None:
    for name in names:
        (own / f"{name}{STORED}").unlink(missing_ok=True)
