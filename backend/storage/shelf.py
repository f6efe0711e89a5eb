"""Where one run's checkpoints are: in its folder here, or in a storage, of which the folder then says what it keeps.

NAME.stored in the folder stands for a state that the storage has acknowledged; what is fetched of it lies beside.
"""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Iterable
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Final

from cdsp_core.storage.opening import open_storage
from cdsp_core.storage.place import NotStoredError, Storage, StorageError
from cdsp_core.wire.checkpoint_names import (
    STORED,
    list_states,
    mark_stored,
    marked_stored,
    stored_key,
    stored_states,
    undelivered_path,
)

logger = logging.getLogger(__name__)

FETCHED: Final = 6
"""states that stay here once they were fetched"""


class Shelf:
    """Of one run. Every method waits for the disk, and those that say so for the storage."""

    def __init__(self, run_id: str, folder: Path, url: str | None) -> None:
        """`url`: of the storage; None: the folder itself keeps them."""
        self.folder = folder
        self.url = url
        self._run_id = run_id
        self._fetching = threading.Lock()

    @cached_property
    def _storage(self) -> Storage | None:
        """Raises StorageUrlError."""
        return None if self.url is None else open_storage(self.url)

    def look(self) -> None:
        """Find out what the storage keeps. Raises StorageError."""
        if self._storage is None:
            return
        prefix = stored_key(self._run_id, "")
        files = self._storage.list(prefix)
        found = stored_states(key.removeprefix(prefix) for key in files)
        self.note(found, marked_stored(self.folder) - found)

    def note(self, names: Iterable[str], deleted: Iterable[str]) -> None:
        """The storage keeps these, and those no more."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            mark_stored(self.folder, name)
        for name in deleted:
            for path in (self.folder / f"{name}{STORED}", *self.folder.glob(f"{name}.*")):
                path.unlink(missing_ok=True)

    def fetch(self, name: str) -> None:
        """Have a state here, as far as it exists. Raises StorageError."""
        if self._storage is None or name not in list_states(self.folder).values():
            return
        with self._fetching:
            if not (self.folder / f"{name}.json").exists():
                for file in (f"{name}.safetensors", f"{name}.json"):
                    with suppress(NotStoredError):
                        self._storage.get(stored_key(self._run_id, file), self.folder / file)
            stored = marked_stored(self.folder)
            here = [path for path in self.folder.glob("*.json") if path.stem in stored and path.stem != name]
            for path in sorted(here, key=lambda path: path.stat().st_mtime, reverse=True)[FETCHED - 1 :]:
                path.unlink(missing_ok=True)
                path.with_suffix(".safetensors").unlink(missing_ok=True)

    def fetch_undelivered(self, generation: int, step: int) -> None:
        """Have here what a worker left beside its checkpoint, if it did. Raises StorageError."""
        path = undelivered_path(self.folder, generation, step)
        if self._storage is None or path.exists():
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        with suppress(NotStoredError):
            self._storage.get(stored_key(self._run_id, path.name), path)

    def hand_over(self, name: str) -> None:
        """Have the storage keep a state that is here. Raises StorageError."""
        if self._storage is None:
            return
        tensors = self.folder / f"{name}.safetensors"
        for path in (*([tensors] if tensors.exists() else []), self.folder / f"{name}.json"):
            self._storage.put(path, stored_key(self._run_id, path.name))
        mark_stored(self.folder, name)

    def delete(self) -> None:
        """Delete everything, here and in the storage; what that refuses is left there, which the log says."""
        shutil.rmtree(self.folder, ignore_errors=True)
        if self._storage is not None:
            try:
                self._storage.delete_all(stored_key(self._run_id, ""))
            except StorageError as error:
                logger.warning("The checkpoints of run %s are not deleted: %s", self._run_id, error)
