"""A run as a file: every step's scalars and every event, as CSV or JSON, made piece by piece."""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from backend.live.state import RunState
from backend.storage.archive import Archive
from backend.storage.history import in_columns
from cdsp_core.settings.config import to_dict
from cdsp_core.wire.frames import Array, decode_frame, to_json_text

ROWS_A_PIECE: Final = 500
LINES_A_PIECE: Final = 100
VALUES_A_PIECE: Final = 10_000
"""that become text at once: while one thread does that, no other goes on"""
FORMULA_SIGNS: Final = ("=", "+", "-", "@", "\t", "\r")
"""with which a spreadsheet's formula begins"""


def csv_lines(archive: Archive, state: RunState, run: dict[str, Any]) -> Iterator[str]:
    """One line a step: generation, the scalars (empty for no value), and what happened after that step, in words.

    What happened at a step that has no row of its own stands in a line without scalars, at its place in the order.
    Rows that a later generation inherited from an earlier one stand under the earlier one only. Columns are those of
    the newest generation, then those that only earlier ones have.
    """
    generations = archive.generations(state.run_id)
    happened: defaultdict[int, dict[int, str]] = defaultdict(dict)  # of texts alone: Python need not look into them
    for written in archive.event_texts(state.run_id):
        event = json.loads(written)
        at_step, step = happened[event["epoch"]], event["step"]
        at_step[step] = f"{at_step[step]} {event['text']}" if step in at_step else event["text"]
    columns = list(dict.fromkeys(name for _, (_, names) in sorted(generations.items(), reverse=True) for name in names))
    columns = columns or ["step"]
    yield _line(["epoch", *columns, "events"])
    for generation, (_, names) in sorted(generations.items()):
        texts_at = happened[generation]
        without_row = deque(sorted(texts_at))
        nothing = [""] * (len(columns) - 1)
        for rows in archive.scalar_pieces(state.run_id, generation, ROWS_A_PIECE):
            lines = []
            for row in in_columns(rows, names, columns):
                step = int(row[0])
                while without_row and without_row[0] <= step:
                    earlier = without_row.popleft()
                    if earlier < step:
                        lines.append(_line([generation, earlier, *nothing, texts_at.pop(earlier)]))
                values = [step, *("" if value != value else f"{value:.7g}" for value in row[1:].tolist())]
                lines.append(_line([generation, *values, texts_at.pop(step, "")]))
                if len(lines) >= LINES_A_PIECE:
                    yield "".join(lines)
                    lines.clear()
            yield "".join(lines)
        for step in without_row:
            yield _line([generation, step, *nothing, texts_at[step]])


def json_parts(archive: Archive, state: RunState, run: dict[str, Any]) -> Iterator[str]:
    """{run, config, events, epochs: [{epoch, parent, scalar_names, scalars: [[...], ...]}]}, null for no value."""
    head = to_json_text({"run": run, "config": to_dict(state.config)})
    yield f'{head[:-1]},"events":[{",".join(archive.event_texts(state.run_id))}],"epochs":['
    for index, (generation, (parent, names)) in enumerate(sorted(archive.generations(state.run_id).items())):
        about = {
            "epoch": generation,
            "parent": parent and {"epoch": parent[0], "step": parent[1]},
            "scalar_names": names,
        }
        yield ("," if index else "") + json.dumps(about)[:-1] + ',"scalars":['
        first = True
        for rows in archive.scalar_pieces(state.run_id, generation, ROWS_A_PIECE):
            for piece in _pieces(rows):
                yield ("" if first else ",") + piece
                first = False
        yield "]}"
    yield "]}"


def _line(values: list[Any]) -> str:
    """A line of the table. A text that a spreadsheet would take for a formula is marked as text."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow([f"'{value}" if _is_formula(value) else value for value in values])
    return text.getvalue()


def _is_formula(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(FORMULA_SIGNS) and not _is_number(value)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def frames_json(bodies: list[bytes], *, more: bool) -> Iterator[str]:
    """Stored frames as one JSON object, array by array: none holds up others for long."""
    yield '{"frames":['
    last = None
    for number, body in enumerate(bodies):
        last = decode_frame(body)
        head = to_json_text(replace(last, arrays={}).to_json())
        yield f"{',' if number else ''}{head.removesuffix('{}}')}{{"
        for position, (name, array) in enumerate(last.arrays.items()):
            yield f"{',' if position else ''}{json.dumps(name)}:"
            yield from _array_json(array)
        yield "}}"
    end = f"{last.epoch}:{last.seq}" if last is not None and more else None
    yield f'],"next":{json.dumps(end)}}}'


def _array_json(array: Array) -> Iterator[str]:
    """An array as JSON, null for no value, piece by piece."""
    if array.ndim < 2:
        yield to_json_text(array.tolist())
        return
    yield "["
    for number, piece in enumerate(_pieces(array)):
        yield f"{',' if number else ''}{piece}"
    yield "]"


def _pieces(array: Array) -> Iterator[str]:
    """The rows of an array as JSON without the brackets around them all, some at a time."""
    rows = max(1, VALUES_A_PIECE // max(1, array[:1].size))
    for first in range(0, len(array), rows):
        yield to_json_text(array[first : first + rows].tolist())[1:-1]
