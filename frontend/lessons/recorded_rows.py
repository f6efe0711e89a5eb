"""Recorded runs as rows of the gallery: what each is, what is special in it, and what it can be compared with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from statistics import fmean
from typing import Any, Final
from urllib.parse import quote

import numpy as np

from cdsp_core.settings.presets import preset
from cdsp_core.wire.recording import CUT_BELOW, Recording
from frontend.page_settings import CONTROLS

TRAIN_FIELDS_OF_A_STUDY: Final = ("seed", "epochs", "steps", "eval_every", "eval_batch")
"""say how long a run was trained and how often it was looked at, not what it is"""

SIZES: Final = ("patch_size", "d_model", "d_base", "d_task", "num_heads", "num_kv_heads", "batch_size")
"""told last, since all runs of a study share them"""


def rows(recorded: Mapping[str, Recording]) -> list[dict[str, Any]]:
    """A row for every recorded run, by preset, settings and seed."""
    apart = {name: differences(each) for name, each in recorded.items()}
    made = [_row(name, each, recorded, apart) for name, each in recorded.items()]
    return sorted(made, key=lambda row: (row["preset"], row["what"], row["seed"]))


def _row(
    name: str, recording: Recording, recorded: Mapping[str, Recording], apart: Mapping[str, list[str]]
) -> dict[str, Any]:
    config, measured = recording.recipe.config, recording.accuracy
    beside = partner(name, recorded, apart)
    address = f"/#recorded={quote(name, safe='')}"
    links = int(np.prod(recording.connection.shape[1:]))
    return {
        "name": name,
        "preset": config.preset,
        "what": ", ".join(apart[name]),
        "seed": config.train.seed,
        "special": special(recording),
        "steps": int(recording.steps[-1]),
        "cut": recording.links_cut[-1] if links else None,
        "links": links,
        "told": None if measured is None else fmean(measured["known"].values()),
        "blind": None if measured is None else fmean(measured["blind"].values()),
        "open": address,
        "compare": None if beside is None else f"{address}&with=recorded:{quote(beside, safe='')}",
        "beside": beside,
    }


def differences(recording: Recording) -> list[str]:
    """In what a recorded run differs from its preset, in words."""
    recipe = recording.recipe
    base = preset(recipe.config.preset)
    found = [
        f"{CONTROLS[name].label} {value:g} from {edit.step:,}"
        for edit in recipe.edits
        for name, value in edit.controls.items()
    ]
    for name, value in asdict(recipe.config.controls).items():
        if value != getattr(base.controls, name):
            found.append(f"{CONTROLS[name].label} {value:g}")
    fields: dict[str, Any] = {}
    for own, usual in ((recipe.config.model, base.model), (recipe.config.train, base.train)):
        fields |= {name: value for name, value in asdict(own).items() if value != getattr(usual, name)}
    told = [name for name in fields if name not in TRAIN_FIELDS_OF_A_STUDY]
    found += [f"{name.replace('_', ' ')} {fields[name]}" for name in sorted(told, key=lambda name: name in SIZES)]
    return found


def special(recording: Recording) -> str:
    """What is special in the first layer of a recorded run, in one line that can be counted again."""
    if not recording.connection.shape[1]:
        return "no shared backbone, so no topology: only its curves"
    cut_tep = recording.connection[:, 0] < CUT_BELOW * 255
    cut_t = cut_tep.sum(axis=(1, 2))
    links, cut = cut_tep[0].size, int(cut_t[-1])
    if recording.recipe.edits:
        step = recording.recipe.edits[-1].step
        before = cut_tep[max(0, int(np.searchsorted(recording.steps, step, side="right")) - 1)]
        back = int((before & ~cut_tep[-1]).sum())
        return f"{int(before.sum())} of {links} links of layer 1 were cut by step {step:,}; {back or 'none'} came back"
    if not cut:
        return "no link is ever cut"
    first = int(recording.steps[int(np.argmax(cut_t > 0))])
    if cut_tep.shape[1] != cut_tep.shape[2]:
        return f"{cut} of {links} links of layer 1 cut, the first by step {first:,}"
    own = int(np.trace(~cut_tep[-1]))
    crossing = links - cut - own
    if not crossing:
        return f"{own} of {cut_tep.shape[1]} experts hold their own block alone; first cut by step {first:,}"
    crosses = "link crosses" if crossing == 1 else "links cross"
    return f"{own} experts hold their own block, {crossing} {crosses}; first cut by step {first:,}"


def partner(name: str, recorded: Mapping[str, Recording], apart: Mapping[str, list[str]]) -> str | None:
    """The recorded run to look at beside one: of the same preset, seed and length, with fewest settings apart.

    `apart` has the `differences` of every recorded run; found anew for every pair they took seconds.
    """
    if not recorded[name].connection.shape[1]:
        return None
    own, here = recorded[name].recipe.config, set(apart[name])
    found: list[tuple[int, int, str]] = []
    for other, each in recorded.items():
        config = each.recipe.config
        if other == name or config.preset != own.preset or not each.connection.shape[1]:
            continue
        there = set(apart[other])
        is_other_seed = config.train.seed != own.train.seed
        if is_other_seed and here != there:
            continue
        found.append((is_other_seed, len(here ^ there), other))
    return min(found)[2] if found else None
