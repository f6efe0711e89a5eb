"""Recorded runs: a recipe, sixty log-spaced pictures of sigma(A) and thinned scalars, under 10 kB. Imports no torch.

A file is a zlib stream of a safetensors message, read in a browser by DecompressionStream("deflate"). Arrays, with T
pictures, L layers, E experts, P partitions, C scalars:
    steps       [T] int32             the step of each picture, rising from the first one's
    connection  [T, L, E, P] uint8    255 times sigma(A), rounded; without a layer for a model without A
    scalars     [T, C] float16        each the mean over the steps since the picture before, NaN where none measured it
The metadata are strings: `format`, `version` (of the package that wrote it), `recipe`, `scalar_names`, `accuracy` and
`labels`, the last four as JSON; `labels` may be missing, and so may `measures`, which cells of maps have, and
`class_names`, which runs on somebody's own data have, where they fit, and watched ones, without a class.
"""

from __future__ import annotations

import json
import math
import os
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from cdsp_core import __version__
from cdsp_core.settings.config import MAX_STEPS
from cdsp_core.wire.frames import Array
from cdsp_core.wire.recipe import Recipe, read_recipe
from cdsp_core.wire.recording_texts import (
    MAX_SCALARS,
    read_accuracy,
    read_class_names,
    read_labels,
    read_measures,
)

FORMAT: Final = 1
SUFFIX: Final = ".recording"
PICTURES: Final = 60
MAX_FILE_BYTES: Final = 10_000
MAX_CONTENT_BYTES: Final = 1_000_000
"""of a file when it is decompressed"""
CUT_BELOW: Final = 0.1
"""a link whose sigma(A) is lower counts as cut"""
KEPT_SCALARS: Final = (
    "loss",
    "task_loss",
    "conflict_penalty",
    "test_accuracy/",
    "test_accuracy_blind/",
    "test_accuracy_deceptive/",
)
"""names of the scalars that are recorded, or what they begin with"""


