"""What the server and the page's modules both know, written once and handed to the page as JSON.

The modules read it from the element `#page-settings` of the index page; `core/settings.js` has its type.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Final

from cdsp_core import __version__
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
    Shortcut(shown="1 to 8", meaning="choose the layer", action="layer", keys=tuple("12345678")),
    Shortcut(shown="L", meaning="the next lens: matrix, threads", action="lens", keys=("l",)),
    Shortcut(shown="D", meaning="light or dark", action="theme", keys=("d",)),
    Shortcut(shown="P", meaning="present: hide controls and enlarge; Escape leaves", action="present", keys=("p",)),
    Shortcut(shown="Arrows", meaning="read cells of a picture that has the focus; Enter pins, Escape frees"),
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
    name: str = ""
    """the same in words, above its slider; the label where there is none"""
    short: str = ""
    """the name where there is little room"""
    gloss: str = ""
    """what it does"""
    at_zero: str = ""
    """the gloss while it is 0"""
    ticks: tuple[float, ...] = ()
    """values written under the slider"""
    unit: str = ""
    decades: int = 4
    """powers of ten that a slider with a zero covers below its highest value"""
    needs_topology: bool = False
    """whether it acts on A alone"""
    scaled_by: str = ""
    """the control that multiplies it: while that is 0 this one rests"""


CONTROLS: Final = {
    "p_drop": ControlText(
        label="p_drop",
        name="Task dropout",
        short="Dropout",
        gloss="how often the task is hidden",
        ticks=(0, 0.5, 1),
    ),
    "lambda_conflict": ControlText(
        label="λ",
        name="Conflict weight",
        short="Conflict",
        gloss="how hard clashes cut links",
        at_zero="at 0, L1 and binarising rest too",
        ticks=(0, 1, 10, 100),
        decades=3,
        needs_topology=True,
    ),
    "lr_ratio": ControlText(
        label="rate ratio",
        name="Rate ratio",
        gloss="links learn this much faster",
        unit="×",
        ticks=(0.1, 1, 10, 100),
        needs_topology=True,
    ),
    "lr_base": ControlText(
        label="base rate", name="Base rate", gloss="how fast the weights learn", ticks=(1e-5, 1e-3, 0.1)
    ),
    "l1": ControlText(
        label="L1",
        name="L1",
        gloss="pulls links to .5; λ scales it",
        at_zero="off: nothing pulls links to .5",
        ticks=(0, 1e-4, 1),
        decades=6,
        needs_topology=True,
        scaled_by="lambda_conflict",
    ),
    "binarize": ControlText(
        label="binarisation",
        name="Binarisation",
        gloss="pushes links away from .5; λ scales it",
        at_zero="off: links may stay undecided",
        ticks=(0, 1e-3, 1),
        decades=6,
        needs_topology=True,
        scaled_by="lambda_conflict",
    ),
    "sharing": ControlText(
        label="sharing",
        name="Sharing",
        gloss="lifts or lowers every link at once",
        ticks=(-10, 0, 10),
        needs_topology=True,
    ),
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
        "version": __version__,
    }


def settings_script() -> str:
    """The element that holds them; `<` is escaped, so that no text can end the element."""
    content = json.dumps(page_settings(), ensure_ascii=False).replace("<", "\\u003c")
    return f'<script type="application/json" id="page-settings">{content}</script>'
