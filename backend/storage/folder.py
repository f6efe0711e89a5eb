"""The data folder belongs to one server at a time."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import IO

from backend.storage.store import StoreError


def locked(folder: Path) -> IO[str]:
    """An open file that holds the folder until it is closed or this process ends. Raises StoreError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / "backend.lock").open("a")
    except OSError as error:
        sentence = f"The data folder {folder} cannot be used ({error.strerror}). Choose another with --data-dir."
        raise StoreError(sentence) from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        if isinstance(error, BlockingIOError):
            problem = "is in use by another server. Stop that one, or choose another folder"
        else:
            problem = f"cannot be locked ({error.strerror}). Choose another"
        raise StoreError(f"The data folder {folder} {problem} with --data-dir.") from error
    return file
