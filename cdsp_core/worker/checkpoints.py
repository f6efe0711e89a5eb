"""The checkpoints that a worker keeps of its run, and those it thins out."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from cdsp_core.wire.checkpoint_names import list_checkpoints, read_checkpoint_name, undelivered_path
from cdsp_core.worker.outbox import Outbox

KEPT: Final = 5
KEPT_ASKED: Final = 20


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
