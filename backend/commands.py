"""Reading what people send: bodies of requests into commands and configs, or one sentence that says what is wrong."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from dataclasses import replace
from typing import Any, Final

from backend.errors import BadInputError
from cdsp_core.settings.config import MAX_SEED, Controls, RunConfig
from cdsp_core.settings.overrides import with_controls
from cdsp_core.settings.presets import from_dict

MAX_STEPS: Final = 100_000_000
MAX_STEPS_PER_S: Final = 10_000.0
MAX_NAME: Final = 80
COMMAND_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,64}")
CHECKPOINT_ID: Final = re.compile(r"[a-z0-9-]{1,40}")

FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "set": ("controls",),
    "pause": (),
    "resume": (),
    "stop": (),
    "checkpoint": (),
    "step": ("steps",),
    "run_until": ("step",),
    "reset": ("seed",),
    "restore": ("checkpoint_id",),
    "speed": ("steps_per_s",),
}


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
    if not isinstance(value, dict):
        raise BadInputError(f"The message must be a JSON object. Found {shown(value)}.")
    return value


def read_command(raw: dict[str, Any]) -> dict[str, Any]:
    """A command with every field checked against its bounds. Raises BadInputError, one sentence."""
    kind = raw.get("type")
    if not isinstance(kind, str) or kind not in FIELDS:
        raise BadInputError(f"type must be one of {', '.join(FIELDS)}. Found {shown(kind)}.")
    known = ("command_id", "type", "base_revision", *FIELDS[kind])
    for name in raw:
        if name not in known:
            raise BadInputError(f"a {kind} command has no field {shown(name)}. It has {', '.join(known)}.")
    command_id = raw.get("command_id")
    if not isinstance(command_id, str) or not COMMAND_ID.fullmatch(command_id):
        raise BadInputError(f"command_id must be 1 to 64 letters, digits or . _ : -. Found {shown(command_id)}.")
    command: dict[str, Any] = {"command_id": command_id, "type": kind}
    if raw.get("base_revision") is not None:
        command["base_revision"] = _integer(raw, "base_revision", 0, MAX_STEPS)
    match kind:
        case "set":
            command["controls"] = _controls(raw.get("controls"))
        case "step":
            command["steps"] = _integer({"steps": 1, **raw}, "steps", 1, MAX_STEPS)
        case "run_until":
            command["step"] = _integer(raw, "step", 1, MAX_STEPS)
        case "reset" if raw.get("seed") is not None:
            command["seed"] = _integer(raw, "seed", 0, MAX_SEED)
        case "restore":
            found = raw.get("checkpoint_id")
            if not isinstance(found, str) or not CHECKPOINT_ID.fullmatch(found):
                raise BadInputError(f"checkpoint_id must be the name of a checkpoint. Found {shown(found)}.")
            command["checkpoint_id"] = found
        case "speed":
            command["steps_per_s"] = _speed(raw)
    return command


def read_new_run(raw: dict[str, Any], *, data: str) -> tuple[RunConfig, str | None]:
    """The config and the name of a run to create. Raises BadInputError, one sentence."""
    known = ("preset", "config", "seed", "name", "data")
    for field in raw:
        if field not in known:
            raise BadInputError(f"a new run has no field {shown(field)}. It has {', '.join(known)}.")
    if "preset" in raw and "config" in raw:
        raise BadInputError("a new run must have a preset or a config, not both. Found both.")
    name = raw.get("name")
    if name is not None and (not isinstance(name, str) or not name.isprintable() or not 1 <= len(name) <= MAX_NAME):
        raise BadInputError(f"name must be 1 to {MAX_NAME} printable characters. Found {shown(name)}.")
    config_raw = raw.get("config", {"preset": raw.get("preset", "live")})
    try:
        config = from_dict(config_raw)
        chosen: dict[str, Any] = {}
        if raw.get("seed") is not None:
            chosen["seed"] = raw["seed"]
        if raw.get("data") is not None:
            chosen["data"] = raw["data"]
        elif not (isinstance(config_raw.get("train"), dict) and "data" in config_raw["train"]):
            chosen["data"] = data
        return replace(config, train=replace(config.train, **chosen)), name
    except ValueError as error:
        raise BadInputError(str(error)) from None


def shown(value: Any) -> str:
    """`value` as a sentence can hold it."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _controls(raw: Any) -> dict[str, float]:
    if raw == {}:
        raise BadInputError("controls must name at least one control. Found {}.")
    try:
        checked = with_controls(Controls(), raw)
    except ValueError as error:
        raise BadInputError(str(error)) from None
    return {field.name: getattr(checked, field.name) for field in dataclasses.fields(checked) if field.name in raw}


def _integer(raw: dict[str, Any], name: str, low: int, high: int) -> int:
    value = raw.get(name)
    if type(value) is not int or not low <= value <= high:
        raise BadInputError(f"{name} must be a whole number from {low} to {high}. Found {shown(value)}.")
    return value


def _speed(raw: dict[str, Any]) -> float | None:
    if "steps_per_s" not in raw:
        raise BadInputError("steps_per_s must be a number, or null for as fast as it goes. Found nothing.")
    value = raw["steps_per_s"]
    if value is None:
        return None
    if type(value) not in (int, float) or not math.isfinite(value) or not 0.1 <= value <= MAX_STEPS_PER_S:
        raise BadInputError(f"steps_per_s must be a number from 0.1 to {MAX_STEPS_PER_S:g}. Found {shown(value)}.")
    return float(value)


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
