"""The checkpoints that a worker keeps of its run, those it thins out, and which of them can be gone on from."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from cdsp_core.storage.place import NotStoredError, StorageError
from cdsp_core.wire.checkpoint_names import (
    list_checkpoints,
    marked_stored,
    milestone_name,
    read_checkpoint_name,
    undelivered_path,
)
from cdsp_core.worker.outbox import Outbox

logger = logging.getLogger(__name__)

KEPT: Final = 5
KEPT_ASKED: Final = 20
MAX_NAMED: Final = 3
"""unreadable checkpoints that a sentence says the reason of"""

MILESTONES_FROM: Final = 50
"""the step of the second milestone; each further one is sqrt(2) times as far, as the pictures of a film are"""
MAX_MILESTONE_BYTES: Final = 4_000_000

Loaded = TypeVar("Loaded")


class NoneReadableError(ValueError):
    """A run has checkpoints and none can be read; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A checkpoint that could not be read."""

    name: str
    reason: str


def first_readable(
    folder: Path, names: list[str], load: Callable[[Path, str], Loaded]
) -> tuple[Loaded, tuple[int, int], list[Skipped]]:
    """What is loaded from the first checkpoint that can be read, its generation and step, and those passed over.

    Raises NoneReadableError: a run that has checkpoints never begins anew by itself; StorageError where they cannot be
    fetched now.
    """
    skipped: list[Skipped] = []
    for name in names:
        parsed = read_checkpoint_name(name)
        if parsed is None:
            skipped.append(Skipped(name, "it has not the name of a checkpoint."))
            continue
        try:
            return load(folder, name), parsed[:2], skipped
        except NotStoredError as error:
            skipped.append(Skipped(name, str(error)))
        except StorageError:
            raise
        except (ValueError, RuntimeError, OSError) as error:
            logger.warning("checkpoint %s cannot be read: %s", name, error)
            skipped.append(Skipped(name, " ".join(str(error).split()) or type(error).__name__))
    raise NoneReadableError(f"No checkpoint of this run can be read, so it cannot go on. {named(skipped)}")


def named(skipped: list[Skipped]) -> str:
    """Which checkpoints could not be read, and why, as sentences."""
    told = " ".join(f"{one.name}: {one.reason}" for one in skipped[:MAX_NAMED])
    more = len(skipped) - MAX_NAMED
    return f"{told} And {more} more." if more > 0 else told


def leave_undelivered(outbox: Outbox, run_id: str, folder: Path, generation: int, step: int) -> None:
    """Put the scalars that the backend has not confirmed beside the checkpoint, in case this process dies now."""
    scalars = outbox.scalars(run_id, generation)
    if scalars is not None:
        path = undelivered_path(folder, generation, step)
        temporary = path.with_suffix(".partial")
        temporary.write_bytes(scalars.encode())
        temporary.replace(path)


def thin_checkpoints(
    folder: Path,
    is_readable: Callable[[Path, str], bool],
    *,
    spared: tuple[int, int] | None = None,
    unreadable: Collection[str] = (),
) -> list[str]:
    """Delete all but the newest, with what lies beside them; those that were asked for are counted apart.

    Returns the names of those deleted, of which a storage may hold more. It is known which of those are `unreadable`.

    One that cannot be read stays: another version may read it, and people are told of it. The one of `spared`, a
    generation and step, stays as well: the backend may still need what lies beside it. What a worker that was killed
    while it wrote has left half-written goes.
    """
    for partial in (*folder.glob(".*.partial"), *folder.glob("*.partial")):
        partial.unlink(missing_ok=True)
    names = [(name, read_checkpoint_name(name)) for name in list_checkpoints(folder)]
    stored, deleted = marked_stored(folder), []
    for kept, number in ((False, KEPT), (True, KEPT_ASKED)):
        for name in [name for name, parsed in names if parsed and parsed[2] is kept][number:]:
            parsed = read_checkpoint_name(name)
            if (parsed and parsed[:2] == spared) or name in unreadable:
                continue
            if name not in stored and not is_readable(folder, name):
                continue
            deleted.append(name)
            for path in folder.glob(f"{name.removesuffix('-kept')}.undelivered"):
                path.unlink(missing_ok=True)
            for path in folder.glob(f"{name}.*"):
                path.unlink(missing_ok=True)
    return deleted


class Milestones:
    """States that are kept of a generation to be asked about later: step 0, then every sqrt(2) steps from 50.

    A model whose file has more than 4 MB keeps none after its first, but is asked all the same, since a frame of each
    of these steps is the picture of a film. `after`: the step that was continued from.
    """

    def __init__(self, folder: Path, generation: int, *, after: int) -> None:
        self._folder = folder
        self._generation = generation
        self._next = 0 if after < 0 else _milestone_after(after)
        self._is_kept = True

    def is_due(self, step: int) -> bool:
        """Whether this step is one of these."""
        return step >= self._next

    def keep(self, step: int, save: Callable[[str], None]) -> str | None:
        """Save this step under a milestone's name, which is returned; None where it is not kept.

        After a disk that refuses it, or a large file, no more are kept.
        """
        self._next = _milestone_after(step)
        if not self._is_kept:
            return None
        name = milestone_name(self._generation, step)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            save(name)
            size = sum(path.stat().st_size for path in self._folder.glob(f"{name}.*"))
        except OSError as error:
            logger.warning("milestone %s could not be written: %s", name, error.strerror)
            self._is_kept = False
            return None
        self._is_kept = size <= MAX_MILESTONE_BYTES
        return name


def _milestone_after(step: int) -> int:
    picture = 0
    while (milestone := round(MILESTONES_FROM * 2 ** (picture / 2))) <= step:
        picture += 1
    return milestone
