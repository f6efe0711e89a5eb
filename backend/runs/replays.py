"""A recorded run that answers what a page asks of a run: what it is, its film and its moments. Nothing trains.

It holds pictures of sigma(A) and thinned scalars, so its frames have no other arrays. What happened at a step between
two pictures is told at the later one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

import numpy as np

from cdsp_core.data.tasks import TASKS, Task
from cdsp_core.settings.config import schema
from cdsp_core.settings.overrides import with_controls
from cdsp_core.wire.frames import Array, Frame
from cdsp_core.wire.messages import run as wire
from cdsp_core.wire.messages.viewer import Hello, hello_head
from cdsp_core.wire.messages.vocabulary import MAX_NAME as MAX_CALLED
from cdsp_core.wire.oligarchy import read_found
from cdsp_core.wire.phases import PhaseWatch
from cdsp_core.wire.recording import CUT_BELOW, Recording

RUN_PREFIX: Final = "recorded:"
"""before the name of a recorded run, where a run's id is wanted"""
MAX_NAME: Final = 64 - len(RUN_PREFIX)
SPARSITY: Final = "layer{}/alpha_sparsity"
MOST_CLASSES: Final = 10
"""of a task of own data that its note lists"""


def hello_of(name: str, recording: Recording, called: str) -> Hello:
    """What the socket of a run says first, with the events that the recording tells of; people read `called`."""
    model = recording.recipe.config.model
    static = wire.Description(
        tasks=_tasks(recording),
        scalar_names=_scalar_names(recording),
        **wire.sizes(model),
    )
    info = _info(name, recording, called)
    head = hello_head(info, recording.recipe.config, schema()["controls"], static, resumed=False)
    return Hello(**dict(head), events=_events(name, recording))


def snapshot_of(name: str, recording: Recording) -> bytes:
    """The last picture, with all scalars: a frame of kind `snapshot`."""
    last = len(recording.steps) - 1
    arrays = {"scalars": _rows(recording), **_pictures(recording, last)}
    return _frame(name, recording, last, "snapshot", arrays).encode()


def moment_of(name: str, recording: Recording, step: int) -> bytes:
    """The picture nearest to a step, the earlier of two, as a frame."""
    nearest = int(np.abs(recording.steps.astype(np.int64) - step).argmin())
    return _frame(name, recording, nearest, "frame", _pictures(recording, nearest)).encode()


def film_of(name: str, recording: Recording) -> bytes:
    """Every picture, as a message of kind `film`."""
    pictures, layers = recording.connection.shape[:2]
    arrays: dict[str, Array] = {
        f"layer{layer}/connection": recording.connection[:, layer].reshape(pictures, -1) for layer in range(layers)
    }
    lineage = np.array([(0, -1)], dtype=np.int32)
    arrays |= {"steps": recording.steps, "lineage": lineage}
    return _frame(name, recording, pictures - 1, "film", arrays).encode()


def _pictures(recording: Recording, picture: int) -> dict[str, Array]:
    """sigma(A) of every layer at a picture, as a frame has it."""
    return {
        f"layer{layer}/connection": connection_ep.astype(np.float32) / 255
        for layer, connection_ep in enumerate(recording.connection[picture])
    }


def _frame(name: str, recording: Recording, picture: int, kind: str, arrays: dict[str, Array]) -> Frame:
    return Frame(
        run=f"{RUN_PREFIX}{name}",
        epoch=0,
        seq=picture,
        after_seq=picture - 1,
        step=int(recording.steps[picture]),
        revision=0,
        time_ms=0.0,
        kind=kind,
        arrays=arrays,
    )


def _tasks(recording: Recording) -> list[wire.Task]:
    """The tasks that its scalars tell of: those of the program, and own ones, with the classes it knows."""
    names = [name.partition("/")[2] for name in recording.scalar_names if name.startswith("test_accuracy/")]
    own = recording.recipe.config.train.dataset
    if own:
        return [_own_task(name, recording.class_names.get(name, ()), own) for name in names]
    known = {name: task for name, task in TASKS.items() if name not in recording.class_names}
    return [_task(known[name]) if name in known else _watched_task(name) for name in names]


