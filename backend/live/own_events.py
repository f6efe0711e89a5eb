"""Events that the server tells of a run, not the worker."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from backend.live.state import RunState
from cdsp_core.wire.frames import Frame
from cdsp_core.wire.messages.run import Event
from cdsp_core.wire.messages.vocabulary import MAX_SENTENCE, EventKind


def own_event(state: RunState, kind: EventKind, text: str, data: dict[str, Any], frame: Frame | None) -> Event:
    """Something that happened now, or at the step of a frame."""
    return Event(
        kind=kind,
        run=state.run_id,
        epoch=max(state.generation, 0),
        step=state.step if frame is None else frame.step,
        revision=state.revision,
        time_ms=time.time() * 1000 if frame is None else frame.time_ms,
        text=text[:MAX_SENTENCE],
        data=data,
    )


def moved_steps(state: RunState, before: Mapping[str, int]) -> tuple[str, dict[str, Any]] | None:
    """What to say where a generation goes on from before the step at which a control had changed; None elsewhere."""
    moved = [name for name, step in before.items() if step > state.applied_step[name] == state.step]
    if state.edits:  # what its recipe has set comes again by itself
        moved = [name for name in moved if name in state.by_hand]
    if state.parent is None or not moved:
        return None
    told = ", ".join(f"{name} {state.applied[name]:.4g}" for name in moved)
    data = {"controls": {name: state.applied[name] for name in moved}, "applied_step": state.step}
    return f"In force from step {state.step}, where the run goes on: {told}.", data
