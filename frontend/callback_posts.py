"""Whether a POST to Dash's callback address has the shape of one that a page of ours sends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def is_callback_post(body: Any, callbacks: Mapping[str, Any]) -> bool:
    """Whether `body` names a callback that there is, with the inputs, states and outputs that this one takes."""
    if not isinstance(body, dict):
        return False
    output = body.get("output")
    spec = callbacks.get(output) if isinstance(output, str) else None
    if spec is None:
        return False
    changed = body.get("changedPropIds", [])
    return (
        _are_given(body.get("inputs", []), spec["inputs"])
        and _are_given(body.get("state", []), spec["state"])
        and _are_named(body.get("outputs"))
        and isinstance(changed, list)
        and all(isinstance(each, str) for each in changed)
    )


def _are_given(given: Any, wanted: list[dict[str, Any]]) -> bool:
    """Whether each wanted property is there, by its name; a pattern is a list of what matches it."""
    if not isinstance(given, list) or len(given) != len(wanted):
        return False
    return all(_is_given(each, one["property"]) for each, one in zip(given, wanted, strict=True))


def _is_given(given: Any, name: str) -> bool:
    if isinstance(given, list):
        return all(isinstance(each, dict) and _is_given(each, name) for each in given)
    return isinstance(given, dict) and given.get("property") == name and isinstance(given.get("id"), str | dict)


def _are_named(outputs: Any) -> bool:
    """Whether outputs are one, or a list of some, or of lists of those that match a pattern."""
    if isinstance(outputs, list):
        return all(map(_are_named, outputs))
    if not isinstance(outputs, dict):
        return False
    return isinstance(outputs.get("property"), str) and isinstance(outputs.get("id"), str | dict)