def _task(task: Task) -> wire.Task:
    return wire.Task(name=task.name, label=task.label, note=task.note, class_names=list(task.class_names))


def _watched_task(name: str) -> wire.Task:
    """A task of a model that was only watched: its program names it, and no more."""
    return wire.Task(name=name, label=name, note="A task of the program that trained this model.", class_names=[])


def _own_task(name: str, classes: Sequence[str], dataset: str) -> wire.Task:
    """A task of own data; what people read of it lists its classes, where the recording has them."""
    note = f"A task of the data set {dataset}."
    if classes:
        more = len(classes) - MOST_CLASSES
        listed = ", ".join(classes[:MOST_CLASSES]) + (f" and {more} more" if more > 0 else "")
        note = f"{len(classes)} classes of the data set {dataset}: {listed}."
    return wire.Task(name=name, label=name, note=note, class_names=list(classes))


def _scalar_names(recording: Recording) -> list[str]:
    layers = recording.connection.shape[1]
    return ["step", *recording.scalar_names, *(SPARSITY.format(layer) for layer in range(layers))]


def _rows(recording: Recording) -> Array:
    """A row a picture [T, names]; the share of links cut is of the picture itself, the others are as recorded."""
    cut_tl = np.mean(recording.connection < CUT_BELOW * 255, axis=(2, 3))
    return np.column_stack([recording.steps, recording.scalars, cut_tl]).astype(np.float32)


def _info(name: str, recording: Recording, called: str) -> wire.RunInfo:
    recipe, last = recording.recipe, int(recording.steps[-1])
    controls, since = recipe.config.controls, dict.fromkeys(asdict(recipe.config.controls), 0)
    for edit in recipe.edits:
        controls = with_controls(controls, edit.controls)
        since |= dict.fromkeys(edit.controls, edit.step)
    values = asdict(controls)
    return wire.RunInfo(
        run_id=f"{RUN_PREFIX}{name}",
        name=called[:MAX_CALLED],
        note="",
        preset=recipe.config.preset,
        seed=recipe.config.train.seed,
        status="finished",
        reason=None,
        epoch=0,
        step=last,
        total_steps=last,
        revision=0,
        controls=wire.ControlStates(requested=values, applied=values, applied_step=since),
        speed=None,
        device=None,
        steps_per_s=None,
        viewers=0,
        restarts=0,
        created_ms=0.0,
    )


def _events(name: str, recording: Recording) -> list[wire.Event]:
    """Its edits, and the phases that its pictures show, oldest first."""
    found = [*_edits(name, recording), *_phases(name, recording)]
    return sorted(found, key=lambda event: event.step)


def _edits(name: str, recording: Recording) -> list[wire.Event]:
    events, controls = [], asdict(recording.recipe.config.controls)
    for edit in recording.recipe.edits:
        old = {control: controls[control] for control in edit.controls}
        controls |= edit.controls
        changed = ", ".join(f"{control} {old[control]:.4g} to {value:.4g}" for control, value in edit.controls.items())
        command = {"type": "set", "controls": edit.controls, "requested_step": edit.step}
        data = {"command": command, "old": old, "new": edit.controls, "applied_step": edit.step, "by": "person"}
        events.append(_event(name, "applied", edit.step, f"{changed} at step {edit.step}.", data))
    return events


def _phases(name: str, recording: Recording) -> list[wire.Event]:
    model = recording.recipe.config.model
    watch = PhaseWatch(has_diagonal=model.has_diagonal, oligarchy=read_found())
    pictures = range(len(recording.steps))
    frames = (_frame(name, recording, each, "frame", _pictures(recording, each)) for each in pictures)
    return [
        _event(name, "phase", frame.step, phase.text, phase.data) for frame in frames for phase in watch.observe(frame)
    ]


def _event(name: str, kind: Any, step: int, text: str, data: dict[str, Any]) -> wire.Event:
    return wire.Event(
        kind=kind, run=f"{RUN_PREFIX}{name}", epoch=0, step=step, revision=0, time_ms=0.0, text=text, data=data
    )
