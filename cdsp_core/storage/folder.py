"""A folder as a storage: of this machine, or one that several machines mount."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from cdsp_core.storage.place import NotStoredError, StorageAwayError


class FolderStorage:
    """`root` is made when something is kept."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def url(self) -> str:
        return str(self._root)

    def put(self, path: Path, key: str) -> None:
        target = self._root / key
        with path.open("rb") as source, self._told():
            target.parent.mkdir(parents=True, exist_ok=True)
            _whole_copy(source, target)

    def get(self, key: str, path: Path) -> None:
        with self._told():
            if not (self._root / key).is_file():
                raise NotStoredError(f"{self.url} has no file {key}.")
        with (self._root / key).open("rb") as source:
            _whole_copy(source, path)

    def list(self, prefix: str) -> dict[str, int]:
        with self._told():
            found = [path for path in (self._root / prefix).rglob("*") if path.is_file()]
            return {
                path.relative_to(self._root).as_posix(): path.stat().st_size
                for path in sorted(found)
                if not path.name.endswith(".partial")
            }

    def delete(self, key: str) -> None:
        with self._told():
            (self._root / key).unlink(missing_ok=True)

    def delete_all(self, prefix: str) -> None:
        with self._told():
            if (self._root / prefix).exists():
                shutil.rmtree(self._root / prefix)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except NotStoredError:
            raise
        except OSError as error:
            said = error.strerror or type(error).__name__
            raise StorageAwayError(f"The storage {self.url} cannot be used ({said}).") from error


def flush_folder(folder: Path) -> None:
    """Wait until the disk holds which names a folder has: a rename counts only then. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _whole_copy(source: IO[bytes], target: Path) -> None:
    """Copy a file beside its target, flush it to disk and rename it. Raises OSError."""
    temporary = target.with_name(f".{target.name}.partial")
    with temporary.open("wb") as copy:
        shutil.copyfileobj(source, copy, 1 << 20)
        copy.flush()
        os.fsync(copy.fileno())
    temporary.replace(target)
