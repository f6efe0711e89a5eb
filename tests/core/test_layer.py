"""The layer as a whole: its tap collects each expert's gradient, and turns it into next step's pressure on A."""

from __future__ import annotations

from typing import Any, Literal

import pytest
import torch

from cdsp_core.kernels.native import why_unavailable
from cdsp_core.method import conflict
from cdsp_core.method.backbone import Backbone
from cdsp_core.method.layer import CDSPLayer
from cdsp_core.settings.model import ModelConfig
from tests.core.small import CPU, small_config

EXECUTIONS: list[Literal["dense", "sorted"]] = ["dense", "sorted"]


def layer_of(**settings: Any) -> CDSPLayer:
    return CDSPLayer(small_config(**settings).model, generator=torch.Generator().manual_seed(4))


def run_backward(layer: CDSPLayer, *, seed: int = 9) -> None:
    generator = torch.Generator().manual_seed(seed)
    x_BSD = torch.randn(3, 4, 16, generator=generator)
    task_BQ = torch.randn(3, 4, generator=generator)
    y_BSD, _ = layer(x_BSD, task_BQ)
    (y_BSD * torch.randn(y_BSD.shape, generator=generator)).sum().backward()


@pytest.mark.parametrize("execution", EXECUTIONS)
def test_expert_gradients_add_up_to_the_ordinary_gradient(execution: str) -> None:
    layer = layer_of(execution=execution)
    run_backward(layer)
    summed_RN = layer.expert_gradient().sum(0)
    assert isinstance(layer.backbone, Backbone)
    du_DR, dv_RD = layer.backbone.u_DR.grad, layer.backbone.v_RD.grad
    assert du_DR is not None
    assert dv_RD is not None
    torch.testing.assert_close(summed_RN, torch.cat([du_DR.T, dv_RD], dim=1))


@pytest.mark.parametrize("execution", EXECUTIONS)
def test_an_experts_gradient_is_zero_outside_its_subspace(execution: str) -> None:
    layer = layer_of(execution=execution)
    run_backward(layer)
    subspaces = layer.topology.subspaces()
    assert not layer.expert_gradient()[~subspaces.mask_ER].any()


def test_the_ways_to_run_a_layer_agree_on_the_recorded_conflict() -> None:
    layers = [layer_of(execution=execution) for execution in EXECUTIONS]
    for layer in layers:
        run_backward(layer)
        layer.record_conflict()
    torch.testing.assert_close(layers[0].cosine_EE, layers[1].cosine_EE, equal_nan=True, rtol=1e-4, atol=1e-5)


def test_recording_empties_the_tap() -> None:
    layer = layer_of()
    run_backward(layer)
    layer.record_conflict()
    with pytest.raises(ValueError, match=r"the conflict needs a backward pass since it was last recorded\."):
        layer.expert_gradient()
    with pytest.raises(ValueError, match=r"the conflict needs a backward pass since it was last recorded\."):
        layer.record_conflict()


def test_nothing_is_recorded_of_the_step_before_the_last() -> None:
    layer, fresh = layer_of(), layer_of()
    run_backward(layer, seed=1)
    layer.record_conflict()
    for each in (layer, fresh):
        run_backward(each, seed=2)
        each.record_conflict()
    assert torch.equal(layer.cosine_EE.nan_to_num(9.0), fresh.cosine_EE.nan_to_num(9.0))


@pytest.mark.parametrize(("conflict_over", "entries"), [("u", 16), ("uv", 32)])
def test_conflict_is_taken_over_u_alone_or_over_u_and_v(conflict_over: str, entries: int) -> None:
    layer = layer_of(conflict_over=conflict_over)
    run_backward(layer)
    subspaces = layer.topology.subspaces()
    expected = conflict.cosine_matrix(layer.expert_gradient()[:, :, :entries], subspaces.mask_ER)
    layer.record_conflict()
    torch.testing.assert_close(layer.cosine_EE, expected, equal_nan=True, atol=1e-5, rtol=1e-5)


def test_with_a_partition_for_every_expert_the_pressure_is_the_conflict() -> None:
    layer = layer_of()
    run_backward(layer)
    layer.record_conflict()
    assert torch.equal(layer.pressure_EP, conflict.conflict_from_cosine(layer.cosine_EE).nan_to_num(0.0))
    assert layer.pressure_EP.any()


def test_with_a_logit_for_every_dimension_the_pressure_is_each_dimensions_conflict() -> None:
    layer = layer_of(num_partitions=32)
    run_backward(layer)
    expected = conflict.dimension_conflict(layer.expert_gradient())
    layer.record_conflict()
    assert torch.equal(layer.pressure_EP, expected)
    assert layer.pressure_EP.any()


def test_before_the_first_step_there_is_no_conflict_value_and_no_pressure() -> None:
    layer = layer_of()
    assert layer.cosine_EE.isnan().all()
    assert not layer.pressure_EP.any()


def test_looking_without_gradients_leaves_the_tap_alone() -> None:
    layer = layer_of()
    with torch.no_grad():
        layer(torch.randn(2, 4, 16), torch.zeros(2, 4))
    assert layer.tap.leaf.grad is None


def test_a_moved_layer_still_collects_gradients() -> None:
    layer = layer_of().to(CPU).float()
    run_backward(layer)
    assert layer.tap.leaf.is_leaf
    assert layer.expert_gradient().any()


def test_the_layer_says_which_way_it_runs() -> None:
    cuda = torch.device("cuda")
    assert layer_of(execution="dense").path(CPU) == "dense"
    assert layer_of(execution="auto").path(cuda) == "dense"
    assert layer_of(execution="sorted").path(cuda) == "sorted"
    assert layer_of(execution="auto").path(CPU) == ("native" if why_unavailable() is None else "sorted")


def test_the_output_is_the_same_for_every_expert_count_of_one_shared_subspace() -> None:
    # With one partition all experts hold the same dimensions, and equal logits make them the same expert.
    config = ModelConfig(
        image_size=8,
        patch_size=4,
        d_model=16,
        d_base=32,
        num_heads=2,
        num_kv_heads=1,
        num_experts=4,
        num_partitions=1,
        d_task=4,
    )
    layer = CDSPLayer(config, generator=torch.Generator().manual_seed(0))
    layer.topology.topology_logits.data.zero_()
    x_BSD = torch.randn(2, 4, 16)
    y_BSD, _ = layer(x_BSD, torch.zeros(2, 4))
    held = slice(0, config.rank)
    assert isinstance(layer.backbone, Backbone)
    pre = x_BSD @ layer.backbone.u_DR[:, held]
    torch.testing.assert_close(y_BSD, 0.5 * torch.nn.functional.silu(pre) @ layer.backbone.v_RD[held])
