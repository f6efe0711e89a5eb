"""Every bound holds, and whoever breaks one reads one sentence with the field, the bound and what was found."""

from __future__ import annotations

import dataclasses
import json
import math
import re
import typing
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdsp_core.settings.config import Controls, RunConfig, TrainConfig, control_bounds, schema, to_dict
from cdsp_core.settings.model import ModelConfig
from cdsp_core.settings.overrides import with_controls, with_settings
from cdsp_core.settings.presets import PRESETS, from_dict, preset

SECTIONS: dict[str, Any] = {"model": ModelConfig, "train": TrainConfig, "controls": Controls}
FIELDS = [(section, f) for section, cls in SECTIONS.items() for f in dataclasses.fields(cls)]
TYPES = {section: typing.get_type_hints(cls) for section, cls in SECTIONS.items()}


def is_choice(section: str, name: str) -> bool:
    return typing.get_origin(TYPES[section][name]) is Literal


NUMBERS = [pytest.param(s, f, id=f"{s}.{f.name}") for s, f in FIELDS if TYPES[s][f.name] in (int, float)]
WORDS = [pytest.param(s, f, id=f"{s}.{f.name}") for s, f in FIELDS if TYPES[s][f.name] is str]
CHOICES = [pytest.param(s, f, id=f"{s}.{f.name}") for s, f in FIELDS if is_choice(s, f.name)]


def refusal(section: str, name: str, value: Any) -> str:
    with pytest.raises(ValueError) as caught:
        from_dict({section: {name: value}})
    return str(caught.value)


@pytest.mark.parametrize(("section", "field"), NUMBERS)
def test_a_number_out_of_bounds_or_of_the_wrong_kind_is_refused_by_name(section: str, field: Any) -> None:
    low, high = field.metadata["low"], field.metadata["high"]
    step = 1 if TYPES[section][field.name] is int else (high - low) * 1e-9
    span = (
        f"a whole number from {low} to {high}"
        if TYPES[section][field.name] is int
        else f"a number from {low:g} to {high:g}"
    )
    wrong = [low - step, high + step, math.nan, math.inf, -math.inf, True, None, "", "5", [1], {}, 10**400, -(10**400)]
    if TYPES[section][field.name] is int:
        wrong += [float(low), low + 0.5]
    for value in wrong:
        sentence = refusal(section, field.name, value)
        assert sentence.startswith(f"{field.name} must be {span}. Found ")
        assert sentence.endswith(".")
        assert len(sentence) < 200
        assert "\n" not in sentence


@pytest.mark.parametrize(("section", "field"), CHOICES)
def test_an_unknown_choice_is_refused_with_the_choices(section: str, field: Any) -> None:
    choices = typing.get_args(TYPES[section][field.name])
    for value in ["", "no such choice", choices[0].upper(), None, True, 0, math.nan, [choices[0]], {}]:
        sentence = refusal(section, field.name, value)
        assert sentence.startswith(f"{field.name} must be one of {', '.join(choices)}. Found ")


@pytest.mark.parametrize(("section", "field"), WORDS)
def test_a_text_that_its_pattern_does_not_match_is_refused_by_name(section: str, field: Any) -> None:
    values: list[Any] = ["../etc", "Upper", "a b", "a@zz", "x" * 33, "a\n", None, 0, [], {}]
    for value in values:
        sentence = refusal(section, field.name, value)
        assert sentence.startswith(f"{field.name} must be {field.metadata['wanted']}. Found ")
        assert "\n" not in sentence


@pytest.mark.parametrize("name", [f.name for f in dataclasses.fields(Controls)])
@given(share=st.floats(0, 1))
def test_every_value_inside_a_controls_bounds_is_taken(name: str, share: float) -> None:
    low, high = control_bounds(name)
    value = min(max(low + share * (high - low), low), high)
    assert getattr(with_controls(Controls(), {name: value}), name) == value
    assert getattr(with_controls(Controls(), {name: low}), name) == low
    assert getattr(with_controls(Controls(), {name: high}), name) == high


