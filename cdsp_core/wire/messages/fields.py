"""Kinds of fields that messages are made of, and what is common to all messages."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, PlainValidator, WithJsonSchema

from cdsp_core.settings.config import Controls, RunConfig, schema, to_dict
from cdsp_core.settings.overrides import with_controls
from cdsp_core.settings.presets import from_dict
from cdsp_core.wire.frames import MAX_COUNT
from cdsp_core.wire.messages.vocabulary import MAX_DEPTH, MAX_SENTENCE

CONTROL_NAMES: Final = tuple(each.name for each in fields(Controls))


class Message(BaseModel):
    """One message, or a part of one: frozen, with exactly the fields named, none of them converted."""

    model_config = ConfigDict(
        frozen=True,
        strict=True,
        extra="forbid",
        ser_json_inf_nan="null",
    )

    def to_text(self) -> str:
        """The message as compact JSON, null for NaN."""
        return self.model_dump_json()

    def to_json(self) -> dict[str, Any]:
        """The message as plain JSON values."""
        return self.model_dump(mode="json")


@dataclass(frozen=True, slots=True)
class Says:
    """What a field must be, for the sentence that refuses another value: "NAME must be ... Found ..."."""

    wanted: str
    when_missing: str | None = None
    """the whole sentence for a field that is not there; without one it counts as null"""


def says_whole(low: int, high: int) -> Says:
    """What is said of a whole number within bounds."""
    return Says(f"a whole number from {low} to {high}")


def bounded_json(value: Any) -> Any:
    """`value` with every number that is not finite replaced by None. Raises ValueError for what no message may hold.

    Refused are whole numbers beyond 2**53, more than 16 levels, and what is no JSON.
    """
    return _bounded(value, MAX_DEPTH)


def _bounded(value: Any, levels: int) -> Any:
    match value:
        case str() | bool() | None:
            return value
        case int():
            if abs(value) > MAX_COUNT:
                raise ValueError(f"a whole number must be at most {MAX_COUNT}. Found one of {len(str(value))} digits.")
            return value
        case float():
            return value if math.isfinite(value) else None
        case dict() | list() | tuple() if levels == 0:
            raise ValueError(f"a message must be nested at most {MAX_DEPTH} deep. Found more.")
        case dict():
            return {str(key): _bounded(item, levels - 1) for key, item in value.items()}
        case list() | tuple():
            return [_bounded(item, levels - 1) for item in value]
    raise ValueError(f"a message must hold JSON only. Found {type(value).__name__}.")


def within_bounds(values: dict[str, Any]) -> dict[str, Any]:
    """`values` as they are; those that have the name of a control lie within its bounds. Raises ValueError."""
    controls = {name: value for name, value in values.items() if name in CONTROL_NAMES}
    if controls:
        with_controls(Controls(), controls)
    return values


def _all_controls(raw: Any) -> dict[str, float]:
    checked = with_controls(Controls(), raw)
    return {name: getattr(checked, name) for name in raw}


def _some_controls(raw: Any) -> dict[str, float]:
    if raw == {}:
        raise ValueError("controls must name at least one control. Found {}.")
    return _all_controls(raw)


def _read_config(raw: Any) -> RunConfig:
    return raw if isinstance(raw, RunConfig) else from_dict(raw)


def controls_schema() -> dict[str, Any]:
    """JSON schema of an object that holds any of the controls."""
    return {"title": "Controls", "type": "object", "properties": _properties("controls"), "additionalProperties": False}


def config_schema() -> dict[str, Any]:
    """JSON schema of a config; bounds, choices and defaults are those of `settings.config`."""
    titles = {"model": "ModelConfig", "train": "TrainConfig", "controls": "Controls"}
    sections = {
        name: {"title": title, "type": "object", "properties": _properties(name), "additionalProperties": False}
        for name, title in titles.items()
    }
    return {
        "title": "RunConfig",
        "type": "object",
        "properties": {"preset": {"type": "string"}, **sections},
        "additionalProperties": False,
    }


def _properties(section: str) -> dict[str, Any]:
    kinds = {"int": "integer", "float": "number", "bool": "boolean"}
    found: dict[str, Any] = {}
    for name, field in schema()[section].items():
        about = {"description": field.get("doc", ""), "default": field["default"]}
        if field["type"] == "choice":
            found[name] = {"enum": field["choices"], **about}
        else:
            span = {"pattern": f"^{field['pattern']}$"} if "pattern" in field else {}
            span |= {"minimum": field["low"], "maximum": field["high"]} if "low" in field else {}
            found[name] = {"type": kinds.get(field["type"], "string"), **span, **about}
    return found


Count = Annotated[int, Field(ge=0, le=MAX_COUNT), says_whole(0, MAX_COUNT)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Measured = float
"""null on the wire where it is NaN: no value"""
RunId = Annotated[str, Field(min_length=1, max_length=64)]
Sentence = Annotated[str, Field(max_length=MAX_SENTENCE)]
Json = Annotated[Any, BeforeValidator(bounded_json)]
Objects = Annotated[dict[str, Any], BeforeValidator(bounded_json)]
"""an object of anything"""
Values = Annotated[dict[str, Any], BeforeValidator(lambda raw: within_bounds(bounded_json(raw)))]
"""what a command has replaced, or set: values by name"""
ControlValues = Annotated[dict[str, float], PlainValidator(_all_controls), WithJsonSchema(controls_schema())]
ControlsWanted = Annotated[
    dict[str, float], PlainValidator(_some_controls), WithJsonSchema(controls_schema()), Says("an object")
]
Config = Annotated[
    RunConfig,
    PlainValidator(_read_config),
    PlainSerializer(to_dict, return_type=dict[str, Any]),
    WithJsonSchema(config_schema()),
]
