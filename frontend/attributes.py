"""Attributes whose names are no Python identifiers."""

from __future__ import annotations

from typing import Any


def aria(**values: str) -> dict[str, Any]:
    """Attributes for assistive technology: `aria(label="Layer")` is aria-label="Layer"."""
    return _prefixed("aria", values)


def data(**values: str) -> dict[str, Any]:
    """Attributes that the page's scripts read: `data(control="l1")` is data-control="l1"."""
    return _prefixed("data", values)


def part(name: str) -> dict[str, Any]:
    """The name under which a `RunView` finds an element inside its root."""
    return data(part=name)


def _prefixed(prefix: str, values: dict[str, str]) -> dict[str, Any]:
    return {f"{prefix}-{name}": value for name, value in values.items()}
