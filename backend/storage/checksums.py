"""Whether a checkpoint's two files are those that were written together, found out without torch."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path


def why_damaged(folder: Path, name: str) -> str | None:
    """Why a checkpoint cannot be read, in one sentence; None when its checksum is right, or it was written without."""
    try:
        head = json.loads((folder / f"{name}.json").read_text())
        with (folder / f"{name}.safetensors").open("rb") as file:
            digest = hashlib.file_digest(file, "sha256")
    except OSError as error:
        return f"it cannot be read: {error.strerror}."
    except ValueError as error:
        return f"its JSON cannot be read: {error}."
    if not isinstance(head, dict):
        return "its JSON holds no object."
    rest = {key: value for key, value in head.items() if key != "sha256"}
    digest.update(json.dumps(rest, sort_keys=True).encode())
    return None if head.get("sha256") in (None, digest.hexdigest()) else "its checksum is not the one written with it."
