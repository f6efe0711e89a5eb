"""Study `repairs`: each claim follows the rows, whichever way they point."""

from __future__ import annotations

from typing import Any

import pytest

from cdsp_core.settings.presets import from_dict
from cdsp_core.studies.catalogue import headline, repairs
from cdsp_core.studies.framework.study import Row, StudyOptions

OPTIONS = StudyOptions(seeds=4)


def made(*, with_id: dict[str, float], without_id: dict[str, float], overlap: dict[str, float]) -> list[Row]:
    """Rows of four seeds; an arm that is not named is at 0.86, 0.83 and an overlap of 0.4."""
    rows: list[Row] = []
    for seed in range(OPTIONS.seeds):
        for arm in repairs.ARMS:
            jitter = 0.0002 * ((seed * 7 + len(arm)) % 5)
            where: dict[str, Any] = {"kind": "final", "seed": seed, "arm": arm, "layer": 0, "task": "mnist"}
            for given, of in (("own", with_id.get(arm, 0.86)), ("none", without_id.get(arm, 0.83))):
                rows.append({**where, "measure": "accuracy", "given": given, "value": of + jitter * (given == "own")})
            rows.append({**where, "measure": "rank_overlap", "given": None, "value": overlap.get(arm, 0.4) + jitter})
    return rows


def verdicts(**told: dict[str, float]) -> dict[str, str]:
    found = repairs.find(made(**{"with_id": {}, "without_id": {}, "overlap": {}, **told}), OPTIONS)
    return {claim.claim: claim.verdict for claim in found.claims}


def test_a_repair_that_closes_the_gap_holds_and_one_that_does_not_fails() -> None:
    found = verdicts(without_id={"inferred": 0.855})
    gaps = {claim: verdict for claim, verdict in found.items() if claim.startswith("Hiding")}
    assert [verdict for claim, verdict in gaps.items() if "(CDSP-MoE, task inferred)" in claim] == ["holds"]
    assert {verdict for claim, verdict in gaps.items() if "(CDSP-MoE, task inferred)" not in claim} == {"fails"}


def test_a_repair_that_costs_accuracy_with_id_is_told() -> None:
    name = "With ID the repair costs no accuracy (CDSP-MoE, routing distilled, weight 10)"
    assert verdicts(with_id={"distilled_10": 0.83})[name] == "fails"
    assert verdicts()[name] == "holds"


@pytest.mark.parametrize(("overlap", "verdict"), [(0.1, "holds"), (0.4, "no effect"), (0.7, "fails")])
def test_pruning_is_judged_by_the_overlap(overlap: float, verdict: str) -> None:
    found = verdicts(overlap={"force": overlap})
    assert found["Experts share fewer dimensions than with Eq. 6's fixed rank (rank by force)"] == verdict


@pytest.mark.parametrize(("joint", "verdict"), [(0.80, "holds"), (0.86, "no effect"), (0.92, "fails")])
def test_the_joint_clip_is_judged_by_what_conflict_costs_under_it(joint: float, verdict: str) -> None:
    assert (
        verdicts(with_id={"joint_clip": joint})["Clipping weights and A together makes conflict cost more"] == verdict
    )


def test_the_same_trainings_as_in_the_headline_are_run_once() -> None:
    shared = {job.shared_as for job in repairs.jobs(OPTIONS)} & {job.shared_as for job in headline.jobs(OPTIONS)}
    assert len(shared) == 7 * OPTIONS.seeds  # cdsp, standard, blind, lambda 0, force, inferred, distilled


def test_a_mixture_of_the_same_active_width_has_the_same_parameters() -> None:
    config = {
        job.settings["arm"]: from_dict(job.settings["config"]).model for job in repairs.jobs(OPTIONS) if job.seed == 0
    }
    wide, cdsp = config["standard_active"], config["cdsp"]
    assert wide.top_k * wide.d_base // wide.num_experts == 192 > cdsp.top_k * cdsp.rank == 180
    assert wide.d_base == config["standard"].d_base
