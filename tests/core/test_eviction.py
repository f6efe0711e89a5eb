"""A logit for every dimension (P = R): conflict presses an expert out of single dimensions. And blocks in between."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from cdsp_core.config import MAX_FRAME_BYTES, ModelConfig
from cdsp_core.conflict import topology_penalty
from cdsp_core.frames import Frame
from cdsp_core.layer import CDSPLayer
from cdsp_core.native import why_unavailable
from cdsp_core.snapshot import layer_result
from tests.core.small import small_config, small_trainer, steps

EXECUTIONS = ["auto", "dense", "sorted"]


@pytest.mark.parametrize("execution", EXECUTIONS)
def test_an_expert_loses_the_dimensions_where_its_gradient_opposes_the_others(execution: str) -> None:
    config = small_config(execution=execution, num_partitions=32, num_experts=2, top_k=1).model
    layer = CDSPLayer(config, generator=torch.Generator().manual_seed(4))
    logits_EP = layer.topology.topology_logits
    held = config.rank
    with torch.no_grad():
        logits_EP.fill_(0.0)[:, :held] = 0.5
    generator = torch.Generator().manual_seed(9)
    y_BSD, _ = layer(torch.randn(3, 4, 16, generator=generator), torch.randn(3, 4, generator=generator))
    (y_BSD * torch.randn(y_BSD.shape, generator=generator)).sum().backward()
    layer.record_conflict()
    pressed = layer.pressure_EP > 0
    assert pressed[:, :held].any()
    assert not pressed[:, :held].all()
    assert not pressed[:, held:].any()
    penalty = topology_penalty(logits_EP, layer.pressure_EP, kind="logit")
    (push_EP,) = torch.autograd.grad(penalty, logits_EP)
    free = 32 - held
    with torch.no_grad():
        logits_EP -= 1000.0 * push_EP
    now = layer.topology.subspaces().mask_ER
    for expert in range(2):
        lost = set((~now[expert, :held]).nonzero().flatten().tolist())
        opposed = pressed[expert, :held].nonzero().flatten().tolist()
        # Only as many can go as dimensions are free to take their place; the most opposed go first.
        most_opposed = sorted(opposed, key=lambda d: -float(layer.pressure_EP[expert, d]))[:free]
        assert lost == set(most_opposed)


def test_in_a_run_the_dimensions_an_expert_has_lost_had_suffered_more_conflict_than_those_it_kept() -> None:
    trainer = small_trainer(num_partitions=32, top_k=1, lambda_conflict=10.0, lr_ratio=3.0, steps=60)
    layers = trainer.model.layers
    before = [layer.topology.subspaces().mask_ER for layer in layers]
    conflict, steps_held = ([torch.zeros_like(layer.pressure_EP) for layer in layers] for _ in range(2))
    for _ in range(60):
        for count, layer in zip(steps_held, layers, strict=True):
            count += layer.topology.subspaces().mask_ER
        steps(trainer, 1)
        for total, layer in zip(conflict, layers, strict=True):
            total += layer.pressure_EP
    for held, total, count, layer in zip(before, conflict, steps_held, layers, strict=True):
        now = layer.topology.subspaces().mask_ER
        lost, kept = held & ~now, held & now
        assert lost.sum() > 10
        a_step = total / count.clamp_min(1)
        assert a_step[lost].mean() > 1.1 * a_step[kept].mean()


@pytest.mark.parametrize("execution", EXECUTIONS)
@pytest.mark.parametrize("sizes", [{"num_partitions": 32}, {"num_partitions": 8}, {"num_partitions": 2}])
def test_every_partitioning_trains_and_is_measured_end_to_end(execution: str, sizes: dict[str, Any]) -> None:
    trainer = steps(small_trainer(execution=execution, **sizes), 12)
    arrays = trainer.arrays()
    partitions = sizes["num_partitions"]
    assert arrays["layer1/connection"].shape == (4, partitions)
    assert np.isfinite(arrays["scalars"][:, trainer.log.names.index("conflict_penalty")]).all()
    assert arrays["scalars"][:, trainer.log.names.index("conflict_penalty")].any()
    measures = layer_result(arrays, 1, trainer.config.model)["measures"]
    missing = {"diagonal_gini", "diagonals_above_080"}
    assert {name for name, value in measures.items() if value is None} == missing


@pytest.mark.skipif(why_unavailable() is not None, reason="no kernel")
@pytest.mark.parametrize("partitions", [2, 8, 32])
def test_every_way_to_run_gives_the_same_pressure(partitions: int) -> None:
    found = []
    for execution in EXECUTIONS:
        trainer = steps(small_trainer(execution=execution, num_partitions=partitions, top_k=1), 1)
        found.append(torch.stack([layer.pressure_EP for layer in trainer.model.layers]))
    torch.testing.assert_close(found[0], found[1], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found[0], found[2], rtol=1e-4, atol=1e-5)
    assert found[0].any()


def test_the_lives_sizes_with_a_logit_for_every_dimension_fit_a_frame() -> None:
    config = ModelConfig(num_partitions=256)
    trainer = steps(small_trainer(num_partitions=32), 1)
    frame = Frame(run="r", epoch=0, seq=0, step=1, revision=0, time_ms=0.0, arrays=trainer.arrays())
    assert len(frame.encode()) < trainer.config.model.frame_bytes() < config.frame_bytes() < MAX_FRAME_BYTES
    with pytest.raises(ValueError, match=r"must give frames of at most 1000000 bytes\."):
        ModelConfig(num_experts=64, d_base=4096, num_partitions=4096)
