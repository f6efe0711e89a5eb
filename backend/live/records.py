"""A run as the store keeps it: its state as a record, and a record read again."""

from __future__ import annotations

import dataclasses
from typing import Any

from backend.live.state import RunState
from cdsp_core.settings.config import RunConfig, to_dict
from cdsp_core.settings.presets import from_dict, preset
from cdsp_core.wire.messages.run import Description, RecipeEdit, undescribed


def to_record(state: RunState) -> dict[str, Any]:
    """What the store keeps."""
    if state.unreadable is not None:
        return state.unreadable
    record = {each.name: getattr(state, each.name) for each in dataclasses.fields(state)}
    del record["unreadable"]
    described = None if state.description is None else state.description.to_json()
    edits = [edit.to_json() for edit in state.edits]
    return {**record, "config": to_dict(state.config), "description": described, "edits": edits}


def from_record(record: dict[str, Any]) -> RunState:
    """Read what the store kept; a record that cannot be read becomes a failed run that says why."""
    try:
        parent = record["parent"]
        config = from_dict(record["config"])
        read = {
            "config": config,
            "parent": None if parent is None else (parent[0], parent[1]),
            "description": _description(record["description"], config),
            "forked_from": tuple(record["forked_from"]) if record.get("forked_from") else None,
            "edits": [RecipeEdit.model_validate(edit) for edit in record.get("edits", [])],
        }
        return RunState(**{**record, **read})
    except KeyError as error:
        problem = f"its record has no {error}."
    except (TypeError, ValueError, IndexError) as error:
        problem = str(error)
    return RunState(
        run_id=str(record["run_id"]),
        name=str(record.get("name", record["run_id"])),
        config=preset("live"),
        created_ms=float(record.get("created_ms", 0.0)),
        status="failed",
        reason=f"This run was stored by another version and cannot be read: {problem}",
        unreadable=record,
    )


def _description(stored: dict[str, Any] | None, config: RunConfig) -> Description | None:
    """What a worker said of the run; what an earlier version did not know of follows from the config."""
    if not stored:
        return None
    known = {name: value for name, value in stored.items() if name in Description.model_fields}
    return Description.model_validate({**undescribed(config.model).to_json(), **known})
