"""A map as the page shows it: what its squares, margins and sentence say, and the figure to take away."""

from __future__ import annotations

import base64
import math
import xml.etree.ElementTree as ElementTree
import zlib
from typing import Any

import numpy as np
import pytest

from cdsp_core.settings.overrides import with_settings
from cdsp_core.settings.presets import PRESETS, preset
from cdsp_core.studies.sweeps.spec import axis_of
from frontend.figures.map_colours import GROUND, SIGMA, colour, ink_on, thumbnail
from frontend.figures.map_margins import margin_figure
from frontend.figures.map_svg import map_svg
from frontend.figures.palette import LIGHT, theme_of
from frontend.maps.api import number_of
from frontend.maps.asked import axis_json, filled
from frontend.maps.card import card
from frontend.maps.choices import kept_or_suggested, setting_options, suggested_values
from frontend.maps.data import View, progress_text, square_of, told_measures, value_text, view_of
from frontend.maps.live import names_of, option
from frontend.maps.squares import grid
from frontend.maps.story import sentence
from frontend.pages.map import margin
from frontend.rendered import to_html


def packed(layers: list[list[list[int]]]) -> dict[str, Any]:
    """Pictures as the API says them to the page."""
    found = np.array(layers, np.uint8)
    return {"shape": list(found.shape), "base64": base64.b64encode(found.tobytes()).decode()}


def cell(x: int, y: int, links: float | None, *, seed: int = 0, **fields: Any) -> dict[str, Any]:
    done = links is not None
    return {
        "key": f"{x}-{y}-{seed}",
        "replay": f"map-1.{x}{y}" if done else None,
        "x": x,
        "y": y,
        "seed": seed,
        "state": "done" if done else "waiting",
        "step": 100 if done else 0,
        "reason": None,
        "measures": {"links_cut": links, "accuracy": 0.5} if done else {},
        "connection": packed([[[255, 0], [0, 128]]]) if done else None,
        **fields,
    }


def a_map(cells: list[dict[str, Any]], **fields: Any) -> dict[str, Any]:
    return {
        "sweep_id": "map-1",
        "name": "Mine & yours",
        "recorded": False,
        "state": "running",
        "reason": None,
        "preset": "live",
        "axes": [{"field": "lambda_conflict", "values": [0.0, 10.0]}, {"field": "p_drop", "values": [0.0, 1.0]}],
        "seeds": 1,
        "steps": 100,
        "measures": [
            {"name": "links_cut", "label": "Links cut", "unit": "links", "text": "cut"},
            {"name": "accuracy", "label": "Accuracy with ID", "unit": "%", "text": "right"},
        ],
        "done": 3.0,
        "total": 4,
        "left_s": 240.0,
        "place": "this machine, 2 at a time",
        "waits": False,
        "config": {"model": {"num_layers": 1, "num_experts": 2, "num_partitions": 2}},
        "cells": cells,
        **fields,
    }


CELLS = [cell(0, 0, 0), cell(1, 0, 4), cell(0, 1, 2), cell(1, 1, None)]


def test_margins_are_means_and_ranges_of_the_runs_that_have_ended() -> None:
    view = view_of(a_map(CELLS), "links_cut")
    across, down = view.margin(0), view.margin(1)
    assert (across.mean, across.low, across.high) == ((1.0, 4.0), (0.0, 4.0), (2.0, 4.0))
    assert down.mean == (2.0, 2.0)
    empty = view_of(a_map([cell(0, 0, None)]), "links_cut").margin(0).mean
    assert all(map(math.isnan, empty))


LINKS, ACCURACY = "links_cut", "accuracy"


@pytest.mark.parametrize(
    ("measure", "rows", "said"),
    [
        (LINKS, [[0, 1, 4, 4]] * 2, "4 of 4 links are cut from λ 3 on, 0 below. p_drop hardly matters."),
        (LINKS, [[0, 1, 2, 3]] * 2, "0 of 4 links are cut at λ 0, 3 at 30. p_drop hardly matters."),
        (LINKS, [[0, 0, 4, 4], [0, 0, 2, 2]], "3 of 4 links are cut from λ 3 on, 0 below. By p_drop: 2 at 0, 1 at 1."),
        (LINKS, [[0] * 4, [4] * 4], "0 of 4 links are cut at p_drop 0, 4 at 1. λ hardly matters."),
        (LINKS, [[2] * 4] * 2, "2 of 4 links are cut at every λ. p_drop hardly matters."),
        (LINKS, [[0, 4, 0, 4]] * 2, "0 of 4 links are cut at λ 0, 4 at 1. p_drop hardly matters."),
        (
            ACCURACY,
            [[0.8, 0.5, 0.5, 0.5]] * 2,
            "Accuracy with ID is 50.0 % from λ 1 on, 80.0 % below. p_drop hardly matters.",
        ),
        (ACCURACY, [[None, 0.5, None, 0.75]], "Accuracy with ID is 50.0 % at λ 1, 75.0 % at 30."),
    ],
)
def test_the_sentence_says_where_a_setting_turns_the_measure_and_whether_the_other_matters(
    measure: str, rows: list[list[float | None]], said: str
) -> None:
    cells = [
        {**cell(x, y, value), "measures": {} if value is None else {measure: value}}
        for y, row in enumerate(rows)
        for x, value in enumerate(row)
    ]
    axes = [
        {"field": "lambda_conflict", "values": [0.0, 1.0, 3.0, 30.0]},
        {"field": "p_drop", "values": [0.0, 1.0][: len(rows)]},
    ]
    assert sentence(view_of(a_map(cells, axes=axes), measure)) == said


