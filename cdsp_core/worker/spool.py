"""Where a worker writes what a storage then keeps: a folder of its own among the machine's temporary ones."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

PREFIX: Final = "topology-lab-spool-"
LOCK: Final = "in-use"


class Spool:
    """Made when it is first asked for; what workers that were killed have left there goes. TMPDIR says where."""

    def __init__(self, root: Path | None = None) -> None:
        self._root = root or Path(tempfile.gettempdir())
        self._own: Path | None = None
        self._lock: IO[bytes] | None = None

    def folder(self, run_id: str) -> Path:
        """The folder of a run. Raises OSError."""
        if self._own is None:
            self._clear()
            self._own = Path(tempfile.mkdtemp(prefix=PREFIX, dir=self._root))
            self._lock = (self._own / LOCK).open("wb")
            fcntl.flock(self._lock, fcntl.LOCK_EX)
        return self._own / run_id

    def close(self) -> None:
        """Delete it."""
        if self._own is not None and self._lock is not None:
            shutil.rmtree(self._own, ignore_errors=True)
            self._lock.close()
            self._own = self._lock = None

    def _clear(self) -> None:
        for lock in self._root.glob(f"{PREFIX}*/{LOCK}"):
            with suppress(OSError), lock.open("rb") as file:  # another user's, or one in use
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(lock.parent, ignore_errors=True)
