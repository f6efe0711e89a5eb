"""What the history's file refuses: a row that it cannot hold, and everything while the disk does not take it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any


def can_be_bound(values: tuple[Any, ...]) -> bool:
    """Whether SQLite can hold these values at all."""
    with closing(sqlite3.connect(":memory:")) as connection:
        try:
            connection.execute(f"SELECT {','.join('?' * len(values))}", values)
        except (OverflowError, TypeError, ValueError, sqlite3.Error):
            return False
    return True


def refusal(error: Exception) -> str:
    """Why nothing is stored, and a way out that fits."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    way_out = {
        sqlite3.SQLITE_FULL: "Free space on the disk.",
        sqlite3.SQLITE_IOERR: "The disk has an error or is full: free space, or look at it.",
        sqlite3.SQLITE_READONLY: "Make the data folder writable.",
        sqlite3.SQLITE_BUSY: "Another program holds the file: end it.",
        sqlite3.SQLITE_CANTOPEN: "The data folder is gone or may not be used: start the server again.",
        sqlite3.SQLITE_CORRUPT: "The file is damaged: stop the server and move it away.",
    }.get(code, "Start the server again; if that does not help, move the file away.")
    return f"The history cannot be written ({error}); training goes on. {way_out}"
