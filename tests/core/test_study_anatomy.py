"""Study `anatomy`: what is muted and shaken is as before afterwards, and each claim follows the rows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from cdsp_core.settings.presets import from_dict
from cdsp_core.studies.catalogue import anatomy
from cdsp_core.studies.experiments.anatomy import (
    Course,
    accuracy_by_task,
    closed_and_reopened,
    favourites,
    halves,
    lesions,
    shaken,
    without,
)
from cdsp_core.studies.experiments.measuring import measured
from cdsp_core.studies.framework.study import Row, StudyOptions
from cdsp_core.studies.framework.training import late_share
from tests.core.small import small_trainer, state_of, steps
from tests.core.study_rows import tell_nobody

OPTIONS = StudyOptions(seeds=7)
MODELS = ("cdsp", "standard")


def value_of(rows: list[Row], measure: str, **where: Any) -> list[float]:
    wanted = {"measure": measure, **where}
    return [float(row["value"] or 0.0) for row in rows if all(row[name] == value for name, value in wanted.items())]


@pytest.mark.parametrize("architecture", MODELS)
def test_with_all_experts_muted_the_layers_say_nothing_and_with_none_all(architecture: str) -> None:
    trainer = steps(small_trainer(architecture=architecture), 5)
    images, _, task_B = trainer.test.look(0)
    keep_B1 = torch.ones(len(task_B), 1)

    def answers(muted: bool) -> torch.Tensor:
        with torch.no_grad(), without(trainer, torch.full((2, 4), muted)):
            logits_BC: torch.Tensor = trainer.model(images, task_B, keep_B1)[0]
        return logits_BC

    with torch.no_grad():
        whole_BC = trainer.model(images, task_B, keep_B1)[0]
        hooks = [
            layer.register_forward_hook(lambda _layer, _inputs, output: (torch.zeros_like(output[0]), output[1]))
            for layer in trainer.model.layers
            if isinstance(layer, nn.Module)
        ]
        bare_BC = trainer.model(images, task_B, keep_B1)[0]
        for hook in hooks:
            hook.remove()
    torch.testing.assert_close(answers(True), bare_BC)
    torch.testing.assert_close(answers(False), whole_BC, rtol=0, atol=0)
    assert not torch.allclose(bare_BC, whole_BC)


@pytest.mark.parametrize("architecture", MODELS)
def test_a_network_that_was_taken_apart_is_whole_again(architecture: str) -> None:
    trainer = small_trainer(architecture=architecture)
    final = [row for row in measured(trainer, tell_nobody, None) if row["kind"] == "final"]
    before, accuracy = state_of(trainer), accuracy_by_task(trainer)
    first = [*lesions(trainer, favourites(final)), *halves(trainer, final), *shaken(trainer)]
    again = [*lesions(trainer, favourites(final)), *halves(trainer, final), *shaken(trainer)]
    assert first == again
    torch.testing.assert_close(state_of(trainer), before, rtol=0, atol=0, equal_nan=True)
    assert torch.equal(accuracy_by_task(trainer), accuracy)
    assert len(value_of(first, "lesion")) == 2 * 4 * 3
    assert (value_of(first, "marginal_half") != []) == (architecture == "cdsp")
    assert value_of(first, "loss_risen")[0] > 0.0


def test_selectivity_is_what_a_lesion_costs_its_own_task_more_than_the_others() -> None:
    trainer = steps(small_trainer(), 30)
    favourite = {(layer, task): 1 for layer in range(2) for task in ("mnist", "kana", "fashion")}
    found = lesions(trainer, favourite)
    assert value_of(found, "selectivity") == pytest.approx([0.0, 0.0], abs=1e-5)  # one favourite of all is nobody's own
    lost = {task: value_of(found, "lesion", layer=0, expert=2, task=task)[0] for task in ("mnist", "kana", "fashion")}
    own = lesions(trainer, {**favourite, (0, "kana"): 2})
    one = value_of(found, "lesion", layer=0, expert=1)
    kana = lost["kana"] - (lost["mnist"] + lost["fashion"]) / 2
    others = [one[0] - (one[1] + one[2]) / 2, one[2] - (one[0] + one[1]) / 2]
    assert value_of(own, "selectivity", layer=0)[0] == pytest.approx((kana + sum(others)) / 3, abs=1e-4)


def test_what_is_learnt_is_not_changed_by_being_watched() -> None:
    plain, watched = small_trainer(), small_trainer()
    course = Course(watched)
    measured(plain, tell_nobody, None)
    measured(watched, tell_nobody, course)
    torch.testing.assert_close(state_of(watched), state_of(plain), rtol=0, atol=0, equal_nan=True)
    rows = course.rows()
    assert [row["step"] for row in rows if row["kind"] == "curve"] == list(range(5, watched.total_steps + 1, 5))
    assert len(value_of(rows, "closed_once")) == 2


def test_a_link_opened_again_only_if_it_was_closed_before() -> None:
    always_open, closed, back, opened_first = [0.6, 0.6, 0.6], [0.5, 0.05, 0.3], [0.5, 0.05, 0.6], [0.9, 0.2, 0.05]
    diagonal = [0.5, 0.01, 0.9]
    picture_WEP = np.array([[diagonal, always_open, closed], [back, diagonal, opened_first]]).transpose(2, 0, 1)
    wide_WEP = np.concatenate([picture_WEP, np.full((3, 1, 3), 0.7)], axis=1)
    wide_WEP[:, 2, 2] = diagonal
    closed_once, reopened = closed_and_reopened(wide_WEP)
    assert closed_once == pytest.approx(3 / 6)
    assert reopened == pytest.approx(1 / 3)
    assert math.isnan(closed_and_reopened(np.full((3, 3, 3), 0.5))[1])


def made(**told: dict[str, float]) -> list[Row]:
    """Rows of seven seeds: measure -> value by arm, where it is not the same everywhere."""
    plain = {
        "accuracy": 0.86,
        "marginal_half": 0.5,
        "random_half": 5.0,
        "less_used_half": 3.0,
        "selectivity": 4.0,
        "isolation": 0.3,
        "idle_experts": 0.2,
        "loss_risen": 0.05,
        "reopened": 0.1,
        "structural_entropy": 0.3,
        "rank_overlap": 0.3,
    }
    rows: list[Row] = []
    for seed in range(OPTIONS.seeds):
        for arm in anatomy.ARMS:
            where: dict[str, Any] = {"seed": seed, "arm": arm, "layer": 0, "task": "mnist", "given": "own"}
            for measure, value in plain.items():
                jitter = 1.0 + 0.002 * ((seed * 7 + len(arm)) % 5)
                found = told.get(measure, {}).get(arm, value) * jitter
                given = "none" if measure == "isolation" else "own"
                final: Row = {**where, "kind": "final", "step": None, "measure": measure, "value": found}
                rows.append({**final, "given": given})
            for step, value in enumerate((0.7, *(told.get("penalty", {}).get(str(n), 0.37) for n in range(1, 11)))):
                rows.append({**where, "kind": "curve", "step": step, "measure": "conflict_penalty", "value": value})
    return rows


def verdict(beginning: str, **told: dict[str, float]) -> str:
    found = [claim for claim in anatomy.find(made(**told), OPTIONS).claims if claim.claim.startswith(beginning)]
    assert len(found) == 1, [claim.claim for claim in found]
    return found[0].verdict


BOTH_WAYS: dict[str, tuple[dict[str, dict[str, float]], dict[str, dict[str, float]]]] = {
    "Few experts do the work": ({}, {"marginal_half": {"cdsp": 1.5}}),
    "Experts that let go": ({}, {"marginal_half": {"cdsp": 7.0}}),
    "It is the conflict game by which A tells": (
        {"marginal_half": {"lambda_0": 4.5}},
        {"marginal_half": {"cdsp": 4.5}},
    ),
    "A tells better than the load": ({}, {"marginal_half": {"cdsp": 5.0}}),
    "CDSP-MoE needs fewer of its experts than a standard mixture with": (
        {"less_used_half": {"standard": 5.0}},
        {"less_used_half": {"standard": 1.0}},
    ),
    "CDSP-MoE needs fewer of its experts than a standard mixture that": (
        {"less_used_half": {"uneven": 5.0}},
        {"less_used_half": {"uneven": 1.0}},
    ),
    "Its favourite expert is more a task's own than in CDSP": (
        {"selectivity": {"lambda_0": 2.0}},
        {"selectivity": {"lambda_0": 6.0}},
    ),
    "Its favourite expert is more a task's own than in a standard mixture with": (
        {"selectivity": {"standard": 2.0}},
        {"selectivity": {"standard": 6.0}},
    ),
    "Its favourite expert is more a task's own than in a standard mixture that": (
        {"selectivity": {"uneven": 2.0}},
        {"selectivity": {"uneven": 6.0}},
    ),
    "The topology does not collapse": ({}, {"idle_experts": {"cdsp": 1.2}}),
    "The conflict game ends in a flatter minimum than CDSP-MoE at": (
        {"loss_risen": {"lambda_0": 0.08}},
        {"loss_risen": {"lambda_0": 0.03}},
    ),
    "The conflict game ends in a flatter minimum than CDSP-MoE with": (
        {"loss_risen": {"permuted": 0.08}},
        {"loss_risen": {"permuted": 0.03}},
    ),
    "The auxiliary loss falls": ({}, {"penalty": {str(n): 0.7 - 0.1 * n for n in range(1, 11)}}),
    "L1 keeps": ({"reopened": {"no_l1": 0.02}}, {"reopened": {"no_l1": 0.18}}),
    "Binarisation makes": (
        {"structural_entropy": {"no_binarize": 0.4}},
        {"structural_entropy": {"no_binarize": 0.2}},
    ),
    "Without ID an even load": (
        {"isolation": {"uneven": 0.5}},
        {"isolation": {"uneven": 0.1}},
    ),
    "Starting A from maximum": ({}, {"accuracy": {"self_biased": 0.90}}),
    "On a backbone of 512": ({"rank_overlap": {"wide": 0.2}}, {"rank_overlap": {"wide": 0.4}}),
    "A backbone of 512": ({"accuracy": {"wide": 0.90}}, {"accuracy": {"wide": 0.82}}),
}
"""a claim's beginning: measures by arm with which it holds, and with which it fails"""