@pytest.mark.parametrize("name", ["map-top", "map-beside"])
def test_before_a_map_is_read_its_margins_show_no_axes(name: str) -> None:
    layout = margin(name).figure["layout"]  # type: ignore[attr-defined]  # a component's properties are made when Dash starts
    assert [layout[axis]["visible"] for axis in ("xaxis", "yaxis")] == [False, False]


def test_before_a_run_has_ended_the_sentence_says_so() -> None:
    none = sentence(view_of(a_map([cell(0, 0, None)]), "links_cut"))
    assert none == "A map of when modules emerge: no run has ended yet."


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "4 min left, this machine, 2 at a time"),
        ({"left_s": None}, "starting, this machine, 2 at a time"),
        ({"state": "stopped", "place": "this machine"}, "stopped, this machine"),
        (
            {"state": "paused", "reason": "Waits while a run trains."},
            "Waits while a run trains, this machine, 2 at a time",
        ),
    ],
)
def test_progress_says_how_long_and_where(fields: dict[str, Any], said: str) -> None:
    assert progress_text(a_map(CELLS, **fields)) == ("3 of 4 runs", said)


def drawn(view: View, *, pictures: bool) -> str:
    """Every square's HTML."""
    return "".join(html for _, html in grid(view, theme="light", layer=0, pictures=pictures)["squares"])


def test_a_square_is_a_button_that_says_its_place_and_value_and_shows_the_spread_of_seeds() -> None:
    two = [cell(0, 0, 1), cell(0, 0, 3, seed=1)]
    html = drawn(view_of(a_map(two), "links_cut"), pictures=True)
    assert 'aria-label="λ 0, p_drop 0: Links cut 2"' in html
    assert "2 ±1" in html
    assert 'data-square="0-0"' in html
    numbers = drawn(view_of(a_map(two), "links_cut"), pictures=False)
    assert "<img" not in numbers


def test_a_measure_that_no_run_has_is_not_offered_once_one_has_ended() -> None:
    without = [cell(0, 0, 0, measures={"accuracy": 0.5}), cell(1, 0, None)]
    assert [each["name"] for each in told_measures(a_map(without))] == ["accuracy"]
    assert [each["name"] for each in told_measures(a_map([cell(0, 0, None)]))] == ["links_cut", "accuracy"]


def test_a_card_shows_every_measure_and_a_film() -> None:
    view = view_of(a_map(CELLS), "links_cut")
    square = square_of(view, "1-0")
    assert square is not None
    recording = {"steps": [0, 10, 100], "connection": [[[[128, 128], [128, 128]]]] * 3}
    html = to_html(card(view, square, recording, beside=None, theme="dark", layer=0))
    assert "Accuracy with ID" in html
    assert "50.0 %" in html
    assert html.count("<figure") == 3
    assert 'href="/#recorded=map-1.10"' in html
    assert "with=" not in html


def test_two_squares_picked_lead_to_their_twin_in_the_lab() -> None:
    view = view_of(a_map(CELLS), "links_cut")
    first, second, waiting = (square_of(view, name) for name in ("0-1", "1-0", "1-1"))
    assert first is not None
    assert second is not None
    html = to_html(card(view, second, None, beside=first, theme="light", layer=0))
    assert 'href="/#recorded=map-1.01&amp;with=recorded:map-1.10"' in html
    assert "Compare with λ 0, p_drop 1" in html
    assert "with=" not in to_html(card(view, second, None, beside=waiting, theme="light", layer=0))
    assert "with=" not in to_html(card(view, second, None, beside=second, theme="light", layer=0))
    assert (names_of(["1-0", "0-1"]), names_of(["1-0"]), names_of(None)) == (("1-0", "0-1"), ("1-0", ""), ("", ""))


