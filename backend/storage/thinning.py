"""Thinning what is stored of a run that has reached its cap: the older, the thinner, by powers of two."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Final

import numpy as np

from cdsp_core.wire.frames import Array

NEVER_THINNED: Final = 600
"""newest frames of a run that thinning leaves alone"""
ROWS_A_PIECE: Final = 512
"""of scalars that are thinned together"""

Piece = tuple[int, int, int, int, bytes]
"""epoch, seq, after_seq, columns and body, as stored"""


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


def thin_scalars(connection: sqlite3.Connection, run_id: str) -> int:
    """Halve the rows of the older half of a run's scalars: of two neighbours the second stays, with what the first
    measured where it measured nothing. Returns the bytes that are gone.

    The first row of a stretch stays, so that it still follows the one before. Pieces are joined as they are thinned,
    and cover the same frames as before. The newer half is untouched, so a page that comes back after less than that
    still gets every step.
    """
    sql = "SELECT COALESCE(SUM(LENGTH(body)), 0) FROM scalars WHERE run_id = ?"
    half = connection.execute(sql, (run_id,)).fetchone()[0] // 2
    gone = seen = 0
    for group in _groups(connection, run_id):
        seen += sum(len(piece[4]) for piece in group)
        if seen > half:
            break
        epoch, seq, _, columns, _ = group[-1]
        rows = np.concatenate([np.frombuffer(piece[4], dtype="<f4").reshape(-1, columns) for piece in group])
        body = np.ascontiguousarray(_halved(rows), dtype="<f4").tobytes()
        gone += rows.nbytes - len(body)
        named = (run_id, epoch, group[0][1], seq)
        connection.execute("DELETE FROM scalars WHERE run_id = ? AND epoch = ? AND seq >= ? AND seq < ?", named)
        sql = "UPDATE scalars SET after_seq = ?, body = ? WHERE run_id = ? AND epoch = ? AND seq = ?"
        connection.execute(sql, (group[0][2], body, run_id, epoch, seq))
    return gone


def _groups(connection: sqlite3.Connection, run_id: str) -> Iterator[list[Piece]]:
    """Pieces that follow one another without a gap, oldest first, some hundred rows together."""
    sql = (
        "SELECT epoch, seq, after_seq, columns, body FROM scalars "
        "WHERE run_id = ? AND (epoch, seq) > (?, ?) ORDER BY epoch, seq LIMIT 1000"
    )
    group: list[Piece] = []
    rows, reached = 0, (-1, -1)
    while pieces := connection.execute(sql, (run_id, *reached)).fetchall():
        for piece in pieces:
            follows = bool(group) and (piece[0], piece[2], piece[3]) == (group[-1][0], group[-1][1], group[-1][3])
            if group and (not follows or rows >= ROWS_A_PIECE):
                yield group
                group, rows = [], 0
            group.append(piece)
            rows += len(piece[4]) // (4 * piece[3])
        reached = pieces[-1][:2]
    if group:
        yield group


def _halved(rows: Array) -> Array:
    """The first row; of every two others the second, with what only the other measured; a last one without a pair."""
    odd = 1 + (len(rows) - 1) // 2 * 2
    first, second = rows[1:odd:2], rows[2:odd:2]
    return np.concatenate([rows[:1], np.where(np.isnan(second), first, second), rows[odd:]])