class RecordingError(ValueError):
    """A recorded run cannot be read or written; the message is one sentence with the bound and what was found."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Recording:
    """A recorded run; shapes and types of its arrays are those of the file. Raises ValueError when they are not."""

    recipe: Recipe
    steps: Array
    connection: Array
    scalar_names: tuple[str, ...]
    scalars: Array
    accuracy: Mapping[str, Mapping[str, float]] | None = None
    """at the end, over all test images: per task, `known` with its ID and `blind` without; None where not measured"""
    labels: Mapping[str, str] = field(default_factory=dict)
    """what the run is for, e.g. the `arm` of a study; preset and seed stand in the recipe"""
    version: str = __version__
    measures: Mapping[str, float] | None = None
    """of a map's cell at its end, by name; what has no value is not there. None for any other run, or before the end"""
    class_names: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """of each task of own data or of a watched model; empty for tasks that come with the program, and in older files"""

    def __post_init__(self) -> None:
        model, pictures = self.recipe.config.model, len(self.steps)
        if not 1 <= pictures <= PICTURES:
            raise ValueError(f"a recorded run must have 1 to {PICTURES} pictures. Found {pictures}.")
        if len(self.scalar_names) > MAX_SCALARS or len(set(self.scalar_names)) != len(self.scalar_names):
            raise ValueError(f"scalar_names must be at most {MAX_SCALARS}, each once. Found {len(self.scalar_names)}.")
        layers = model.num_layers if model.has_topology else 0
        for name, dtype, shape in (
            ("steps", "int32", (pictures,)),
            ("connection", "uint8", (pictures, layers, model.num_experts, model.num_partitions)),
            ("scalars", "float16", (pictures, len(self.scalar_names))),
        ):
            array: Array = getattr(self, name)
            if array.shape != shape or array.dtype != dtype:
                found = f"{list(array.shape)} {array.dtype}"
                raise ValueError(f"{name} must be {list(shape)} {dtype}. Found {found}.")
        steps = self.steps.astype(np.int64)
        if steps[0] < 0 or steps[-1] > MAX_STEPS or np.any(np.diff(steps) <= 0):
            raise ValueError(f"steps must rise from 0 to at most {MAX_STEPS}. Found {steps.tolist()[:8]} and so on.")
        if self.recipe.edits and self.recipe.edits[-1].step > steps[-1]:
            last = self.recipe.edits[-1].step
            raise ValueError(f"the last edit must be at or before step {steps[-1]}, the last picture. Found {last}.")

    @property
    def links_cut(self) -> list[int]:
        """Per picture the entries of sigma(A) below 0.1, all layers together."""
        return [int(count) for count in np.sum(self.connection < CUT_BELOW * 255, axis=(1, 2, 3))]

    def mean_of(self, name: str) -> list[float]:
        """Per picture the mean over the tasks of `name`/{task}, NaN where none was measured."""
        columns = [index for index, full in enumerate(self.scalar_names) if full.startswith(f"{name}/")]
        return [_mean(row[columns]) for row in self.scalars.astype(np.float64)]

    def message(self) -> bytes:
        """The content as one safetensors message."""
        return save_arrays(
            {name: np.ascontiguousarray(getattr(self, name)) for name in ("steps", "connection", "scalars")},
            metadata={
                "format": str(FORMAT),
                "version": self.version,
                "recipe": _text(self.recipe.to_json()),
                "scalar_names": _text(list(self.scalar_names)),
                "accuracy": _text(self.accuracy),
                **({"labels": _text(dict(self.labels))} if self.labels else {}),
                **({"measures": _text(dict(self.measures))} if self.measures is not None else {}),
                **({"class_names": _text(_lists(self.class_names))} if self.class_names else {}),
            },
        )

    def encode(self) -> bytes:
        """The content of a file; names of classes that do not fit are left out. Raises RecordingError if too large."""
        content = zlib.compress(self.message(), level=9)
        if len(content) > MAX_FILE_BYTES and self.class_names:
            content = zlib.compress(replace(self, class_names={}).message(), level=9)
        if len(content) > MAX_FILE_BYTES:
            raise RecordingError(f"a recorded run must have at most {MAX_FILE_BYTES} bytes. Found {len(content)}.")
        return content

    def to_json(self) -> dict[str, Any]:
        """The content as plain JSON values, null for NaN."""
        return {
            "version": self.version,
            "recipe": self.recipe.to_json(),
            "steps": self.steps.tolist(),
            "connection": self.connection.tolist(),
            "links_cut": self.links_cut,
            "scalar_names": list(self.scalar_names),
            "scalars": [
                [None if math.isnan(value) else value for value in row] for row in self.scalars.astype(float).tolist()
            ],
            "accuracy": self.accuracy,
            "labels": dict(self.labels),
            "measures": None if self.measures is None else dict(self.measures),
            "class_names": _lists(self.class_names),
        }


def picture_steps(last: int, *, pictures: int = PICTURES) -> list[int]:
    """Steps from 0 to `last`, log-spaced as far as whole numbers allow, at most so many."""
    steps = [0]
    while steps[-1] < last and len(steps) < pictures:
        left, now = pictures - len(steps), max(steps[-1], 1)
        steps.append(min(last, max(steps[-1] + 1, round(now * (last / now) ** (1 / left)))))
    return steps


