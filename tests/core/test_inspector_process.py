"""The process that answers questions about runs from their checkpoints."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cdsp_core.training import inspection
from cdsp_core.training.checkpoint import load_checkpoint, save_checkpoint
from cdsp_core.training.inspection import accuracy_by_class
from cdsp_core.training.trainer import Trainer
from cdsp_core.wire.checkpoint_names import checkpoint_name, list_checkpoints, list_states, milestone_name
from cdsp_core.wire.messages.inspect import LesionAnswer, ProbeAnswer, SampleImages, SurestPatches
from cdsp_core.worker.inspector import Inspector
from tests.core.small import CPU, small_data, small_trainer, steps

NEWEST = checkpoint_name(0, 12, kept=False)


@pytest.fixture
def inspector(tmp_path: Path) -> Inspector:
    trainer = steps(small_trainer(), 5)
    save_checkpoint(trainer, tmp_path / "run-1", milestone_name(0, 5))
    save_checkpoint(steps(trainer, 7), tmp_path / "run-1", NEWEST)
    data = small_data()
    return Inspector(tmp_path, lambda folder, name: load_checkpoint(folder, name, device=CPU, datasets=data))


def ask(inspector: Inspector, kind: str, **fields: Any) -> dict[str, Any]:
    question = {"type": kind, "run": "run-1", "state": NEWEST, **fields}
    return inspector.answer(json.dumps(question))


def test_a_milestone_can_be_looked_at_and_is_nothing_to_go_on_from(tmp_path: Path, inspector: Inspector) -> None:
    assert list_checkpoints(tmp_path / "run-1") == [NEWEST]
    assert list_states(tmp_path / "run-1") == {(0, 5): milestone_name(0, 5), (0, 12): NEWEST}
    answer = ProbeAnswer.model_validate(ask(inspector, "probe", pixels=[0] * 64, task=0, state=milestone_name(0, 5)))
    assert (answer.step, answer.known) == (5, [5, 12])


def test_every_question_has_an_answer_of_its_message(inspector: Inspector) -> None:
    assert ProbeAnswer.model_validate(ask(inspector, "probe", pixels=[9] * 64, task=2)).step == 12
    assert len(SampleImages.model_validate(ask(inspector, "images")).images) == 9
    assert SurestPatches.model_validate(ask(inspector, "surest", layer=0, expert=1)).images == 300
    lesion = ask(inspector, "lesion", layer=0, expert=1, block=None, draw=None)
    assert LesionAnswer.model_validate(lesion).expert == 1
    drawn = LesionAnswer.model_validate(ask(inspector, "lesion", layer=1, expert=1, block=1, draw=3))
    assert (drawn.expert, drawn.block) != (1, 1)


@pytest.mark.parametrize(
    ("kind", "fields", "sentence"),
    [
        ("probe", {"pixels": [0] * 10, "task": 0}, "pixels must be 64, 8 rows of 8. Found 10."),
        ("probe", {"pixels": [0] * 64, "task": 3}, "task must be a whole number from 0 to 2. Found 3."),
        ("probe", {"pixels": [0] * 63 + [256], "task": 0}, "less than or equal to 255. Found 256."),
        ("surest", {"layer": 2, "expert": 0}, "layer must be a whole number from 0 to 1. Found 2."),
        ("lesion", {"layer": 0, "expert": 4, "block": None, "draw": None}, "from 0 to 3. Found 4."),
        ("images", {"state": "../../etc"}, "state must be the name of a checkpoint. Found '../../etc'."),
        ("images", {"state": checkpoint_name(0, 99, kept=False)}, "does not exist."),
    ],
)
def test_what_has_no_answer_has_one_sentence(
    inspector: Inspector, kind: str, fields: dict[str, Any], sentence: str
) -> None:
    answer = ask(inspector, kind, **fields)
    assert list(answer) == ["error"]
    assert sentence in answer["error"]
    assert "\n" not in answer["error"]


def test_a_lesion_leaves_the_model_as_it_was(inspector: Inspector) -> None:
    first = ask(inspector, "lesion", layer=0, expert=0, block=None, draw=None)
    with torch.random.fork_rng():
        second = ask(inspector, "lesion", layer=0, expert=0, block=None, draw=None)
    assert {**first, "seconds": 0} == {**second, "seconds": 0}


def test_what_a_model_does_with_nothing_muted_is_measured_once_for_each_of_its_states(
    tmp_path: Path, inspector: Inspector, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []

    def counted(trainer: Trainer) -> torch.Tensor:
        looks.append(trainer.step)
        return accuracy_by_class(trainer)

    monkeypatch.setattr(inspection, "accuracy_by_class", counted)
    link = {"layer": 0, "expert": 1, "block": 2, "draw": None}
    first, again = ask(inspector, "lesion", **link), ask(inspector, "lesion", **{**link, "expert": 2})
    assert looks == [12, 12, 12]
    earlier = ask(inspector, "lesion", state=milestone_name(0, 5), **link)
    assert looks[3:] == [5, 5]
    np.testing.assert_array_equal(first["before"], again["before"])
    load = partial(load_checkpoint, device=CPU, datasets=small_data())
    for state, found in ((NEWEST, again), (milestone_name(0, 5), earlier)):
        fresh = accuracy_by_class(load(tmp_path / "run-1", state))
        np.testing.assert_array_equal(found["before"], fresh)
