"""Which way every claim points: for each a world in which it must hold, and one in which it must fail."""

from __future__ import annotations

import zlib
from typing import Any

import pytest

from cdsp_core.studies.framework import full_data
from cdsp_core.studies.framework.study import Job, StudyOptions
from tests.core.claims import found_verdicts

OPTIONS = {"": StudyOptions(seeds=2), "full data": StudyOptions(seeds=2, data="full")}
Known = tuple[str, float, float, dict[str, Any]]


def known(measure: str, holds: float, fails: float, **where: Any) -> Known:
    """A measure's value where the claim holds and where it fails, and which trainings and places have it."""
    return measure, holds, fails, where


def order(labels: str, first: int) -> dict[tuple[str, int, str], list[Known]]:
    """The claims of the table about the order of the training accuracies, under one label scheme."""
    name = "train_accuracy"
    return {
        ("table", first, "told mixture below CDSP-MoE"): [
            known(name, 0.97, 0.93, labels=labels, model="standard"),
            known(name, 0.950, 0.950, labels=labels, model="cdsp"),
        ],
        ("table", first + 1, "more than a point below the told mixture"): [
            known(name, 0.941, 0.939, labels=labels, model="cdsp"),
            known(name, 0.950, 0.950, labels=labels, model="standard"),
        ],
        ("table", first + 2, "below the blind mixture"): [
            known(name, 0.97, 0.93, labels=labels, model="cdsp"),
            known(name, 0.950, 0.950, labels=labels, model="blind"),
        ],
    }


