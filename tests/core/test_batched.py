"""Many runs trained as one are the runs trained one by one.

Singles take the same dense path without the native operations, so what is left between the two is the rounding of sums
in another order.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from cdsp_core.method.conflict import pressing_conflict
from cdsp_core.training.batched import BatchedTrainer, why_not_batched
from cdsp_core.training.evaluation import show_whole_test_set
from cdsp_core.training.trainer import Trainer
from tests.core.small import CPU, small_config, small_data
from tests.core.test_no_host_waiting import no_waiting

RUNS: list[dict[str, Any]] = [
    {"seed": 0},
    {"seed": 1, "p_drop": 0.1, "lambda_conflict": 0.0, "lr_base": 1e-2},
    {"seed": 5, "lambda_conflict": 3.0, "lr_ratio": 2.0, "l1": 1e-2, "binarize": 0.1},
]
WITHIN = 5e-5
"""of weights up to 1 after 17 steps; AdamW enlarges the rounding of gradients that are nearly 0"""
MODELS: list[dict[str, Any]] = [
    {},
    {"clip_scope": "apart", "task_fusion": "mixed", "num_partitions": 8, "penalty": "sigmoid", "sharing": 1.5},
    {
        "penalty": "logit_while_positive",
        "conflict_over": "u",
        "router_norm": "all",
        "task_dropout": "layer",
        "task_embedding": "layer",
        "encoder_init": "release",
        "topology_init": "self_biased",
    },
    {
        "rank_rule": "force",
        "pressure": "flipped",
        "pressure_on": "weaker",
        "penalty_floor": -3.0,
        "hidden_task": "inferred",
        "route_distillation": 1.0,
        "validation_frac": 0.1,
    },
    {"pressure": "absent", "num_partitions": 8, "penalty_scale": "experts_over_partitions", "pressure_on": "shared"},
    {"architecture": "standard", "gate_softmax": "all", "hidden_task": "inferred"},
    {"architecture": "blind", "task_fusion": "mixed", "clip_scope": "apart"},
]


def batched(runs: list[dict[str, Any]] | None = None, **settings: Any) -> BatchedTrainer:
    """A batch of small runs."""
    return BatchedTrainer(
        [small_config(**{**settings, **run}) for run in runs or RUNS], device=CPU, datasets=small_data()
    )


def singles(trainer: BatchedTrainer) -> list[Trainer]:
    """The same runs, one by one, on the dense path: by torch's operations alone."""
    return [
        Trainer(replace(config, model=trainer.model_config), device=CPU, datasets=trainer.data)
        for config in trainer.configs
    ]


@pytest.mark.parametrize("settings", MODELS)
def test_every_run_of_a_batch_is_its_single_run_at_every_step(settings: dict[str, Any]) -> None:
    trainer = batched(**settings)
    alone = singles(trainer)
    for step in range(1, 18):
        trainer.train_step()
        for run, single in enumerate(alone):
            single.train_step()
            rows = [trainer.models.weights_XW[run], trainer.models.topology_XA[run]]
            for ours, theirs in zip(rows, single.parameters, strict=False):
                torch.testing.assert_close(ours, theirs, rtol=0, atol=WITHIN)
        if step in (4, 15, 17):  # into a second data epoch; at looks and between them
            for found, wanted in zip(trainer.arrays(), (single.arrays() for single in alone), strict=True):
                assert found.keys() == {name for name in wanted if not name.endswith("topology_gradient")}
                for name, array in found.items():
                    np.testing.assert_allclose(array, wanted[name], rtol=2e-4, atol=WITHIN, err_msg=name)


def test_a_batch_shows_the_whole_test_set_as_single_runs_do() -> None:
    trainer = batched()
    alone = singles(trainer)
    for _ in range(5):
        trainer.train_step()
        for single in alone:
            single.train_step()
    for ours, single in zip(trainer.show_whole_test_set(), alone, strict=True):
        theirs = show_whole_test_set(single.model, single.test, tasks=3, experts=4)
        torch.testing.assert_close(ours.accuracy_QG, theirs.accuracy_QG)
        torch.testing.assert_close(ours.routing_LQGE, theirs.routing_LQGE)


