"""What the server and the page's modules both know, written once and handed to the page as JSON.

The modules read it from the element `#page-settings` of the index page; `core/settings.js` has its type.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Final

from cdsp_core.settings.config import MAX_SEED, schema
from cdsp_core.wire.messages.vocabulary import ACTIVE, Status


@dataclass(frozen=True, kw_only=True, slots=True)
class StatusText:
    """What a status of a run is called on the page."""

    words: str
    mark: str = "idle"
    """the shape beside it: idle, running, paused or trouble"""


STATUSES: Final[dict[Status, StatusText]] = {
    "queued": StatusText(words="Waiting for a worker"),
    "starting": StatusText(words="Starting"),
    "running": StatusText(words="Training", mark="running"),
    "paused": StatusText(words="Paused", mark="paused"),
    "finished": StatusText(words="Finished"),
    "interrupted": StatusText(words="Interrupted", mark="trouble"),
    "failed": StatusText(words="Failed", mark="trouble"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Shortcut:
    """A keyboard shortcut of the Lab."""

    shown: str
    """the key as people call it"""
    meaning: str
    action: str | None = None
    """what the page's modules do; None where the picture that has the focus listens itself"""
    keys: tuple[str, ...] = ()
    """as browsers name them in KeyboardEvent.key, lower case"""


SHORTCUTS: Final = (
    Shortcut(shown="Space", meaning="run or pause", action="runOrPause", keys=(" ",)),
    Shortcut(shown="S", meaning="one step", action="step", keys=("s",)),
    Shortcut(shown="R", meaning="reset with the same seed; keeps your sliders", action="reset", keys=("r",)),
    Shortcut(shown="1 to 8", meaning="choose the layer", action="layer", keys=tuple("12345678")),
    Shortcut(shown="L", meaning="σ(A) or raw logits", action="rawLogits", keys=("l",)),
    Shortcut(shown="D", meaning="light or dark", action="theme", keys=("d",)),
    Shortcut(shown="Arrows", meaning="read cells of a picture that has the focus"),
    Shortcut(shown="End", meaning="back to live", action="live", keys=("end",)),
    Shortcut(shown="?", meaning="this list", action="help", keys=("?",)),
)


def key_of(action: str) -> str:
    """The key of an action, as people call it, for the hint of a button that does the same."""
    return next(shortcut.shown for shortcut in SHORTCUTS if shortcut.action == action)


@dataclass(frozen=True, kw_only=True, slots=True)
class ControlText:
    """What a control of the schema is called on the page."""

    label: str
    gloss: str = ""
    """what the label means"""
    unit: str = ""
    decades: int = 4
    """powers of ten that a slider with a zero covers below its highest value"""
    needs_topology: bool = False
    """whether it acts on A alone"""


CONTROLS: Final = {
    "p_drop": ControlText(label="p_drop", gloss="task dropout"),
    "lambda_conflict": ControlText(label="λ", gloss="conflict weight", needs_topology=True),
    "lr_ratio": ControlText(label="rate ratio", gloss="A : weights", unit="×", needs_topology=True),
    "lr_base": ControlText(label="base rate", gloss="of learning"),
    "l1": ControlText(label="L1", gloss="pressure on A", decades=6, needs_topology=True),
    "binarize": ControlText(label="binarisation", gloss="of σ(A)", decades=6, needs_topology=True),
    "sharing": ControlText(label="sharing", gloss="offset on A", needs_topology=True),
}
"""The schema says which controls there are, and their bounds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ArchitectureText:
    """What a kind of network is called on the page."""

    name: str
    full: str
    """beginning of a sentence about it"""
    owns: str = "each expert owns its weights"
    """why it has no topology"""


ARCHITECTURES: Final = {
    "cdsp": ArchitectureText(name="CDSP-MoE", full="A CDSP mixture of experts"),
    "standard": ArchitectureText(name="Standard MoE", full="A standard mixture of experts"),
    "blind": ArchitectureText(name="Blind MoE", full="A blind mixture of experts"),
    "dense": ArchitectureText(name="Dense net", full="A dense net", owns="all tokens pass through the same weights"),
    "expert_choice": ArchitectureText(name="Expert choice", full="A mixture whose experts choose their tokens"),
    "shared_fine": ArchitectureText(name="Shared + fine experts", full="A mixture of shared and fine-grained experts"),
    "dselect_k": ArchitectureText(name="DSelect-k", full="A mixture with the DSelect-k gate"),
    "stgc": ArchitectureText(name="STGC", full="A mixture that reassigns conflicting tokens"),
}


def page_settings() -> dict[str, Any]:
    """Everything that the page's modules are told of the server, as JSON values."""
    controls = {}
    for name, spec in schema()["controls"].items():
        text = CONTROLS.get(name, ControlText(label=name))
        bounds = {key: spec[key] for key in ("low", "high", "scale", "doc")}
        controls[name] = {**asdict(text), **bounds}
    return {
        "statuses": [{"name": name, "active": name in ACTIVE, **asdict(text)} for name, text in STATUSES.items()],
        "shortcuts": [asdict(shortcut) for shortcut in SHORTCUTS if shortcut.action],
        "controls": controls,
        "architectures": {name: asdict(text) for name, text in ARCHITECTURES.items()},
        "max_seed": MAX_SEED,
    }


def settings_script() -> str:
    """The element that holds them; `<` is escaped, so that no text can end the element."""
    content = json.dumps(page_settings(), ensure_ascii=False).replace("<", "\\u003c")
    return f'<script type="application/json" id="page-settings">{content}</script>'
