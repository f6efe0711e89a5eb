"""Runs of GET /api/runs as rows of the table. A field that the server does not tell is an empty cell."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from cdsp_core.wire.messages.vocabulary import ACTIVE


def row(run: Mapping[str, Any]) -> dict[str, Any]:
    """One run as the table has it: plain values, None where there is none."""
    run_id = str(run["run_id"])
    return {
        "run_id": run_id,
        "name": str(run.get("name") or run.get("preset") or run_id),
        "open": f"[Open](/#run={quote(run_id, safe='')})",
        "status": str(run.get("status", "")),
        "preset": str(run.get("preset") or ""),
        "seed": run.get("seed"),
        "step": run.get("step"),
        "accuracy": mean(run.get("accuracy")),
        "blind_accuracy": mean(run.get("blind_accuracy")),
        "links_cut": run.get("links_cut"),
        "started": run.get("created_ms"),
        "size_bytes": run.get("size_bytes"),
        "kept": "kept" if run.get("kept") else "",
        "note": str(run.get("note") or ""),
    }


def mean(accuracy: Any) -> float | None:
    """A share, or the mean of the tasks' where they are told apart."""
    values = list(accuracy.values()) if isinstance(accuracy, Mapping) else [accuracy]
    numbers = [float(value) for value in values if isinstance(value, int | float) and math.isfinite(value)]
    return sum(numbers) / len(numbers) if numbers else None


def has_ended(run: Mapping[str, Any]) -> bool:
    """Whether nothing trains it, so that it can be deleted."""
    return run.get("status") not in ACTIVE


def named(row: Mapping[str, Any]) -> str:
    """A run in a sentence: runs of one name are told apart by their seeds."""
    return f"{row['name']} (seed {row['seed']})" if row.get("seed") is not None else str(row["name"])


def in_words(names: list[str]) -> str:
    """Runs in a sentence, the first three of many."""
    if len(names) <= 3:
        return ", ".join(names)
    return f"{', '.join(names[:3])} and {len(names) - 3} more"


def storage_in_words(storage: Mapping[str, Any]) -> str:
    """What the data folder holds and what happens beyond its cap, of GET /api/storage."""
    size, cap = (float(storage.get(name) or 0) / 2**30 for name in ("size_bytes", "cap_bytes"))
    held = f"{size:.2f}" if size < 10 else f"{size:.0f}"
    full = "is full: the" if size > cap else f"holds {held} of {cap:g} GiB. Beyond that the"
    return f"The data folder {full} oldest ended runs are deleted that are not kept."
