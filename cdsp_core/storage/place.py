"""What a storage is: files under names with slashes, each there as a whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class StorageError(OSError):
    """A storage did not do what it was asked to; the message is one sentence with the way out."""


class StorageAwayError(StorageError):
    """It cannot be reached now, or is too busy: the same may work later."""


class NotStoredError(StorageError):
    """There is no file of that name."""


class StorageUrlError(ValueError):
    """A URL that can be no storage, or a package that it needs is missing; the message is one sentence."""


class Storage(Protocol):
    """Files by key, `checkpoints/run-1/a.json`. Every method waits for the storage and raises StorageError."""

    @property
    def url(self) -> str:
        """Where it is, without anything secret."""

    def put(self, path: Path, key: str) -> None:
        """Keep a file. Once this returns, it has been acknowledged: the whole of it is there."""

    def get(self, key: str, path: Path) -> None:
        """Fetch a file, whole or not at all. Raises NotStoredError, and OSError for a disk that refuses it."""

    def list(self, prefix: str) -> dict[str, int]:
        """Bytes of every file below `prefix`, by key; empty where there is none."""

    def delete(self, key: str) -> None:
        """Delete a file, if it is there."""

    def delete_all(self, prefix: str) -> None:
        """Delete every file below `prefix`."""
