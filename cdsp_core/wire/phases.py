"""Phases of the network, told in words: what a frame shows that the frames before it did not. Imports no torch.

Each layer is in one of four phases. *Even*: the widest gap between two links, max sigma(A) - min sigma(A), is at most
0.2. *Breaks*: it is above. *Cuts*: a link lies below 0.1, so it is cut. *Frozen*: links are cut, and none crossed 0.1
for 1,000 steps. Besides, it is told when half of the links are cut, when an expert pulls ahead of another, when the
network is an oligarchy by the rule of `oligarchy.py`, and when the accuracy passes a mark. What has not changed the
picture (an expert without work, say) is no phase.

A text is "Layer 1: WHAT. DETAIL.", the part before the colon only where it is of one layer. Each is told once when a
quantity crosses its mark and is armed again only when the quantity has gone clearly back; the same phase of a layer is
told again only after some hundred steps. Steps count, not frames: what is told does not depend on the frame rate.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from cdsp_core.wire.frames import Array, Frame
from cdsp_core.wire.messages.vocabulary import PhaseName
from cdsp_core.wire.oligarchy import IN_WORDS, Found

CUT_BELOW: Final = 0.1
"""a link whose sigma(A) lies below is cut"""
WIDE: Final = 0.2
"""a widest gap above it breaks the symmetry"""
WIDE_BACK: Final = 0.15
FROZEN_STEPS: Final = 1000
"""without a link that crosses CUT_BELOW"""
APART_STEPS: Final = 500
"""least distance of two equal phases"""
HALF: Final = 0.5
HALF_BACK: Final = 0.45
AHEAD: Final = 0.3
"""between the largest and the least share of its own block that an expert keeps"""
AHEAD_BACK: Final = 0.2
ACCURACY_MARKS: Final = (0.5, 0.8, 0.9, 0.95)
ACCURACY_TESTS: Final = 10
"""tests whose mean has to reach a mark"""
OLIGARCHIC_FRAMES: Final = 3
"""in a row that the rule must call so"""
ACCURACIES: Final = (("test_accuracy/", "with"), ("test_accuracy_blind/", "without"))
"""prefix of the scalars, and how the task ID goes with it"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Phase:
    """Something that began in one layer, or in the whole model, in words with its numbers."""

    name: PhaseName
    text: str
    data: dict[str, Any]


@dataclass(kw_only=True, slots=True)
class _Layer:
    """What is known of one layer. `cut_ep` [E, P]: links cut in the last frame; `changed`: when that last changed."""

    cut_ep: Array
    changed: int
    phase: PhaseName | None = None
    seen: set[str] = field(default_factory=set)
    told: dict[str, int] = field(default_factory=dict)


@dataclass(kw_only=True, slots=True)
class _Accuracy:
    """The last tests of one kind, and the marks that their mean has passed; `silent` until the first mean is known."""

    tests: deque[float]
    silent: bool
    passed: set[float] = field(default_factory=set)


