"""Configs of any kind: each is a run that can be built, or one sentence that names what was wrong."""

from __future__ import annotations

import dataclasses
import json
import random
import re
from collections import Counter
from pathlib import Path
from typing import Any, Final

import pytest

from backend.quotas import Limits
from backend.runs.memory_need import least_mib
from cdsp_core.settings.config import Controls, RunConfig, TrainConfig
from cdsp_core.settings.fields import field_schema
from cdsp_core.settings.model import ModelConfig
from cdsp_core.settings.presets import PRESETS, from_dict
from tests.backend.lab import lab
from tests.chaos.figures import record

pytestmark = pytest.mark.slow  # models are built with torch

SEED: Final = 480
SECTIONS: Final[dict[str, type]] = {"model": ModelConfig, "train": TrainConfig, "controls": Controls}
FIELDS: Final = {
    name: {f.name: field_schema(cls, f) for f in dataclasses.fields(cls)} for name, cls in SECTIONS.items()
}
EVERY: Final = [(section, name) for section, fields in FIELDS.items() for name in fields]
NAMES: Final = ("config", "preset", *FIELDS, *(name for section in FIELDS.values() for name in section))
SMALL: Final[dict[str, Any]] = {"d_model": 16, "d_base": 32, "num_experts": 4, "num_partitions": 4, "num_layers": 1}
NO_JSON: Final = ("a number must be finite.", "a whole number must have at most 20 digits.")
"""what is said before there is a field: JSON knows no such numbers"""
MOST_LETTERS: Final = 800
MOST_BUILT_MIB: Final = 24
LIMITS: Final = Limits(changes_per_s=1e6, changes_at_once=10**6, runs=10**6)


def within(rng: random.Random, about: dict[str, Any]) -> Any:
    """A value that a field takes by itself, its bounds among them."""
    if about["type"] == "choice":
        return rng.choice(about["choices"])
    if about["type"] == "str":
        return about["default"]
    low, high = about["low"], about["high"]
    if rng.random() < 0.2:
        return rng.choice((low, high))
    if about["type"] == "float":
        return rng.uniform(low, high)
    if rng.random() < 0.5:
        return min(high, max(low, 2 ** rng.randrange(8)))
    return rng.randint(low, min(high, low + 300))


def beyond(rng: random.Random, about: dict[str, Any]) -> Any:
    """A value that a field most likely does not take: out of bounds, of another type, or no number at all."""
    low, high = about.get("low", 0), about.get("high", 0)
    huge = (2**53 + 1, -(2**63), 10**19, 10**400, 1e308, -1e308, 5e-324, float("nan"), float("inf"), float("-inf"))
    others: tuple[object, ...] = (
        None,
        True,
        False,
        "",
        "4",
        "ä\u0000\U0001f600",
        "x" * 500,
        [],
        [[1]],
        {},
        {"d_model": 8},
        0.5,
        -1,
    )
    return rng.choice((low - 1, high + 1, rng.choice(huge), rng.choice(others), rng.choice(others)))


def config(rng: random.Random, wild: tuple[str, str] | None) -> Any:
    """The JSON form of a config: some small, some with fields that do not go together, some that are none.

    `wild` is a field whose value is beyond what it takes.
    """
    if rng.random() < 0.03:
        return rng.choice((None, [], "live", 7, {"model": []}, {"train": None}, {"controls": "x"}, {"modle": {}}))
    made: dict[str, Any] = {}
    if rng.random() < 0.6:
        made["model"] = dict(SMALL)
        made["train"] = {"batch_size": 8}
    if rng.random() < 0.3:
        made["preset"] = rng.choice((*PRESETS, "Live", "", 3, None)) if rng.random() < 0.3 else rng.choice([*PRESETS])
    for section, name in rng.sample(EVERY, rng.randrange(5)):
        made.setdefault(section, {})[name] = within(rng, FIELDS[section][name])
    if wild is not None:
        section, name = wild
        made.setdefault(section, {})[name] = beyond(rng, FIELDS[section][name])
    elif rng.random() < 0.05:
        made.setdefault("model", {})[rng.choice(("d_modle", "", "__class__", "rank", "ä" * 300))] = 1
    return made


def check_refusal(answer: dict[str, Any], asked: str) -> None:
    """One sentence, short enough to be read, that names what it is about."""
    assert list(answer) == ["error"], asked
    sentence = answer["error"]
    assert sentence.isprintable(), asked
    assert sentence.endswith("."), sentence
    assert len(sentence) <= MOST_LETTERS, sentence
    assert sentence.startswith(NO_JSON) or any(re.search(rf"\b{name}\b", sentence) for name in NAMES), sentence


def can_be_built(made: RunConfig) -> bool:
    """Whether it is small, and its data are those that are here."""
    train = made.train
    is_here = (train.data, train.dataset, train.compile) == ("embedded", "", "off")
    fits_data = made.model.image_size == 28 and made.model.num_classes >= 10
    return is_here and fits_data and least_mib(made) <= MOST_BUILT_MIB and made.model.num_tokens <= 64


def build(made: RunConfig) -> None:
    """Make its trainer and take a step."""
    import torch

    from cdsp_core.training.trainer import Trainer

    try:
        trainer = Trainer(made, device=torch.device("cpu"))
    except ValueError as error:  # of what the data alone know, e.g. how many steps its epochs give
        check_refusal({"error": str(error)}, str(made))
    else:
        trainer.train_step()
        assert trainer.arrays()["scalars"].shape[0] == 1


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("count", "built"), [(60, 4), pytest.param(480, 30, marks=pytest.mark.chaos)])
async def test_any_config_is_a_run_or_one_sentence_that_names_a_field(tmp_path: Path, count: int, built: int) -> None:
    rng = random.Random(SEED)
    taken: list[RunConfig] = []
    found: Counter[int] = Counter()
    async with lab(tmp_path, limits=LIMITS, max_active_runs=10**6, memory_mib=4000) as it:
        for number in range(count):
            given = config(rng, None if number % 2 else rng.choice(EVERY))
            asked = json.dumps({"config": given})
            answer = await it.http.post("/api/runs", content=asked)
            found[answer.status_code] += 1
            if answer.status_code == 201:
                taken.append(from_dict(given or {}))
                continue
            assert answer.status_code == 422, (asked, answer.text)
            check_refusal(answer.json(), asked)
        assert min(found[201], found[422]) > count / 6, found
        assert len((await it.http.get("/api/runs")).json()) == found[201]
    small = [made for made in taken if can_be_built(made)]
    assert len(small) >= built
    for made in small[:built]:
        build(made)
    told = f"{found[201]} taken, {found[422]} refused"
    record(f"{count} random configs, {built} of which were trained a step", told, "no 500")
