"""A run's past up to a moment: its generation and those that this one was continued from, as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backend.storage.archive import Archive
from cdsp_core.wire.frames import Array, Frame, decode_frame


@dataclass(frozen=True, kw_only=True, slots=True)
class Past:
    """What led to a step of a generation."""

    frames: list[Frame]
    """the stored ones nearest to the steps asked for, oldest first"""
    names: list[str]
    """of the scalars"""
    rows: Array
    """every step's scalars [steps, names]"""
    events: list[dict[str, Any]]
    """oldest first"""


def past_of(archive: Archive, run_id: str, generation: int, step: int, *, pictures: Sequence[int]) -> Past:
    """What led to that step of a generation, with the frames nearest to the steps `pictures`. Waits for the disk."""
    names = archive.generations(run_id)[generation][1]
    rows = archive.scalars(run_id, generation, upto_step=step, names=names)
    upto = {number: step if last is None else min(step, last) for number, last in archive.lineage(run_id, generation)}
    frames: list[Frame] = []
    for body in archive.moments(run_id, generation, pictures):
        frame = decode_frame(body)
        if frame.step <= step and (not frames or frame.step > frames[-1].step):
            frames.append(frame)
    return Past(
        frames=frames,
        names=names,
        rows=np.empty((0, len(names)), dtype=np.float32) if rows is None else rows,
        events=[event for event in archive.events(run_id) if event["step"] <= upto.get(event["epoch"], -1)],
    )
