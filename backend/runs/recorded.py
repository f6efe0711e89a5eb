"""Recorded runs: those that come with the program, and any stored run as one."""

from __future__ import annotations

import contextlib
import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import Any, Final

from backend.errors import BadInputError, RunNotFoundError
from backend.live.hub import RunHub
from backend.live.listing import own_settings
from backend.live.state import RunState
from backend.runs.replays import MAX_NAME
from backend.storage.lineage import past_of
from backend.storage.store import Store
from cdsp_core.studies.sweeps.files import CELLS
from cdsp_core.wire.messages.api import RecordedRun, RecordedRuns
from cdsp_core.wire.recipe import Edit, Recipe
from cdsp_core.wire.recording import SUFFIX, Recording, RecordingError, picture_steps, read_recording, record
from cdsp_core.wire.recording_texts import read_class_names

NO_PICTURES: Final = "The run has no pictures yet. It has them as soon as it has begun to train."


BY_NAME: Final = re.compile(r"[a-z]+-(?P<arm>[a-z0-9_]+)-seed\d+")
"""the name of a job of study headline, for recordings without labels"""


class RecordedFolder:
    """The files of folders and of those in them, read again when they change. Its methods wait for the disk.

    Of two of the same name the one is served whose path comes first.
    """

    def __init__(self, *folders: Path, cell: Callable[[str], tuple[Path, str] | None] = lambda name: None) -> None:
        """`cell` finds a map's cell, which can be asked for by name and is not listed: its file, and what it is."""
        self._folders = folders
        self._cell = cell
        self._read: dict[Path, tuple[int, Recording]] = {}

    def rows(self, also: Iterable[str] = ()) -> RecordedRuns:
        """Every recorded run, and why a file is none; the cells of maps that `also` names come last."""
        recorded: list[RecordedRun] = []
        refused: list[str] = []
        cells = {name: cell[0] for name in also if (cell := self._cell(name)) is not None}
        for name, path in (*sorted(self._files().items()), *cells.items()):
            try:
                recorded.append(_row(name, path, self._recording(path)))
            except RecordingError as error:
                refused.append(str(error))
        return RecordedRuns(recorded=recorded, refused=refused)

    def all(self) -> dict[str, Recording]:
        """Every recorded run that can be read, by name."""
        found: dict[str, Recording] = {}
        for name, path in sorted(self._files().items()):
            with contextlib.suppress(RecordingError):
                found[name] = self._recording(path)
        return found

    def get(self, name: str) -> Recording:
        """The recorded run of that name. Raises RunNotFoundError, BadInputError for a broken file."""
        return self.get_called(name)[0]

    def get_called(self, name: str) -> tuple[Recording, str]:
        """The recorded run of that name, and what people call it: a cell by its settings. Raises as `get` does."""
        files = self._files()
        path, called = files.get(name), name
        if path is None and (cell := self._cell(name)) is not None:
            path, called = cell
        if path is None:
            near = difflib.get_close_matches(name, files, n=1, cutoff=0.0)
            way_out = f"The nearest is {near[0]}." if near else "There are none."
            raise RunNotFoundError(f"There is no recorded run {name[:60]!r}. {way_out}")
        try:
            return self._recording(path), called
        except RecordingError as error:
            raise BadInputError(str(error)) from None

    def _files(self) -> dict[str, Path]:
        files: dict[str, Path] = {}
        for path in (path for folder in self._folders for path in sorted(folder.rglob(f"*{SUFFIX}"))):
            if path.parent.name == CELLS:
                continue  # of a map, which shows them itself
            files.setdefault(path.name.removesuffix(SUFFIX), path)
        return files

    def _recording(self, path: Path) -> Recording:
        if len(path.stem) > MAX_NAME:
            raise RecordingError(
                f"{path.name} must have a name of at most {MAX_NAME} characters. Found {len(path.stem)}."
            )
        try:
            changed_ns = path.stat().st_mtime_ns
        except OSError as error:
            raise RecordingError(f"{path.name} must be a file that can be read. Found: {error.strerror}.") from error
        known = self._read.get(path)
        if known is None or known[0] != changed_ns:
            known = self._read[path] = (changed_ns, read_recording(path))
        return known[1]