CLAIMS: dict[tuple[str, int, str], list[Known]] = {
    **order("release", 0),
    **order("ten", 3),
    ("table", 6, "too few entries close"): [
        known("alpha_sparsity", 0.21, 0.19, labels="release", model="cdsp", layer=0)
    ],
    ("table", 6, "too many entries close"): [
        known("alpha_sparsity", 0.39, 0.41, labels="release", model="cdsp", layer=0)
    ],
    ("table", 7, "experts hold on alike"): [
        known("diagonal_gini", 0.11, 0.09, labels="release", model="cdsp", layer=0)
    ],
    ("table, full data", 3, "CDSP-MoE below its published level"): [
        known("train_accuracy", 0.945, 0.934, labels="release", model="cdsp")
    ],
    ("table, full data", 4, "mixture with ID above its published level"): [
        known("train_accuracy", 0.951, 0.962, labels="release", model="standard")
    ],
    ("table, full data", 5, "blind mixture above its published level"): [
        known("train_accuracy", 0.939, 0.950, labels="release", model="blind")
    ],
    ("table, full data", 6, "too few entries close"): [
        known("alpha_sparsity", 0.21, 0.19, labels="release", model="cdsp", layer=0)
    ],
    ("table, full data", 7, "experts hold on alike"): [
        known("diagonal_gini", 0.11, 0.09, labels="release", model="cdsp", layer=0)
    ],
    ("table, full data", 8, "the mixture with the same task dropout loses less"): [
        known("accuracy", 0.90, 0.90, model="cdsp", given="own"),
        known("accuracy", 0.85, 0.85, model="cdsp", given="none"),
        known("accuracy", 0.90, 0.90, model="standard_hidden", given="own"),
        known("accuracy", 0.80, 0.89, model="standard_hidden", given="none"),
    ],
    ("table, full data", 9, "the game costs 1.1 points"): [
        known("accuracy", 0.891, 0.889, model="cdsp", given="own"),
        known("accuracy", 0.900, 0.900, model="lambda_0", given="own"),
    ],
    ("table, full data", 10, "the game brings tasks together"): [
        known("isolation", 0.40, 0.20, model="cdsp", given="none"),
        known("isolation", 0.30, 0.30, model="lambda_0", given="none"),
    ],
    ("table, full data", 11, "alike tasks share more in the mixture"): [
        known("emergent_clustering", 0.40, 0.20, model="cdsp", given="none", layer=0),
        known("emergent_clustering", 0.30, 0.30, model="standard_hidden", given="none", layer=0),
    ],
    ("table, full data", 12, "1.1 points below the mixture with the same task dropout"): [
        known("train_accuracy", 0.941, 0.939, model="cdsp"),
        known("train_accuracy", 0.950, 0.950, model="standard_hidden"),
    ],
    ("table, full data", 13, "the game makes experts share more"): [
        known("rank_overlap", 0.20, 0.40, model="cdsp"),
        known("rank_overlap", 0.30, 0.30, model="lambda_0"),
    ],
    ("blind", 0, "without ID 1.3 points are lost"): [
        known("accuracy", 0.9, 0.9, model="cdsp", given="own"),
        known("accuracy", 0.889, 0.887, model="cdsp", given="none"),
    ],
    ("blind", 1, "the blind mixture reads better"): [
        known("accuracy", 0.83, 0.77, model="cdsp", given="none"),
        known("accuracy", 0.800, 0.800, model="blind", given="none"),
    ],
    ("blind", 2, "tokens go where other tasks' go"): [known("blind_routing_margin", 0.09, 0.07, model="cdsp")],
    ("deceptive", 0, "a wrong ID costs 5.1 points"): [
        known("accuracy", 0.9, 0.9, model="cdsp", given="own"),
        known("accuracy_deceptive", 0.851, 0.849, model="cdsp"),
    ],
    ("deceptive", 1, "a wrong ID costs the standard mixture less"): [
        known("accuracy", 0.8, 0.8, model="cdsp", given="own"),
        known("accuracy_deceptive", 0.7, 0.7, model="cdsp"),
        known("accuracy", 0.9, 0.9, model="standard", given="own"),
        known("accuracy_deceptive", 0.77, 0.83, model="standard"),
    ],
    ("deceptive", 2, "tokens follow the claimed ID"): [known("deceptive_routing_margin", 0.1, -0.1, model="cdsp")],
    ("conflict-necessity", 0, "conflict closes fewer entries"): [
        known("alpha_sparsity", 0.40, 0.20, lambda_conflict=10.0),
        known("alpha_sparsity", 0.30, 0.30, lambda_conflict=0.0),
    ],
    ("conflict-necessity", 1, "too few entries close"): [known("alpha_sparsity", 0.21, 0.19, lambda_conflict=10.0)],
    ("conflict-necessity", 1, "too many entries close"): [known("alpha_sparsity", 0.39, 0.41, lambda_conflict=10.0)],
    ("conflict-necessity", 2, "conflict raises interference"): [
        known("gradient_interference", 0.25, 0.35, lambda_conflict=10.0),
        known("gradient_interference", 0.30, 0.30, lambda_conflict=0.0),
    ],
    ("conflict-necessity", 3, "conflict brings tasks together"): [
        known("isolation", 0.40, 0.20, lambda_conflict=10.0, given="own"),
        known("isolation", 0.30, 0.30, lambda_conflict=0.0, given="own"),
    ],
    ("conflict-necessity", 4, "structure costs 1.1 points"): [
        known("accuracy", 0.891, 0.889, lambda_conflict=10.0, given="own"),
        known("accuracy", 0.900, 0.900, lambda_conflict=0.0, given="own"),
    ],
    ("lr-ratio", 0, "a fast topology stays less decided"): [
        known("structural_entropy", 0.60, 0.40, lr_ratio=1.0),
        known("structural_entropy", 0.50, 0.50, lr_ratio=10.0),
    ],
    ("lr-ratio", 1, "ratio 10 costs 1.1 points against 1"): [
        known("accuracy", 0.891, 0.889, lr_ratio=10.0, given="own"),
        known("accuracy", 0.900, 0.900, lr_ratio=1.0, given="own"),
    ],
    ("lr-ratio", 2, "ratio 20 gains 1.1 points over 10"): [
        known("accuracy", 0.900, 0.900, lr_ratio=10.0, given="own"),
        known("accuracy", 0.909, 0.911, lr_ratio=20.0, given="own"),
    ],
    ("p-drop", 0, "hiding half makes blind inference worse"): [
        known("accuracy", 0.83, 0.77, p_drop=0.5, given="none"),
        known("accuracy", 0.800, 0.800, p_drop=0.0, given="none"),
    ],
    ("p-drop", 1, "hiding widens the gap"): [
        known("accuracy", 0.90, 0.90, p_drop=0.0, given="own"),
        known("accuracy", 0.80, 0.80, p_drop=0.0, given="none"),
        known("accuracy", 0.85, 0.85, p_drop=0.9, given="own"),
        known("accuracy", 0.77, 0.73, p_drop=0.9, given="none"),
    ],
    ("p-drop", 2, "hiding half costs 1.1 points with ID"): [
        known("accuracy", 0.891, 0.889, p_drop=0.5, given="own"),
        known("accuracy", 0.900, 0.900, p_drop=0.0, given="own"),
    ],
    ("p-drop", 3, "hiding makes the routing differ"): [
        known("routing_consistency", 0.90, 0.70, p_drop=0.5),
        known("routing_consistency", 0.80, 0.80, p_drop=0.0),
    ],
    ("depth", 0, "the last layer's experts share more"): [
        known("rank_overlap", 0.40, 0.20, num_layers=6, layer=0),
        known("rank_overlap", 0.30, 0.30, num_layers=6, layer=5),
    ],
    ("depth", 1, "tasks are nearer in the last layer"): [
        known("isolation", 0.30, 0.30, num_layers=6, layer=0, given="own"),
        known("isolation", 0.40, 0.20, num_layers=6, layer=5, given="own"),
    ],
    ("depth", 2, "six blocks lose 1.1 points"): [
        known("accuracy", 0.891, 0.889, num_layers=6, given="own"),
        known("accuracy", 0.900, 0.900, num_layers=2, given="own"),
    ],
    ("depth", 3, "no structure forms"): [known("alpha_sparsity", 0.11, 0.09, num_layers=6)],
}
"""Study and number of a claim, and what is so where it fails: all that the claim may look at, and nothing else."""


