"""Reading what an earlier process, or anybody else, has left in the data folder: JSON, bounded in bytes and depth."""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
from pathlib import Path
from typing import Any, BinaryIO

from cdsp_core.settings.fields import shown


def set_aside(path: Path) -> Path | None:
    """Keep what a file holds now under another name, before it is replaced; None where that cannot be.

    What was kept so before goes: one is enough for somebody to mend. It goes once the new one is whole, and what it
    was, or the file is, counts for nothing: the copy is a file of its own for its user only, and follows no link.
    """
    aside = path.with_suffix(f".unread{path.suffix}")
    partial = aside.with_suffix(".partial")
    try:
        partial.unlink(missing_ok=True)
        with _opened(path) as file, _for_its_user(partial) as copy:
            shutil.copyfileobj(file, copy)
        partial.replace(aside)
    except OSError:
        return None
    return aside


def read_object(path: Path, most_bytes: int) -> dict[str, Any]:
    """The JSON object in a file. Raises OSError, ValueError, one sentence."""
    with _opened(path) as file:
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise ValueError(f"it must have at most {most_bytes} bytes. Found more.")
    try:
        found = json.loads(content)
    except RecursionError:
        raise ValueError("it must be a flat JSON object. Found one nested too deeply.") from None
    if not isinstance(found, dict):
        raise ValueError(f"it must be a JSON object. Found {shown(found)}.")
    return found


def _opened(path: Path) -> BinaryIO:
    """A file to read. Raises OSError for what is none: a pipe would be waited for without end."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "it must be a file")
    return path.open("rb")


def _for_its_user(path: Path) -> BinaryIO:
    """A new file to write; an exclusive one follows no link."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
