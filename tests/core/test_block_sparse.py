"""Block-sparse masks over full matrices: every path equals the plain loop, and everything else is the low-rank code."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from cdsp_core.kernels.experts import experts_on_cpu
from cdsp_core.kernels.native import why_unavailable
from cdsp_core.method import conflict
from cdsp_core.method.backbone import Backbone, sorted_experts
from cdsp_core.method.block_sparse import BlockSparseBackbone
from cdsp_core.method.layer import CDSPLayer
from cdsp_core.method.topology import Topology
from cdsp_core.settings.model import ModelConfig
from tests.core.oracle import cosine_by_loops
from tests.core.small import CPU, small_config, small_trainer, steps

PATHS = ["dense", "sorted", pytest.param("native", marks=pytest.mark.skipif(why_unavailable() is not None, reason="-"))]


def config_of(experts: int, partitions: int, *, width: int = 8, dims: int = 24) -> ModelConfig:
    return ModelConfig(
        image_size=8,
        patch_size=4,
        d_model=width,
        d_base=dims,
        num_heads=2,
        num_kv_heads=1,
        num_experts=experts,
        num_partitions=partitions,
        backbone="block_sparse",
    )


@dataclass(frozen=True, kw_only=True)
class Case:
    config: ModelConfig
    x_TD: Tensor
    gate_TK: Tensor
    expert_TK: Tensor
    logits_EP: Tensor
    dy_TD: Tensor


@st.composite
def cases(draw: st.DrawFn) -> Case:
    experts, partitions = draw(st.integers(2, 5)), draw(st.sampled_from([1, 2, 4, 6, 8, 12, 24]))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 10_000)))
    tokens, top_k = draw(st.integers(1, 10)), draw(st.integers(1, 2))
    logits_EP = torch.randn(experts, partitions, generator=generator)
    return Case(
        config=config_of(experts, partitions),
        x_TD=torch.randn(tokens, 8, generator=generator),
        gate_TK=torch.rand(tokens, top_k, generator=generator) + 0.1,
        expert_TK=torch.rand(tokens, experts, generator=generator).argsort(1)[:, :top_k],
        logits_EP=logits_EP.round() if draw(st.booleans()) else logits_EP,
        dy_TD=torch.randn(tokens, 8, generator=generator),
    )


def held_columns(config: ModelConfig, logits_P: list[float]) -> list[tuple[int, int, int]]:
    """Part of the width, column and partition of what an expert with these logits holds, strongest block first."""
    parts, columns = config.width_parts, config.num_partitions // config.width_parts
    group = config.d_base // columns
    everything = [
        (i, j * group + c, i * columns + j) for i in range(parts) for j in range(columns) for c in range(group)
    ]
    return sorted(everything, key=lambda held: -logits_P[held[2]])[: config.rank * parts]


def by_loops(case: Case, w1_DR: Tensor, w2_RD: Tensor) -> dict[str, Tensor]:
    """The layer with a copy of both matrices for every expert, in float64; masks made entry by entry."""
    config = case.config
    experts, part = config.num_experts, config.d_model // config.width_parts
    x, gate, logits = (v.detach().double().clone().requires_grad_() for v in (case.x_TD, case.gate_TK, case.logits_EP))
    w1, w2 = ([w.detach().double().clone().requires_grad_() for _ in range(experts)] for w in (w1_DR, w2_RD))
    held = [held_columns(config, row) for row in case.logits_EP.tolist()]
    masks = []
    for columns in held:
        mask_DR = torch.zeros(config.d_model, config.d_base, dtype=torch.float64)
        for i, d, _ in columns:
            mask_DR[i * part : (i + 1) * part, d] = 1.0
        masks.append(mask_DR)
    gamma = [torch.stack([torch.sigmoid(logits[e, p]) for _, _, p in held[e]]).mean() for e in range(experts)]
    rows = []
    for t, chosen in enumerate(case.expert_TK.tolist()):
        y = torch.zeros(config.d_model, dtype=torch.float64)
        for k, e in enumerate(chosen):
            pre = x[t] @ (w1[e] * masks[e])
            y = y + gate[t, k] * gamma[e] * ((pre * torch.sigmoid(pre)) @ (w2[e] * masks[e].T))
        rows.append(y)
    y_TD = torch.stack(rows)
    (y_TD * case.dy_TD.double()).sum().backward()
    dw1, dw2 = ([torch.zeros_like(w) if w.grad is None else w.grad for w in each] for each in (w1, w2))
    dexpert = torch.zeros(experts, config.held_dims, 2 * part, dtype=torch.float64)
    for e, columns in enumerate(held):
        for i, d, _ in columns:
            at = slice(i * part, (i + 1) * part)
            dexpert[e, i * config.d_base + d] = torch.cat([dw1[e][at, d], dw2[e][d, at]])
    return {
        "y": y_TD.detach(),
        "dx": gradient(x),
        "dgate": gradient(gate),
        "dlogits": gradient(logits),
        "dw1": torch.stack(dw1).sum(0),
        "dw2": torch.stack(dw2).sum(0),
        "dexpert": dexpert,
    }


def gradient(leaf: Tensor) -> Tensor:
    assert leaf.grad is not None
    return leaf.grad


def by_path(case: Case, path: str) -> tuple[dict[str, Tensor], BlockSparseBackbone]:
    generator = torch.Generator().manual_seed(1)
    backbone, topology = (
        BlockSparseBackbone(case.config, generator=generator),
        Topology(case.config, generator=generator),
    )
    topology.topology_logits.data.copy_(case.logits_EP)
    x_TD, gate_TK = case.x_TD.clone().requires_grad_(), case.gate_TK.clone().requires_grad_()
    subspaces = topology.subspaces()
    gathered = backbone.gather(subspaces)
    tap = torch.zeros_like(gathered).requires_grad_()
    routed = (x_TD, gate_TK, case.expert_TK, topology.strength(subspaces))
    if path == "dense":
        y_TD = backbone.dense(*routed, gathered + tap, subspaces, tapped=True)
    else:
        run = sorted_experts if path == "sorted" else experts_on_cpu
        y_TD = run(*routed, backbone.expert_weights(gathered + tap, subspaces))
    (y_TD * case.dy_TD).sum().backward()
    dexpert = torch.zeros(case.config.num_experts, case.config.held_dims, gathered.shape[2])
    for expert, dims in enumerate(subspaces.index_Er.tolist()):
        dexpert[expert, dims] = gradient(tap)[expert]
    found = {
        "y": y_TD.detach(),
        "dx": gradient(x_TD),
        "dgate": gradient(gate_TK),
        "dlogits": gradient(topology.topology_logits),
        "dw1": gradient(backbone.w1_DR),
        "dw2": gradient(backbone.w2_RD),
        "dexpert": dexpert,
    }
    return found, backbone


@pytest.mark.parametrize("path", PATHS)
@given(case=cases())
def test_every_path_equals_the_plain_loop(path: str, case: Case) -> None:
    found, backbone = by_path(case, path)
    for name, wanted in by_loops(case, backbone.w1_DR, backbone.w2_RD).items():
        error = (found[name] - wanted).abs().max() / wanted.abs().max().clamp_min(1.0)
        assert error <= 1e-5, f"{name} by the {path} path is off by {error:.1e}"


@pytest.mark.parametrize("path", PATHS)
@given(case=cases())
def test_the_experts_gradients_add_up_to_the_ordinary_gradient_of_both_matrices(path: str, case: Case) -> None:
    found, _ = by_path(case, path)
    parts = case.config.width_parts
    du, dv = found["dexpert"].sum(0).view(parts, case.config.d_base, 2, -1).unbind(2)
    torch.testing.assert_close(du.transpose(1, 2).flatten(0, 1), found["dw1"], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(dv.transpose(0, 1).flatten(1), found["dw2"], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("partitions", "parts", "columns"), [(1, 1, 1), (4, 2, 2), (6, 2, 3), (8, 2, 4), (12, 2, 6), (24, 4, 6), (3, 1, 3)]
)
def test_the_grid_is_as_square_as_the_sizes_allow(partitions: int, parts: int, columns: int) -> None:
    config = config_of(4, partitions)
    assert (config.width_parts, partitions // config.width_parts) == (parts, columns)


def test_an_expert_holds_as_many_weights_as_under_the_low_rank_backbone() -> None:
    for partitions in (1, 3, 4, 8, 24):
        config = config_of(4, partitions)
        held = Topology(config).subspaces().mask_ER.sum(1) * (2 * config.d_model // config.width_parts)
        assert held.tolist() == [config.rank * 2 * config.d_model] * 4


def test_with_one_part_of_the_width_it_is_the_low_rank_backbone() -> None:
    low, sparse = (
        CDSPLayer(small_config(num_partitions=2, backbone=name).model, generator=torch.Generator().manual_seed(4))
        for name in ("low_rank", "block_sparse")
    )
    assert isinstance(low.backbone, Backbone)
    assert isinstance(sparse.backbone, BlockSparseBackbone)
    for layer in (low, sparse):
        run_backward(layer)
        layer.record_conflict()
    torch.testing.assert_close(sparse.backbone.w1_DR.grad, low.backbone.u_DR.grad, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(sparse.cosine_EE, low.cosine_EE, equal_nan=True, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(sparse.pressure_EP, low.pressure_EP, rtol=1e-4, atol=1e-5)


def run_backward(layer: CDSPLayer) -> None:
    generator = torch.Generator().manual_seed(9)
    y_BSD, _ = layer(torch.randn(3, 4, 16, generator=generator), torch.randn(3, 4, generator=generator))
    (y_BSD * torch.randn(y_BSD.shape, generator=generator)).sum().backward()


@pytest.mark.parametrize("settings", [{}, {"execution": "dense"}, {"conflict_over": "u"}, {"num_partitions": 16}])
def test_conflict_is_the_cosine_over_the_weights_both_hold(settings: dict[str, Any]) -> None:
    sizes = {"backbone": "block_sparse", "num_partitions": 4, **settings}
    layer = CDSPLayer(small_config(**sizes).model, generator=torch.Generator().manual_seed(4))
    layer.topology.topology_logits.data.normal_(generator=torch.Generator().manual_seed(5))
    run_backward(layer)
    gradient_ERN, mask_ER = layer.expert_gradient(), layer.topology.subspaces().mask_ER
    compared = gradient_ERN.shape[2] // (2 if "conflict_over" in settings else 1)
    assert gradient_ERN.shape == (4, 32 * layer.config.width_parts, 2 * 16 // layer.config.width_parts)
    expected = torch.tensor(cosine_by_loops(gradient_ERN[:, :, :compared], mask_ER), dtype=torch.float32)
    layer.record_conflict()
    torch.testing.assert_close(layer.cosine_EE, expected, equal_nan=True, rtol=1e-4, atol=1e-5)
    conflict_EE = conflict.conflict_from_cosine(layer.cosine_EE)
    pressure_EP = conflict.pressure_on_partitions(conflict_EE, mask_ER, layer.config.num_partitions)
    torch.testing.assert_close(layer.pressure_EP, pressure_EP)
    assert layer.cosine_EE.isfinite().sum() > 4


@pytest.mark.parametrize("partitions", [4, 8, 32])
def test_a_block_sparse_run_learns_and_its_frames_show_what_is_held(partitions: int) -> None:
    trainer = steps(small_trainer(backbone="block_sparse", num_partitions=partitions), 25)
    arrays = trainer.arrays()
    loss = arrays["scalars"][:, trainer.log.names.index("task_loss")]
    assert loss[-5:].mean() < loss[:5].mean() - 0.2
    told = trainer.describe()
    assert (told["dims"], told["rank"]) == (trainer.config.model.held_dims, trainer.config.model.held_rank)
    assert arrays["layer0/subspace"].shape == (4, math.ceil(told["dims"] / 8))
    assert sum(bin(byte).count("1") for byte in arrays["layer0/subspace"][0].tolist()) == told["rank"]


def test_an_accelerator_sorts_since_every_expert_for_every_token_costs_too_much() -> None:
    layer = CDSPLayer(small_config(backbone="block_sparse").model)
    assert layer.path(torch.device("cuda")) == "sorted"
    assert layer.path(CPU) == CDSPLayer(small_config().model).path(CPU)
    assert CDSPLayer(small_config(backbone="block_sparse", execution="dense").model).path(CPU) == "dense"
