"""Files of a map's folder, for those that train it and those that only look. Loads neither torch nor pyarrow.

OUT/sweep.json                    what the map is
OUT/cells/KEY.recording           each run, as far as it has come; with measures once it has ended
OUT/cells/KEY.failed              why a run has no end
OUT/cells/held                    while it is there, cells wait between two steps
OUT/sweep/jobs/KEY.parquet        each finished run: what makes it done
OUT/sweep/sweep.parquet           all of them, with every cell's config and version
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from cdsp_core.studies.sweeps.spec import Sweep, read_sweep

NAME: Final = "sweep"
SPEC: Final = "sweep.json"
MAX_SPEC_BYTES: Final = 2**20
CELLS: Final = "cells"
HELD: Final = "held"
FAILED: Final = ".failed"


def stored_sweep(folder: Path) -> Sweep | None:
    """The map that a folder holds; None where it holds none. Raises ValueError, OSError."""
    path = folder / SPEC
    if not path.exists():
        return None
    try:
        with path.open("rb") as file:
            content = file.read(MAX_SPEC_BYTES + 1)
        if len(content) > MAX_SPEC_BYTES:
            raise ValueError(f"more than {MAX_SPEC_BYTES} bytes.")
        return read_sweep(json.loads(content))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} must hold a map. Found: {error}") from None


def store_sweep(sweep: Sweep, folder: Path) -> None:
    """Say in a folder what its map is, whole or not at all. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{SPEC}.partial"
    temporary.write_text(json.dumps(sweep.to_json(), indent=1) + "\n")
    temporary.replace(folder / SPEC)


def parquet_of(folder: Path) -> Path:
    """Where all cells that were finished stand in one file."""
    return folder / NAME / f"{NAME}.parquet"
