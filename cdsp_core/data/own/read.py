"""Sources of own data, whichever they are, as one set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cdsp_core.data.idx import DatasetError
from cdsp_core.data.own.bounds import MAX_IMAGES, MAX_TASKS, checked_name
from cdsp_core.data.own.folders import read_task, tasks_below
from cdsp_core.data.own.npz import read_npz
from cdsp_core.data.own.parts import TaskImages, joined
from cdsp_core.data.own.stored import OwnSet
from cdsp_core.data.own.torchvision_sets import read_torchvision


def read_sources(
    name: str, sources: Sequence[Path], *, torchvision: Sequence[str] = (), root: Path | None = None
) -> OwnSet:
    """A set of an .npz, of one folder that holds a folder a task, or of folders and torchvision's sets, a task each.

    Raises DatasetError, one sentence that names what was wrong and where.
    """
    checked_name(name)
    sources = list(sources)
    if len(sources) == 1 and sources[0].suffix == ".npz" and not torchvision:
        return joined(name, f"made of {sources[0].name}", read_npz(sources[0]))
    if len(sources) == 1 and not torchvision:
        sources = tasks_below(sources[0])
    if any(source.suffix == ".npz" for source in sources):
        raise DatasetError("an .npz must be the only source, since it holds all tasks. Found others beside it.")
    if len(sources) + len(torchvision) > MAX_TASKS:
        raise DatasetError(f"{name} must have at most {MAX_TASKS} tasks. Found {len(sources) + len(torchvision)}.")
    if torchvision and root is None:
        raise DatasetError("torchvision's sets need a folder: give one with --data-root.")
    parts: list[TaskImages] = []
    for source in sources:
        parts.append(read_task(source, most=_left(parts)))
    for each in torchvision:
        assert root is not None
        share = (MAX_IMAGES - MAX_IMAGES // 6) // (len(sources) + len(torchvision))
        parts.append(read_torchvision(each, root, most=min(share, max(1, _left(parts) * 5 // 6))))
    names = [part.name for part in parts]
    for each in names:
        if names.count(each) > 1:
            raise DatasetError(f"{name} must have each task once. Found {each} twice.")
    return joined(name, f"made of {', '.join(names)}", parts)


def _left(parts: Sequence[TaskImages]) -> int:
    return MAX_IMAGES - sum(len(part.labels) for part in parts)
