"""What a map is: a config, two settings that vary, seeds, steps; checked whole before anything runs. No torch."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final, Literal

from cdsp_core.settings.config import MAX_SEED, MAX_STEPS, RunConfig, schema, to_dict
from cdsp_core.settings.fields import shown
from cdsp_core.settings.overrides import with_settings
from cdsp_core.settings.presets import from_dict
from cdsp_core.studies.sweeps.measures import MEASURES
from cdsp_core.wire.messages.sweeps import MAX_CELLS

FIXED: Final = ("steps", "epochs", "data", "dataset", "missing_kmnist", "compile")
"""settings that are the same in all cells"""
MAX_KEY: Final = 48
"""characters of a cell's name, which other names are made of"""
LOOKS: Final = 20
"""how often a cell looks at test images, at most: training is the same, whatever is looked at"""
Value = int | float | str
Spacing = Literal["linear", "log"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Axis:
    """One setting and the values it takes, in order. Raises ValueError for a setting or a value that is none."""

    field: str
    values: tuple[Value, ...]

    def __post_init__(self) -> None:
        about(self.field)
        if not self.values:
            raise ValueError(f"axis {self.field} must have a value. Found none.")
        object.__setattr__(self, "values", tuple(_typed(self.field, value) for value in self.values))
        for value in self.values:
            if self.values.count(value) > 1:
                raise ValueError(f"axis {self.field} must have each value once. Found {shown(value)} twice.")

    def joined(self, more: Sequence[Value]) -> Axis:
        """The same axis with further values; numbers stay in rising order."""
        typed = [_typed(self.field, value) for value in more]
        known = [*self.values, *(value for value in typed if value not in self.values)]
        if all(isinstance(value, int | float) for value in known):
            known.sort(key=float)
        return replace(self, values=tuple(known))


def axis_of(field: str, text: str) -> Axis:
    """An axis as people write it: `0,1,10`, or a range `LOW:HIGH:COUNT` with `:log` at its end. Raises ValueError."""
    parts = [part.strip() for part in text.split(":")]
    if len(parts) == 1:
        return Axis(field=field, values=tuple(part.strip() for part in text.split(",") if part.strip()))
    if len(parts) not in (3, 4) or parts[3:] not in ([], ["log"], ["linear"]):
        raise ValueError(f"the values of {field} must be like 0,1,10 or 0.1:100:7:log. Found {shown(text)}.")
    try:
        low, high, count = float(parts[0]), float(parts[1]), int(parts[2])
    except ValueError:
        raise ValueError(f"the range of {field} must be two numbers and a count. Found {shown(text)}.") from None
    return ranged(field, low=low, high=high, count=count, spacing="log" if parts[3:] == ["log"] else "linear")


def ranged(field: str, *, low: float, high: float, count: int, spacing: Spacing = "linear") -> Axis:
    """An axis of `count` values from low to high, rounded to four digits. Raises ValueError."""
    kind = about(field)["type"]
    if kind not in ("int", "float"):
        raise ValueError(f"a range needs a setting that is a number. Found {field}.")
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"the range of {field} must rise. Found {low:g} to {high:g}.")
    if not 2 <= count <= MAX_CELLS:
        raise ValueError(f"the range of {field} must have 2 to {MAX_CELLS} values. Found {count}.")
    if spacing == "log" and low <= 0:
        raise ValueError(f"the range of {field} must begin above 0 with log spacing. Found {low:g}.")
    shares = [i / (count - 1) for i in range(count)]
    if spacing == "log":
        found = [low * (high / low) ** share for share in shares]
    else:
        found = [low + (high - low) * share for share in shares]
    whole = kind == "int"
    return Axis(field=field, values=tuple(round(value) if whole else float(f"{value:.4g}") for value in found))


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """One run of a map: a place on both axes and a seed."""

    key: str
    """unique in its map; names its files"""
    x: Value
    y: Value
    seed: int
    config: RunConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class Sweep:
    """A map. Raises ValueError, one sentence, where a cell could not be trained or there are too many."""

    base: RunConfig
    x: Axis
    """across"""
    y: Axis
    """down"""
    seeds: int = 1
    """of each cell, from the base's seed on"""
    steps: int = 1000
    measures: tuple[str, ...] = tuple(MEASURES)
    """those that are shown; every cell keeps all"""

    def __post_init__(self) -> None:
        if self.x.field == self.y.field:
            raise ValueError(f"the two axes must be two settings. Found {self.x.field} twice.")
        if not 1 <= self.steps <= MAX_STEPS:
            raise ValueError(f"steps must be a whole number from 1 to {MAX_STEPS}. Found {shown(self.steps)}.")
        if not 1 <= self.seeds <= MAX_CELLS:
            raise ValueError(f"seeds must be a whole number from 1 to {MAX_CELLS}. Found {shown(self.seeds)}.")
        if self.seeds > 1 and "seed" in (self.x.field, self.y.field):
            raise ValueError(f"seeds must be 1 where an axis is the seed. Found {self.seeds}.")
        if self.base.train.seed + self.seeds - 1 > MAX_SEED:
            raise ValueError(
                f"the last seed must be at most {MAX_SEED}. Found {self.base.train.seed + self.seeds - 1}."
            )
        for name in self.measures:
            if name not in MEASURES:
                raise ValueError(f"a measure must be one of {', '.join(MEASURES)}. Found {shown(name)}.")
        if not self.measures or len(set(self.measures)) < len(self.measures):
            raise ValueError(f"measures must be at least one, each once. Found {', '.join(self.measures) or 'none'}.")
        if self.size > MAX_CELLS:
            grid = f"{len(self.x.values)} x {len(self.y.values)} x {self.seeds}"
            raise ValueError(f"a map must have at most {MAX_CELLS} cells, each seed counted. Found {grid}.")
        for axis in (self.x, self.y):
            for value in axis.values:
                with_settings(self.base, {axis.field: value})
        self.cells()

    @property
    def size(self) -> int:
        """How many runs it is."""
        return len(self.x.values) * len(self.y.values) * self.seeds

    def cells(self) -> list[Cell]:
        """Every run in the order of training: the first column, then every other square, then the rest, by seeds."""
        first = self.base.train.seed
        places = [(i, j) for i in range(len(self.x.values)) for j in range(len(self.y.values))]
        places.sort(key=lambda place: (place[0] > 0, place[0] % 2 + place[1] % 2, place))
        return [
            self._cell(self.x.values[i], self.y.values[j], seed)
            for seed in range(first, first + self.seeds)
            for i, j in places
        ]

    def _cell(self, x: Value, y: Value, seed: int) -> Cell:
        train = {"steps": self.steps, "eval_every": max(self.base.train.eval_every, self.steps // LOOKS)}
        config = with_settings(self.base, {"seed": seed, **train, self.x.field: x, self.y.field: y})
        key = f"{self.x.field}-{x}_{self.y.field}-{y}-seed{config.train.seed}"
        if len(key) > MAX_KEY:
            key = f"cell-{hashlib.sha256(key.encode()).hexdigest()[:16]}-seed{config.train.seed}"
        return Cell(key=key, x=x, y=y, seed=config.train.seed, config=config)

    def extended(self, *, x: Sequence[Value] = (), y: Sequence[Value] = (), seeds: int = 0) -> Sweep:
        """The same map with further values, or more seeds a cell. Raises ValueError."""
        further = replace(self, x=self.x.joined(x), y=self.y.joined(y))
        return replace(further, seeds=max(self.seeds, seeds))

    def joined(self, other: Sweep) -> Sweep:
        """This map with the values and seeds of another of the same runs. Raises ValueError where it is of others."""
        for part in fields(self):
            before, now = getattr(self, part.name), getattr(other, part.name)
            if isinstance(before, Axis):
                before, now = before.field, now.field
            if part.name not in ("seeds", "measures") and before != now:
                said = "another config" if part.name == "base" else f"{part.name} {now}"
                raise ValueError(f"the folder holds a map with other runs. Found {said} asked for.")
        return self.extended(x=other.x.values, y=other.y.values, seeds=other.seeds)

    def to_json(self) -> dict[str, Any]:
        """The map as plain JSON values; `read_sweep` reads them back."""
        axes = [{"field": axis.field, "values": list(axis.values)} for axis in (self.x, self.y)]
        kept = {"seeds": self.seeds, "steps": self.steps, "measures": list(self.measures)}
        return {"config": to_dict(self.base), "axes": axes, **kept}


def read_sweep(raw: Any) -> Sweep:
    """Read what `to_json` gives. Raises ValueError."""
    try:
        x, y = (Axis(field=axis["field"], values=tuple(axis["values"])) for axis in raw["axes"])
        rest = {"seeds": raw["seeds"], "steps": raw["steps"], "measures": tuple(raw["measures"])}
        return Sweep(base=from_dict(raw["config"]), x=x, y=y, **rest)
    except (KeyError, TypeError) as error:
        raise ValueError(
            f"a map must be an object of config, axes, seeds, steps and measures. Found {error}."
        ) from None


def about(field: str) -> dict[str, Any]:
    """What the schema says of a setting that an axis can be. Raises ValueError for one that it cannot."""
    if field in FIXED:
        raise ValueError(f"an axis cannot be {field}, which is the same in all cells. Found it asked for.")
    if field not in _FIELDS:
        with_settings(RunConfig(), {field: None})  # says which settings are like it
    return _FIELDS[field]


def axis_fields() -> tuple[str, ...]:
    """Every setting that an axis can be: controls first."""
    return tuple(name for name in _FIELDS if name not in FIXED)


def _typed(field: str, value: Any) -> Value:
    """A value as the setting's type has it, from a number or a text. Raises ValueError."""
    kind = about(field)["type"]
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"a value of {field} must be a number or a text. Found {shown(value)}.")
    if kind not in ("int", "float"):
        return value
    try:
        found = int(value) if kind == "int" and not isinstance(value, float) else float(value)
    except (ValueError, OverflowError):
        number = "a whole number" if kind == "int" else "a number"
        raise ValueError(f"{field} must be {number}. Found {shown(value)}.") from None
    return int(found) if kind == "int" and float(found).is_integer() else found + 0  # never a zero below zero


_FIELDS: Final[dict[str, dict[str, Any]]] = {
    name: field for section in ("controls", "model", "train") for name, field in schema()[section].items()
}
