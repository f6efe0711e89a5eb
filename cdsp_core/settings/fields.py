"""Fields of a config: a default with bounds and a line of text, checked, read and described in one way.

Imports no torch, so the web process can read it too. The fields themselves are in `model.py` and `config.py`.
"""

from __future__ import annotations

import dataclasses
import re
import types
import typing
from dataclasses import field, replace
from typing import Any, Final, Literal

MAX_WIDENED = 2**53
"""The largest whole number that is taken where a number is wanted; every bound lies far below."""


def bounded(default: Any, low: float, high: float, doc: str, *, scale: str = "linear") -> Any:
    """A number with its lowest and highest value and a line of text; `scale` is the slider's."""
    return field(default=default, metadata={"low": low, "high": high, "doc": doc, "scale": scale})


def described(default: Any, doc: str) -> Any:
    """A choice, with a line of text."""
    return field(default=default, metadata={"doc": doc})


def worded(default: str, pattern: str, wanted: str, doc: str) -> Any:
    """A text that a pattern matches, what it must be in words, and a line of text."""
    return field(default=default, metadata={"pattern": pattern, "wanted": wanted, "doc": doc})


_TYPES: Final[dict[Any, dict[str, Any]]] = {}


def _types(cls: type) -> dict[str, Any]:
    """The types of a class's fields, read once: reading them takes longer than all else that a config does."""
    if cls not in _TYPES:
        _TYPES[cls] = typing.get_type_hints(cls)
    return _TYPES[cls]


def field_schema(cls: type, f: dataclasses.Field[Any]) -> dict[str, Any]:
    """What /api/schema says of one field."""
    hint = _types(cls)[f.name]
    entry: dict[str, Any] = {"default": f.default, **f.metadata}
    if typing.get_origin(hint) is Literal:
        return {"type": "choice", "choices": list(typing.get_args(hint)), **entry}
    return {"type": hint.__name__, **entry}


def field_names(section: Any) -> tuple[str, ...]:
    """Names of a section's fields, in order."""
    return tuple(f.name for f in dataclasses.fields(section))


def updated(section: Any, changes: Any, name: str) -> Any:
    """`section`, called `name` in sentences, with some fields replaced. Raises ValueError naming what was wrong."""
    if not isinstance(changes, dict | types.MappingProxyType):
        raise ValueError(f"{name} must be an object. Found {shown(changes)}.")
    known = field_names(section)
    for key in changes:
        if key not in known:
            raise ValueError(f"{name} has no field {shown(key)}. It has {', '.join(known)}.")
    hints = _types(type(section))
    widened = {
        key: float(value) if hints[key] is float and type(value) is int and abs(value) <= MAX_WIDENED else value
        for key, value in changes.items()
    }
    return replace(section, **widened)


def parsed(key: str, value: Any, section: Any) -> Any:
    """A field's value from a command line's text; what is no text stays as it is. Raises ValueError."""
    if not isinstance(value, str):
        return value
    hint = _types(type(section))[key]
    if hint not in (int, float):
        return value
    try:
        return hint(value)
    except ValueError:
        kind = "a whole number" if hint is int else "a number"
        raise ValueError(f"{key} must be {kind}. Found {shown(value)}.") from None


def check_fields(section: Any) -> None:
    """Raises ValueError for the first field that is out of bounds, of another type or none of the choices."""
    hints = _types(type(section))
    for f in dataclasses.fields(section):
        value, hint = getattr(section, f.name), hints[f.name]
        if typing.get_origin(hint) is Literal:
            choices = typing.get_args(hint)
            if value not in choices:
                raise ValueError(f"{f.name} must be one of {', '.join(choices)}. Found {shown(value)}.")
            continue
        if "pattern" in f.metadata:
            if not isinstance(value, str) or re.fullmatch(f.metadata["pattern"], value) is None:
                raise ValueError(f"{f.name} must be {f.metadata['wanted']}. Found {shown(value)}.")
            continue
        low, high = f.metadata["low"], f.metadata["high"]
        # NaN lies in no interval; math.isfinite would fail on whole numbers beyond the largest float.
        if type(value) is not hint or not low <= value <= high:
            span = f"a whole number from {low} to {high}" if hint is int else f"a number from {low:g} to {high:g}"
            raise ValueError(f"{f.name} must be {span}. Found {shown(value)}.")


def must_divide(name: str, value: int, by_name: str, by: int) -> None:
    """Raises ValueError unless `by` divides `value`."""
    if value % by:
        raise ValueError(f"{name} must be divisible by {by_name}. Found {value} and {by}.")


def shown(value: Any) -> str:
    """A value as sentences show it, shortened."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
