"""Study `theory`: chance cosines, entropy, forced conflict."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from cdsp_core.studies.catalogue import theory
from cdsp_core.studies.experiments import forced_conflict
from cdsp_core.studies.experiments.pair_cosines import chance_cosines, kolmogorov_smirnov, scaled_cosines
from cdsp_core.studies.framework.study import Job, Row, StudyOptions
from tests.core.small import small_trainer, steps
from tests.core.study_rows import SEEDS, rows_of, tell_nobody, verdicts


def test_normal_values_are_at_a_distance_that_chance_gives_and_wider_ones_are_not() -> None:
    values = np.random.default_rng(0).normal(size=400)
    distance, probability = kolmogorov_smirnov(values)
    assert distance < 0.07
    assert probability > 0.05
    assert kolmogorov_smirnov(1.5 * values)[1] < 1e-3


def test_the_distance_of_one_value_is_known() -> None:
    distance, probability = kolmogorov_smirnov(np.array([0.0]))
    assert distance == pytest.approx(0.5)
    assert probability > 0.8
    assert math.isnan(kolmogorov_smirnov(np.array([]))[0])


def test_random_gradients_measure_as_chance_and_real_ones_are_scaled_by_the_entries_compared() -> None:
    trainer = steps(small_trainer(), 1)
    layers = trainer.cdsp_layers
    drawn = np.concatenate([chance_cosines(layers, generator=torch.Generator().manual_seed(s)) for s in range(25)])
    assert (drawn**2).mean() == pytest.approx(1.0, abs=0.2)
    layer = layers[0]
    first, second = np.argwhere(np.triu(np.isfinite(layer.cosine_EE.numpy()), k=1))[0]
    compared = float(layer.overlap_EE[first, second]) * layer.topology.rank * 2 * layer.config.d_model
    assert scaled_cosines(layers)[0] == pytest.approx(float(layer.cosine_EE[first, second]) * compared**0.5, rel=1e-5)


@pytest.mark.parametrize("start", theory.STARTS)
def test_a_forced_pair_has_opposite_gradients_wherever_it_meets(start: str) -> None:
    rows = forced_conflict.train(lambda_conflict=10.0, start=start, seed=0, steps=6, tell=tell_nobody)
    assert rows[0]["pair_overlap"] != 0.0
    assert [row["step"] for row in rows] == [0, 2, 4, 6]
    assert all(row["cosine"] == pytest.approx(-1.0, abs=1e-4) for row in rows[1:])


def test_constant_pressure_moves_the_pair_apart_at_the_learning_rate_of_a_and_not_without_it() -> None:
    pressed, free = (
        forced_conflict.train(lambda_conflict=weight, start="third", seed=0, steps=60, tell=tell_nobody)[-1]
        for weight in (10.0, 0.0)
    )
    assert pressed["decoupled"]
    assert not free["decoupled"]
    assert float(pressed["connection"] or 0.0) == pytest.approx(1 / (1 + math.exp(60 * 0.05)), abs=0.03)


def test_a_few_steps_of_training_give_entropy_and_cosines() -> None:
    job = next(job for job in theory.jobs(StudyOptions(seeds=1)) if job.settings["kind"] == "training")
    short = Job(key=job.key, seed=0, settings={**job.settings, "steps": 10})
    rows = theory.STUDY.run(short, StudyOptions(), tell_nobody)
    assert [row["step"] for row in rows] == [1, 10]
    assert all(0.9 < float(row["entropy"] or 0.0) <= 1.0 for row in rows)
    assert all(row["null_ratio"] is not None for row in rows)


def made(job: Job, *, ratio: float, decoupled_at: int, gone: float) -> list[Row]:
    if job.settings["kind"] == "training":
        fall = 0.02 if job.settings["arm"] == "lambda-0" else 0.1
        return [
            {
                "step": step,
                "entropy": 1.0 - fall * step,
                "null_ratio": ratio + 0.01 * job.seed,
                "null_ratio_of_chance": ratio,
            }
            for step in (1, 2, 3)
        ]
    return [
        {"step": step, "pair_overlap": 0.5 if step == 0 else 0.5 * (1.0 - gone), "decoupled": step >= decoupled_at}
        for step in range(0, 201, 2)
    ]


def test_claims_follow_ratios_falls_and_overlaps() -> None:
    holding = rows_of(theory.STUDY, lambda job: made(job, ratio=1.0, decoupled_at=44, gone=1.0))
    for row in holding:
        row.update({name: row.get(name) for name in ("ks_distance", "ks_probability")})
        row.update({"negative_frac": 0.5 if row["null_ratio"] else None, "cosine": None, "connection": None})
    findings = theory.find(holding, SEEDS)
    assert verdicts(findings.claims) == ["holds"] * 7
    assert verdicts(findings.checks) == ["holds"] * 3
    failing = [
        {
            **row,
            "negative_frac": 0.1 if row["null_ratio"] else None,
            "null_ratio_of_chance": 9.0 if row["null_ratio_of_chance"] else None,
            "pair_overlap": 0.5 if row["pair_overlap"] is not None else None,
            "decoupled": False if row["decoupled"] is not None else None,
            "entropy": float(row["step"] or 0) if row["entropy"] else None,
        }
        for row in holding
    ]
    failed = theory.find(failing, SEEDS)
    assert verdicts(failed.claims) == ["fails", "fails", "fails", "no effect", "fails", "fails", "fails"]
    assert verdicts(failed.checks) == ["fails"] * 3