def test_a_whole_number_is_taken_where_a_number_is_wanted() -> None:
    controls = with_controls(Controls(), {"p_drop": 1, "lambda_conflict": 0})
    assert (controls.p_drop, type(controls.p_drop), controls.lambda_conflict) == (1.0, float, 0.0)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"patch_size": 5}, "image_size must be divisible by patch_size. Found 28 and 5."),
        ({"d_base": 250}, "d_base must be divisible by num_partitions. Found 250 and 8."),
        ({"num_heads": 3}, "d_model must be divisible by num_heads. Found 64 and 3."),
        ({"num_kv_heads": 3}, "num_heads must be divisible by num_kv_heads. Found 4 and 3."),
        ({"num_heads": 64}, "d_model / num_heads must be even for rotary positions. Found 64 / 64."),
        ({"top_k": 9}, "top_k must be at most num_experts. Found 9 and 8."),
        (
            {"num_experts": 128, "num_partitions": 8, "d_base": 64, "rank_rule": "linear"},
            "d_base must leave every expert a dimension. Found 64 for 128 experts.",
        ),
        (
            {"topology_init": "self_biased", "num_partitions": 4},
            "topology_init self_biased needs num_partitions equal to num_experts. Found 4 and 8.",
        ),
    ],
)
def test_sizes_that_do_not_fit_together_are_refused_in_one_sentence(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError) as caught:
        from_dict({"model": changes})
    assert str(caught.value) == sentence


@pytest.mark.parametrize("raw", [None, [], "live", 5, math.nan])
def test_a_config_that_is_no_object_is_refused(raw: Any) -> None:
    with pytest.raises(ValueError, match=r"^config must be an object\. Found "):
        from_dict(raw)
    with pytest.raises(ValueError, match=r"^model must be an object\. Found "):
        from_dict({"model": raw})


@pytest.mark.parametrize("raw", ["", "Live", 5, None, [], {}, True])
def test_an_unknown_preset_is_refused_with_the_names(raw: Any) -> None:
    names = ", ".join(PRESETS)
    with pytest.raises(ValueError, match=rf"^preset must be one of {names}\. Found "):
        from_dict({"preset": raw})


def test_unknown_fields_are_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"^config has no field 'modell'\. It has preset, model, train, controls\.$"):
        from_dict({"modell": {}})
    with pytest.raises(ValueError, match=r"^controls has no field 'p_drip'\. It has p_drop, "):
        with_controls(Controls(), {"p_drip": 0.5})


@given(
    changes=st.fixed_dictionaries(
        {},
        optional={
            "p_drop": st.floats(0, 1),
            "lambda_conflict": st.floats(0, 100),
            "lr_ratio": st.floats(0.1, 100),
            "lr_base": st.floats(1e-5, 0.1),
            "l1": st.floats(0, 1),
            "binarize": st.floats(0, 1),
            "sharing": st.floats(-10, 10),
        },
    ),
    name=st.sampled_from(sorted(PRESETS)),
    seed=st.integers(0, 2**31 - 1),
    experts=st.sampled_from([2, 4, 8, 16]),
)
def test_a_config_survives_json(changes: dict[str, float], name: str, seed: int, experts: int) -> None:
    base = preset(name)
    config = with_settings(base, {**changes, "seed": seed, "num_experts": experts, "num_partitions": experts})
    assert from_dict(json.loads(json.dumps(to_dict(config), allow_nan=False))) == config


@pytest.mark.parametrize("name", PRESETS)
def test_presets_carry_their_name_and_survive_json(name: str) -> None:
    assert preset(name).preset == name
    assert from_dict({"preset": name}) == from_dict(to_dict(preset(name))) == preset(name)


def test_what_is_absent_comes_from_the_preset() -> None:
    config = from_dict({"preset": "release", "controls": {"p_drop": 0.25}})
    assert config.model == preset("release").model
    assert config.controls == dataclasses.replace(preset("release").controls, p_drop=0.25)
    assert from_dict({}) == preset("live")


