"""Thinning the stored frames of a run that has reached its cap: old ones go, by powers of two."""

from __future__ import annotations

import sqlite3
from typing import Final

NEVER_THINNED: Final = 600
"""newest frames of a run that thinning leaves alone"""


def thin_frames(connection: sqlite3.Connection, run_id: str, target_bytes: int) -> None:
    """Delete old frames of a run by powers of two of their seq until it holds at most `target_bytes`.

    The newest frames stay, unless they alone are more than the target.
    """
    newest = "SELECT rowid FROM frames WHERE run_id = ? ORDER BY epoch DESC, seq DESC LIMIT ?"
    spared = NEVER_THINNED
    stride = 2
    while connection.execute("SELECT SUM(size) FROM frames WHERE run_id = ?", (run_id,)).fetchone()[0] > target_bytes:
        if stride > 2**30:
            stride, spared = 2, spared // 2
            if spared == 0:
                return
        sql = f"DELETE FROM frames WHERE run_id = ? AND seq % ? != 0 AND rowid NOT IN ({newest})"
        connection.execute(sql, (run_id, stride, run_id, spared))
        stride *= 2