@pytest.mark.parametrize("beginning", BOTH_WAYS)
def test_every_claim_can_come_out_both_ways(beginning: str) -> None:
    holds, fails = BOTH_WAYS[beginning]
    assert (verdict(beginning, **holds), verdict(beginning, **fails)) == ("holds", "fails")


@pytest.mark.parametrize(
    "course",
    [[0.3, 0.5, 0.7, 0.7, 0.7], [0.5, 0.5, 0.5, 0.5, 0.5], [0.7, 0.3, 0.3, 0.65, 0.65]],
    ids=["rises, then is flat", "flat from the start", "falls and comes back"],
)
def test_a_penalty_that_does_not_fall_is_on_no_plateau_after_its_fall(course: list[float]) -> None:
    rows: list[Row] = [
        {"kind": "curve", "measure": "conflict_penalty", "arm": "cdsp", "seed": 0, "step": 100 * n, "value": value}
        for n, value in enumerate(course, 1)
    ]
    assert not -anatomy.SETTLED < late_share(rows, "conflict_penalty", arm="cdsp")[0] < anatomy.SETTLED


def test_a_penalty_without_a_value_or_of_one_look_says_nothing() -> None:
    row: Row = {"kind": "curve", "measure": "conflict_penalty", "arm": "cdsp", "seed": 0, "step": 100, "value": 0.7}
    assert math.isnan(late_share([row], "conflict_penalty", arm="cdsp")[0])
    later: list[Row] = [{**row, "step": 200, "value": 0.4}, {**row, "step": 400, "value": None}]
    assert math.isnan(late_share([row, *later], "conflict_penalty", arm="cdsp")[0])
    assert late_share(
        [row, {**row, "step": 200, "value": 0.4}, {**row, "step": 400, "value": 0.37}], "conflict_penalty", arm="cdsp"
    )[0] == pytest.approx(0.03 / 0.33)


