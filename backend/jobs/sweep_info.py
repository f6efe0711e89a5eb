"""What the API says of a map: how far it is, how long it will take, and where it trains."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from backend.jobs.sweep_process import SweepProcess
from cdsp_core.studies.sweeps.measures import MEASURES
from cdsp_core.studies.sweeps.spec import Sweep
from cdsp_core.wire.messages.fields import Message, Number
from cdsp_core.wire.messages.sweeps import SweepAxis, SweepCell, SweepInfo, SweepMeasure
from cdsp_core.wire.messages.vocabulary import SweepState

KNOWN_FROM: Final = 0.05
"""runs that must have been trained before it is said how long the others will take"""


class KeptSweep(Message):
    """What this process keeps of a map beside the folder's own files."""

    name: str
    state: SweepState = "waiting"
    reason: str | None = None
    waits: bool = False
    created_ms: Number


@dataclass(frozen=True, kw_only=True, slots=True)
class Going:
    """The map that trains now."""

    sweep_id: str
    process: SweepProcess
    place: str
    """where its runs are trained, for people"""
    beside_runs: bool
    """whether it takes cores from the runs that people watch"""
    done_before: int
    """cells that had ended when it began"""
    following: asyncio.Task[None]


def info_of(
    sweep_id: str, sweep: Sweep, cells: Sequence[SweepCell], *, kept: KeptSweep | None, going: Going | None
) -> SweepInfo:
    """A map as it is listed. `kept`: None where it comes with the program; `going`: None where it does not train."""
    under_way = sum(cell.step / sweep.steps for cell in cells if cell.state == "training")
    done = sum(cell.state in ("done", "failed") for cell in cells) + under_way
    measures = [(name, MEASURES[name]) for name in sweep.measures]
    return SweepInfo(
        sweep_id=sweep_id,
        name=kept.name if kept is not None else sweep_id,
        recorded=kept is None,
        state=kept.state if kept is not None else "finished",
        reason=kept.reason if kept is not None else None,
        preset=sweep.base.preset,
        axes=[SweepAxis(field=axis.field, values=list(axis.values)) for axis in (sweep.x, sweep.y)],
        seeds=sweep.seeds,
        steps=sweep.steps,
        measures=[SweepMeasure(name=name, label=each.label, unit=each.unit, text=each.text) for name, each in measures],
        done=round(done, 3),
        total=len(cells),
        left_s=None if going is None else _left_s(going, done, len(cells)),
        place=_place(kept, going),
        waits=kept.waits if kept is not None else False,
        created_ms=kept.created_ms if kept is not None else None,
    )


def _left_s(going: Going, done: float, total: int) -> float | None:
    """By its pace so far."""
    trained = done - going.done_before
    return round(going.process.trained_s * (total - done) / trained, 1) if trained >= KNOWN_FROM else None


def _place(kept: KeptSweep | None, going: Going | None) -> str:
    if kept is None:
        return "comes with the program"
    return "" if going is None else f"{going.place}, {going.process.processes} at a time"
