"""A map as its folder shows it: each cell as far as it has come. Loads neither torch nor pyarrow."""

from __future__ import annotations

import base64
import threading
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cdsp_core.studies.sweeps.files import CELLS, FAILED, SPEC, stored_sweep
from cdsp_core.studies.sweeps.spec import Cell, Sweep
from cdsp_core.wire.frames import Array
from cdsp_core.wire.messages.sweeps import PackedPicture, SweepCell
from cdsp_core.wire.messages.vocabulary import CellState
from cdsp_core.wire.recording import SUFFIX, Recording, RecordingError, read_recording

MOST_SHOWN: Final = 4096
"""entries of sigma(A) that a list of cells shows of one"""
MOST_REASON_BYTES: Final = 300
"""of why a cell failed"""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Seen:
    """A file of a cell, as it was at its last change."""

    changed_ns: int
    recording: Recording | None


_State = tuple[_Seen | None, CellState, str | None, int, int]
"""all of which a cell's message is made"""


def mark_of(key: str) -> str:
    """A cell as a short name has it."""
    return f"{zlib.crc32(key.encode()):08x}"


class SweepFolder:
    """One map. Its methods wait for the disk; what did not change is not read again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: dict[str, _Seen] = {}
        self._reading = threading.Lock()
        self._packed: dict[str, tuple[_State, SweepCell]] = {}
        self._read: tuple[int, Sweep, Mapping[str, Cell]] | None = None

    def sweep(self) -> Sweep:
        """What the map is. Raises ValueError, OSError for a folder that holds none."""
        return self._known()[0]

    def cells(self, *, since_ns: int | None, packed: bool = False) -> list[SweepCell]:
        """Every cell; those train now whose file has changed since then, none where nothing runs.

        `packed`: pictures as bytes, which are read many times as fast as lists.
        """
        sweep, cells = self._known()
        x, y = ({value: i for i, value in enumerate(axis.values)} for axis in (sweep.x, sweep.y))
        with self._reading:  # who looks at once waits for one reading, not for as many as look
            return [self._cell(cell, x[cell.x], y[cell.y], since_ns, packed) for cell in cells.values()]

    def ended(self) -> int:
        """How many cells need no more training."""
        return sum(cell.state in ("done", "failed") for cell in self.cells(since_ns=None))

    def recording_path(self, key: str) -> Path | None:
        """The file of a cell of this map; None where there is no such cell, or nothing of it yet."""
        if key not in self._known()[1]:
            return None
        path = self.path / CELLS / f"{key}{SUFFIX}"
        return path if path.is_file() else None

    def replay(self, mark: str) -> tuple[Path, str] | None:
        """The file of the cell whose `replay` ends with that, and what sets it apart in words; None for none."""
        sweep, cells = self._known()
        cell = next((cell for cell in cells.values() if mark_of(cell.key) == mark), None)
        path = None if cell is None else self.recording_path(cell.key)
        if cell is None or path is None:
            return None
        x, y = (f"{value:g}" if isinstance(value, float) else value for value in (cell.x, cell.y))
        return path, f"{sweep.x.field} {x}, {sweep.y.field} {y}, seed {cell.seed}"

    def _known(self) -> tuple[Sweep, Mapping[str, Cell]]:
        """The map and its cells by key, read again when the file has changed."""
        try:
            changed_ns = (self.path / SPEC).stat().st_mtime_ns
        except FileNotFoundError:
            raise ValueError(f"{self.path / SPEC} is missing.") from None
        if self._read is None or self._read[0] != changed_ns:
            sweep = stored_sweep(self.path)
            assert sweep is not None
            self._read = (changed_ns, sweep, {cell.key: cell for cell in sweep.cells()})
        return self._read[1:]

    def _cell(self, cell: Cell, x: int, y: int, since_ns: int | None, packed: bool) -> SweepCell:
        path = self.path / CELLS / f"{cell.key}{SUFFIX}"
        seen = self._look(cell.key, path)
        recording = None if seen is None else seen.recording
        reason = self._failure(path.with_suffix(FAILED))
        state: CellState
        if reason is not None:
            state = "failed"
        elif recording is not None and recording.measures is not None:
            state = "done"
        else:
            trains = seen is not None and since_ns is not None and seen.changed_ns > since_ns
            state = "training" if trains else "waiting"
        found: _State = (seen, state, reason, x, y)
        if not packed:
            return self._message(cell, found, packed=False)
        kept = self._packed.get(cell.key)
        if kept is None or kept[0] != found:
            kept = self._packed[cell.key] = found, self._message(cell, found, packed=True)
        return kept[1]

    def _message(self, cell: Cell, found: _State, *, packed: bool) -> SweepCell:
        seen, state, reason, x, y = found
        recording = None if seen is None else seen.recording
        picture = None if recording is None else recording.connection[-1]
        return SweepCell(
            key=cell.key,
            replay=None if recording is None else f"{self.path.name}.{mark_of(cell.key)}",
            x=x,
            y=y,
            seed=cell.seed,
            state=state,
            step=0 if recording is None else int(recording.steps[-1]),
            reason=reason,
            measures=dict(recording.measures or {}) if recording is not None else {},
            connection=None if picture is None else _shown(picture, packed),
        )

    def _look(self, key: str, path: Path) -> _Seen | None:
        try:
            changed_ns = path.stat().st_mtime_ns
        except OSError:
            self._seen.pop(key, None)
            return None
        seen = self._seen.get(key)
        if seen is None or seen.changed_ns != changed_ns:
            try:
                recording = read_recording(path)
            except RecordingError:
                recording = None
            seen = self._seen[key] = _Seen(changed_ns=changed_ns, recording=recording)
        return seen

    @staticmethod
    def _failure(path: Path) -> str | None:
        """Why a cell failed; of a file that is no text what can be read of it."""
        try:
            with path.open("rb") as file:
                return file.read(MOST_REASON_BYTES).decode(errors="replace")
        except OSError:
            return None


def _shown(picture: Array, packed: bool) -> list[list[list[int]]] | PackedPicture | None:
    """A picture as a list of cells says it; None where it is none, or too large."""
    if not 0 < picture.size <= MOST_SHOWN:
        return None
    if not packed:
        found: list[list[list[int]]] = picture.tolist()
        return found
    return PackedPicture(shape=list(picture.shape), base64=base64.b64encode(picture.tobytes()).decode())
