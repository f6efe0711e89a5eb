"""Maps: how one is asked for, and how the API shows it and its cells."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from cdsp_core.settings.config import MAX_STEPS
from cdsp_core.settings.fields import shown
from cdsp_core.wire.messages.api import ConfigGiven, DataName, Name, PresetName
from cdsp_core.wire.messages.commands import Seed
from cdsp_core.wire.messages.fields import Config, Count, Message, Number, Says, says_whole
from cdsp_core.wire.messages.vocabulary import MAX_NAME, CellState, SweepState

MAX_CELLS: Final = 2000
"""of a map, each seed counted"""
VALUES: Final = {"field", "values"}
RANGE: Final = {"field", "low", "high", "count", "spacing"}

_number_or_text = {"anyOf": [{"type": "number"}, {"type": "string"}]}
AXIS_SCHEMA: Final[dict[str, Any]] = {
    "title": "AxisWanted",
    "type": "object",
    "properties": {
        "field": {"type": "string", "description": "a control, or a field of model or train"},
        "values": {"type": "array", "items": _number_or_text, "description": "these, or a range"},
        "low": {"type": "number"},
        "high": {"type": "number"},
        "count": {"type": "integer"},
        "spacing": {"enum": ["linear", "log"]},
    },
    "required": ["field"],
    "additionalProperties": False,
}


def _is_axis(raw: Any) -> bool:
    if not isinstance(raw, dict) or not isinstance(raw.get("field"), str):
        return False
    if "values" in raw:
        return set(raw) == VALUES and isinstance(raw["values"], list)
    numbers = all(type(raw.get(name)) in (int, float) for name in ("low", "high")) and type(raw.get("count")) is int
    return numbers and RANGE - {"spacing"} <= set(raw) <= RANGE and raw.get("spacing", "log") in ("linear", "log")


def _axes(raw: Any) -> Any:
    found = raw if isinstance(raw, list) else [raw]
    for axis in found:
        if not _is_axis(axis):
            form = "{field, values} or {field, low, high, count, spacing: linear or log}"
            raise ValueError(f"an axis must be {form}. Found {shown(axis)}.")
    return raw


def _two(axes: list[Any]) -> list[Any]:
    if len(axes) != 2:
        raise ValueError(f"axes must be two: what varies across, then what varies down. Found {len(axes)}.")
    return axes


Axes = Annotated[
    list[dict[str, Any]], BeforeValidator(_axes), WithJsonSchema({"type": "array", "items": AXIS_SCHEMA, "maxItems": 2})
]
TwoAxes = Annotated[Axes, AfterValidator(_two)]
Seeds = Annotated[int, Field(ge=1, le=MAX_CELLS), says_whole(1, MAX_CELLS)]


class NewSweep(Message):
    """A map to train: a preset (by default `live`) or a config, and two settings that vary."""

    name: Annotated[Name | None, Says(f"1 to {MAX_NAME} printable characters")] = None
    preset: PresetName = "live"
    config: ConfigGiven = None
    axes: Annotated[TwoAxes, Says("a list of two", when_missing="axes must be a list of two. Found None.")]
    seed: Seed | None = None
    """of each cell, or of its first run"""
    seeds: Seeds = 1
    """runs of each cell"""
    steps: Annotated[int, Field(ge=1, le=MAX_STEPS), says_whole(1, MAX_STEPS)] = 1000
    measures: Annotated[list[str] | None, Says("a list of names")] = None
    """those that are shown; null: all"""
    data: Annotated[DataName | None, Says("one of embedded, full")] = None
    waits: Annotated[bool, Says("true or false")] = False
    """whether it waits while a run trains"""

    @model_validator(mode="before")
    @classmethod
    def _one_source(cls, raw: Any) -> Any:
        if isinstance(raw, dict) and "preset" in raw and "config" in raw:
            raise ValueError("a map must have a preset or a config, not both. Found both.")
        return raw


class MoreOfSweep(Message):
    """What a map is extended by: values of its axes, seeds a cell."""

    axes: Annotated[Axes, Says("a list of at most two")] = Field(default_factory=list)
    seeds: Annotated[Seeds | None, says_whole(1, MAX_CELLS)] = None
    """of each cell from now on"""


class SweepChange(Message):
    """What people change of a map that trains nothing anew."""

    name: Annotated[Name | None, Says(f"1 to {MAX_NAME} printable characters")] = None
    waits: Annotated[bool | None, Says("true or false")] = None


class SweepAxis(Message):
    """One setting and the values it takes."""

    field: str
    values: list[int | float | str]


class SweepMeasure(Message):
    """One number of a cell at its end."""

    name: str
    label: str
    unit: str
    """links, % (the value is a share) or bits; empty for a number without one"""
    text: str


class SweepInfo(Message):
    """A map as the API lists it."""

    sweep_id: str
    name: str
    recorded: bool
    """whether it comes with the program, and stays as it is"""
    state: SweepState
    reason: str | None
    """why it is in this state, in one sentence"""
    preset: str
    axes: list[SweepAxis]
    """what varies across, then what varies down"""
    seeds: Count
    """runs of each cell"""
    steps: Count
    """of each run"""
    measures: list[SweepMeasure]
    done: Number
    """runs that have ended, with a fraction for those under way"""
    total: Count
    left_s: Number | None
    """seconds it will take, by its pace so far; null while that is not known"""
    place: str
    """where it runs, in a few words"""
    waits: bool
    """whether it waits while a run trains"""
    created_ms: Number | None


class PackedPicture(Message):
    """sigma(A) of every layer in 255ths, as a byte an entry."""

    shape: list[Count]
    """layers, experts, blocks"""
    base64: str


class SweepCell(Message):
    """One run of a map."""

    key: str
    replay: str | None
    """its name for GET /api/recorded/{name}, which lists it not; null before the first picture"""
    x: Count
    """its place on the first axis, from 0"""
    y: Count
    seed: Count
    state: CellState
    step: Count
    """of the picture"""
    reason: str | None
    """why it failed"""
    measures: dict[str, Number]
    """at its end, by name; what has no value is not there"""
    connection: list[list[list[int]]] | PackedPicture | None
    """sigma(A) of every layer in 255ths, experts by blocks; null before the first picture, or where it is too large"""


class SweepDetail(SweepInfo):
    """A map with its cells."""

    config: Config
    """of which every cell differs on the axes"""
    cells: list[SweepCell]


class SweepList(Message):
    """Every map, newest first, those that come with the program last; and why none can be started, if so."""

    unavailable: str | None
    sweeps: list[SweepInfo]