def disagreeing(job: Job, measure: str, place: dict[str, Any]) -> float:
    """Large, another for every training, measure and place, and of another sign in the other seed: decides nothing."""
    size = zlib.crc32(f"{job.key.removesuffix(f'-seed{job.seed}')} {measure} {place}".encode()) % 10_007
    return (-1.0) ** job.seed * (1 + size)


def verdict_in_world(study: str, number: int, facts: list[Known], *, holds: bool) -> str:
    """What claim `number` says where only the facts are settled; of all else the two seeds say opposite things."""

    def value_of(job: Job, measure: str, place: dict[str, Any]) -> float:
        known_of = {**job.settings, **place}
        for name, where_it_holds, where_it_fails, where in facts:
            if name == measure and all(known_of.get(column) == value for column, value in where.items()):
                return where_it_holds if holds else where_it_fails
        return disagreeing(job, measure, place)

    name, _, data = study.partition(", ")
    return found_verdicts(name, value_of, OPTIONS[data])[number]


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: "{}-{}: {}".format(*claim))
def test_a_claim_holds_and_fails_by_what_it_speaks_of_whatever_else_is_so(claim: tuple[str, int, str]) -> None:
    study, number, _ = claim
    assert verdict_in_world(study, number, CLAIMS[claim], holds=True) == "holds"
    assert verdict_in_world(study, number, CLAIMS[claim], holds=False) == "fails"


@pytest.mark.parametrize("study", dict.fromkeys(study for study, _, _ in CLAIMS))
def test_every_claim_has_its_worlds_and_where_seeds_disagree_on_everything_all_are_undecided(study: str) -> None:
    name, _, data = study.partition(", ")
    found = found_verdicts(name, disagreeing, OPTIONS[data])
    if data:
        found = found[: -len(full_data.claims([]))]  # need curves: test_study_full_data.py
    assert set(found) == {"undecided"}
    assert set(range(len(found))) == {number for it, number, _ in CLAIMS if it in (name, study)}
