"""The tables of the history, and how those of an earlier version become these. `PRAGMA user_version` is the version."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Final

TABLES: Final = """
CREATE TABLE IF NOT EXISTS runs (run_id TEXT PRIMARY KEY, created_ms REAL NOT NULL, record TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS epochs (run_id TEXT, epoch INTEGER, parent_epoch INTEGER, parent_step INTEGER,
    names TEXT NOT NULL, PRIMARY KEY (run_id, epoch));
CREATE TABLE IF NOT EXISTS events (id INTEGER PRIMARY KEY, run_id TEXT NOT NULL, source TEXT NOT NULL,
    n INTEGER NOT NULL, body TEXT NOT NULL, UNIQUE (source, n));
CREATE INDEX IF NOT EXISTS events_of_run ON events (run_id, id);
CREATE TABLE IF NOT EXISTS answers (run_id TEXT, command_id TEXT, body TEXT NOT NULL, PRIMARY KEY (run_id, command_id));
CREATE TABLE IF NOT EXISTS received (worker_id TEXT PRIMARY KEY, n INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS frames (run_id TEXT, epoch INTEGER, seq INTEGER, step INTEGER NOT NULL,
    size INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (run_id, epoch, seq));
CREATE TABLE IF NOT EXISTS scalars (run_id TEXT, epoch INTEGER, seq INTEGER, after_seq INTEGER NOT NULL,
    columns INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (run_id, epoch, seq));
CREATE TABLE IF NOT EXISTS marks (id INTEGER PRIMARY KEY CHECK (id = 1), writes INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS sizes (run_id TEXT PRIMARY KEY, scalar_bytes INTEGER NOT NULL);
"""
OF_A_RUN: Final = ("runs", "epochs", "events", "answers", "frames", "scalars", "sizes")
"""tables whose rows belong to a run"""


class NewerSchemaError(Exception):
    """The history was written by a later version of this program."""


def prepare(connection: sqlite3.Connection) -> None:
    """Make the tables, or bring those of an earlier version to this one, all or nothing.

    Raises NewerSchemaError, and sqlite3.Error when the file is no history or cannot be written.
    """
    found = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if found > VERSION:
        raise NewerSchemaError(f"schema {found}, and this version reads up to {VERSION}")
    if found == VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in filter(None, (part.strip() for part in TABLES.split(";"))):
            connection.execute(statement)
        for migrate in MIGRATIONS[found:]:
            migrate(connection)
        connection.execute(f"PRAGMA user_version = {VERSION}")
    except BaseException:
        connection.rollback()
        raise
    connection.commit()


def _name_generations(connection: sqlite3.Connection) -> None:
    """From the tables that had no version: records say `generation` and `description`; sizes are counted."""
    connection.execute(
        """
        UPDATE runs SET record = json_remove(
            json_set(record, '$.generation', json_extract(record, '$.epoch'),
                     '$.description', json(CASE WHEN json_extract(record, '$.static') = '{}' THEN 'null'
                                           ELSE coalesce(json_extract(record, '$.static'), 'null') END)),
            '$.epoch', '$.static', '$.device')
        WHERE json_valid(record) AND json_type(record, '$.epoch') IS NOT NULL
        """
    )
    connection.execute("INSERT OR REPLACE INTO sizes SELECT run_id, SUM(LENGTH(body)) FROM scalars GROUP BY run_id")


def _index_steps(connection: sqlite3.Connection) -> None:
    """Frames are found by their step, too."""
    connection.execute("CREATE INDEX IF NOT EXISTS frames_by_step ON frames (run_id, epoch, step)")


def _count_writes(connection: sqlite3.Connection) -> None:
    """The table that counts lasting writes is new; those before it are not known."""
    connection.execute("INSERT OR IGNORE INTO marks VALUES (1, 0)")


MIGRATIONS: Final[tuple[Callable[[sqlite3.Connection], None], ...]] = (_name_generations, _index_steps, _count_writes)
"""Migration i leads from version i to i + 1; version 0 is a new file, or one from before there were versions."""
VERSION: Final = len(MIGRATIONS)