def test_settings_are_read_from_text() -> None:
    config = with_settings(
        RunConfig(), {"p_drop": "0.25", "seed": "7", "penalty": "sigmoid", "lr_base": "1e-3", "batch_size": " 32 "}
    )
    assert (config.controls.p_drop, config.train.seed, config.model.penalty) == (0.25, 7, "sigmoid")
    assert (config.controls.lr_base, config.train.batch_size) == (1e-3, 32)


@pytest.mark.parametrize(
    ("key", "text", "sentence"),
    [
        ("seed", "1.5", "seed must be a whole number. Found '1.5'."),
        ("seed", "", "seed must be a whole number. Found ''."),
        ("p_drop", "half", "p_drop must be a number. Found 'half'."),
        ("p_drop", "nan", "p_drop must be a number from 0 to 1. Found nan."),
        ("p_drop", "inf", "p_drop must be a number from 0 to 1. Found inf."),
        ("top_k", "9", "top_k must be at most num_experts. Found 9 and 8."),
        ("penalty", "log", "penalty must be one of logit, logit_while_positive, sigmoid. Found 'log'."),
    ],
)
def test_settings_that_cannot_be_read_are_refused_in_one_sentence(key: str, text: str, sentence: str) -> None:
    with pytest.raises(ValueError) as caught:
        with_settings(RunConfig(), {key: text})
    assert str(caught.value) == sentence


@pytest.mark.parametrize("text", ["9" * 400, "9" * 5000, "x" * 5000, "-" + "9" * 400])
@pytest.mark.parametrize("key", ["seed", "p_drop"])
def test_a_very_long_setting_is_refused_in_a_short_sentence(key: str, text: str) -> None:
    with pytest.raises(ValueError) as caught:
        with_settings(RunConfig(), {key: text})
    assert str(caught.value).startswith(f"{key} must be ")
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("lambda_conflct", "Did you mean lambda_conflict?"),
        ("lr", "Did you mean lr_ratio or lr_base?"),
        ("zzz", "`python -m cdsp_core presets` lists them all."),
        ("", "`python -m cdsp_core presets` lists them all."),
    ],
)
def test_an_unknown_setting_is_refused_with_those_it_may_have_meant(key: str, hint: str) -> None:
    with pytest.raises(ValueError) as caught:
        with_settings(RunConfig(), {key: "1"})
    assert str(caught.value) == f"there is no setting {key!r}. {hint}"


def test_no_two_sections_share_a_field_so_a_bare_name_is_enough() -> None:
    names = [f.name for _, f in FIELDS]
    assert len(set(names)) == len(names)


def test_the_schema_is_json_with_type_default_bounds_and_a_line_of_text() -> None:
    read = json.loads(json.dumps(schema(), allow_nan=False))
    assert {section: list(entries) for section, entries in read.items()} == {
        section: [f.name for f in dataclasses.fields(cls)] for section, cls in SECTIONS.items()
    }
    for entries in read.values():
        for entry in entries.values():
            assert entry["doc"]
            if entry["type"] == "choice":
                assert entry["default"] in entry["choices"]
            elif entry["type"] == "str":
                assert re.fullmatch(entry["pattern"], entry["default"])
            else:
                assert entry["type"] in ("int", "float")
                assert entry["low"] <= entry["default"] <= entry["high"]


def test_configs_cannot_be_changed_in_place() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        RunConfig().controls.p_drop = 0.1


@given(experts=st.integers(2, 128), dims=st.integers(8, 4096))
def test_the_rank_is_the_largest_whole_number_below_its_rule(experts: int, dims: int) -> None:
    for rule in ("sqrt", "linear"):
        try:
            rank = ModelConfig(num_experts=experts, num_partitions=1, d_base=dims, top_k=1, rank_rule=rule).rank
        except ValueError:
            continue
        bound = dims**2 / experts if rule == "sqrt" else (dims // experts) ** 2
        assert rank**2 <= bound < (rank + 1) ** 2
