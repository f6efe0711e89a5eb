"""The checkpoints of a run in its folder: their names, which are kept, and what lies beside them. Knows no torch."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from cdsp_core.worker.outbox import Outbox

KEPT: Final = 5
KEPT_ASKED: Final = 20
NAME: Final = re.compile(r"e(\d{6})-s(\d{9})(-kept)?")


def checkpoint_name(epoch: int, step: int, *, kept: bool) -> str:
    """File name of a checkpoint, without its ending; `kept` ones were asked for and are not thinned out soon."""
    return f"e{epoch:06d}-s{step:09d}" + ("-kept" if kept else "")


def read_checkpoint_name(name: str) -> tuple[int, int, bool] | None:
    """Epoch, step and `kept` of a checkpoint's name; None when it is not one."""
    match = NAME.fullmatch(name)
    return (int(match[1]), int(match[2]), match[3] is not None) if match else None


def undelivered_path(folder: Path, epoch: int, step: int) -> Path:
    """Where a worker that ends leaves the scalars that the backend has not confirmed."""
    return folder / f"{checkpoint_name(epoch, step, kept=False)}.undelivered"


def list_checkpoints(folder: Path) -> list[str]:
    """Names of the complete checkpoints in `folder`, newest first."""
    if not folder.is_dir():
        return []
    names = [path.stem for path in folder.glob("*.json") if read_checkpoint_name(path.stem)]
    return sorted(names, key=lambda name: (*(read_checkpoint_name(name) or ()),), reverse=True)


def leave_undelivered(outbox: Outbox, run_id: str, folder: Path, epoch: int, step: int) -> None:
    """Put the scalars that the backend has not confirmed beside the checkpoint, in case this process dies now."""
    scalars = outbox.scalars(run_id, epoch)
    if scalars is not None:
        path = undelivered_path(folder, epoch, step)
        temporary = path.with_suffix(".partial")
        temporary.write_bytes(scalars.encode())
        temporary.replace(path)


def thin_checkpoints(folder: Path) -> None:
    """Delete all but the newest, with what lies beside them; those that were asked for are counted apart."""
    names = [(name, read_checkpoint_name(name)) for name in list_checkpoints(folder)]
    for kept, number in ((False, KEPT), (True, KEPT_ASKED)):
        for name in [name for name, parsed in names if parsed and parsed[2] is kept][number:]:
            for path in folder.glob(f"{name.removesuffix('-kept')}.undelivered"):
                path.unlink()
            for path in folder.glob(f"{name}.*"):
                path.unlink()
