"""Draw KMNIST's ten kana from their pen strokes, with the variation of many hands. A stand-in for KMNIST, not KMNIST.

A glyph is a chain of cubic Beziers. For every image its control points go through a smooth random warp, every stroke
is moved, turned and scaled a little, the whole is turned, sheared and fitted into the frame at a random size. Points
along the strokes then leave ink: more where the pen presses, less where it lifts, some between two strokes where a
quick hand does not lift it at all. Blurring the ink by the width of the pen and cutting it off at a level gives
antialiased lines. All images of a chunk are drawn at once; the seed decides every pixel.

Shapes: N images, S strokes, C control points, P points along the strokes, G ink grid (2 x 28), 2 = (x, y).
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from cdsp_core.data.idx import Array
from cdsp_core.data.tasks import IMAGE_SIZE, KANA_CLASSES, NUM_CLASSES

TRAIN_SEED: Final = 1
TEST_SEED: Final = 2

_STROKES_PATH: Final = Path(__file__).parent / "files" / "kana-strokes.json"
_BOX: Final = 109.0
_OVERSAMPLING: Final = 2
_GRID: Final = IMAGE_SIZE * _OVERSAMPLING
_CHUNK: Final = 500
_GRAY_LEVELS: Final = 16
_POINT_SPACING: Final = 0.045
"""between points along a stroke, in units where the box spans -1 to 1"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Glyph:
    """One character, ready to be drawn many times: points along its strokes are `basis_PC @ control_C2`."""

    control_C2: Array
    """control points, the box spanning -1 to 1"""
    stroke_C: Array
    """stroke of a control point"""
    basis_PC: Array
    stroke_P: Array
    """stroke of a point; of a link between two strokes, the first one"""
    along_P: Array
    """where on its stroke a point lies, 0 to 1"""
    is_link_P: Array
    """whether the point lies on a link, where the pen is usually in the air"""
    num_strokes: int


def draw(count: int, *, seed: int) -> tuple[Array, Array]:
    """Images uint8 [count, 28, 28] in 16 grays, labels int64 [count] going 0, 1, ... 9, 0, 1, ...; seeded."""
    labels = np.arange(count) % NUM_CLASSES
    images = np.empty((count, IMAGE_SIZE, IMAGE_SIZE), dtype=np.uint8)
    for label, glyph in enumerate(glyphs()):
        rng = np.random.default_rng([seed, label])
        places = np.flatnonzero(labels == label)
        for start in range(0, len(places), _CHUNK):
            chunk = places[start : start + _CHUNK]
            images[chunk] = _draw_glyph(glyph, len(chunk), rng)
    return images, labels


@functools.cache
def glyphs() -> tuple[Glyph, ...]:
    """The ten characters, in KMNIST's order of classes."""
    strokes_of = json.loads(_STROKES_PATH.read_text(encoding="utf-8"))["strokes"]
    return tuple(_glyph([np.array(stroke).reshape(-1, 2) for stroke in strokes_of[char]]) for char in KANA_CLASSES)


def _glyph(strokes: list[Array]) -> Glyph:
    control_C2 = np.concatenate(strokes) / _BOX * 2 - 1
    stroke_C = np.repeat(np.arange(len(strokes)), [len(stroke) for stroke in strokes])
    identity_CC = np.eye(len(control_C2))
    basis: list[Array] = []
    stroke_P: list[Array] = []
    along_P: list[Array] = []
    is_link_P: list[Array] = []
    for s in range(len(strokes)):
        own_C = identity_CC[stroke_C == s]
        curves = [_curve_basis(own_C[i : i + 4], control_C2) for i in range(0, len(own_C) - 1, 3)]
        parts = [(np.concatenate(curves), False)]
        if s + 1 < len(strokes):
            next_C = identity_CC[stroke_C == s + 1]
            handles = [own_C[-1], 1.5 * own_C[-1] - 0.5 * own_C[-2], 1.5 * next_C[0] - 0.5 * next_C[1], next_C[0]]
            parts.append((_curve_basis(np.stack(handles), control_C2), True))
        for part, is_link in parts:
            basis.append(part)
            stroke_P.append(np.full(len(part), s))
            along_P.append(np.linspace(0, 1, len(part)))
            is_link_P.append(np.full(len(part), is_link))
    return Glyph(
        control_C2=control_C2,
        stroke_C=stroke_C,
        basis_PC=np.concatenate(basis).astype(np.float32),
        stroke_P=np.concatenate(stroke_P),
        along_P=np.concatenate(along_P),
        is_link_P=np.concatenate(is_link_P),
        num_strokes=len(strokes),
    )


