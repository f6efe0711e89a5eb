"""Configs and controls changed by the names of their fields, as a command line and a slider do. Imports no torch."""

from __future__ import annotations

import difflib
from dataclasses import replace
from typing import Any

from cdsp_core.settings.config import Controls, RunConfig
from cdsp_core.settings.fields import field_names, parsed, shown, updated


def with_settings(config: RunConfig, settings: dict[str, Any]) -> RunConfig:
    """`config` with fields replaced by bare name, as `--set key=value` gives them; strings are converted."""
    parts: dict[str, dict[str, Any]] = {"model": {}, "train": {}, "controls": {}}
    for key, value in settings.items():
        section = next((s for s in parts if key in field_names(getattr(config, s))), None)
        if section is None:
            known = [name for s in parts for name in field_names(getattr(config, s))]
            raise ValueError(f"there is no setting {shown(key)}. {_nearest(key, known)}")
        parts[section][key] = parsed(key, value, getattr(config, section))
    return replace(
        config,
        model=updated(config.model, parts["model"], "model"),
        train=updated(config.train, parts["train"], "train"),
        controls=updated(config.controls, parts["controls"], "controls"),
    )


def _nearest(key: str, known: list[str]) -> str:
    """The settings that a wrong name may have meant, or where all of them are listed."""
    alike = difflib.get_close_matches(key, known, n=3) or [name for name in known if key and key in name]
    if alike:
        return f"Did you mean {' or '.join(alike[:3])}?"
    return "`python -m cdsp_core presets` lists them all."


def with_controls(controls: Controls, changes: Any) -> Controls:
    """`controls` with some fields replaced. Raises ValueError naming the field, its bound and what was found."""
    found = updated(controls, changes, "controls")
    assert isinstance(found, Controls)
    return found
