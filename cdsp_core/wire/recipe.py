"""Recipes: what makes a run, a config with its preset and seed, and edits after their steps. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from cdsp_core.settings.config import MAX_STEPS, Controls, RunConfig, to_dict
from cdsp_core.settings.fields import field_names, parsed
from cdsp_core.settings.overrides import with_controls
from cdsp_core.settings.presets import from_dict

MAX_EDITS: Final = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Edit:
    """Controls that somebody set after a step. Raises ValueError for a step or a value out of bounds."""

    step: int
    controls: dict[str, float]

    def __post_init__(self) -> None:
        if type(self.step) is not int or not 0 <= self.step <= MAX_STEPS:
            raise ValueError(f"the step of an edit must be a whole number from 0 to {MAX_STEPS}. Found {self.step!r}.")


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """What makes a run: a config, with its preset and its seed, and edits in the order of their steps."""

    config: RunConfig
    edits: tuple[Edit, ...] = ()

    def __post_init__(self) -> None:
        if len(self.edits) > MAX_EDITS:
            raise ValueError(f"a recipe must have at most {MAX_EDITS} edits. Found {len(self.edits)}.")
        steps = [edit.step for edit in self.edits]
        if steps != sorted(steps):
            raise ValueError(f"edits must come in the order of their steps. Found {steps}.")
        controls = self.config.controls
        for edit in self.edits:
            controls = with_controls(controls, edit.controls)

    def to_json(self) -> dict[str, Any]:
        """The recipe as plain JSON values; `read_recipe` reads them back."""
        edits = [{"step": edit.step, "controls": edit.controls} for edit in self.edits]
        return {"config": to_dict(self.config), "edits": edits}


def read_recipe(raw: Any) -> Recipe:
    """Read the JSON form of a recipe. Raises ValueError."""
    if not isinstance(raw, dict) or set(raw) != {"config", "edits"} or not isinstance(raw["edits"], list):
        raise ValueError("a recipe must be an object of config and edits. Found something else.")
    edits = []
    for edit in raw["edits"]:
        if not isinstance(edit, dict) or set(edit) != {"step", "controls"}:
            raise ValueError("an edit must be an object of step and controls. Found something else.")
        edits.append(Edit(step=edit["step"], controls=edit["controls"]))
    return Recipe(config=from_dict(raw["config"]), edits=tuple(edits))


def read_edits(texts: Sequence[str]) -> tuple[Edit, ...]:
    """Edits as a command line gives them, STEP:KEY=VALUE, in the order of their steps. Raises ValueError."""
    edits = []
    for text in texts:
        step, _, pair = text.partition(":")
        key, found, value = pair.partition("=")
        if not step.isdecimal() or not found:
            raise ValueError(f"--edit must be STEP:KEY=VALUE. Found {text[:60]!r}.")
        if key not in field_names(Controls()):
            raise ValueError(f"--edit must set one of {', '.join(field_names(Controls()))}. Found {key[:60]!r}.")
        edits.append(Edit(step=int(step), controls={key: parsed(key, value, Controls())}))
    return tuple(sorted(edits, key=lambda edit: edit.step))
