"""A logit for every dimension (P = R): conflict presses an expert out of single dimensions. And blocks in between."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from cdsp_core.kernels.native import why_unavailable
from cdsp_core.method.conflict import topology_penalty
from cdsp_core.method.layer import CDSPLayer, structure_penalty
from cdsp_core.method.topology import select_subspaces
from cdsp_core.settings.model import MAX_FRAME_BYTES, ModelConfig
from cdsp_core.training.telemetry import layer_result
from cdsp_core.wire.frames import Frame
from tests.core.small import small_config, small_trainer, state_of, steps

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
        logits_EP.sub_(1000.0 * push_EP)
    now = layer.topology.subspaces().mask_ER
    for expert in range(2):
        lost = set((~now[expert, :held]).nonzero().flatten().tolist())
        opposed = pressed[expert, :held].nonzero().flatten().tolist()
        # Only as many can go as dimensions are free to take their place; the most opposed go first.
        most_opposed = sorted(opposed, key=lambda d: -float(layer.pressure_EP[expert, d]))[:free]
        assert lost == set(most_opposed)


@pytest.mark.parametrize(("kind", "slope"), [("logit", 1.0), ("logit_while_positive", 1.0), ("sigmoid", 0.25)])
def test_a_conflict_at_one_dimension_presses_on_that_logit_and_on_no_other(kind: str, slope: float) -> None:
    trainer = small_trainer(num_partitions=32, penalty=kind, lambda_conflict=10.0, l1=0.0, binarize=0.0)
    first, second = (layer.topology.topology_logits for layer in trainer.cdsp_layers)
    with torch.no_grad():
        second.fill_(0.0)[2, 7] = 0.002
        trainer.cdsp_layers[1].pressure_EP[2, 7] = 0.7
    penalty, _ = structure_penalty(trainer.cdsp_layers, trainer.controls)
    push_first_EP, push_second_EP = torch.autograd.grad(penalty, [first, second])
    assert not push_first_EP.any()
    assert push_second_EP.nonzero().tolist() == [[2, 7]]
    assert float(push_second_EP[2, 7]) == pytest.approx(10.0 * 0.7 * slope, rel=1e-4)


@pytest.mark.parametrize("execution", EXECUTIONS)
def test_a_conflict_at_one_dimension_turns_its_rising_logit_down_and_changes_nothing_else(execution: str) -> None:
    settings = {"execution": execution, "num_partitions": 32, "top_k": 1, "grad_clip": 1e6}  # a scale would reach all
    without, pressed = small_trainer(**settings), small_trainer(**settings)
    name, before = "blocks.0.feed_forward.topology.topology_logits", state_of(without)
    held_ER = without.cdsp_layers[0].topology.subspaces().mask_ER
    after = state_of(steps(without, 1))
    expert, dimension = (held_ER & (after[name] > before[name])).nonzero()[0].tolist()

    pressed.cdsp_layers[0].pressure_EP[expert, dimension] = 1.0
    found = state_of(steps(pressed, 1))
    assert found[name][expert, dimension] < before[name][expert, dimension]
    found[name][expert, dimension] = after[name][expert, dimension]
    for entry, value in after.items():
        torch.testing.assert_close(found[entry], value, rtol=0, atol=0, equal_nan=True)


def test_dimensions_are_left_in_the_order_of_the_conflict_at_them() -> None:
    trainer = small_trainer(num_partitions=32, lambda_conflict=10.0, l1=0.0, binarize=0.0)
    topology, pressure_EP = trainer.cdsp_layers[0].topology, trainer.cdsp_layers[0].pressure_EP
    held = topology.rank
    order = torch.randperm(held, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        topology.topology_logits.fill_(0.0)[:, :held] = 0.5
        pressure_EP[1, order] = torch.arange(held, 0, -1) / held
    penalty, _ = structure_penalty(trainer.cdsp_layers, trainer.controls)
    (push_EP,) = torch.autograd.grad(penalty, topology.topology_logits)
    for count in range(held + 1):
        rate = 0.5 * held / (10.0 * (held + 0.5 - count))  # takes the `count` most pressed logits from 0.5 below 0
        now = select_subspaces(topology.topology_logits.detach() - rate * push_EP, rank=held, block=1).mask_ER
        assert set((~now[1, :held]).nonzero().flatten().tolist()) == set(order[:count].tolist())
        assert now[[0, 2, 3], :held].all()


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
        found.append(torch.stack([layer.pressure_EP for layer in trainer.cdsp_layers]))
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