def test_what_is_said_of_the_experts_sizes_and_load_is_so() -> None:
    config = {job.settings["arm"]: from_dict(job.settings["config"]) for job in anatomy.jobs(OPTIONS) if job.seed == 0}
    own, wide, standard = (config[arm].model for arm in ("cdsp", "wide", "standard"))
    assert f"{standard.d_base // standard.num_experts} dimensions each" in anatomy.WIDER
    assert f"CDSP-MoE's have {own.held_rank} that" in anatomy.WIDER
    assert standard.load_balance > 0.0 == config["uneven"].model.load_balance
    assert own.num_partitions == wide.num_partitions == 8
    assert own.held_rank / own.held_dims == pytest.approx(wide.held_rank / wide.held_dims, abs=0.002)


def test_every_claim_is_among_those_that_come_out_both_ways() -> None:
    assert len(anatomy.find(made(), OPTIONS).claims) == len(BOTH_WAYS)


def test_the_arms_differ_from_the_first_in_what_they_are_named_after_alone() -> None:
    config = {job.settings["arm"]: from_dict(job.settings["config"]) for job in anatomy.jobs(OPTIONS) if job.seed == 0}
    assert config["cdsp"].controls.l1 > 0.0 == config["no_l1"].controls.l1
    assert config["cdsp"].controls.binarize > 0.0 == config["no_binarize"].controls.binarize
    assert config["wide"].model.d_base == 2 * config["cdsp"].model.d_base
    assert all(each.controls.p_drop == 0.5 and each.train.clip_scope == "apart" for each in config.values())


def test_what_was_found_in_some_seeds_is_judged_on_others() -> None:
    found = {claim.claim: claim.seeds for claim in anatomy.find(made(), OPTIONS).claims}
    assert found.pop("It is the conflict game by which A tells which experts can go") == 4
    assert set(found.values()) == {7}
