"""Rank by force: an expert holds only what sigmoid(A) > 0.5, whichever way the layer is computed."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from cdsp_core.kernels.native import why_unavailable
from cdsp_core.method.backbone import Backbone
from cdsp_core.method.conflict import overlap_matrix, pressure_on_shared, pressure_on_weaker, topology_penalty
from cdsp_core.method.layer import CDSPLayer, structure_penalty
from cdsp_core.method.topology import select_subspaces
from cdsp_core.settings.model import ModelConfig
from cdsp_core.studies.catalogue import theory
from cdsp_core.studies.experiments import forced_conflict
from cdsp_core.training import measures
from cdsp_core.training.evaluation import removal_changes
from cdsp_core.training.trainer import Trainer
from tests.core.oracle import cosine_by_loops, force_of, subspaces_of
from tests.core.small import CPU, small_config, small_data

PATHS = ["dense", "sorted"] if why_unavailable() else ["dense", "sorted", "native"]
SIZES: dict[str, Any] = {
    "image_size": 8,
    "patch_size": 4,
    "d_model": 8,
    "d_task": 4,
    "num_heads": 2,
    "num_kv_heads": 1,
    "num_experts": 4,
    "top_k": 2,
    "rank_rule": "force",
}


def held_by_loops(logits_EP: Tensor, dims: int, rank: int) -> list[list[int]]:
    """Eq. 5's choice, and of it what a force above one half holds, or else the strongest partition's part."""
    force = force_of(logits_EP.double(), dims)
    block = dims // logits_EP.shape[1]
    held = []
    for expert, chosen in enumerate(subspaces_of(logits_EP, dims, rank)):
        strongest = chosen[0] // block
        held.append([d for d in chosen if force[expert][d] > 0.5 or d // block == strongest])
    return held


def layer_at(logits_EP: Tensor, *, dims: int, path: str, seed: int, **settings: Any) -> CDSPLayer:
    """A layer with this A, computed in this way."""
    config = ModelConfig(
        **{**SIZES, "d_base": dims, "num_partitions": logits_EP.shape[1], **settings},
        execution="dense" if path == "dense" else "sorted",
    )
    layer = CDSPLayer(config, generator=torch.Generator().manual_seed(seed))
    layer.path = lambda device: path  # type: ignore[method-assign]
    layer.topology.topology_logits.data.copy_(logits_EP)
    return layer


@given(
    experts=st.integers(1, 5),
    partitions=st.sampled_from([1, 2, 4, 8, 16]),
    rank=st.integers(1, 16),
    seed=st.integers(0, 10_000),
)
def test_an_expert_holds_what_its_force_holds_and_never_more_than_its_quota(
    experts: int, partitions: int, rank: int, seed: int
) -> None:
    logits_EP = torch.randn(experts, partitions, generator=torch.Generator().manual_seed(seed)) - 0.5
    found = select_subspaces(logits_EP, rank=rank, block=16 // partitions, by_force=True)
    expected = held_by_loops(logits_EP, 16, rank)
    assert [sorted(held) for held in expected] == [torch.nonzero(row).flatten().tolist() for row in found.mask_ER]
    assert found.count_EP.sum(1).tolist() == [len(held) for held in expected]
    for index, held, mine in zip(found.index_Er.tolist(), found.held().tolist(), expected, strict=True):
        assert [d for d, holds in zip(index, held, strict=True) if holds] == mine


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("seed", range(4))
def test_every_path_equals_a_loop_over_tokens_with_weights_of_each_experts_own(path: str, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits_EP = torch.randn(4, 4, generator=generator)
    layer = layer_at(logits_EP, dims=32, path=path, seed=seed)
    x_BSD, task_BQ = torch.randn(3, 4, 8, generator=generator), torch.randn(3, 4, generator=generator)
    upstream = torch.randn(3, 4, 8, generator=generator)
    y_BSD, _ = layer(x_BSD, task_BQ)
    (y_BSD * upstream).sum().backward()
    expert_ERN = layer.expert_gradient()
    layer.record_conflict()

    gate_TK, expert_TK = layer.router(x_BSD, task_BQ)
    held = held_by_loops(logits_EP, 32, layer.topology.rank)
    logits = logits_EP.double().requires_grad_()
    backbone = layer.backbone
    assert isinstance(backbone, Backbone)
    u = [backbone.u_DR.detach().double().requires_grad_() for _ in range(4)]
    v = [backbone.v_RD.detach().double().requires_grad_() for _ in range(4)]
    rows = []
    for x_D, gates, experts in zip(x_BSD.flatten(0, 1).double(), gate_TK.double(), expert_TK.tolist(), strict=True):
        y_D = torch.zeros(8, dtype=torch.float64)
        for gate, e in zip(gates, experts, strict=True):
            gamma = torch.stack([torch.sigmoid(logits[e, d // 8]) for d in held[e]]).mean()
            pre = x_D @ u[e][:, held[e]]
            y_D = y_D + gate.detach() * gamma * ((pre * torch.sigmoid(pre)) @ v[e][held[e]])
        rows.append(y_D)
    torch.testing.assert_close(y_BSD.flatten(0, 1).double(), torch.stack(rows), rtol=1e-4, atol=1e-6)
    (torch.stack(rows) * upstream.flatten(0, 1).double()).sum().backward()
    zero_DR, zero_RD = torch.zeros(8, 32, dtype=torch.float64), torch.zeros(32, 8, dtype=torch.float64)
    own_ERN = torch.stack(
        [
            torch.cat([(a.grad if a.grad is not None else zero_DR).T, b.grad if b.grad is not None else zero_RD], dim=1)
            for a, b in zip(u, v, strict=True)
        ]
    )
    torch.testing.assert_close(expert_ERN.double(), own_ERN, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(layer.backbone.u_DR.grad, own_ERN.sum(0)[:, :8].T.float(), rtol=1e-4, atol=1e-6)
    assert logits.grad is not None
    torch.testing.assert_close(layer.topology.topology_logits.grad, logits.grad.float(), rtol=1e-4, atol=1e-6)

    mask_ER = torch.zeros(4, 32, dtype=torch.bool)
    for e, mine in enumerate(held):
        mask_ER[e, mine] = True
    expected = torch.tensor(cosine_by_loops(own_ERN, mask_ER))
    torch.testing.assert_close(layer.cosine_EE, expected, rtol=1e-3, atol=1e-4, equal_nan=True)
    shared = [[len(set(a) & set(b)) / layer.topology.rank for b in held] for a in held]
    torch.testing.assert_close(layer.overlap_EE, torch.tensor(shared))
    jaccard = [len(set(held[a]) & set(held[b])) / len(set(held[a]) | set(held[b])) for a in range(4) for b in range(a)]
    assert measures.rank_overlap(layer.overlap_EE.numpy()) == pytest.approx(sum(jaccard) / 6, abs=1e-6)


@given(partitions=st.sampled_from([2, 4, 8]), seed=st.integers(0, 10_000))
def test_of_two_experts_only_the_one_with_the_weaker_hold_is_pressed(partitions: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits_EP = torch.randn(4, partitions, generator=generator).round(decimals=1)
    mask_ER = select_subspaces(logits_EP, rank=5, block=16 // partitions, by_force=True).mask_ER
    conflict_EE = torch.rand(4, 4, generator=generator)
    conflict_EE = (conflict_EE + conflict_EE.T).fill_diagonal_(0.0)
    expected = [[0.0] * partitions for _ in range(4)]
    for e in range(4):
        for f in range(4):
            common = [d for d in range(16) if mask_ER[e, d] and mask_ER[f, d]]
            for d in common:
                p = d // (16 // partitions)
                own, other = float(logits_EP[e, p]), float(logits_EP[f, p])
                if own < other or (own == other and e > f):
                    expected[e][p] += float(conflict_EE[e, f]) / len(common)
    found = pressure_on_weaker(conflict_EE, mask_ER, logits_EP)
    torch.testing.assert_close(found, torch.tensor(expected), rtol=1e-5, atol=1e-6)
    both = pressure_on_shared(conflict_EE, mask_ER, partitions)
    torch.testing.assert_close(found.sum() * 2, both.sum(), rtol=1e-5, atol=1e-6)
    assert not both.view(4, partitions)[mask_ER.view(4, partitions, -1).sum(2) == 0].any()


def test_a_floor_leaves_eq_16_as_it_is_at_zero_and_stops_pressing_there() -> None:
    logits = torch.tensor([[0.0, -1.5, -3.0, -5.0]], requires_grad=True)
    pressure = torch.full((1, 4), 0.4)
    topology_penalty(logits, pressure, kind="logit", floor=-3.0).backward()
    assert logits.grad is not None
    assert logits.grad.tolist() == [pytest.approx([0.4, 0.2, 0.0, 0.0])]


@pytest.mark.parametrize("start", theory.STARTS)
def test_a_forced_conflict_ends_sharing_when_the_weaker_hold_yields_and_rank_follows_force(start: str) -> None:
    rules = {"rank_rule": "force", "pressure_on": "weaker"}
    rows = forced_conflict.train(
        lambda_conflict=10.0, start=start, seed=0, steps=200, tell=lambda *_: None, rules=rules
    )
    assert float(rows[0]["pair_overlap"] or 0.0) > 0.3
    assert rows[-1]["pair_overlap"] == 0.0
    if start != "dimensions":  # there the task loss alone moves a whole expert's holds together, and they may all end
        free = forced_conflict.train(
            lambda_conflict=0.0, start=start, seed=0, steps=40, tell=lambda *_: None, rules=rules
        )
        assert float(free[-1]["pair_overlap"] or 0.0) > 0.3


def pressed(**settings: Any) -> Trainer:
    """A network of 16 partitions for 4 experts, whose every entry of A is pressed at every step."""
    rules = {"num_partitions": 16, "lambda_conflict": 100.0, "lr_ratio": 100.0, "clip_scope": "apart", **settings}
    trainer = Trainer(small_config(**rules), device=CPU, datasets=small_data())
    for _ in range(40):
        for layer in trainer.cdsp_layers:
            layer.pressure_EP.fill_(1.0)
        trainer.train_step()
    return trainer


def test_without_a_floor_a_layer_of_finer_partitions_is_pressed_until_it_could_be_removed() -> None:
    dead, kept = pressed(), pressed(penalty_floor=-2.0)
    images, _, task_B = dead.test.look(0)
    assert removal_changes(dead.model, images, task_B).max() == 0.0
    assert max(float(layer.topology.topology_logits.max().detach()) for layer in dead.cdsp_layers) < -10.0
    column = dead.log.names.index("layer0/largest_connection")
    assert dead.arrays()["scalars"][-1][column] < 1e-4 < 1e-3 < kept.arrays()["scalars"][-1][column]
    assert min(float(layer.topology.topology_logits.min().detach()) for layer in kept.cdsp_layers) > -8.0


def test_what_a_layer_decides_is_what_changes_when_its_output_is_zero() -> None:
    trainer = pressed(lambda_conflict=0.0)
    images, _, task_B = trainer.test.look(0)
    found = removal_changes(trainer.model, images, task_B)
    keep_B1 = torch.ones(len(task_B), 1)
    whole = trainer.model(images, task_B, keep_B1)[0].argmax(1)
    backbone = trainer.cdsp_layers[1].backbone
    assert isinstance(backbone, Backbone)
    backbone.v_RD.data.zero_()
    without = trainer.model(images, task_B, keep_B1)[0].argmax(1)
    assert float(found[1]) == pytest.approx(float((whole != without).float().mean()))


def test_the_scale_of_the_penalty_is_that_of_an_a_with_an_entry_a_pair() -> None:
    plain, scaled = (
        Trainer(small_config(num_partitions=16, penalty_scale=scale), device=CPU, datasets=small_data())
        for scale in ("one", "experts_over_partitions")
    )
    for trainer in (plain, scaled):
        for layer in trainer.cdsp_layers:
            layer.pressure_EP.fill_(1.0)
    with torch.no_grad():
        whole, quarter = (float(structure_penalty(run.cdsp_layers, run.controls)[1][0]) for run in (plain, scaled))
    assert math.isclose(whole, 4 * quarter, rel_tol=1e-6)


def test_all_experts_overlap_by_the_quota_that_is_given() -> None:
    mask_ER = torch.tensor([[True, True, False], [True, False, False]])
    assert overlap_matrix(mask_ER, 2).tolist() == [[1.0, 0.5], [0.5, 0.5]]
