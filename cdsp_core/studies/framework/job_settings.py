"""Settings of jobs beside each other: told in full, and where they differ."""

from __future__ import annotations

import json
from typing import Any

from cdsp_core.settings.config import RunConfig, to_dict


def told_in_full(settings: Any) -> Any:
    """The settings as JSON has them, what their config does not tell at its default."""
    found = json.loads(json.dumps(settings))
    if isinstance(found, dict) and isinstance(found.get("config"), dict):
        found["config"] = _with_defaults(found["config"])
    return found


def differences(found: Any, wanted: Any, path: str = "") -> dict[str, tuple[Any, Any]]:
    """Every setting that differs, under its path, with both values; None where one lacks it."""
    if not isinstance(found, dict) or not isinstance(wanted, dict):
        return {} if found == wanted else {path: (found, wanted)}
    differing: dict[str, tuple[Any, Any]] = {}
    for name in {**wanted, **found}:
        place, before, now = f"{path}.{name}" if path else name, found.get(name), wanted.get(name)
        if name in found and name in wanted:
            differing |= differences(before, now, place)
        else:
            differing[place] = before, now
    return differing


def _with_defaults(config: dict[str, Any]) -> dict[str, Any]:
    filled = dict(config)
    for part, defaults in to_dict(RunConfig()).items():
        told = config.get(part, {})
        filled[part] = {**defaults, **told} if isinstance(defaults, dict) and isinstance(told, dict) else told
    return filled