def test_every_setting_on_the_list_has_values_of_which_each_can_be_trained() -> None:
    for name in PRESETS:
        base = preset(name)
        for each in setting_options():
            values = axis_of(each["value"], suggested_values(each["value"], base)).values
            assert 1 <= len(values) <= 8, each
            for value in values:
                with_settings(base, {each["value"]: value})
    live = preset("live")
    assert suggested_values("lambda_conflict", live) == "0, 0.3, 1, 3, 10, 30, 100"
    assert suggested_values("p_drop", live) == "0, 0.25, 0.5, 0.75, 1"
    assert suggested_values("seed", live) == "0, 1, 2, 3, 4"
    assert suggested_values("rank_rule", live) == "sqrt, linear, force"


def test_what_was_typed_stays_where_it_fits_the_setting() -> None:
    live = preset("live")
    assert kept_or_suggested("lr_ratio", "1, 2", live) == "1, 2"
    assert kept_or_suggested("p_drop", "0, 10", live) == "0, 0.25, 0.5, 0.75, 1"
    assert kept_or_suggested("num_experts", "x", live) == suggested_values("num_experts", live)


def test_the_form_is_filled_as_it_would_ask_for_the_map_again() -> None:
    form = filled(a_map(CELLS, waits=True))
    assert form == ("lambda_conflict", "0, 10", "p_drop", "0, 1", "live", "100", 1, "waits")
    assert option(a_map(CELLS))["label"] == "Mine & yours, 4 runs"
    assert option(a_map(CELLS, recorded=True)) == {
        "label": "λ by p_drop, 4 runs",
        "value": "map-1",
        "title": "running",
    }


def test_a_thumbnail_is_a_png_whose_pixels_are_the_entries() -> None:
    address = thumbnail(np.array([[255, 0], [0, 128]], np.uint8), "light")
    content = base64.b64decode(address.removeprefix("data:image/png;base64,"))
    assert content.startswith(b"\x89PNG")
    start, colours = content.index(b"IDAT") + 4, content[content.index(b"PLTE") + 4 :]
    lines = zlib.decompress(content[start : content.index(b"IEND") - 8])

    def at(row: int, column: int) -> int:
        return lines[row * 13 + 1 + column]  # 12 pixels and a filter a line

    for row, column, level in ((0, 0, 254), (0, 6, 0), (6, 0, 0), (10, 10, 128)):
        number = at(row, column)
        red, green, blue = colours[3 * number : 3 * number + 3]
        assert f"#{red:02x}{green:02x}{blue:02x}" == colour(SIGMA["light"], level / 255)
    assert {at(5, 0), at(0, 5)} == {0}  # the gap, which is transparent
    assert content[content.index(b"tRNS") + 4 :][:1] == b"\0"


def test_a_picture_with_every_level_is_a_png_too() -> None:
    content = base64.b64decode(thumbnail(np.arange(256, dtype=np.uint8).reshape(16, 16), "dark").split(",")[1])
    length = int.from_bytes(content[content.index(b"PLTE") - 4 :][:4], "big")
    assert length == 3 * 256


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_number_can_be_read_on_every_ground(theme: str) -> None:
    def luminance(text: str) -> float:
        parts = [int(text[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        red, green, blue = (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    for share in range(101):
        ground = colour(GROUND[theme], share / 100)
        darker, lighter = sorted(map(luminance, (ground, ink_on(ground))))
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5


def test_the_figure_is_an_svg_with_every_square_and_its_numbers() -> None:
    view = view_of(a_map(CELLS), "links_cut")
    root = ElementTree.fromstring(map_svg(view, theme="light", layer=0))
    texts = [each.text for each in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"0", "4", "2", "λ", "p_drop"} <= set(texts)
    figure = margin_figure(view, 1, LIGHT)
    assert figure["data"][1]["x"] == [2.0, 2.0]
    assert figure["layout"]["yaxis"]["range"] == [1.5, -0.5]


def test_what_people_type_becomes_an_axis() -> None:
    assert axis_json(" p_drop ", "0:1:3") == {"field": "p_drop", "values": [0.0, 0.5, 1.0]}
    assert number_of("Layer 2") == 1
    assert number_of(None) == 0
    assert number_of("Layer " + "9" * 5000) == 0  # which Python refuses to read
    assert value_text(0.3) == "0.3"


@pytest.mark.parametrize(
    ("said", "theme"), [("dark", "dark"), ("light", "light"), ("x", "light"), (None, "light"), ([], "light")]
)
def test_a_theme_that_no_page_has_is_light(said: object, theme: str) -> None:
    assert theme_of(said) == theme
