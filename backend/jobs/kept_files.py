"""Reading what an earlier process, or anybody else, has left in the data folder: JSON, bounded in bytes and depth."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from cdsp_core.settings.fields import shown


def set_aside(path: Path) -> Path | None:
    """Keep what a file holds now under another name, before it is replaced; None where that cannot be.

    What was kept so before goes: one is enough for somebody to mend.
    """
    aside = path.with_suffix(f".unread{path.suffix}")
    try:
        shutil.copyfile(path, aside)
    except OSError:
        return None
    return aside


def read_object(path: Path, most_bytes: int) -> dict[str, Any]:
    """The JSON object in a file. Raises OSError, ValueError, one sentence."""
    with path.open("rb") as file:
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
