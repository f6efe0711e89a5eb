"""Figures as pure functions of what was measured."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

import frontend
from frontend.claims.evidence import Bound, Chart, Line
from frontend.figures.curves import curves
from frontend.figures.dots import DotRow, dots, extent, groups
from frontend.figures.palette import DARK, LIGHT, Palette, palette_of
from frontend.numbers import decimals, fixed, measure, minus

STYLES = Path(frontend.__file__).parent / "assets" / "pages" / "pages.css"


def row(value: float, low: float = 0.0, unit: str = "points", **more: Any) -> DotRow:
    near = (value - abs(value) / 10, value + abs(value) / 10)
    named = {"label": "a claim", "quantity": "Gain", "tone": "holds", "interval": near}
    return DotRow(**{**named, "bound": Bound(low=low), "unit": unit, "measured": value, **more})


def test_every_row_is_level_with_its_place_and_has_its_own_threshold() -> None:
    figure = dots([row(2), row(3, low=-1)], LIGHT)
    assert [trace["y"] for trace in figure["data"]] == [[0.5], [1.5]]
    thresholds = [shape for shape in figure["layout"]["shapes"] if shape["type"] == "line"]
    assert [(shape["x0"], shape["yanchor"]) for shape in thresholds] == [(0, 0.5), (-1, 1.5)]
    assert figure["layout"]["yaxis"]["range"] == [2, 0]


def test_the_shaded_side_ends_at_the_threshold() -> None:
    low, high = dots([row(2)], LIGHT)["layout"]["xaxis"]["range"]
    sides = {
        bound: next(s for s in dots([row(2, bound=bound)], LIGHT)["layout"]["shapes"] if s["type"] == "rect")
        for bound in (Bound(low=0.5), Bound(high=0.5), Bound(low=0.5, high=1.5))
    }
    ends = [(side["x0"], side["x1"]) for side in sides.values()]
    assert ends[0][0] == 0.5
    assert ends[0][1] >= 2.2
    assert ends[1][1] == 0.5
    assert ends[2] == (0.5, 1.5)
    assert low < 0 < high


def test_published_and_new_values_are_marks_of_their_own() -> None:
    figure = dots([row(2, published=1.5, fresh=(2.5, None))], LIGHT)
    stored, new, published = figure["data"]
    assert published["marker"]["symbol"] == "diamond"
    assert published["x"] == [1.5]
    assert new["marker"]["color"] == LIGHT.panel
    assert new["error_x"]["visible"] is False
    assert stored["error_x"]["array"] == pytest.approx([0.2])


def test_what_speaks_for_a_baseline_has_no_green() -> None:
    figure = dots([row(2, tone="aside")], LIGHT)
    red, green, blue = (int(LIGHT.holds[i : i + 2], 16) for i in (1, 3, 5))
    assert LIGHT.holds not in str(figure)
    assert f"rgba({red},{green},{blue}" not in str(figure)


def test_values_of_another_unit_or_of_another_size_have_axes_of_their_own() -> None:
    rows = [row(2), row(0.5, unit="share"), row(3), row(1000), row(0.6, unit="share")]
    assert groups(rows) == [[0, 2], [1, 4], [3]]


def test_nothing_measured_leaves_an_empty_axis() -> None:
    figure = dots([row(2, measured=None, interval=None)], LIGHT)
    assert figure["data"] == []
    assert dots([], LIGHT)["layout"]["yaxis"]["range"] == [0, 0]


@pytest.mark.parametrize("values", [[], [3.0], [0.0], [-2.0, 5.0]])
def test_an_axis_has_room_around_its_values(values: list[float]) -> None:
    low, high = extent(values)
    assert low < high
    assert all(low < value < high for value in values)


def test_a_chart_has_a_band_and_a_curve_and_leaves_out_what_was_not_measured() -> None:
    line = Line(label="A", x=(1, 2, 3), mean=(0.5, None, 0.7), low=(0.4, None, None), high=(0.6, None, 0.8))
    chart = Chart(title="T", x_label="epoch", y_label="accuracy", x_labels=(), is_log=True, lines=(line,))
    band, curve = curves(chart, DARK)["data"]
    assert (curve["x"], curve["y"]) == ([1, 3], [0.5, 0.7])
    assert band["y"] == [0.4, 0.7, 0.8, 0.6]
    assert curves(chart, DARK)["layout"]["xaxis"]["type"] == "log"


def test_named_places_get_dots_side_by_side() -> None:
    lines = [Line(label=name, x=(0, 1), mean=(1, 2), low=(0, 1), high=(2, 3)) for name in "AB"]
    chart = Chart(title="T", x_label="", y_label="", x_labels=("p", "q"), is_log=False, lines=tuple(lines))
    first, second = curves(chart, LIGHT)["data"]
    assert (first["x"], second["x"]) == ([-0.2, 0.8], [0.2, 1.2])
    assert curves(chart, LIGHT)["layout"]["xaxis"]["ticktext"] == ["p", "q"]


@pytest.mark.parametrize(("palette", "part"), [(LIGHT, 0), (DARK, 1)])
def test_figures_have_the_colours_of_the_style_sheet(palette: Palette, part: int) -> None:
    blocks = re.findall(r":root[^{]*\{([^}]*)\}", STYLES.read_text())
    named = dict(re.findall(r"--([\w-]+):\s*(#[0-9a-f]{6})", blocks[part]))
    assert {name: getattr(palette, name) for name in named} == named
    assert set(named) >= {"holds", "fails", "undecided", "aside"}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_colour_of_words_and_verdicts_can_be_read_on_a_panel(theme: str) -> None:
    palette = palette_of(theme)
    read = [f.name for f in fields(Palette) if f.name not in ("panel", "line", "lines")]
    contrasts = {name: contrast(getattr(palette, name), palette.panel) for name in read}
    assert min(contrasts.values()) >= 4.5, contrasts
    assert min(contrast(colour, palette.panel) for colour in palette.lines) >= 3


def contrast(first: str, second: str) -> float:
    """Contrast ratio of WCAG 2."""
    lights = sorted((luminance(first), luminance(second)))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.1234, "0.123"), (12.34, "12.3"), (1234.5, "1,234"), (-0.8, "−0.800"), (0, "0"), (0.00001, "1e−05")],
)
def test_a_value_is_said_with_the_digits_that_matter(value: float, text: str) -> None:
    assert measure(value) == text


@pytest.mark.parametrize(("width", "places"), [(400, 0), (3.2, 1), (0.09, 2), (0.028, 3), (0.001, 4)])
def test_an_interval_has_the_digits_that_its_width_is_worth(width: float, places: int) -> None:
    assert decimals(width) == places
    assert fixed(-6.193, 1, sign=True) == "−6.2"
    assert fixed(0.787, 2, sign=True) == "+0.79"
    assert fixed(-0.04, 1, sign=True) == fixed(0.04, 1, sign=True) == "0.0"


def test_a_hyphen_before_a_number_becomes_a_minus_sign_and_no_other() -> None:
    assert minus("-0.5 of CDSP-MoE, 2-3, (-1)") == "−0.5 of CDSP-MoE, 2-3, (−1)"
