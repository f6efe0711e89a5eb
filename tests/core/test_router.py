"""Which experts a token uses, and what hiding the task ID does."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from cdsp_core.method.router import Router, top_k_gate
from cdsp_core.models.transformer import PatchTransformer
from tests.core.small import small_config, small_trainer


def router_of(**settings: Any) -> Router:
    router = Router(small_config(**settings).model, generator=torch.Generator().manual_seed(0))
    router.bias.data.uniform_(-1, 1, generator=torch.Generator().manual_seed(1))
    return router


def inputs(seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return 3 * torch.randn(5, 4, 16, generator=generator) + 1, torch.randn(5, 4, generator=generator)


@given(seed=st.integers(0, 1000), experts=st.integers(2, 8), data=st.data())
def test_softmax_over_the_chosen_logits(seed: int, experts: int, data: st.DataObject) -> None:
    top_k = data.draw(st.integers(1, experts))
    logits_TE = torch.randn(6, experts, generator=torch.Generator().manual_seed(seed))
    gate_TK, expert_TK = top_k_gate(logits_TE, top_k, normalise="top_k")
    for gates, experts_of, logits in zip(gate_TK, expert_TK.tolist(), logits_TE, strict=True):
        assert experts_of == logits.argsort(descending=True)[:top_k].tolist()
        torch.testing.assert_close(gates, torch.softmax(logits[experts_of], 0))
    torch.testing.assert_close(gate_TK.sum(1), torch.ones(6))


@given(seed=st.integers(0, 1000), experts=st.integers(2, 8), data=st.data())
def test_softmax_over_all_experts_before_choosing(seed: int, experts: int, data: st.DataObject) -> None:
    top_k = data.draw(st.integers(1, experts))
    logits_TE = torch.randn(6, experts, generator=torch.Generator().manual_seed(seed))
    gate_TK, expert_TK = top_k_gate(logits_TE, top_k, normalise="all")
    torch.testing.assert_close(gate_TK, torch.softmax(logits_TE, 1).gather(1, expert_TK))
    assert torch.equal(expert_TK, top_k_gate(logits_TE, top_k, normalise="top_k")[1])
    assert (gate_TK.sum(1) <= 1 + 1e-6).all()


@pytest.mark.parametrize("gate_softmax", ["top_k", "all"])
def test_the_router_reads_the_normalised_token_beside_the_task_vector(gate_softmax: str) -> None:
    router, (x_BSD, task_BQ) = router_of(gate_softmax=gate_softmax), inputs()
    h_BSD = F.layer_norm(x_BSD, (16,), router.norm_weight, router.norm_bias)
    beside = torch.cat([h_BSD, task_BQ[:, None].expand(-1, 4, -1)], dim=2)
    logits_TE = (beside @ router.weight + router.bias).flatten(0, 1)
    gate_TK, expert_TK = router(x_BSD, task_BQ)
    wanted_gate, wanted_expert = top_k_gate(logits_TE, 2, normalise=gate_softmax)
    assert torch.equal(expert_TK, wanted_expert)
    torch.testing.assert_close(gate_TK, wanted_gate)


def test_norm_per_token_does_not_mix_tokens() -> None:
    router, (x_BSD, task_BQ) = router_of(), inputs()
    changed = x_BSD.clone()
    changed[:, 0] *= 50
    before, after = (router(x, task_BQ)[0].view(5, 4, 2) for x in (x_BSD, changed))
    torch.testing.assert_close(before[:, 1:], after[:, 1:])


def test_norm_over_all_uses_one_mean_and_spread_for_a_sample() -> None:
    router, (x_BSD, _) = router_of(router_norm="all"), inputs()
    mean = x_BSD.mean((1, 2), keepdim=True)
    spread = (x_BSD.var((1, 2), keepdim=True, unbiased=False) + 1e-5).sqrt()
    torch.testing.assert_close(router._normalised(x_BSD), (x_BSD - mean) / spread)


@given(seed=st.integers(0, 1000))
def test_with_the_id_hidden_routing_does_not_depend_on_the_task(seed: int) -> None:
    model = PatchTransformer(small_config().model, generator=torch.Generator().manual_seed(seed))
    image = torch.rand(1, 8, 8, generator=torch.Generator().manual_seed(seed)).expand(3, 8, 8)
    logits, chosen = model(image, torch.arange(3), torch.zeros(3, 1))
    assert torch.equal(logits[0].expand(3, -1), logits)
    for expert_TK in chosen:
        first, second, third = expert_TK.view(3, -1).unbind()
        assert torch.equal(first, second)
        assert torch.equal(first, third)


def test_with_the_id_shown_routing_depends_on_the_task() -> None:
    model = PatchTransformer(small_config().model, generator=torch.Generator().manual_seed(0))
    model.task_embedding.data *= 20
    _, chosen = model(torch.rand(1, 8, 8).expand(3, 8, 8), torch.arange(3), torch.ones(3, 1))
    assert not torch.equal(chosen[0].view(3, -1)[0], chosen[0].view(3, -1)[1])


@pytest.mark.parametrize(("p_drop", "shown"), [(0.0, 1.0), (1.0, 0.0)])
def test_at_its_ends_the_dropout_is_certain(p_drop: float, shown: float) -> None:
    trainer = small_trainer(p_drop=p_drop)
    for step in range(trainer.batches.steps_per_epoch):
        visible = trainer.batches.batch(step).uniform_BL >= trainer.controls.p_drop
        assert (visible.float() == shown).all()


def test_dropout_per_sample_draws_for_every_image() -> None:
    uniform = small_trainer(task_dropout="sample").batches.batch(0).uniform_BL
    assert len(uniform.unique()) == len(uniform) == 12


def test_dropout_per_batch_hides_all_ids_or_none() -> None:
    batches = small_trainer(task_dropout="batch").batches
    draws = [batches.batch(step).uniform_BL.unique() for step in range(batches.steps_per_epoch)]
    assert all(len(draw) == 1 for draw in draws)
    assert len(torch.cat(draws).unique()) == len(draws)


def test_dropout_per_layer_draws_once_a_batch_for_every_layer_by_itself() -> None:
    batches = small_trainer(task_dropout="layer").batches
    draws = torch.stack([batches.batch(step).uniform_BL for step in range(batches.steps_per_epoch)])
    assert draws.shape[2] == 2
    assert (draws == draws[:, :1]).all()
    assert (draws[:, 0, 0] != draws[:, 0, 1]).all()


@pytest.mark.parametrize("hidden", [0, 1])
def test_an_id_hidden_from_one_layer_is_seen_by_the_other(hidden: int) -> None:
    generator = torch.Generator().manual_seed(0)
    model = PatchTransformer(small_config().model, generator=generator)
    seen = []
    for block in model.blocks:
        assert isinstance(block.feed_forward, nn.Module)
        block.feed_forward.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[1]))
    keep_BL = torch.ones(3, 2)
    keep_BL[:, hidden] = 0.0
    model(torch.rand(3, 8, 8, generator=generator), torch.arange(3), keep_BL)
    assert not seen[hidden].any()
    assert torch.equal(seen[1 - hidden], model.task_embedding)


def test_a_task_embedding_for_every_layer_reaches_that_layer_alone() -> None:
    model = PatchTransformer(small_config(task_embedding="layer").model, generator=torch.Generator().manual_seed(0))
    keep_BL = torch.tensor([[1.0, 0.0]]).expand(3, 2)
    model(torch.rand(3, 8, 8), torch.arange(3), keep_BL)[0].square().sum().backward()
    gradient_QL = model.task_embedding.grad
    assert gradient_QL is not None
    first, second = gradient_QL.chunk(2, dim=1)
    assert first.any()
    assert not second.any()
    shared = PatchTransformer(small_config().model)
    assert model.task_embedding.shape == (3, 2 * shared.task_embedding.shape[1])


def test_about_the_right_share_of_ids_is_hidden() -> None:
    batches = small_trainer().batches
    uniform = torch.cat([batches.batch(step).uniform_BL for step in range(40 * batches.steps_per_epoch)])
    assert (uniform < 0.3).float().mean() == pytest.approx(0.3, abs=0.04)


def test_the_embedding_gets_no_gradient_from_hidden_ids() -> None:
    model = PatchTransformer(small_config().model, generator=torch.Generator().manual_seed(0))
    keep_BL = torch.tensor([[1.0], [0.0], [0.0]])
    model(torch.rand(3, 8, 8), torch.arange(3), keep_BL)[0].square().sum().backward()
    assert model.task_embedding.grad is not None
    assert model.task_embedding.grad.any(1).tolist() == [True, False, False]


def test_mixed_fusion_weighs_normalised_logits_of_token_and_task() -> None:
    router, (x_BSD, task_BQ) = router_of(task_fusion="mixed", task_mix=0.3), inputs()
    h_BSD = F.layer_norm(x_BSD, (16,), router.norm_weight, router.norm_bias)
    token_BSE, task_BE = h_BSD @ router.weight[:16] + router.bias, task_BQ @ router.weight[16:]
    wanted = 0.7 * F.layer_norm(token_BSE, (4,)) + 0.3 * F.layer_norm(task_BE, (4,))[:, None]
    torch.testing.assert_close(router.logits(x_BSD, task_BQ), wanted)
    gate_TK, expert_TK = router(x_BSD, task_BQ)
    wanted_gate, wanted_expert = top_k_gate(wanted.flatten(0, 1), 2, normalise="top_k")
    assert torch.equal(expert_TK, wanted_expert)
    torch.testing.assert_close(gate_TK, wanted_gate)


def test_mixed_fusion_bounds_what_a_task_can_do() -> None:
    router, (x_BSD, task_BQ) = router_of(task_fusion="mixed", task_mix=0.3), inputs()
    torch.testing.assert_close(
        router.logits(x_BSD, task_BQ), router.logits(x_BSD, 1000 * task_BQ), atol=1e-3, rtol=1e-3
    )
    hidden = router.logits(x_BSD, torch.zeros_like(task_BQ))
    h_BSD = F.layer_norm(x_BSD, (16,), router.norm_weight, router.norm_bias)
    torch.testing.assert_close(hidden, 0.7 * F.layer_norm(h_BSD @ router.weight[:16] + router.bias, (4,)))


def test_a_run_with_mixed_fusion_trains() -> None:
    trainer = small_trainer(task_fusion="mixed")
    before = trainer.cdsp_layers[0].router.weight.detach().clone()
    trainer.train_step()
    assert not torch.equal(before, trainer.cdsp_layers[0].router.weight)
