"""What the checkpoints of a run are called in its folder, and what lies beside them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

NAME: Final = re.compile(r"e(\d{6})-s(\d{9})(-kept)?")


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
    """Names of the complete checkpoints in `folder`, newest first."""
    if not folder.is_dir():
        return []
    names = [path.stem for path in folder.glob("*.json") if read_checkpoint_name(path.stem)]
    return sorted(names, key=lambda name: (*(read_checkpoint_name(name) or ()),), reverse=True)


MILESTONE: Final = re.compile(r"m(\d{6})-s(\d{9})")


def milestone_name(generation: int, step: int) -> str:
    """File name of a checkpoint that is kept to be looked at, not to go on from."""
    return f"m{generation:06d}-s{step:09d}"


def list_states(folder: Path) -> dict[tuple[int, int], str]:
    """Names of everything in `folder` that can be looked at, checkpoints and milestones, by generation and step."""
    found: dict[tuple[int, int], str] = {}
    for path in folder.glob("*.json") if folder.is_dir() else ():
        match = MILESTONE.fullmatch(path.stem) or NAME.fullmatch(path.stem)
        if match is not None:
            found[int(match[1]), int(match[2])] = path.stem
    return found