class PhaseWatch:
    """Looks at the frames of one run, oldest first. Of a model without A it tells of the accuracy only.

    `continued`: the run was trained before, so what its first frame shows is not news. `scalar_names`: columns of a
    frame's scalars; without them nothing is said of the accuracy. `oligarchy`: the rule that was chosen and tested;
    without one no network is called so.
    """

    def __init__(
        self,
        *,
        has_diagonal: bool,
        continued: bool = False,
        scalar_names: Sequence[str] = (),
        oligarchy: Found | None = None,
    ) -> None:
        self._oligarchy = oligarchy if has_diagonal else None
        self._oligarchic_frames = 0
        self._continued = continued
        self._has_diagonal = has_diagonal
        self._layers: dict[int, _Layer] = {}
        self._columns = {
            known: [place for place, name in enumerate(scalar_names) if name.startswith(prefix)]
            for prefix, known in ACCURACIES
        }
        self._accuracies = {
            known: _Accuracy(tests=deque(maxlen=ACCURACY_TESTS), silent=continued) for _, known in ACCURACIES
        }

    def observe(self, frame: Frame) -> list[Phase]:
        """What this frame shows for the first time."""
        found: list[Phase] = []
        layers = {int(name.split("/")[0].removeprefix("layer")) for name in frame.arrays if name.startswith("layer")}
        connections: list[Array] = []
        for layer in sorted(layers):
            connection_ep = frame.arrays.get(f"layer{layer}/connection")
            if connection_ep is not None and connection_ep.size:
                connections.append(connection_ep)
                found += self._layer(layer, frame.step, connection_ep)
        found += self._oligarchic(frame.step, connections)
        found += self._accuracy(frame.arrays.get("scalars"))
        if self._continued:
            self._continued = False
            return []
        return found

    def _layer(self, layer: int, step: int, connection_ep: Array) -> list[Phase]:
        cut_ep = connection_ep < CUT_BELOW
        known = self._layers.get(layer)
        if known is None:
            known = self._layers[layer] = _Layer(cut_ep=np.zeros_like(cut_ep), changed=step)
        crossed_ep = cut_ep != known.cut_ep
        quiet_steps = step - known.changed
        if crossed_ep.any():
            known.changed = step
        found: list[Phase] = []
        for name in _passed(known.phase, _phase_of(known, step, connection_ep)):
            if not _allowed(known, name, step):
                break
            before, known.phase = known.phase, name
            known.told[name] = step
            title, detail = _words(
                name,
                before,
                connection_ep,
                crossed_ep,
                quiet_steps=quiet_steps,
                since=known.changed,
                has_diagonal=self._has_diagonal,
            )
            found.append(_phase(name, layer, title, detail, **_numbers(connection_ep, step, known, name)))
        known.cut_ep = cut_ep
        share = float(cut_ep.mean())
        if _crossed(known, "half_cut", step, reached=share >= HALF, gone=share < HALF_BACK):
            detail = f"{int(cut_ep.sum())} of {cut_ep.size}"
            numbers = _numbers(connection_ep, step, known, "half_cut")
            found.append(_phase("half_cut", layer, "Half of the links are cut", detail, **numbers))
        if self._has_diagonal:
            found += self._ahead(layer, step, known, np.diagonal(connection_ep))
        return found

    def _ahead(self, layer: int, step: int, known: _Layer, diagonal_e: Array) -> list[Phase]:
        """An expert that keeps much more of its own block than another does."""
        high, low = float(diagonal_e.max()), float(diagonal_e.min())
        if not _crossed(known, "pulls_ahead", step, reached=high - low > AHEAD, gone=high - low < AHEAD_BACK):
            return []
        first, last = int(diagonal_e.argmax()), int(diagonal_e.argmin())
        detail = f"It keeps {_share(high)} of its own block, E{last} {_share(low)}"
        data = {"expert": first, "highest": high, "weakest": last, "lowest": low}
        return [_phase("pulls_ahead", layer, f"E{first} pulls ahead", detail, **data)]

    def _oligarchic(self, step: int, connections: list[Array]) -> list[Phase]:
        """That the network is an oligarchy by the rule, once, and how often the rule errs."""
        if self._oligarchy is None or self._oligarchic_frames >= OLIGARCHIC_FRAMES:
            return []
        says = self._oligarchy.rule.says(connections, step=step)
        self._oligarchic_frames = self._oligarchic_frames + 1 if says else 0
        if says and self._continued:
            self._oligarchic_frames = OLIGARCHIC_FRAMES
        if self._oligarchic_frames < OLIGARCHIC_FRAMES:
            return []
        value, rule = self._oligarchy.rule.value(connections), self._oligarchy.rule
        side = "above" if rule.above else "below"
        detail = (
            f"{IN_WORDS[rule.measure]}: {_share(value)}, {side} {_share(rule.threshold)}; "
            f"the test for it erred in {self._oligarchy.errors} of {self._oligarchy.runs} runs"
        )
        data = {"phase": "oligarchic", "layer": None, "value": value, "threshold": rule.threshold}
        return [Phase(name="oligarchic", text=f"An oligarchy: few links are left. {detail}.", data=data)]

    def _accuracy(self, rows: Array | None) -> list[Phase]:
        """Marks that the mean of the last tests passes, over all tasks, with and without ID."""
        found: list[Phase] = []
        if rows is None or rows.ndim != 2:
            return found
        for known, columns in self._columns.items():
            accuracy = self._accuracies[known]
            if not columns or max(columns) >= rows.shape[1]:
                continue
            for row in rows[:, columns]:
                if np.isnan(row).all():
                    continue
                accuracy.tests.append(float(np.nanmean(row)))
                found += _marks_passed(accuracy, known)
        return found


def _marks_passed(accuracy: _Accuracy, known: str) -> list[Phase]:
    """The highest mark that the mean passes for the first time, if any."""
    if len(accuracy.tests) < ACCURACY_TESTS:
        return []
    mean = sum(accuracy.tests) / ACCURACY_TESTS
    new = [mark for mark in ACCURACY_MARKS if mean >= mark and mark not in accuracy.passed]
    accuracy.passed.update(new)
    silent, accuracy.silent = accuracy.silent, False
    if silent or not new:
        return []
    text = f"Accuracy {known} ID passes {max(new):.0%}. Mean of the last {ACCURACY_TESTS} tests over all tasks."
    data = {"phase": "accuracy", "layer": None, "mark": max(new), "with_id": known == "with", "accuracy": mean}
    return [Phase(name="accuracy", text=text.replace("%", " %"), data=data)]


