"""A folder here and its copy in a storage: fetched before work begins, then whatever changes here is stored."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cdsp_core.storage.opening import open_storage
from cdsp_core.storage.place import NotStoredError, Storage, StorageError

LOOKS_EVERY_S: Final = 2.0
PASSED_OVER: Final = (".partial", ".arriving", ".log", ".pid", "held")
"""ends of the names of files that mean nothing elsewhere; so do names that begin with a dot"""


class Mirror:
    """Of a folder, or of some `parts` of it, files or folders by name. Not for two threads at once."""

    def __init__(self, storage: Storage, folder: Path, *, parts: Sequence[str] = ("",)) -> None:
        self._storage = storage
        self._folder = folder
        self._parts = parts
        self._stored: dict[str, tuple[int, int]] = {}
        """files as they were when they were stored or fetched: time of change in ns and bytes, by name"""

    def fetch(self) -> None:
        """Have here what is not. What is here already stays as it is. Raises StorageError."""
        for key in (key for part in self._parts for key in self._storage.list(part) or ([part] if part else [])):
            path = self._folder / key
            if path.exists() or _is_passed_over(path.name):
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._storage.get(key, path)
            except NotStoredError:
                continue  # it is none, or was deleted this moment
            self._stored[key] = _state(path)

    def push(self) -> None:
        """Store what has changed here since the last time, and delete what was here and is no more.

        Raises StorageError.
        """
        here = self._here()
        for key, state in here.items():
            if self._stored.get(key) == state:
                continue
            try:
                self._storage.put(self._folder / key, key)
            except FileNotFoundError:
                continue  # it was deleted this moment
            self._stored[key] = state
        for key in [key for key in self._stored if key not in here]:
            self._storage.delete(key)
            del self._stored[key]

    def _here(self) -> dict[str, tuple[int, int]]:
        found: dict[str, tuple[int, int]] = {}
        for part in self._parts:
            root = self._folder / part
            for path in [root] if root.is_file() else root.rglob("*"):
                if not _is_passed_over(path.name) and path.is_file():
                    try:
                        found[path.relative_to(self._folder).as_posix()] = _state(path)
                    except FileNotFoundError:
                        continue
        return found


def _state(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_mtime_ns, found.st_size


def _is_passed_over(name: str) -> bool:
    return name.startswith(".") or name.endswith(PASSED_OVER)


@contextmanager
def kept_at(url: str, *, said: Callable[[str], None], fetches: bool = True) -> Iterator[Path]:
    """A temporary folder for what shall be kept at a storage's URL, with what is there already unless told otherwise.

    What changes is stored meanwhile, and all of it in the end. `said` is told of a storage that takes nothing for a
    while. Raises StorageUrlError, and StorageError, which names the folder where it could not be stored in the end.
    """
    storage = open_storage(url)
    folder = Path(tempfile.mkdtemp(prefix="topology-lab-"))
    mirror = Mirror(storage, folder)
    if fetches:
        mirror.fetch()
    ended = threading.Event()

    def work() -> None:
        is_away = False
        while not ended.wait(LOOKS_EVERY_S):
            try:
                mirror.push()
                is_away = False
            except StorageError as error:
                if not is_away:
                    said(f"{error} It is tried again.")
                is_away = True

    thread = threading.Thread(target=work, name="mirror", daemon=True)
    thread.start()
    try:
        yield folder
    finally:
        ended.set()
        thread.join()
        try:
            mirror.push()
        except StorageError as error:
            raise StorageError(f"{error} What was made is in {folder}: copy it from there.") from None
    shutil.rmtree(folder, ignore_errors=True)
