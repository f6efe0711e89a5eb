"""Study `steering`: the moves are the controller's, those by lot need no reward, and each claim follows the rows."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch

from cdsp_core.settings.presets import from_dict
from cdsp_core.studies.catalogue import steering
from cdsp_core.studies.experiments.measuring import measured
from cdsp_core.studies.experiments.steering import ByLot, Steered
from cdsp_core.studies.framework.study import Row, StudyOptions
from cdsp_core.studies.framework.training import course_of
from cdsp_core.training.controller import ADDEND, FACTOR, Controller
from cdsp_core.training.trainer import Trainer
from tests.core.small import small_trainer, state_of
from tests.core.study_rows import tell_nobody

OPTIONS = StudyOptions(seeds=4)


def steered(control: str = "lambda_conflict", *, by_lot: bool = False, **settings: Any) -> tuple[Trainer, list[Row]]:
    trainer = small_trainer(controller=control, controller_every=5, epochs=6, **settings)
    if by_lot:
        trainer.controller = ByLot(trainer.config.train)
    watch = Steered(trainer)
    measured(trainer, tell_nobody, watch)
    return trainer, watch.rows()


def values_of(rows: list[Row], measure: str) -> list[float]:
    return [float(row["value"] or 0.0) for row in rows if row["measure"] == measure]


@pytest.mark.parametrize("by_lot", [False, True])
def test_a_control_moves_at_most_one_move_a_look_and_the_run_takes_it(by_lot: bool) -> None:
    trainer, rows = steered(by_lot=by_lot)
    course = [10.0, *values_of(rows, "lambda_conflict")]
    steps = [later / before for before, later in itertools.pairwise(course)]
    assert all(min(abs(step - one) for one in (1.0, FACTOR, 1 / FACTOR)) < 1e-3 for step in steps)
    assert len(set(course)) > 1
    assert trainer.controls.lambda_conflict == course[-1]
    assert set(values_of(rows, "sharing")) == {0.0}


def test_an_offset_on_a_moves_by_its_addend() -> None:
    trainer, rows = steered("sharing")
    course = [0.0, *values_of(rows, "sharing")]
    assert {abs(later - before) for before, later in itertools.pairwise(course)} <= {0.0, ADDEND}
    assert trainer.cdsp_layers[0].topology.sharing == course[-1] != 0.0


def test_a_run_without_a_controller_is_the_run_that_nobody_follows() -> None:
    plain, followed = small_trainer(), small_trainer()
    measured(plain, tell_nobody, None)
    watch = Steered(followed)
    measured(followed, tell_nobody, watch)
    torch.testing.assert_close(state_of(followed), state_of(plain), rtol=0, atol=0, equal_nan=True)
    assert set(values_of(watch.rows(), "lambda_conflict")) == {10.0}


def moves(controller: Controller, accuracies: list[float]) -> list[dict[str, float] | None]:
    controls, found = from_dict({"preset": "live"}).controls, []
    for step, accuracy in enumerate(accuracies, 1):
        move = controller.consider(5 * step, lambda accuracy=accuracy: accuracy, controls)
        found.append(None if move is None else move.controls)
    return found


def test_moves_by_lot_do_not_hang_on_the_reward_and_the_bandits_do() -> None:
    train = small_trainer(controller="lambda_conflict", controller_every=5).config.train
    rising, wild = [0.5 + 0.01 * n for n in range(30)], [0.5 + 0.3 * (-1) ** n for n in range(30)]
    assert moves(ByLot(train), rising) == moves(ByLot(train), wild)
    assert moves(Controller(train), rising) != moves(Controller(train), wild)
    again = small_trainer(controller="lambda_conflict", controller_every=5, seed=1).config.train
    assert moves(ByLot(again), rising) != moves(ByLot(train), rising)


def made(accuracy: dict[str, float], course: tuple[float, float] = (1.0, 1.0)) -> list[Row]:
    """Rows of four seeds: accuracy without ID by arm, and the offset on A first and last."""
    rows: list[Row] = []
    for seed in range(OPTIONS.seeds):
        jitter = 1.0 + 0.0005 * (seed % 3)
        for arm in steering.ARMS:
            where: dict[str, Any] = {"seed": seed, "arm": arm, "layer": 0, "task": "mnist"}
            value = accuracy.get(arm, 0.8) * jitter
            rows += [
                {**where, "kind": "final", "step": None, "measure": "accuracy", "given": given, "value": value}
                for given in ("own", "none")
            ]
            for step in range(9):
                of = course[0] if step < 4 else course[1]
                rows += [
                    {**where, "kind": "curve", "step": step, "measure": name, "given": None, "value": of * jitter}
                    for name in ("sharing", "lambda_conflict")
                ]
    return rows


GAINS = {
    "Steered by a bandit lambda": "fixed",
    "Lambda moved by lot": "lambda_by_lot",
    "Steered by a bandit sharing gives": "fixed",
    "Sharing moved by lot": "sharing_by_lot",
}


@pytest.mark.parametrize("beginning", GAINS)
def test_every_gain_can_come_out_three_ways(beginning: str) -> None:
    def verdict(other: float) -> str:
        found = steering.find(made({GAINS[beginning]: other}), OPTIONS).claims
        return next(claim.verdict for claim in found if claim.claim.startswith(beginning))

    assert [verdict(other) for other in (0.75, 0.85, 0.801)] == ["holds", "fails", "no effect"]


@pytest.mark.parametrize(
    ("course", "verdict"), [((2.0, 1.0), "holds"), ((1.0, 2.0), "fails"), ((1.0, 1.1), "no effect")]
)
def test_sharing_that_falls_was_high_at_first(course: tuple[float, float], verdict: str) -> None:
    claims = steering.find(made({}, course), OPTIONS).claims
    assert len(claims) == len(GAINS) + 1
    assert claims[-1].verdict == verdict


def test_a_course_is_in_the_order_of_its_steps_and_says_where_it_has_no_value() -> None:
    row: Row = {"kind": "curve", "measure": "sharing", "arm": "sharing", "seed": 3, "step": 20, "value": 0.5}
    rows = [row, {**row, "step": 10, "value": None}, {**row, "arm": "fixed", "step": 30}, {**row, "kind": "final"}]
    ((first, second),) = course_of(rows, "sharing", arm="sharing").values()
    assert (first[0], second) == (10, (20, 0.5))
    assert math.isnan(first[1])


def test_the_arms_differ_in_who_moves_what_and_are_judged_on_images_kept_from_training() -> None:
    jobs = [job for job in steering.jobs(OPTIONS) if job.seed == 0]
    config = {job.settings["arm"]: from_dict(job.settings["config"]) for job in jobs}
    assert {arm: each.train.controller for arm, each in config.items()} == {
        "fixed": "off",
        "lambda": "lambda_conflict",
        "lambda_by_lot": "lambda_conflict",
        "sharing": "sharing",
        "sharing_by_lot": "sharing",
    }
    assert [job.settings["arm"] for job in jobs if job.settings["by_lot"]] == ["lambda_by_lot", "sharing_by_lot"]
    for each in config.values():
        assert (each.train.validation_frac, each.controls.p_drop, each.train.clip_scope) == (0.1, 0.5, "apart")
        assert each.train.controller_every == 2 * each.train.eval_every
        assert each.controls.lambda_conflict == 10.0