def _phase_of(known: _Layer, step: int, connection_ep: Array) -> PhaseName:
    """The phase of a layer by its links now."""
    if bool((connection_ep < CUT_BELOW).any()):
        return "frozen" if step - known.changed >= FROZEN_STEPS else "cuts"
    gap = float(connection_ep.max() - connection_ep.min())
    is_even = gap < WIDE_BACK or (gap <= WIDE and known.phase in (None, "even"))
    return "even" if is_even else "breaks"


ORDER: Final[tuple[PhaseName, ...]] = ("even", "breaks", "cuts", "frozen")


def _passed(before: PhaseName | None, now: PhaseName) -> tuple[PhaseName, ...]:
    """The phases from one to another, the last included: who comes to cuts from even has passed breaks."""
    if before == now:
        return ()
    first = ORDER.index(before) + 1 if before is not None else ORDER.index(now)
    last = ORDER.index(now)
    return ORDER[first : last + 1] if first <= last else (now,)


def _allowed(known: _Layer, name: str, step: int) -> bool:
    return name not in known.told or step - known.told[name] >= APART_STEPS


def _crossed(known: _Layer, name: str, step: int, *, reached: bool, gone: bool) -> bool:
    """Whether a mark is crossed, and that is to be told."""
    if reached and name not in known.seen and _allowed(known, name, step):
        known.seen.add(name)
        known.told[name] = step
        return True
    if gone:
        known.seen.discard(name)
    return False


def _words(
    name: PhaseName,
    before: PhaseName | None,
    connection_ep: Array,
    crossed_ep: Array,
    *,
    quiet_steps: int,
    since: int,
    has_diagonal: bool,
) -> tuple[str, str]:
    """What began, and a detail."""
    gap = f"the widest gap is {_share(float(connection_ep.max() - connection_ep.min()))}"
    cut, links = int((connection_ep < CUT_BELOW).sum()), connection_ep.size
    match name:
        case "even" if before is None:
            return f"Every link starts near {_share(float(connection_ep.mean()))}", gap.capitalize()
        case "even":
            return "Links are alike again", gap.capitalize()
        case "breaks" if before in ("cuts", "frozen"):
            return "No link is cut any more", gap.capitalize()
        case "breaks":
            return "Links begin to differ", f"The widest gap exceeds {_share(WIDE)}"
        case "cuts" if before == "frozen":
            return f"The links move again after {quiet_steps:,} steps", _link_moved(connection_ep, crossed_ep)
        case "cuts" if cut == 1 or before is not None:
            title = "The first link is cut" if cut == 1 else f"The first {cut} links are cut"
            return title, _link_moved(connection_ep, crossed_ep)
        case "cuts":
            return f"{cut} of {links} links are cut", gap.capitalize()
    kept = _kept(connection_ep, has_diagonal)
    return f"{cut} of {links} links are cut", f"{kept}; unchanged since step {since:,}"


def _kept(connection_ep: Array, has_diagonal: bool) -> str:
    """The links that are left, in counts."""
    alive_ep = connection_ep >= CUT_BELOW
    left = int(alive_ep.sum())
    if not has_diagonal:
        return f"{left} are left"
    own = int(np.diagonal(alive_ep).sum())
    keep = "expert keeps its own block" if own == 1 else "experts keep their own block"
    return f"{own} {keep}, {left - own} {'link crosses' if left - own == 1 else 'links cross'}"


def _link_moved(connection_ep: Array, crossed_ep: Array) -> str:
    """The links that crossed, one of them by name."""
    experts, blocks = np.nonzero(crossed_ep)
    if not len(experts):
        return f"{int((connection_ep < CUT_BELOW).sum())} are cut now"
    expert, block = int(experts[0]), int(blocks[0])
    verb = "lets go of" if connection_ep[expert, block] < CUT_BELOW else "takes up"
    further = f", and {len(experts) - 1} more" if len(experts) > 1 else ""
    return f"E{expert} {verb} B{block}{further}"


def _numbers(connection_ep: Array, step: int, known: _Layer, name: PhaseName) -> dict[str, Any]:
    """The numbers behind the words; `since`: when what is told began, which of `frozen` is known only later."""
    return {
        "cut": int((connection_ep < CUT_BELOW).sum()),
        "links": int(connection_ep.size),
        "gap": float(connection_ep.max() - connection_ep.min()),
        "since": known.changed if name == "frozen" else step,
    }


def _phase(name: PhaseName, layer: int, title: str, detail: str, **data: Any) -> Phase:
    text = f"Layer {layer + 1}: {title}. {detail}."
    return Phase(name=name, text=text, data={"phase": name, "layer": layer, **data})


def _share(value: float) -> str:
    """A share of two digits as the page writes it: .57, 1.00."""
    return f"{value:.2f}".removeprefix("0")
