"""Phases of the network, told in words: what a frame shows that the frames before it did not. Imports no torch.

Each detector fires once when a quantity crosses its mark and is armed again only when the quantity has gone
clearly back, so a value that hovers at a mark is told once; and the same phase of a layer (of an expert, for its
traffic) is told again only after some hundred steps. Steps count, not frames: what is told does not depend on the
frame rate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from cdsp_core.wire.frames import Array, Frame

IDLE_SHARE: Final = 0.01
"""an expert below this share of the assignments is idle"""
IDLE_STEPS: Final = 300
"""for so many steps"""
APART_STEPS: Final = 500
"""least distance of two equal phases"""
SPARSE_BELOW: Final = 0.1
SPARSITY_MARK: Final = 0.3
SPARSITY_BACK: Final = 0.25
RULING: Final = 0.9
WEAK: Final = 0.6
RULING_BACK: Final = 0.8
WEAK_BACK: Final = 0.7
APART: Final = 0.3
TOGETHER: Final = 0.2


@dataclass(frozen=True, kw_only=True, slots=True)
class Phase:
    """Something that began or ended in one layer, in one sentence with its numbers."""

    name: str
    text: str
    data: dict[str, Any]


class PhaseWatch:
    """Looks at the frames of one run, oldest first. Of a model without A it tells of the traffic only.

    `continued`: the run was trained before, so what its first frame shows is not news.
    """

    def __init__(self, *, has_diagonal: bool, continued: bool = False) -> None:
        self._continued = continued
        self._has_diagonal = has_diagonal
        self._seen: set[tuple[str, int]] = set()
        self._told: dict[tuple[str, int], int] = {}
        self._step = 0
        self._below_since: dict[int, Array] = {}
        self._idle_told: dict[int, Array] = {}
        self._idle: dict[int, Array] = {}

    def observe(self, frame: Frame) -> list[Phase]:
        """What this frame shows for the first time."""
        found: list[Phase] = []
        self._step = frame.step
        layers = {int(name.split("/")[0].removeprefix("layer")) for name in frame.arrays if name.startswith("layer")}
        for layer in sorted(layers):
            connection_ep = frame.arrays.get(f"layer{layer}/connection")
            load_e = frame.arrays.get(f"layer{layer}/load")
            if connection_ep is not None:
                found += self._sparsity(layer, connection_ep)
                if self._has_diagonal:
                    found += self._diagonal(layer, np.diagonal(connection_ep))
            if load_e is not None and frame.step > 0:
                found += self._load(layer, load_e)
        if self._continued:
            self._continued = False
            return []
        return found

    def _sparsity(self, layer: int, connection_ep: Array) -> list[Phase]:
        share = float(np.mean(connection_ep < SPARSE_BELOW))
        if not self._crossed("sparse", layer, share > SPARSITY_MARK, share < SPARSITY_BACK):
            return []
        text = (
            f"Layer {layer + 1}: {share:.0%} of the connections are below {SPARSE_BELOW}; the topology is sparse now."
        )
        return [Phase(name="sparse", text=text, data={"phase": "sparse", "layer": layer, "alpha_sparsity": share})]

    def _diagonal(self, layer: int, diagonal_e: Array) -> list[Phase]:
        found: list[Phase] = []
        low, high = float(diagonal_e.min()), float(diagonal_e.max())
        strongest, weakest = int(diagonal_e.argmax()), int(diagonal_e.argmin())
        data = {"layer": layer, "highest": high, "lowest": low, "strongest": strongest, "weakest": weakest}
        if self._crossed("symmetry_broken", layer, high - low > APART, high - low < TOGETHER):
            text = (
                f"Layer {layer + 1}: the experts are no longer alike; expert {strongest} holds {high:.2f} of its own "
                f"partition, expert {weakest} {low:.2f}."
            )
            found.append(Phase(name="symmetry_broken", text=text, data={"phase": "symmetry_broken", **data}))
        ruling, weak = int(np.sum(diagonal_e > RULING)), int(np.sum(diagonal_e < WEAK))
        few_rule = 0 < ruling <= len(diagonal_e) // 2
        if self._crossed("oligarchy", layer, few_rule and weak > 0, high < RULING_BACK or low > WEAK_BACK):
            text = (
                f"Layer {layer + 1}: an oligarchy; {ruling} of {len(diagonal_e)} experts hold more than {RULING} of "
                f"their own partition, {weak} less than {WEAK}."
            )
            data |= {"ruling": ruling, "weak": weak}
            found.append(Phase(name="oligarchy", text=text, data={"phase": "oligarchy", **data}))
        return found

    def _load(self, layer: int, load_e: Array) -> list[Phase]:
        """Experts that get no traffic for a while, and those that get it again."""
        step = self._step
        below_since = self._below_since.setdefault(layer, np.full(len(load_e), step, dtype=np.int64))
        told_at = self._idle_told.setdefault(layer, np.full(len(load_e), step - APART_STEPS, dtype=np.int64))
        idle = self._idle.setdefault(layer, np.zeros(len(load_e), dtype=bool))
        share_e = np.nan_to_num(load_e)
        below_since[share_e >= IDLE_SHARE] = step
        long_enough = (step - below_since >= IDLE_STEPS) & (share_e < IDLE_SHARE)
        fell = np.flatnonzero(long_enough & (step - told_at >= APART_STEPS) & ~idle)
        rose = np.flatnonzero((share_e > 2 * IDLE_SHARE) & idle)
        idle[fell], idle[rose] = True, False
        told_at[fell], told_at[rose] = step, step
        found: list[Phase] = []
        for name, experts, told in (
            ("idle", fell, f"gets under {IDLE_SHARE:.0%} of the traffic for {IDLE_STEPS} steps"),
            ("recovered", rose, "gets traffic again"),
        ):
            for expert in experts:
                share = float(share_e[expert])
                now = int(idle.sum())
                text = f"Layer {layer + 1}: expert {expert} {told} ({_rounded_down(share)}); {now} idle now."
                data = {"phase": name, "layer": layer, "expert": int(expert), "load": share, "idle": now}
                found.append(Phase(name=name, text=text, data=data))
        return found

    def _crossed(self, name: str, layer: int, reached: bool, gone: bool) -> bool:
        key = (name, layer)
        long_ago = key not in self._told or self._step - self._told[key] >= APART_STEPS
        if reached and key not in self._seen and long_ago:
            self._seen.add(key)
            self._told[key] = self._step
            return True
        if gone:
            self._seen.discard(key)
        return False


def _rounded_down(share: float) -> str:
    """A share in percent that never reads as the mark it is below."""
    return f"{math.floor(share * 10_000) / 100:.2f}%"
