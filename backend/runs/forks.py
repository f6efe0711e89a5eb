"""Forks: new runs that begin with the exact state of another.

A fork owns all it needs: its folder holds the checkpoint under the same name, its history begins with the other run's
scalars, a selection of its pictures and the edits made to it, gathered in one generation. So it survives the deletion
of the other run, and goes on as a run does that begins again from its last checkpoint.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import shutil
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from safetensors import SafetensorError, safe_open

from backend.errors import BadInputError, BusyError, NotNowError, RunNotFoundError
from backend.live.hub import RunHub
from backend.live.state import RunState
from backend.runs.runs import Runs
from backend.storage.lineage import past_of
from backend.storage.shelf import Shelf
from backend.storage.store import Store
from cdsp_core.settings.config import Controls, RunConfig
from cdsp_core.settings.overrides import with_controls
from cdsp_core.settings.presets import from_dict
from cdsp_core.storage.folder import flush_folder
from cdsp_core.storage.place import StorageError
from cdsp_core.wire.checkpoint_names import checkpoint_name, undelivered_path
from cdsp_core.wire.frames import Array, decode_frame
from cdsp_core.wire.messages.api import Checkpoint, NewFork
from cdsp_core.wire.messages.commands import CheckpointCommand
from cdsp_core.wire.messages.run import Event
from cdsp_core.wire.messages.vocabulary import MAX_NAME, EventKind
from cdsp_core.wire.recording import picture_steps

COPIED_PICTURES: Final = 120
COPIED_EVENTS: Final[tuple[EventKind, ...]] = ("applied", "phase")


@dataclass(frozen=True, kw_only=True, slots=True)
class Saved:
    """A checkpoint, as far as the web process reads it."""

    name: str
    generation: int
    step: int
    config: RunConfig
    controls: Controls


async def fork(runs: Runs, hub: RunHub, wanted: NewFork) -> RunHub:
    """A new run from another's state, which begins as soon as a worker is free.

    Raises BusyError for a run that has never trained or cannot write a checkpoint, RunNotFoundError for a step without
    one, BadInputError for one that leaves nothing to train or cannot be read, NotNowError when its worker is away.
    """
    parent = hub.state
    if parent.unreadable is not None:
        raise BusyError(parent.reason or "The run cannot be read.")
    if parent.generation < 0:
        raise BusyError("A run must have trained before it is forked. Found one that has not begun.")
    found = await _checkpoint(hub, wanted.step)
    if found.step >= parent.total_steps > 0:
        earlier = _nearest(found.step - 1, [one for one in hub.past.checkpoints() if one.step < found.step])
        raise BadInputError(f"step must be before {parent.total_steps}, the run's last. Found {found.step}. {earlier}")
    run_id = f"run-{secrets.token_hex(4)}"
    folder = hub.folder.with_name(run_id)
    shelf = Shelf(run_id, folder, runs.settings.storage)
    try:
        await asyncio.to_thread(_fetch, hub, found)
        saved = await asyncio.to_thread(_copy_checkpoint, hub.folder, found, folder)
        await asyncio.to_thread(shelf.hand_over, saved.name)
        await asyncio.to_thread(_copy_history, runs.store, hub, saved, run_id)
    except StorageError as error:
        await asyncio.to_thread(shelf.delete)
        raise NotNowError(f"The run cannot be forked now: {error}") from None
    except FileNotFoundError:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        left = _nearest(found.step, await asyncio.to_thread(hub.past.checkpoints))
        raise RunNotFoundError(f"The checkpoint of step {found.step} has just been deleted. {left}") from None
    except BaseException:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        raise
    changed = with_controls(saved.controls, wanted.controls or {})
    state = RunState(
        run_id=run_id,
        name=wanted.name or f"{parent.name[: MAX_NAME - 20]}, fork at {saved.step}",
        config=saved.config,
        created_ms=time.time() * 1000,
        generation=saved.generation,
        step=saved.step,
        total_steps=parent.total_steps,
        revision=parent.revision + (1 if wanted.controls else 0),
        requested=asdict(changed),
        applied=asdict(changed),
        applied_step={name: min(step, saved.step) for name, step in parent.applied_step.items()}
        | dict.fromkeys(wanted.controls or {}, saved.step),
        speed=parent.speed,
        paused_before=parent.status == "paused" if wanted.paused is None else wanted.paused,
        description=parent.description,
        forked_from=(parent.run_id, saved.generation, saved.step),
        edits=[edit for edit in parent.edits if edit.step >= saved.step],
        by_hand=sorted(wanted.controls or {}),
        storage=runs.settings.storage,
    )
    _tell_beginning(runs.store, state, parent.name, saved.controls, wanted)
    made = await runs.adopt(state)
    note = f" {said}" if (said := runs.sharing_note()) and parent.active else ""
    data = {"status": parent.status, "reason": parent.reason, "fork": run_id}
    hub.add_event("status", f"{state.name!r} was forked from step {saved.step}.{note}", data)
    return made


async def _checkpoint(hub: RunHub, step: Any) -> Checkpoint:
    """The checkpoint to begin with: a new one of the run as it is now, or the newest of that step."""
    past, state = hub.past, hub.state
    if step != "now":
        every = await asyncio.to_thread(past.checkpoints)
        found = next((one for one in every if one.step == step), None)
        if found is None:
            raise RunNotFoundError(f"The run has no checkpoint of step {step}. {_nearest(step, every)}")
        return found
    if state.active:
        answer = await hub.steering.command(
            CheckpointCommand(command_id=f"fork-{secrets.token_hex(8)}", type="checkpoint")
        )
        if answer.status == "rejected":
            every = await asyncio.to_thread(past.checkpoints)
            raise BusyError(f"The run cannot be forked now: {answer.reason} {_nearest(answer.applied_step, every)}")
        names = [answer.new["checkpoint_id"]]
    else:
        names = await asyncio.to_thread(past.resumable, state.generation, state.parent)
    every = await asyncio.to_thread(past.checkpoints)
    found = next((one for one in every if names and one.checkpoint_id == names[0]), None)
    if found is None:
        raise RunNotFoundError(f"The run has no checkpoint to go on from. {_nearest(state.step, every)}")
    return found


def _nearest(step: int, every: list[Checkpoint]) -> str:
    """The checkpoint nearest to a step, as a sentence."""
    if not every:
        return "It has no other; fork it at step now."
    return f"The nearest is of step {min((one.step for one in every), key=lambda other: abs(other - step))}."


def _fetch(hub: RunHub, found: Checkpoint) -> None:
    """Have a checkpoint here with what lies beside it. Raises StorageError."""
    hub.shelf.fetch(found.checkpoint_id)
    hub.shelf.fetch_undelivered(found.epoch, found.step)


def _copy_checkpoint(source: Path, found: Checkpoint, folder: Path) -> Saved:
    """Put a checkpoint into the fork's own folder, the JSON last. Raises FileNotFoundError, BadInputError."""
    name = checkpoint_name(found.epoch, found.step, kept=True)
    path = source / f"{found.checkpoint_id}.json"
    try:
        head = json.loads(path.read_text())
        config = from_dict(head["config"])
        controls = with_controls(config.controls, head.get("controls", {}))
        tensors = path.with_suffix(".safetensors")
        if tensors.exists():
            with safe_open(tensors, framework="numpy"):  # refuses a file that was cut off
                pass
    except (KeyError, TypeError, ValueError, SafetensorError) as error:
        problem = " ".join(str(error).split())
        raise BadInputError(f"The checkpoint of step {found.step} cannot be read: {problem[:200]}") from None
    folder.mkdir(parents=True)
    for file in sorted(source.glob(f"{found.checkpoint_id}.*"), key=lambda file: file.suffix == ".json"):
        if file.suffix in (".json", ".safetensors"):
            _link(file, folder / f"{name}{file.suffix}")
    flush_folder(folder)
    return Saved(name=name, generation=found.epoch, step=found.step, config=config, controls=controls)


