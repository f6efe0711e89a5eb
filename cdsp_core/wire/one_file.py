"""A recorded run as one HTML file: film, two lenses, curves and a scrubber, all inside it, and nothing loaded."""

from __future__ import annotations

import base64
import json
import math
from pathlib import Path
from typing import Any, Final

import numpy as np

from cdsp_core.wire.recording import CUT_BELOW, Recording

TEMPLATE: Final = Path(__file__).with_name("one_file.html")
MAX_BYTES: Final = 2_000_000
MARK: Final = "/*RUN*/"
CURVES: Final = {"test_accuracy/": "with ID", "test_accuracy_blind/": "without ID"}
"""scalars whose mean over the tasks is drawn, and what the line is called"""


def caption_of(recording: Recording) -> str:
    """Preset, seed, edits, last step and version, in one line."""
    recipe = recording.recipe
    changes = [
        f"{name} {value:g} at step {edit.step:,}" for edit in recipe.edits for name, value in edit.controls.items()
    ]
    own = recipe.config.train.dataset
    parts = [f"{recipe.config.preset}, seed {recipe.config.train.seed}", *([f"data {own}"] if own else []), *changes]
    return " · ".join([*parts, f"step {int(recording.steps[-1]):,}", f"Topology Lab {recording.version}"])


def one_file(recording: Recording, *, title: str) -> str:
    """The page of a run. Raises ValueError where it would have more than 2 MB: the run has too many links."""
    connection = recording.connection
    told = {
        "title": title,
        "caption": caption_of(recording),
        "steps": recording.steps.tolist(),
        "shape": list(connection.shape),
        "connection": base64.b64encode(np.ascontiguousarray(connection).tobytes()).decode(),
        "cut_below": CUT_BELOW,
        "curves": _curves(recording),
    }
    text = json.dumps(told, allow_nan=False).replace("<", "\\u003c")  # no text of a run can end the script element
    page = TEMPLATE.read_text().replace(MARK, text)
    if len(page.encode()) > MAX_BYTES:
        raise ValueError(f"a run as one file must have at most {MAX_BYTES} bytes. Found {len(page.encode())}.")
    return page


def _curves(recording: Recording) -> list[dict[str, Any]]:
    """Shares over the pictures' steps: links cut, and accuracy with ID and without."""
    found: list[dict[str, Any]] = []
    if recording.connection.size:
        cut_t = np.mean(recording.connection < CUT_BELOW * 255, axis=(1, 2, 3))
        found.append({"name": "links cut", "values": cut_t.tolist()})
    for start, name in CURVES.items():
        columns = [place for place, scalar in enumerate(recording.scalar_names) if scalar.startswith(start)]
        if columns:
            mean_t = recording.scalars[:, columns].astype(np.float64).mean(axis=1)
            found.append({"name": name, "values": [None if math.isnan(value) else value for value in mean_t.tolist()]})
    return found
