"""How many lasting writes the history has had, kept beside it as well, so that a lost tail is noticed.

The history counts in the same transaction; the file beside it is written after the commit. A file that is ahead means
that what was on disk is there no more: the WAL was removed or damaged, or an older file was put in place.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Final

SUFFIX: Final = ".mark"


class Watermark:
    """Of the history `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path.with_name(path.name + SUFFIX)

    def beside(self) -> int:
        """What the file says; 0 without one, or where it cannot be read."""
        with suppress(OSError, ValueError):
            return int(self.path.read_text())
        return 0

    def put(self, writes: int) -> None:
        """The history has had so many. Never raises: a mark that is behind raises no false alarm."""
        with suppress(OSError):
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            try:
                os.pwrite(descriptor, f"{writes:020d}\n".encode(), 0)
            finally:
                os.close(descriptor)

    def missing(self, writes: int) -> str | None:
        """What is missing of a history that has had `writes`, as a sentence; None for nothing."""
        beside = self.beside()
        if beside <= writes:
            return None
        return (
            f"The history lacks its newest {beside - writes} of {beside} writes: its WAL was removed or damaged, or an "
            "older file was put in place. Runs go on from their checkpoints."
        )


def writes_of(connection: sqlite3.Connection) -> int:
    """How many lasting writes a history has had."""
    row = connection.execute("SELECT writes FROM marks").fetchone()
    return 0 if row is None else int(row[0])


def count_write(connection: sqlite3.Connection) -> None:
    """One more, in the transaction that is open."""
    connection.execute("INSERT INTO marks VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET writes = writes + 1")
