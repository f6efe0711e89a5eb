"""What the form of a new map offers: settings by name, and for each the values that one would try first."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from cdsp_core.settings.config import RunConfig, schema
from cdsp_core.settings.overrides import with_settings
from cdsp_core.studies.sweeps.spec import about, axis_fields, axis_of
from frontend.maps.data import name_of

Option = dict[str, str]
Number = int | float

HALF_DECADES: Final = (0.03, 0.1, 0.3, 1, 3, 10)
DOUBLINGS: Final = (0.25, 0.5, 1, 2, 4)
WHOLE_FROM_ZERO: Final = (0, 8, 32, 128)
SEEDS: Final = (0, 1, 2, 3, 4)
MOST_CHOICES: Final = 5


def setting_options() -> list[Option]:
    """Every setting that can vary, controls first, each under its name with its line of text as a hint."""
    controls = schema()["controls"]
    return [
        {"label": name_of(field), "value": field, "title": about(field)["doc"], "search": f"{field} {name_of(field)}"}
        for field in (*controls, *(field for field in axis_fields() if field not in controls))
    ]


def suggested_values(field: str, base: RunConfig) -> str:
    """Values around the base's own, as people would type them, of which each can be trained. Raises ValueError."""
    fitting = [value for value in _ladder(field, base) if _can_be(field, value, base)]
    return ", ".join(typed(value) for value in fitting)


def typed(value: Number | str) -> str:
    """A value of an axis as people type it: what they type is this value, whatever its digits."""
    if isinstance(value, str):
        return value
    short = f"{value:g}"
    return short if float(short) == value and "e+" not in short else repr(value)


def kept_or_suggested(field: str, text: str, base: RunConfig) -> str:
    """What was typed, where it fits the setting and the base; else what is suggested. Raises ValueError."""
    try:
        axis = axis_of(field, text)
    except ValueError:
        return suggested_values(field, base)
    fits = axis.values and all(_can_be(field, value, base) for value in axis.values)
    return text if fits else suggested_values(field, base)


def _ladder(field: str, base: RunConfig) -> Iterable[Any]:
    known = about(field)
    if known["type"] == "choice":
        return tuple(known["choices"])[:MOST_CHOICES]
    own = _own(field, base)
    low, high, scale = known["low"], known["high"], known["scale"]
    if known["type"] == "int":
        if field == "seed":
            return SEEDS
        steps: Iterable[Number] = (int(own * factor) for factor in DOUBLINGS) if own else WHOLE_FROM_ZERO
    elif scale in ("log", "log0") and own:
        steps = [*((0.0,) if scale == "log0" else ()), *(float(f"{own * factor:.2g}") for factor in HALF_DECADES)]
    elif not own or own >= (high - low) / 8:
        steps = (low + (high - low) * share / 4 for share in range(5))
    else:
        steps = (own * factor for factor in DOUBLINGS)
    return sorted({value for value in steps if low <= value <= high})


def _own(field: str, base: RunConfig) -> Any:
    """The base's value of a setting, wherever it stands."""
    section = next(part for part in (base.controls, base.model, base.train) if hasattr(part, field))
    return getattr(section, field)


def _can_be(field: str, value: Any, base: RunConfig) -> bool:
    try:
        with_settings(base, {field: value})
    except ValueError:
        return False
    return True
