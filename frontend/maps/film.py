"""The map as a film: every square's sigma(A) at the same moments, from step 0 to the last."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import numpy as np

from cdsp_core.wire.frames import Array
from cdsp_core.wire.recording import picture_steps
from frontend.figures.map_colours import thumbnail
from frontend.maps.api import MapApi
from frontend.maps.data import Square, View

MOST_MOMENTS: Final = 30
MOST_PICTURES: Final = 3000
"""of all squares together"""
LEAST_MOMENTS: Final = 8
AT_ONCE: Final = 8
"""recordings that are read at once, whoever asks"""
MOST_KEPT_BYTES: Final = 64_000_000
"""of pictures; the first that were read go first"""

Layers = Array
"""sigma(A) in 255ths [moments, layers, experts, partitions]"""


Name = tuple[str, str, int, tuple[int, ...]]
"""a map, its cell, the step that the cell has reached, and the moments"""
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class MapFilm:
    """What the squares show at each moment; empty where the map has too many squares, or none that has begun."""

    steps: Sequence[int] = ()
    layers: Mapping[str, Layers] = field(default_factory=dict)
    """by the name of the square"""

    def strip(self, square: Square, layer: int, theme: str) -> str:
        """A square's moments below each other, as the address of a PNG; empty where it has none."""
        film = self.layers.get(square.name)
        if film is None or layer >= film.shape[1]:
            return ""
        return thumbnail(film[:, layer].reshape(-1, film.shape[3]), theme)


class Films:
    """Of every map. A cell's pictures are read once for each step that it has reached, however many look at it."""

    def __init__(self, maps: MapApi) -> None:
        self._maps = maps
        self._kept: dict[Name, Layers] = {}
        self._kept_bytes = 0
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._drawing = asyncio.Lock()

    async def of(self, view: View) -> MapFilm:
        """A map's film."""
        moments = moments_of(view)
        begun = [square for square in view.squares if square.pictured is not None]
        if not moments or not begun:
            return MapFilm()
        found = await asyncio.gather(*(self._layers(view, square, moments) for square in begun))
        return MapFilm(
            steps=moments,
            layers={square.name: each for square, each in zip(begun, found, strict=True) if each is not None},
        )

    async def drawn(self, draw: Callable[[], T]) -> T:
        """What `draw` makes of a map, in a thread: its pictures take as long as a hundred requests. One at a time."""
        async with self._drawing:
            return await asyncio.to_thread(draw)

    async def _layers(self, view: View, square: Square, moments: Sequence[int]) -> Layers | None:
        cell = square.pictured
        assert cell is not None
        name = (str(view.body["sweep_id"]), str(cell["key"]), int(cell["step"]), tuple(moments))
        if name in self._kept:
            return self._kept[name]
        async with self._turn:
            if name not in self._kept:  # nobody has read it meanwhile
                answer = await self._maps.recording(view, square)
                if answer is None or not answer.ok:
                    return None
                self._keep(name, at_moments(answer.body, moments))
            return self._kept.get(name)

    def _keep(self, name: Name, film: Layers | None) -> None:
        if film is None:
            return
        self._kept[name] = film
        self._kept_bytes += film.nbytes
        while self._kept_bytes > MOST_KEPT_BYTES:
            self._kept_bytes -= self._kept.pop(next(iter(self._kept))).nbytes


def moments_of(view: View) -> Sequence[int]:
    """The steps of a map's film, log-spaced; none where it has too many squares."""
    each = min(MOST_MOMENTS, MOST_PICTURES // len(view.squares))
    return picture_steps(int(view.body["steps"]), pictures=each) if each >= LEAST_MOMENTS else ()


def at_moments(recording: Mapping[str, Any], moments: Sequence[int]) -> Layers | None:
    """What a recording shows at these steps: its newest picture then, and its last where it has not come so far.

    None where it has no pictures, as that of a model without A.
    """
    connection = np.array(recording["connection"], dtype=np.uint8)
    if connection.ndim != 4:
        return None
    newest = np.searchsorted(recording["steps"], moments, side="right") - 1
    return np.ascontiguousarray(connection[np.maximum(newest, 0)])
