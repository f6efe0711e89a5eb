"""A map whose squares are of unlike sizes, lack a layer or A itself, or vary along values with many digits."""

from __future__ import annotations

from typing import Any

import pytest

from cdsp_core.studies.sweeps.spec import axis_of
from frontend.figures.map_margins import margin_figure
from frontend.figures.palette import LIGHT
from frontend.maps.card import card
from frontend.maps.choices import typed
from frontend.maps.data import View, layers_of, links_of, square_of, value_text, view_of
from frontend.maps.squares import grid
from frontend.maps.story import sentence
from frontend.rendered import to_html
from tests.frontend.test_map import a_map, cell, packed

DROPS = {"field": "p_drop", "values": [0.0, 1.0]}


def at_the_side(view: View, name: str, *, layer: int = 0) -> str:
    square = square_of(view, name)
    assert square is not None
    return to_html(card(view, square, None, beside=None, theme="light", layer=layer))


def test_links_are_counted_of_each_square_where_they_are_not_as_many_in_all() -> None:
    axes = [{"field": "num_experts", "values": [2, 8]}, DROPS]
    body = a_map([cell(0, 0, 4), cell(1, 0, 8)], axes=axes)
    view = view_of(body, "links_cut")
    assert (links_of(body), view.top) == (16, 16.0)
    assert "4 of 4" in at_the_side(view, "0-0")
    assert "8 of 16" in at_the_side(view, "1-0")
    assert sentence(view) == "4 links are cut at num_experts 2, 8 at 8."


def test_a_map_over_layers_shows_those_of_its_deepest_squares_and_says_which_square_lacks_one() -> None:
    two = packed([[[255, 0], [0, 128]]] * 2)
    axes = [DROPS, {"field": "num_layers", "values": [1, 2]}]
    body = a_map([cell(0, 0, 1), cell(0, 1, 1, connection=two)], axes=axes)
    assert layers_of(body) == 2
    view = view_of(body, "links_cut")
    assert "no layer 2, step 100" in at_the_side(view, "0-0", layer=1)
    assert "layer 2, step 100" in at_the_side(view, "0-1", layer=1)
    assert "no layer" not in at_the_side(view, "0-1", layer=1)


def test_a_square_without_a_is_opened_and_gone_on_from_and_one_that_waits_offers_nothing() -> None:
    view = view_of(a_map([cell(0, 0, 1, connection=None), cell(1, 0, None)]), "accuracy")
    without = at_the_side(view, "0-0")
    assert 'href="/#recorded=map-1.00"' in without
    assert 'id="map-open"' in without
    assert "layer" not in without
    waiting = at_the_side(view, "1-0")
    assert "<button" not in waiting
    assert "<a " not in waiting


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "3 of 4 links are cut in the runs that have ended."),
        ({"measures": {"accuracy": 0.5}}, "Links cut has no value in these runs."),
    ],
)
def test_the_sentence_of_one_run_or_of_runs_without_the_measure_says_so(fields: dict[str, Any], said: str) -> None:
    assert sentence(view_of(a_map([cell(0, 0, 3, **fields), cell(1, 0, None)]), "links_cut")) == said


@pytest.mark.parametrize(
    ("field", "value"),
    [("seed", 1234567), ("lr_ratio", 1.2345678), ("lambda_conflict", 1e-9), ("lambda_conflict", 3.0)],
)
def test_a_value_that_the_form_is_filled_with_is_read_back_as_it_was(field: str, value: float) -> None:
    assert axis_of(field, typed(value)).values == (value,)


def test_a_whole_number_is_said_whole_and_no_zero_is_below_zero() -> None:
    assert value_text(1234567) == "1234567"
    assert value_text(-3) == "−3"
    assert str(axis_of("lambda_conflict", "-0").values[0]) == "0.0"


def test_a_square_that_ended_without_the_measure_is_seen() -> None:
    body = a_map([cell(0, 0, 1, measures={}, connection=None), cell(1, 0, None)])
    drawn = dict(grid(view_of(body, "links_cut"), theme="light", layer=0, pictures=True)["squares"])
    assert "<b>–</b>" in drawn["0-0"]
    assert "<b>" not in drawn["1-0"]


def test_ticks_of_both_margins_stand_upright_however_wide_their_words_are() -> None:
    view = view_of(a_map([cell(0, 0, 1), cell(1, 0, 2)]), "accuracy")
    assert margin_figure(view, 0, LIGHT)["layout"]["yaxis"]["tickangle"] == 0
    assert margin_figure(view, 1, LIGHT)["layout"]["xaxis"]["tickangle"] == 0
