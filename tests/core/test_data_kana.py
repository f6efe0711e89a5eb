"""The drawn kana: seeded, inside the frame, varied, and the same ones that are kept in the package."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdsp_core.data import kana
from cdsp_core.data.build import absolute_cubics
from cdsp_core.data.datasets import EMBEDDED_TEST, embedded_splits
from cdsp_core.data.tasks import KANA

seeds = st.integers(0, 2**31 - 1)


@settings(max_examples=15, deadline=None)
@given(seed=seeds, count=st.integers(1, 45))
def test_equal_seeds_draw_equal_images(seed: int, count: int) -> None:
    images, labels = kana.draw(count, seed=seed)
    again, _ = kana.draw(count, seed=seed)
    assert np.array_equal(images, again)
    assert labels.tolist() == [i % 10 for i in range(count)]


@settings(max_examples=15, deadline=None)
@given(seed=seeds)
def test_every_image_has_ink_inside_the_frame_and_none_at_its_rim(seed: int) -> None:
    images, _ = kana.draw(100, seed=seed)
    assert images.max(axis=(1, 2)).min() > 128
    rim = np.concatenate([images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1]], axis=1)
    assert np.mean(rim > 128) < 0.01
    assert 0.03 < np.mean(images > 128) < 0.35


def test_other_seeds_draw_other_images() -> None:
    first, _ = kana.draw(200, seed=kana.TRAIN_SEED)
    second, _ = kana.draw(200, seed=kana.TEST_SEED)
    assert len({image.tobytes() for image in np.concatenate([first, second])}) == 400


def test_strokes_are_antialiased_in_sixteen_grays() -> None:
    images, _ = kana.draw(200, seed=3)
    assert sorted(set(images.ravel().tolist())) == list(range(0, 256, 17))


def test_the_kept_images_are_the_drawn_ones() -> None:
    _, (kept, kept_labels) = embedded_splits()[KANA]
    drawn, labels = kana.draw(EMBEDDED_TEST, seed=kana.TEST_SEED)
    assert np.array_equal(kept_labels, labels)
    # Another machine's arithmetic may round a pixel to the gray next to it.
    assert np.mean(kept != drawn) < 1e-3
    assert np.abs(kept.astype(int) - drawn.astype(int)).max() <= 17


def test_points_of_a_glyph_start_and_end_where_its_strokes_do() -> None:
    for glyph in kana.glyphs():
        point_P2 = glyph.basis_PC @ glyph.control_C2
        for s in range(glyph.num_strokes):
            control_C2 = glyph.control_C2[glyph.stroke_C == s]
            stroke_P2 = point_P2[(glyph.stroke_P == s) & ~glyph.is_link_P]
            assert np.linalg.norm(stroke_P2[0] - control_C2[0]) < 0.06
            assert np.linalg.norm(stroke_P2[-1] - control_C2[-1]) < 0.06


@pytest.mark.parametrize(
    ("path_data", "points"),
    [
        ("M1,2C3,4,5,6,7,8", [1, 2, 3, 4, 5, 6, 7, 8]),
        ("M1,2c2,2,4,4,6,6", [1, 2, 3, 4, 5, 6, 7, 8]),
        ("M1-2c.5-.5,1-1,2-2", [1, -2, 1.5, -2.5, 2, -3, 3, -4]),
        ("M0,0c1,0,2,1,2,2s1,2,2,2", [0, 0, 1, 0, 2, 1, 2, 2, 2, 3, 3, 4, 4, 4]),
    ],
)
def test_svg_paths_becomeabsolute_cubics(path_data: str, points: list[float]) -> None:
    assert absolute_cubics(path_data) == points