def _link(file: Path, copy: Path) -> None:
    """The same content under another name: checkpoints are replaced, never written to, so a link keeps it."""
    try:
        copy.hardlink_to(file)
    except FileNotFoundError:
        raise
    except OSError:  # the file system has no links
        shutil.copy2(file, copy)


def _copy_history(store: Store, hub: RunHub, saved: Saved, run_id: str) -> None:
    """Give the fork what led to its first state: every step's scalars, some pictures, the edits. Waits for the disk."""
    store.flush()
    generation = saved.generation
    pictures = picture_steps(saved.step, pictures=COPIED_PICTURES)
    past = past_of(store.archive, hub.run_id, generation, saved.step, pictures=pictures)
    rows = _with_undelivered(past.rows, hub.folder, saved)
    store.save_generation(run_id, generation, None, past.names)
    before = -1
    for seq, frame in enumerate(past.frames):
        between = rows[(rows[:, 0] > before) & (rows[:, 0] <= frame.step)]
        own = replace(
            frame,
            run=run_id,
            epoch=generation,
            seq=seq,
            after_seq=seq - 1,
            arrays={**frame.arrays, "scalars": between},
        )
        store.save_frame(
            run_id, generation, seq, after_seq=seq - 1, step=frame.step, message=own.encode(), scalars=between
        )
        before = frame.step
    rest = rows[rows[:, 0] > before]
    if len(rest):
        seq = len(past.frames)
        store.save_frame(run_id, generation, seq, after_seq=seq - 1, step=saved.step, message=None, scalars=rest)
    events = [event for event in past.events if event["kind"] in COPIED_EVENTS]
    for n, event in enumerate(events):
        copy = Event.model_validate({**event, "run": run_id, "epoch": generation})
        store.save_event(run_id, f"copied-{run_id}", n, copy)


