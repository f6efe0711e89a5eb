"""The film of a run: log-spaced moments of sigma(A), all layers in one answer, small enough for thumbnails."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np

from backend.storage.archive import Archive
from cdsp_core.wire.frames import Array, Frame, decode_frame

FIRST_STEP: Final = 50
"""the picture after that of step 0; every further one is sqrt(2) times as far"""
MOST_PICTURES: Final = 64
MAX_FILM_BYTES: Final = 4_000_000


def film_steps(first: int, last: int) -> list[int]:
    """Steps of the pictures from `first` to `last`, both included: 0, then sqrt(2) steps from 50."""
    steps = {first, last}
    picture = 0
    while (step := FIRST_STEP * 2 ** (picture / 2)) <= last:
        steps.add(round(step))
        picture += 1
    if first == 0:
        steps.add(0)
    return sorted(step for step in steps if first <= step <= last)


def film(
    archive: Archive, run_id: str, generation: int, *, first: int = 0, last: int | None = None, count: int | None = None
) -> bytes | None:
    """One binary message of kind `film`; None where no frame is stored.

    Arrays, with M moments: `steps` [M] int32; `layer{l}/connection` [M, E * P] uint8, sigma(A) in 255ths; `lineage`
    [K, 2] int32, the epoch and those that it was continued from, each with its last step that counts, -1 for all. A
    film of a model without A has no layers. `count`: so many moments at most, evenly on the axis of the film; fewer
    come where no other frame is stored, or where more would be above 4 MB.
    """
    newest = archive.last_step(run_id, generation)
    if newest is None:
        return None
    last = newest if last is None else min(last, newest)
    steps = film_steps(min(first, last), last)
    most = MOST_PICTURES if count is None else min(count, MOST_PICTURES)
    frames = _decoded(archive.moments(run_id, generation, some_of(steps, most)))
    if not frames:
        return None
    pictures = [_picture(frame) for frame in frames]
    size = max(1, sum(array.size for array in pictures[0].values()))
    kept = some_of(range(len(frames)), max(2, MAX_FILM_BYTES // size))
    layers = {
        name: np.stack([pictures[place][name] for place in kept])
        for name in pictures[0]
        if all(name in pictures[place] and pictures[place][name].size == pictures[0][name].size for place in kept)
    }
    shown = [frames[place] for place in kept]
    return Frame(
        run=run_id,
        epoch=generation,
        seq=shown[-1].seq,
        step=shown[-1].step,
        revision=0,
        time_ms=0.0,
        kind="film",
        arrays={
            "steps": np.array([frame.step for frame in shown], dtype=np.int32),
            "lineage": np.array(
                [(epoch, -1 if upto is None else upto) for epoch, upto in archive.lineage(run_id, generation)],
                dtype=np.int32,
            ),
            **layers,
        },
    ).encode()


def _decoded(bodies: Iterable[bytes]) -> list[Frame]:
    """Frames, oldest first, each step once."""
    frames = {frame.step: frame for frame in map(decode_frame, bodies)}
    return [frames[step] for step in sorted(frames)]


def _picture(frame: Frame) -> dict[str, Array]:
    """Per layer sigma(A) [E * P] in 255ths."""
    return {
        name: np.round(255 * array).astype(np.uint8).ravel()
        for name, array in frame.arrays.items()
        if name.endswith("/connection")
    }


def some_of(items: Iterable[int], most: int) -> list[int]:
    """At most so many items, evenly taken, the first and the last among them."""
    every = list(items)
    if len(every) <= most:
        return every
    places = np.unique(np.round(np.linspace(0, len(every) - 1, most)).astype(int))
    return [every[place] for place in places]
