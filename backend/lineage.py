"""A run's past up to a moment: its generation and those that this one was continued from, as one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from backend.archive import Archive
from cdsp_core.wire.frames import Array, Frame, decode_frame


@dataclass(frozen=True, kw_only=True, slots=True)
class Lineage:
    """What led to a step of a generation. `parts`: generations, oldest first, each with the last step that counts."""

    run_id: str
    generation: int
    parts: tuple[tuple[int, int], ...]
    names: list[str]
    """of the scalars"""

    @property
    def step(self) -> int:
        """The last step."""
        return self.parts[-1][1]


def lineage(archive: Archive, run_id: str, generation: int, step: int) -> Lineage:
    """What led to that step of a generation."""
    generations = archive.generations(run_id)
    parts: list[tuple[int, int]] = []
    wanted: tuple[int, int] | None = (generation, step)
    while wanted is not None:
        parts.insert(0, (wanted[0], min(wanted[1], step)))
        wanted = generations[wanted[0]][0] if wanted[0] in generations else None
        if wanted is not None:
            step = min(step, wanted[1])
    names = generations[generation][1] if generation in generations else []
    return Lineage(run_id=run_id, generation=generation, parts=tuple(parts), names=names)


def frames_of(archive: Archive, past: Lineage, steps: list[int]) -> list[Frame]:
    """For each of `steps` the newest stored frame at or before it, each frame once; those that are stored."""
    stored: list[tuple[int, int, int]] = []
    """step, generation, seq"""
    begun_at = 0
    for generation, upto in past.parts:
        found = archive.frame_steps(past.run_id, generation)
        stored += [(at, generation, seq) for seq, at in found if begun_at <= at <= upto]
        begun_at = upto + 1
    stored.sort()
    places = np.searchsorted([at for at, _, _ in stored], steps, side="right") - 1
    frames: list[Frame] = []
    for place in dict.fromkeys(int(place) for place in places if place >= 0):
        body = archive.frame(past.run_id, stored[place][1], stored[place][2])
        frame = None if body is None else decode_frame(body)
        if frame is not None and (not frames or frame.step > frames[-1].step):  # it may be thinned out this moment
            frames.append(frame)
    return frames


def rows_of(archive: Archive, past: Lineage) -> Array:
    """Every step's scalars [steps, names]."""
    rows = archive.scalars(past.run_id, past.generation, upto_step=past.step, names=past.names)
    return np.empty((0, len(past.names)), dtype=np.float32) if rows is None else rows


def events_of(archive: Archive, past: Lineage) -> list[dict[str, Any]]:
    """What happened, oldest first."""
    upto = dict(past.parts)
    return [event for event in archive.events(past.run_id) if event["step"] <= upto.get(event["epoch"], -1)]
