"""What the checkpoints of a run are called in its folder, and what lies beside them.

One that a storage keeps (`cdsp_core.storage`) has an empty file NAME.stored in the folder, be it here as well or not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

NAME: Final = re.compile(r"e(\d{6})-s(\d{9})(-kept)?")
MILESTONE: Final = re.compile(r"m(\d{6})-s(\d{9})")
STORED: Final = ".stored"
CHECKPOINTS: Final = "checkpoints"
"""of a storage: the folder of them"""


def checkpoint_name(generation: int, step: int, *, kept: bool) -> str:
    """File name of a checkpoint, without its ending; `kept` ones were asked for and are not thinned out soon."""
    return f"e{generation:06d}-s{step:09d}" + ("-kept" if kept else "")


def read_checkpoint_name(name: str) -> tuple[int, int, bool] | None:
    """Generation, step and `kept` of a checkpoint's name; None when it is not one."""
    match = NAME.fullmatch(name)
    return (int(match[1]), int(match[2]), match[3] is not None) if match else None


def undelivered_path(folder: Path, generation: int, step: int) -> Path:
    """Where a worker that ends leaves the scalars that the backend has not confirmed."""
    return folder / f"{checkpoint_name(generation, step, kept=False)}.undelivered"


def list_checkpoints(folder: Path) -> list[str]:
    """Names of the complete checkpoints in `folder`, and of those that a storage keeps, newest first."""
    names = [name for name in _states(folder) if read_checkpoint_name(name)]
    return sorted(names, key=lambda name: (*(read_checkpoint_name(name) or ()),), reverse=True)


def stored_key(run_id: str, file: str) -> str:
    """What a file of a run's folder is called in a storage."""
    return f"{CHECKPOINTS}/{run_id}/{file}"


def stored_states(files: Iterable[str]) -> set[str]:
    """Names of the states, checkpoints and milestones, that are whole among these files of a run."""
    return {name for file in files if file.endswith(".json") and is_state(name := file.removesuffix(".json"))}


def is_state(name: str) -> bool:
    """Whether that is the name of a checkpoint or of a milestone."""
    return NAME.fullmatch(name) is not None or MILESTONE.fullmatch(name) is not None


def mark_stored(folder: Path, name: str) -> None:
    """Say in a run's folder that a storage keeps this state. Raises OSError."""
    (folder / f"{name}{STORED}").touch()


def marked_stored(folder: Path) -> set[str]:
    """Names of the states that a storage keeps, as the folder says."""
    return {path.stem for path in folder.glob(f"*{STORED}")} if folder.is_dir() else set()


def _states(folder: Path) -> set[str]:
    """Names of what is whole here or in a storage."""
    if not folder.is_dir():
        return set()
    return {path.stem for path in (*folder.glob("*.json"), *folder.glob(f"*{STORED}")) if is_state(path.stem)}


def milestone_name(generation: int, step: int) -> str:
    """File name of a checkpoint that is kept to be looked at, not to go on from."""
    return f"m{generation:06d}-s{step:09d}"


def list_states(folder: Path) -> dict[tuple[int, int], str]:
    """Names of everything in `folder` that can be looked at, checkpoints and milestones, by generation and step."""
    found: dict[tuple[int, int], str] = {}
    for name in sorted(_states(folder)):
        match = MILESTONE.fullmatch(name) or NAME.fullmatch(name)
        assert match is not None
        found[int(match[1]), int(match[2])] = name
    return found