def _curve_basis(handles_4C: Array, control_C2: Array) -> Array:
    """Rows [points, C] of the basis for one cubic Bezier, about `_POINT_SPACING` apart."""
    length = np.linalg.norm(np.diff(handles_4C @ control_C2, axis=0), axis=1).sum()
    t = (np.arange(max(2, round(length / _POINT_SPACING))) + 0.5)[:, None]
    t = t / len(t)
    bernstein_P4 = np.concatenate([(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3], axis=1)
    result: Array = bernstein_P4 @ handles_4C
    return result


def _draw_glyph(glyph: Glyph, count: int, rng: np.random.Generator) -> Array:
    control_NC2 = _vary_control(glyph, count, rng)
    point_NP2 = np.matmul(glyph.basis_PC, control_NC2.astype(np.float32))
    step_NP2 = np.gradient(point_NP2, axis=1)
    pressure_NP = _pressure(glyph, step_NP2, rng)
    pixel_NP2, scale_N1 = _place(point_NP2, glyph, rng)
    length_NP = np.linalg.norm(step_NP2, axis=2) * scale_N1
    return _ink(pixel_NP2, length_NP * pressure_NP, rng)


def _vary_control(glyph: Glyph, count: int, rng: np.random.Generator) -> Array:
    """Control points [N, C, 2] after a smooth warp, an affine map per stroke and one per image."""
    control_C2 = glyph.control_C2
    waves = 3
    frequency_NK2 = rng.normal(0, 1.7, (count, waves, 2))
    phase_NK1 = rng.uniform(0, 2 * np.pi, (count, waves, 1))
    amplitude_NK2 = _spread(rng, 0.10, (count, waves, 2))
    wave_NKC = np.sin(frequency_NK2 @ control_C2.T + phase_NK1)
    control_NC2 = control_C2 + wave_NKC.transpose(0, 2, 1) @ amplitude_NK2

    center_S2 = np.stack([control_C2[glyph.stroke_C == s].mean(axis=0) for s in range(glyph.num_strokes)])
    shape_NS = (count, glyph.num_strokes)
    stroke_map_NS22 = _linear_maps(
        angle=_spread(rng, 0.10, shape_NS),
        shear=_spread(rng, 0.06, shape_NS),
        stretch=_spread(rng, 0.09, (*shape_NS, 2)),
    )
    stroke_shift_NS2 = _spread(rng, 0.06, (*shape_NS, 2))
    around_NC2 = control_NC2 - center_S2[glyph.stroke_C]
    control_NC2 = np.einsum("ncij,ncj->nci", stroke_map_NS22[:, glyph.stroke_C], around_NC2)
    control_NC2 += (center_S2 + stroke_shift_NS2)[:, glyph.stroke_C]

    image_map_N22 = _linear_maps(
        angle=_spread(rng, 0.15, (count,)), shear=_spread(rng, 0.23, (count,)), stretch=_spread(rng, 0.11, (count, 2))
    )
    result: Array = control_NC2 @ image_map_N22.transpose(0, 2, 1)
    return result


def _spread(rng: np.random.Generator, scale: float, shape: tuple[int, ...]) -> Array:
    """Normal variation cut at two standard deviations, so that no image is past reading."""
    return np.clip(rng.normal(0, scale, shape), -2 * scale, 2 * scale)


def _linear_maps(*, angle: Array, shear: Array, stretch: Array) -> Array:
    """Matrices [..., 2, 2]: scale by exp(stretch), shear along x, rotate by angle (radians)."""
    cos, sin = np.cos(angle), np.sin(angle)
    rotate = np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], -2)
    one, zero = np.ones_like(shear), np.zeros_like(shear)
    lean = np.stack([np.stack([one, shear], -1), np.stack([zero, one], -1)], -2)
    result: Array = rotate @ lean * np.exp(stretch)[..., None, :]
    return result