def recording_of(store: Store, hub: RunHub) -> Recording:
    """A stored run as a recorded one, as far as it has come. Waits for the disk.

    Raises RunNotFoundError for a run without pictures, BadInputError for one that does not fit.
    """
    state, archive = hub.state, store.archive
    store.flush()
    if state.generation < 0:
        raise RunNotFoundError(NO_PICTURES)
    past = past_of(archive, hub.run_id, state.generation, state.step, pictures=picture_steps(state.step))
    frames = past.frames
    if not frames:
        raise RunNotFoundError(NO_PICTURES)
    layers = [f"layer{layer}/connection" for layer in range(state.config.model.num_layers)]
    pictures = [(frame.step, [frame.arrays[name] for name in layers if name in frame.arrays]) for frame in frames]
    edits = _edits(past.events)
    try:
        recipe = Recipe(config=state.config, edits=tuple(edit for edit in edits if edit.step <= frames[-1].step))
        return record(recipe, pictures, rows=past.rows, names=past.names, class_names=_own_names(state))
    except ValueError as error:
        raise BadInputError(f"The run cannot be recorded: {error}") from None


def file_of(store: Store, hub: RunHub) -> bytes:
    """The content of a recording's file of a stored run. Raises as `recording_of` does, and where it is too large."""
    try:
        return recording_of(store, hub).encode()
    except RecordingError as error:
        raise BadInputError(f"The run cannot be recorded: {error}") from None


def _own_names(state: RunState) -> Mapping[str, Sequence[str]]:
    """Tasks that do not come with the program, with their classes; none where they do not fit into a recording."""
    if state.description is None or not (state.config.train.dataset or state.watcher):
        return {}
    with contextlib.suppress(ValueError):
        return read_class_names({task.name: list(task.class_names) for task in state.description.tasks})
    return {}


def _edits(events: list[dict[str, Any]]) -> list[Edit]:
    """What people and the run's recipe set; what its own controller does follows from the config.

    Where a run went on from a checkpoint its recipe has made the edits of that very step again, and what people had
    set later counts from there.
    """
    edits: list[Edit] = []
    by_recipe: list[Edit] = []
    for event in events:
        data = event["data"]
        by = data.get("by", "person")
        if event["kind"] == "applied" and data.get("command", {}).get("type") == "set" and by != "controller":
            edit = Edit(step=data["applied_step"], controls=data["new"])
        elif event["kind"] == "status" and data.get("controls"):
            edit = Edit(step=data["applied_step"], controls=data["controls"])
        else:
            continue
        if by == "recipe" and edit in by_recipe:
            continue
        edits.append(edit)
        by_recipe += [edit] if by == "recipe" else []
    return edits


def _arm(name: str, recording: Recording) -> str | None:
    found = BY_NAME.fullmatch(name)
    return recording.labels.get("arm") or (found["arm"] if found else None)


def _row(name: str, path: Path, recording: Recording) -> RecordedRun:
    config, measured = recording.recipe.config, recording.accuracy
    return RecordedRun(
        name=name,
        preset=config.preset,
        seed=config.train.seed,
        arm=_arm(name, recording),
        steps=int(recording.steps[-1]),
        pictures=len(recording.steps),
        edits=len(recording.recipe.edits),
        size_bytes=path.stat().st_size,
        controls=asdict(config.controls),
        links_cut=recording.links_cut[-1],
        accuracy=None if measured is None else fmean(measured["known"].values()),
        blind_accuracy=None if measured is None else fmean(measured["blind"].values()),
        settings=own_settings(config),
    )
