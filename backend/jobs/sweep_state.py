"""What the server keeps of a map beside its cells, in a file of the map's folder; and the maps that come with it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from backend.jobs.kept_files import read_object
from backend.jobs.sweep_info import KeptSweep
from cdsp_core.studies.sweeps.files import CELLS, SPEC
from cdsp_core.wire.messages.sentences import read

logger = logging.getLogger(__name__)

STATE: Final = "state.json"
MOST_STATE_BYTES: Final = 65_536


def kept_sweeps(folder: Path) -> Iterator[tuple[Path, KeptSweep]]:
    """The folder of every map that was made here, and what is kept of it; what cannot be read is left out and told."""
    for path in sorted(folder.glob(f"*/{STATE}")):
        try:
            yield path.parent, read(KeptSweep, read_object(path, MOST_STATE_BYTES), called="the state of a map")
        except (OSError, ValueError) as error:
            logger.warning("%s is no map: %s", path.parent, error)


def save_sweep(path: Path, kept: KeptSweep) -> None:
    """Put a map's state on disk; a full disk costs only what a restart would know."""
    file = path / STATE
    temporary = file.with_suffix(".partial")
    try:
        temporary.write_text(kept.to_text())
        temporary.replace(file)
    except OSError as error:
        logger.warning("the state of map %s cannot be written: %s", path.name, error)


def recorded_sweeps(folder: Path) -> list[Path]:
    """The folders of the maps that come with the program, the one with most cells first."""
    found = [path.parent for path in folder.glob(f"*/{SPEC}")]
    return sorted(found, key=lambda path: (-sum(1 for _ in (path / CELLS).glob("*")), path.name))
