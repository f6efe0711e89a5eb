"""Reading the bodies of requests: JSON into messages, or one sentence that says what is wrong."""

from __future__ import annotations

import json
import math
from typing import Any

from backend.errors import BadInputError
from cdsp_core.settings.config import RunConfig
from cdsp_core.settings.fields import shown
from cdsp_core.studies.sweeps.measures import MEASURES
from cdsp_core.studies.sweeps.spec import Axis, Sweep, ranged
from cdsp_core.wire.messages.api import NewFork, NewRun, RunChange
from cdsp_core.wire.messages.commands import Command
from cdsp_core.wire.messages.datasets import NewOwnSet
from cdsp_core.wire.messages.sentences import MessageError, read, read_command
from cdsp_core.wire.messages.sweeps import MoreOfSweep, NewSweep, SweepChange
from cdsp_core.wire.messages.vocabulary import MAX_DEPTH

KNOWN_OF_A_RUN = ["preset", "config", "seed", "name", "data", "dataset", "edits", "pause_at"]
"""fields that people are told of"""


def command_of(body: bytes) -> Command:
    """A command with every field checked against its bounds. Raises BadInputError, one sentence."""
    try:
        return read_command(read_json(body))
    except MessageError as error:
        raise BadInputError(str(error)) from None


def new_run_of(body: bytes, *, data: str) -> tuple[RunConfig, NewRun]:
    """The config of a run to create, `data` where it says nothing of that, and what was asked. Raises BadInputError."""
    try:
        asked = read(NewRun, read_json(body), called="a new run", known=KNOWN_OF_A_RUN)
        return asked.read(data=data), asked
    except ValueError as error:
        raise BadInputError(str(error)) from None


def new_fork_of(body: bytes) -> NewFork:
    """What to fork, and how the fork begins; nothing at all means now, unchanged. Raises BadInputError."""
    try:
        return read(NewFork, read_json(body or b"{}"), called="a fork")
    except ValueError as error:
        raise BadInputError(str(error)) from None


def new_sweep_of(body: bytes, *, data: str) -> tuple[Sweep, NewSweep]:
    """What a map to train is, and how it was asked for; `data` where it says nothing of that. Raises BadInputError."""
    try:
        asked = read(NewSweep, read_json(body), called="a map")
        source: dict[str, Any] = {"preset": asked.preset} if asked.config is None else {"config": asked.config}
        base = NewRun(**source, seed=asked.seed, data=asked.data).read(data=data)
        x, y = map(_axis_of, asked.axes)
        shown_measures = tuple(MEASURES if asked.measures is None else asked.measures)
        return Sweep(base=base, x=x, y=y, seeds=asked.seeds, steps=asked.steps, measures=shown_measures), asked
    except ValueError as error:
        raise BadInputError(str(error)) from None


def more_of_sweep_of(body: bytes, sweep: Sweep) -> Sweep:
    """The map with what it is extended by. Raises BadInputError."""
    try:
        more = read(MoreOfSweep, read_json(body), called="more of a map")
        for axis in map(_axis_of, more.axes):
            if axis.field not in (sweep.x.field, sweep.y.field):
                raise ValueError(f"an axis must be {sweep.x.field} or {sweep.y.field}. Found {shown(axis.field)}.")
            across = axis.field == sweep.x.field
            sweep = sweep.extended(x=axis.values if across else (), y=() if across else axis.values)
        return sweep.extended(seeds=more.seeds or 0)
    except ValueError as error:
        raise BadInputError(str(error)) from None


def sweep_change_of(body: bytes) -> SweepChange:
    """Another name of a map, or whether it waits. Raises BadInputError."""
    try:
        return read(SweepChange, read_json(body), called="a change of a map")
    except MessageError as error:
        raise BadInputError(str(error)) from None


def _axis_of(asked: dict[str, Any]) -> Axis:
    """Raises ValueError."""
    if "values" in asked:
        return Axis(field=asked["field"], values=tuple(asked["values"]))
    spacing = asked.get("spacing", "linear")
    return ranged(asked["field"], low=asked["low"], high=asked["high"], count=asked["count"], spacing=spacing)


def new_own_set_of(body: bytes) -> NewOwnSet:
    """A data set to make. Raises BadInputError."""
    try:
        return read(NewOwnSet, read_json(body), called="a data set")
    except MessageError as error:
        raise BadInputError(str(error)) from None


def change_of(body: bytes) -> RunChange:
    """A new name or note of a run. Raises BadInputError."""
    try:
        return read(RunChange, read_json(body), called="a change of a run")
    except MessageError as error:
        raise BadInputError(str(error)) from None


def read_json(body: bytes) -> dict[str, Any]:
    """The JSON object in `body`. Raises BadInputError, one sentence."""
    try:
        value = json.loads(
            body, parse_constant=_no_constant, parse_int=_whole, parse_float=_real, object_pairs_hook=_each_name_once
        )
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise BadInputError("The message must be JSON. Found something that is not.") from None
    except RecursionError:
        raise BadInputError("The message must be a flat JSON object. Found one nested too deeply.") from None
    if _is_deep(value):
        raise BadInputError(f"The message must be nested at most {MAX_DEPTH} deep. Found more.")
    if not isinstance(value, dict):
        raise BadInputError(f"The message must be a JSON object. Found {shown(value)}.")
    return value


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [item for each in level for item in _parts(each)]
    return any(isinstance(each, dict | list) for each in level)


def _parts(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []


def _each_name_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise BadInputError(f"an object must have each name once. Found {shown(name)} twice.")
        found[name] = value
    return found


def _no_constant(text: str) -> Any:
    raise BadInputError(f"a number must be finite. Found {text}.")


def _whole(text: str) -> int:
    if len(text) > 20:
        raise BadInputError(f"a whole number must have at most 20 digits. Found {len(text)}.")
    return int(text)


def _real(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise BadInputError(f"a number must be finite. Found {text[:40]}.")
    return value