def test_a_run_that_breaks_stays_where_it_was_and_the_others_go_on() -> None:
    trainer = batched()
    trainer.train_step()
    with torch.no_grad():
        trainer.models.buffers["blocks.0.feed_forward.pressure_EP"][2] = torch.nan
    before = trainer.models.weights_XW.detach().clone()
    trainer.train_step()
    trainer.train_step()
    trainer.arrays()
    assert torch.equal(trainer.models.weights_XW[2], before[2])
    assert not torch.equal(trainer.models.weights_XW[0], before[0])
    assert {run: (error.term, error.step) for run, error in trainer.failed.items()} == {2: ("conflict_penalty", 2)}


@pytest.mark.parametrize("kind", ["permuted", "noise"])
def test_every_run_of_a_batch_deals_its_own_pressure(kind: str) -> None:
    """Whose draws follow the cosines to their last bits, so a run alone deals other ones of the same law."""
    trainer = batched([{"seed": 0}, {"seed": 0}, {"seed": 4}], pressure=kind)
    for _ in range(3):
        trainer.train_step()
    keys = trainer.models.buffers["blocks.0.feed_forward.pressure_key"]
    assert keys[0] == keys[1] != keys[2]
    cosine_XEE = trainer.models.buffers["blocks.0.feed_forward.cosine_EE"]
    pressure_XEP = trainer.models.buffers["blocks.0.feed_forward.pressure_EP"]
    for key, cosine_EE, pressure_EP in zip(keys, cosine_XEE, pressure_XEP, strict=True):
        expected = pressing_conflict(cosine_EE, kind=kind, key=key).nan_to_num(0.0)
        torch.testing.assert_close(pressure_EP, expected)


def test_every_run_deals_its_own_conflicts_anew_where_the_pressure_is_permuted() -> None:
    trainer = batched(pressure="permuted")
    upper = torch.triu_indices(4, 4, offset=1)
    moved = [False] * len(RUNS)
    for _ in range(12):
        trainer.train_step()
        for layer in (0, 1):
            of_layer = trainer.models.buffers_of(layer)
            dealt_XM = of_layer["pressure_EP"][:, upper[0], upper[1]]
            conflict_XM = torch.relu(-of_layer["cosine_EE"]).nan_to_num(0.0)[:, upper[0], upper[1]]
            assert torch.equal(dealt_XM.sort(dim=1).values, conflict_XM.sort(dim=1).values)
            moved = [so_far or bool(here) for so_far, here in zip(moved, (dealt_XM != conflict_XM).any(1), strict=True)]
    assert all(moved)


@pytest.mark.parametrize("settings", [{}, {"architecture": "standard"}])
def test_a_step_of_a_batch_never_waits_for_the_device(settings: dict[str, Any]) -> None:
    trainer = batched(**settings)
    trainer.train_step()
    with no_waiting():
        for _ in range(3):
            trainer.train_step()
    assert trainer.step == 4


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"architecture": "dense"},
            "architecture must be one of cdsp, standard, blind in a batch of runs. Found dense.",
        ),
        ({"conflict_every": 2}, "conflict_every must be 1 in a batch of runs. Found 2."),
        ({"aggregation": "pcgrad"}, "aggregation must be sum in a batch of runs. Found pcgrad."),
        ({"controller": "sharing"}, "controller must be off in a batch of runs. Found sharing."),
    ],
)
def test_what_cannot_be_batched_is_refused_in_a_sentence(settings: dict[str, Any], sentence: str) -> None:
    assert why_not_batched(small_config(**settings)) == sentence
    with pytest.raises(ValueError, match=sentence):
        batched([{}], **settings)


def test_runs_of_one_batch_differ_in_seed_and_controls_only() -> None:
    with pytest.raises(ValueError, match="must differ in seed and controls only"):
        batched([{}, {"weight_decay": 0.5}])
    with pytest.raises(ValueError, match="must have at least one run"):
        BatchedTrainer([], device=CPU, datasets=small_data())