def record(
    recipe: Recipe,
    pictures: Sequence[tuple[int, Sequence[Array]]],
    *,
    rows: Array,
    names: Sequence[str],
    accuracy: Mapping[str, Mapping[str, float]] | None = None,
    labels: Mapping[str, str] | None = None,
    measures: Mapping[str, float] | None = None,
    class_names: Mapping[str, Sequence[str]] | None = None,
) -> Recording:
    """A recorded run, of pictures as step and sigma(A) per layer [E, P], and of all rows of scalars [steps, names].

    Raises ValueError when they are none of the recipe's run.
    """
    model = recipe.config.model
    kept = [index for index, name in enumerate(names) if _is_kept(name)][:MAX_SCALARS]
    shape = (len(pictures), -1 if model.has_topology else 0, model.num_experts, model.num_partitions)
    connection = np.array([np.stack(layers) for _, layers in pictures if layers], dtype=np.float32).reshape(shape)
    steps = [step for step, _ in pictures]
    means, before = np.full((len(steps), len(kept)), np.nan), -1
    for index, step in enumerate(steps):
        since = rows[(rows[:, 0] > before) & (rows[:, 0] <= step)][:, kept]
        means[index] = [_mean(column) for column in since.T]
        before = step
    largest = float(np.finfo(np.float16).max)
    return Recording(
        recipe=recipe,
        steps=np.array(steps, dtype=np.int32),
        connection=np.rint(connection * 255).astype(np.uint8),
        scalar_names=tuple(names[index] for index in kept),
        scalars=np.clip(means, -largest, largest).astype(np.float16),
        accuracy=accuracy,
        labels=labels or {},
        measures=measures,
        class_names=class_names or {},
    )


def decode(content: bytes, *, called: str) -> Recording:
    """Read the content of a file, `called` so in sentences. Raises RecordingError."""
    if len(content) > MAX_FILE_BYTES:
        raise RecordingError(f"{called} must have at most {MAX_FILE_BYTES} bytes. Found {len(content)}.")
    try:
        stream = zlib.decompressobj()
        message = stream.decompress(content, MAX_CONTENT_BYTES + 1)
        if len(message) > MAX_CONTENT_BYTES:
            raise RecordingError(f"{called} must hold at most {MAX_CONTENT_BYTES} bytes. Found more.")
        if not stream.eof or stream.unused_data:
            raise RecordingError(f"{called} must be one whole zlib stream. Found it cut off or continued.")
        arrays = load_arrays(message)
        meta = json.loads(message[8 : 8 + int.from_bytes(message[:8], "little")]).get("__metadata__", {})
        if meta.get("format") != str(FORMAT):
            raise RecordingError(f"{called} must have format {FORMAT}. Found {str(meta.get('format'))[:20]!r}.")
        names = json.loads(meta["scalar_names"])
        return Recording(
            recipe=read_recipe(json.loads(meta["recipe"])),
            steps=arrays["steps"],
            connection=arrays["connection"],
            scalar_names=tuple(str(name) for name in names),
            scalars=arrays["scalars"],
            accuracy=read_accuracy(json.loads(meta["accuracy"])),
            labels=read_labels(json.loads(meta.get("labels", "{}"))),
            version=meta["version"],
            measures=read_measures(json.loads(meta.get("measures", "null"))),
            class_names=read_class_names(json.loads(meta.get("class_names", "{}"))),
        )
    except RecordingError:
        raise
    except (zlib.error, SafetensorError, KeyError, TypeError, ValueError, RecursionError) as error:
        problem = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise RecordingError(f"{called} must be a recorded run of format {FORMAT}. Found {problem}") from error


def read_recording(path: Path) -> Recording:
    """Read a file. Raises RecordingError, one sentence that names it."""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise RecordingError(f"{path.name} must be a file that can be read. Found: {error.strerror}.") from error
    if size > MAX_FILE_BYTES:
        raise RecordingError(f"{path.name} must have at most {MAX_FILE_BYTES} bytes. Found {size}.")
    return decode(content, called=path.name)


def write_recording(recording: Recording, path: Path) -> int:
    """Write a file whole or not at all; its bytes. Raises RecordingError when it is too large, OSError."""
    content = recording.encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.partial")
    temporary.write_bytes(content)
    temporary.replace(path)
    return len(content)


def _is_kept(name: str) -> bool:
    return any(name.startswith(kept) if kept.endswith("/") else name == kept for kept in KEPT_SCALARS)


def _mean(values: Array) -> float:
    """The mean of what was measured, NaN where nothing was."""
    measured = values[~np.isnan(values)]
    return float(measured.mean()) if len(measured) else math.nan


def _text(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def _lists(class_names: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    return {task: list(names) for task, names in class_names.items()}