def _with_undelivered(rows: Array, folder: Path, saved: Saved) -> Array:
    """`rows` and those that a worker left beside the checkpoint when it could not deliver them."""
    path = undelivered_path(folder, saved.generation, saved.step)
    try:
        left = decode_frame(path.read_bytes()).arrays["scalars"]
    except (OSError, ValueError, KeyError):  # there is none, or it was cut off: then these steps have no scalars
        return rows
    if left.shape[1:] != rows.shape[1:]:
        return rows
    last = rows[-1, 0] if len(rows) else -1
    return np.concatenate([rows, left[(left[:, 0] > last) & (left[:, 0] <= saved.step)]])


def _tell_beginning(store: Store, state: RunState, parent: str, before: Controls, wanted: NewFork) -> None:
    """Put into the fork's history where it comes from, and its first edit."""
    assert state.forked_from is not None
    origin = {"run_id": state.forked_from[0], "epoch": state.forked_from[1], "step": state.forked_from[2]}

    def event(kind: EventKind, text: str, data: dict[str, Any]) -> Event:
        return Event(
            kind=kind,
            run=state.run_id,
            epoch=state.generation,
            step=state.step,
            revision=state.revision,
            time_ms=state.created_ms,
            text=text,
            data=data,
        )

    told = [
        event(
            "status",
            f"Forked from {parent!r} at step {state.step}.",
            {"status": "queued", "reason": None, "parent": origin},
        )
    ]
    if wanted.controls:
        old = {name: getattr(before, name) for name in wanted.controls}
        new = {name: state.applied[name] for name in wanted.controls}
        changes = ", ".join(f"{name} {old[name]:.4g} to {new[name]:.4g}" for name in new)
        command = {"command_id": f"fork-{state.run_id}", "type": "set", "controls": new, "requested_step": state.step}
        data = {"command": command, "old": old, "new": new, "reason": None, "applied_step": state.step, "by": "person"}
        told.append(event("applied", f"{changes} at step {state.step}.", data))
    for n, each in enumerate(told):
        store.save_event(state.run_id, f"fork-{state.run_id}", n, each)