def _pressure(glyph: Glyph, step_NP2: Array, rng: np.random.Generator) -> Array:
    """Ink per length [N, P]: about 1 on strokes, less where they begin and end, 0 on most links."""
    count = len(step_NP2)

    def per_image(low: float, high: float) -> Array:
        return rng.uniform(low, high, (count, 1))

    along_P, is_link_P = glyph.along_P, glyph.is_link_P
    nib_angle_N1, nib_flatness_N1 = per_image(0, np.pi), per_image(0, 0.35)
    direction_NP = np.arctan2(step_NP2[..., 1], step_NP2[..., 0])
    pressure_NP = 1 + nib_flatness_N1 * np.cos(2 * (direction_NP - nib_angle_N1))

    stroke_level_NS = 1 + _spread(rng, 0.13, (count, glyph.num_strokes))
    swell_NS = _spread(rng, 0.22, (count, glyph.num_strokes))
    swell_phase_NS = rng.uniform(0, 2 * np.pi, (count, glyph.num_strokes))
    wave_NP = np.sin(4 * along_P + swell_phase_NS[:, glyph.stroke_P])
    pressure_NP *= stroke_level_NS[:, glyph.stroke_P] + swell_NS[:, glyph.stroke_P] * wave_NP

    end_taper_N1, start_taper_N1 = per_image(0, 0.8), per_image(0, 0.4)
    pressure_NP *= 1 - end_taper_N1 * np.clip(4 * along_P - 3, 0, 1) - start_taper_N1 * np.clip(1 - 6 * along_P, 0, 1)

    link_N1 = np.clip(rng.normal(-0.3, 0.75, (count, 1)), 0, 0.95)
    result: Array = np.where(is_link_P, link_N1, np.clip(pressure_NP, 0.15, None))
    return result


def _place(point_NP2: Array, glyph: Glyph, rng: np.random.Generator) -> tuple[Array, Array]:
    """Points in pixels [N, P, 2], fitted into the frame at a random size and place, and pixels per unit [N, 1]."""
    count = len(point_NP2)
    drawn_NP2 = point_NP2[:, ~glyph.is_link_P]
    low_N2, high_N2 = drawn_NP2.min(axis=1), drawn_NP2.max(axis=1)
    side_N1 = (high_N2 - low_N2).max(axis=1, keepdims=True)
    size_N1 = rng.uniform(17.5, 24.0, (count, 1))
    scale_N1 = size_N1 / side_N1
    free_N2 = IMAGE_SIZE - 4.0 - (high_N2 - low_N2) * scale_N1
    shift_N2 = _spread(rng, 0.2, (count, 2)) * np.clip(free_N2, 0, 6)
    center_N2 = (low_N2 + high_N2) / 2
    pixel_NP2 = (point_NP2 - center_N2[:, None]) * scale_N1[:, None] + (IMAGE_SIZE / 2 + shift_N2)[:, None]
    return pixel_NP2, scale_N1


def _ink(pixel_NP2: Array, ink_NP: Array, rng: np.random.Generator) -> Array:
    """Images uint8 [N, 28, 28] of `ink_NP` (pixels of line, times pressure) left at `pixel_NP2`."""
    count = len(pixel_NP2)
    grid_NP2 = np.clip(pixel_NP2 * _OVERSAMPLING - 0.5, 0, _GRID - 1.001)
    cell_NP2 = grid_NP2.astype(np.int64)
    x, y = (grid_NP2 - cell_NP2).transpose(2, 0, 1)
    first_NP = (np.arange(count)[:, None] * _GRID + cell_NP2[..., 1]) * _GRID + cell_NP2[..., 0]
    places = np.concatenate([first_NP, first_NP + 1, first_NP + _GRID, first_NP + _GRID + 1], axis=None)
    amounts = np.concatenate(
        [ink_NP * (1 - x) * (1 - y), ink_NP * x * (1 - y), ink_NP * (1 - x) * y, ink_NP * x * y], axis=None
    )
    density_NGG = np.bincount(places, amounts, minlength=count * _GRID * _GRID).reshape(count, _GRID, _GRID)

    pen_px_N11 = 0.78 * np.exp(_spread(rng, 0.22, (count, 1, 1)))
    out_1H1 = np.arange(IMAGE_SIZE)[None, :, None] + 0.5
    in_11G = (np.arange(_GRID)[None, None, :] + 0.5) / _OVERSAMPLING
    squared_NHG = ((out_1H1 - in_11G) / pen_px_N11) ** 2
    blur_NHG = np.where(squared_NHG < 25, np.exp(-0.5 * squared_NHG), 0).astype(np.float32)
    blurred_NHW = blur_NHG @ density_NGG.astype(np.float32) @ blur_NHG.transpose(0, 2, 1)
    level_NHW = blurred_NHW / (np.sqrt(2 * np.pi) * pen_px_N11)

    white_below_N11 = rng.uniform(0.1, 0.35, (count, 1, 1))
    softness_N11 = rng.uniform(0.3, 0.6, (count, 1, 1))
    gray_NHW = np.clip((level_NHW - white_below_N11) / softness_N11, 0, 1)
    gray_NHW = gray_NHW * gray_NHW * (3 - 2 * gray_NHW)
    result: Array = np.rint((_GRAY_LEVELS - 1) * gray_NHW).astype(np.uint8) * np.uint8(255 // (_GRAY_LEVELS - 1))
    return result
