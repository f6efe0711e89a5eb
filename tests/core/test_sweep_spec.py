"""What a map may be: every fault is one sentence with the bound, found before anything runs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cdsp_core.settings.overrides import with_settings
from cdsp_core.settings.presets import preset
from cdsp_core.studies.sweeps.spec import Axis, Sweep, axis_of, ranged, read_sweep


def sweep(x: str = "lambda_conflict=0,10", y: str = "p_drop=0,1", **fields: Any) -> Sweep:
    across, down = (axis_of(*text.split("=")) for text in (x, y))
    return Sweep(**{"base": preset("live"), "x": across, "y": down, **fields})


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: sweep(y="lambda_conflict=1"), "the two axes must be two settings. Found lambda_conflict twice."),
        (lambda: sweep(x="lambda=1"), "there is no setting 'lambda'. Did you mean lambda_conflict?"),
        (lambda: sweep(x="lambda_conflict=0,101"), "lambda_conflict must be a number from 0 to 100. Found 101.0."),
        (lambda: sweep(x="lambda_conflict=0,x"), "lambda_conflict must be a number. Found 'x'."),
        (lambda: sweep(x="num_experts=2.5"), "num_experts must be a whole number. Found '2.5'."),
        (lambda: sweep(x="p_drop=", y="l1=0"), "axis p_drop must have a value. Found none."),
        (lambda: sweep(x="lambda_conflict=1,1.0"), "axis lambda_conflict must have each value once. Found 1.0 twice."),
        (lambda: sweep(x="steps=1,2"), "an axis cannot be steps, which is the same in all cells. Found it asked for."),
        (lambda: sweep(x="num_partitions=7,8"), "d_base must be divisible by num_partitions. Found 256 and 7."),
        (
            lambda: sweep(x="lambda_conflict=0:100:51", y="p_drop=0:1:40"),
            "a map must have at most 2000 cells, each seed counted. Found 51 x 40 x 1.",
        ),
        (
            lambda: sweep(seeds=501),
            "a map must have at most 2000 cells, each seed counted. Found 2 x 2 x 501.",
        ),
        (
            lambda: sweep(x="lambda_conflict=0:100:5:log"),
            "the range of lambda_conflict must begin above 0 with log spacing. Found 0.",
        ),
        (lambda: sweep(x="lambda_conflict=5:1:3"), "the range of lambda_conflict must rise. Found 5 to 1."),
        (
            lambda: sweep(x="lambda_conflict=1:5"),
            "the values of lambda_conflict must be like 0,1,10 or 0.1:100:7:log. Found '1:5'.",
        ),
        (lambda: sweep(x="penalty=1:5:3"), "a range needs a setting that is a number. Found penalty."),
        (lambda: sweep(y="seed=0,1", seeds=2), "seeds must be 1 where an axis is the seed. Found 2."),
        (lambda: sweep(steps=0), "steps must be a whole number from 1 to 16777216. Found 0."),
        (lambda: sweep(measures=()), "measures must be at least one, each once. Found none."),
        (lambda: Axis(field="p_drop", values=(True,)), "a value of p_drop must be a number or a text. Found True."),
    ],
)
def test_what_cannot_be_trained_is_refused_in_one_sentence(make: Any, sentence: str) -> None:
    with pytest.raises(ValueError) as refused:
        make()
    assert str(refused.value) == sentence


def test_a_range_is_spaced_evenly_or_by_powers_and_whole_where_the_setting_is() -> None:
    assert axis_of("lambda_conflict", "0.1:100:4:log").values == (0.1, 1.0, 10.0, 100.0)
    assert axis_of("p_drop", "0:1:5").values == (0.0, 0.25, 0.5, 0.75, 1.0)
    assert ranged("num_experts", low=2, high=8, count=3).values == (2, 5, 8)


def test_a_map_is_read_back_as_it_was_written() -> None:
    made = sweep(x="topology_init=max_entropy,self_biased", seeds=2)
    assert read_sweep(json.loads(json.dumps(made.to_json()))) == made


def test_every_cell_is_the_base_at_its_place_and_the_first_column_comes_first() -> None:
    made = sweep(x="lambda_conflict=0,1,10", y="p_drop=0,0.5,1", steps=400)
    cells = made.cells()
    assert len({cell.key for cell in cells}) == made.size == 9
    assert [cell.x for cell in cells[:3]] == [0.0, 0.0, 0.0]
    last = next(cell for cell in cells if (cell.x, cell.y) == (10.0, 0.5))
    wanted = {"lambda_conflict": 10.0, "p_drop": 0.5, "steps": 400, "eval_every": 20, "seed": 0}
    assert last.config == with_settings(preset("live"), wanted)


def test_an_extended_map_keeps_its_cells_and_adds_to_them() -> None:
    made = sweep()
    more = made.extended(x=[1], seeds=2)
    assert more.x.values == (0.0, 1.0, 10.0), "numbers stay in order"
    assert {cell.key for cell in made.cells()} < {cell.key for cell in more.cells()}
    assert made.joined(more) == more
    with pytest.raises(ValueError, match=r"^the folder holds a map with other runs\. Found steps 5 asked for\.$"):
        made.joined(sweep(steps=5))
