"""The map as a film: every square's sigma(A) at the same moments, from step 0 to the last."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from cdsp_core.wire.recording import picture_steps
from frontend.figures.map_colours import thumbnail
from frontend.maps.api import MapApi
from frontend.maps.data import Square, View

MOST_MOMENTS: Final = 30
MOST_PICTURES: Final = 3000
"""of all squares together"""
LEAST_MOMENTS: Final = 8
AT_ONCE: Final = 8
"""recordings that are read at once"""
MOST_KEPT: Final = 1000

Matrix = Sequence[Sequence[int]]
Layers = Sequence[Sequence[Matrix]]
"""sigma(A) in 255ths of every moment and layer"""


@dataclass(frozen=True, kw_only=True, slots=True)
class MapFilm:
    """What the squares show at each moment; empty where the map has too many squares, or none that has begun."""

    steps: Sequence[int] = ()
    layers: Mapping[str, Layers] = field(default_factory=dict)
    """by the name of the square"""

    def strip(self, square: Square, layer: int, theme: str) -> str:
        """A square's moments below each other, as the address of a PNG; empty where it has none."""
        moments = self.layers.get(square.name, ())
        if not moments or layer >= len(moments[0]):
            return ""
        return thumbnail([row for moment in moments for row in moment[layer]], theme)


class Films:
    """Of every map. A cell's pictures are read once for each step that it has reached."""

    def __init__(self, maps: MapApi) -> None:
        self._maps = maps
        self._kept: dict[tuple[str, str, int, int], Layers] = {}

    async def of(self, view: View) -> MapFilm:
        """A map's film."""
        moments = moments_of(view)
        begun = [square for square in view.squares if square.pictured is not None]
        if not moments or not begun:
            return MapFilm()
        turn = asyncio.Semaphore(AT_ONCE)

        async def read(square: Square) -> Layers:
            async with turn:
                return await self._layers(view, square, moments)

        found = await asyncio.gather(*(read(square) for square in begun))
        return MapFilm(
            steps=moments, layers={square.name: each for square, each in zip(begun, found, strict=True) if each}
        )

    async def _layers(self, view: View, square: Square, moments: Sequence[int]) -> Layers:
        cell = square.pictured
        assert cell is not None
        name = (str(view.body["sweep_id"]), str(cell["key"]), int(cell["step"]), len(moments))
        if name not in self._kept:
            answer = await self._maps.recording(view, square)
            if answer is None or not answer.ok:
                return ()
            if len(self._kept) >= MOST_KEPT:
                self._kept.clear()
            self._kept[name] = at_moments(answer.body, moments)
        return self._kept[name]


def moments_of(view: View) -> Sequence[int]:
    """The steps of a map's film, log-spaced; none where it has too many squares."""
    each = min(MOST_MOMENTS, MOST_PICTURES // len(view.squares))
    return picture_steps(int(view.body["steps"]), pictures=each) if each >= LEAST_MOMENTS else ()


def at_moments(recording: Mapping[str, Any], moments: Sequence[int]) -> Layers:
    """What a recording shows at these steps: its newest picture then, and its last where it has not come so far."""
    steps = recording["steps"]
    return [recording["connection"][max(0, bisect_right(steps, moment) - 1)] for moment in moments] if steps else ()
