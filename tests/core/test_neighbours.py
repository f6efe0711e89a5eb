"""Related methods against plain loops written from their sources' equations."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cdsp_core.models.registry import layer_maker
from cdsp_core.models.related.dselect_k import DSelectK, select, smooth_step
from cdsp_core.models.related.expert_choice import ExpertChoice
from cdsp_core.models.related.shared_fine import SharedFineMixture
from cdsp_core.models.related.stgc import StgcMixture, elimination_gradient, token_cosine
from cdsp_core.settings.model import ModelConfig
from cdsp_core.training.evaluation import show_with_every_id
from tests.core.small import small_config, small_trainer, steps

B, S, D, Q, E, K = 3, 4, 16, 4, 4, 2
T = B * S


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(3)


def config_of(architecture: str, **settings: Any) -> ModelConfig:
    return small_config(architecture=architecture, **settings).model


def made(architecture: str, **settings: Any) -> Any:
    """A layer in float64 by torch operations, its weights large enough for the gates to differ."""
    config = config_of(architecture, execution="dense", **settings)
    layer: nn.Module = layer_maker(config)(config, generator=generator()).double()
    layer.router.weight.data.mul_(5.0)  # type: ignore[union-attr, operator]
    return layer


def inputs() -> tuple[Tensor, Tensor]:
    x_BSD = torch.randn(B, S, D, generator=generator(), dtype=torch.float64)
    task_BQ = torch.randn(B, Q, generator=generator(), dtype=torch.float64)
    return x_BSD, task_BQ


def expert_output(x_D: Tensor, weight_HN: Tensor) -> Tensor:
    """silu(x U) V of one token and one expert, one hidden unit after the other."""
    y_D = torch.zeros_like(x_D)
    for unit_N in weight_HN:
        pre = (x_D * unit_N[:D]).sum()
        y_D = y_D + pre / (1 + torch.exp(-pre)) * unit_N[D:]
    return y_D


def logits_of(layer: Any, x_BSD: Tensor, task_BQ: Tensor) -> Tensor:
    logits: Tensor = layer.router.logits(x_BSD, task_BQ).flatten(0, 1)
    return logits


def expert_choice_by_loops(layer: ExpertChoice, x_BSD: Tensor, task_BQ: Tensor) -> tuple[Tensor, list[list[int]]]:
    """Every expert sorts the tokens by its score and takes the first C = T K / E (section 3.2)."""
    score_TE = torch.softmax(logits_of(layer, x_BSD, task_BQ), dim=1)
    rows = [torch.zeros(D, dtype=torch.float64) for _ in range(T)]
    experts: list[list[int]] = [[-1] * E for _ in range(T)]
    for expert in range(E):
        by_score = sorted(range(T), key=lambda token: -score_TE[token, expert].item())
        for token in by_score[: T * K // E]:
            out = expert_output(x_BSD.flatten(0, 1)[token], layer.experts.weight_EHN[expert])
            rows[token] = rows[token] + score_TE[token, expert] * out
            experts[token][expert] = expert
    return torch.stack(rows), experts


def shared_fine_by_loops(layer: SharedFineMixture, x_BSD: Tensor, task_BQ: Tensor) -> tuple[Tensor, list[list[int]]]:
    """The shared expert of every token, and the 4 K - 1 best of 4 E - 1 by affinity, as it is (Eq. 9-11)."""
    affinity_TF = torch.softmax(logits_of(layer, x_BSD, task_BQ), dim=1)
    rows, experts = [], []
    for x_D, affinity_F in zip(x_BSD.flatten(0, 1), affinity_TF, strict=True):
        best = sorted(range(4 * E - 1), key=lambda expert: -affinity_F[expert].item())[: 4 * K - 1]
        y_D = expert_output(x_D, layer.shared.weight_EHN[0])
        for expert in best:
            y_D = y_D + affinity_F[expert] * expert_output(x_D, layer.experts.weight_EHN[expert])
        rows.append(y_D)
        experts.append(best)
    return torch.stack(rows), experts


def dselect_k_by_loops(layer: DSelectK, x_BSD: Tensor, task_BQ: Tensor) -> tuple[Tensor, list[list[int]]]:
    """q = sum over selectors of softmax(w) times the product over bits of the smooth step (Eq. 4, 5 and 8)."""
    bits = int(math.log2(E))
    rows, experts = [], []
    for x_D, logits_O in zip(x_BSD.flatten(0, 1), logits_of(layer, x_BSD, task_BQ), strict=True):
        share_K = torch.softmax(logits_O[K * bits :], dim=0)
        y_D, best = torch.zeros_like(x_D), []
        for selector in range(K):
            weights = []
            for expert in range(E):
                weight = torch.ones((), dtype=torch.float64)
                for bit in range(bits):
                    step = step_by_hand(logits_O[selector * bits + bit])
                    weight = weight * (step if expert >> bit & 1 else 1 - step)
                y_D = y_D + share_K[selector] * weight * expert_output(x_D, layer.experts.weight_EHN[expert])
                weights.append(weight.item())
            best.append(int(np.argmax(weights)))
        rows.append(y_D)
        experts.append(best)
    return torch.stack(rows), experts


def step_by_hand(value: Tensor) -> Tensor:
    if value <= -0.5:
        return torch.zeros_like(value)
    if value >= 0.5:
        return torch.ones_like(value)
    return -2 * value**3 + 1.5 * value + 0.5


def stgc_by_loops(layer: StgcMixture, x_BSD: Tensor, task_BQ: Tensor) -> tuple[Tensor, list[list[int]]]:
    """The forward pass is the standard mixture's."""
    rows, experts = [], []
    for x_D, logits_E in zip(x_BSD.flatten(0, 1), logits_of(layer, x_BSD, task_BQ), strict=True):
        best = sorted(range(E), key=lambda expert: -logits_E[expert].item())[:K]
        gate_K = torch.softmax(logits_E[best], dim=0)
        outs = [expert_output(x_D, layer.experts.weight_EHN[expert]) for expert in best]
        rows.append(sum((gate * out for gate, out in zip(gate_K, outs, strict=True)), torch.zeros_like(x_D)))
        experts.append(best)
    return torch.stack(rows), experts


BY_LOOPS: dict[str, Any] = {
    "expert_choice": expert_choice_by_loops,
    "shared_fine": shared_fine_by_loops,
    "dselect_k": dselect_k_by_loops,
    "stgc": stgc_by_loops,
}


@pytest.mark.parametrize("architecture", BY_LOOPS)
def test_the_layer_equals_the_plain_loop_and_so_do_its_gradients(architecture: str) -> None:
    # Without the router's losses STGC's gradient is the plain one.
    layer = made(architecture, load_balance=0.0)
    x_BSD, task_BQ = inputs()
    x_BSD.requires_grad_()
    weights = [x_BSD, *(p for p in layer.parameters())]
    dy_BSD = torch.randn(B, S, D, generator=generator(), dtype=torch.float64)
    found = []
    y_BSD, expert_TK = layer(x_BSD, task_BQ)
    y_TD, experts = BY_LOOPS[architecture](layer, x_BSD, task_BQ)
    for output in (y_BSD.flatten(0, 1), y_TD):
        gradients = torch.autograd.grad((output * dy_BSD.flatten(0, 1)).sum(), weights)
        found.append([output, *gradients])
    assert expert_TK.tolist() == experts
    assert len(found[0]) == len(found[1]) == len(weights) + 1
    for mine, theirs in zip(*found, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("architecture", ["shared_fine", "stgc"])
def test_every_token_has_its_experts_exactly_once(architecture: str) -> None:
    _, expert_TK = made(architecture)(*inputs())
    experts, chosen = (4 * E - 1, 4 * K - 1) if architecture == "shared_fine" else (E, K)
    assert expert_TK.shape == (T, chosen)
    assert all(len(set(row)) == chosen and 0 <= min(row) <= max(row) < experts for row in expert_TK.tolist())


@pytest.mark.parametrize(("top_k", "tokens_each"), [(1, 3), (2, 6), (4, 12)])
def test_every_expert_takes_exactly_its_capacity(top_k: int, tokens_each: int) -> None:
    _, expert_TE = made("expert_choice", top_k=top_k)(*inputs())
    taken = [(expert_TE == expert).sum().item() for expert in range(E)]
    assert taken == [tokens_each] * E
    assert set(expert_TE.unique().tolist()) <= {-1, *range(E)}


def test_the_capacity_is_rounded_down_and_never_none() -> None:
    layer = made("expert_choice")
    assert [layer.capacity(tokens) for tokens in (12, 13, 1)] == [6, 6, 1]


def test_images_with_and_without_id_do_not_compete_when_they_are_looked_at() -> None:
    trainer = steps(small_trainer(architecture="expert_choice", p_drop=0.0), 20)
    trainer.look_at_test_images()
    image_BHW, label_B, task_B = trainer.test.look(trainer.step // 5)
    shown = show_with_every_id(trainer.model, image_BHW, label_B, task_B, tasks=3, experts=4)
    for keep, routing_LQE, by_protocol_LQE in (
        (1.0, trainer.look.routing_LQE, None),
        (0.0, trainer.look.routing_blind_LQE, shown.routing_blind()),
    ):
        with torch.no_grad():
            _, chosen = trainer.model(image_BHW, task_B, torch.full((len(task_B), 1), keep))
        for layer, expert_TE in enumerate(chosen):
            taken_QE = (expert_TE >= 0).view(3, -1, 4).sum(1)
            expected_QE = taken_QE / taken_QE.sum(1, keepdim=True)
            torch.testing.assert_close(routing_LQE[layer], expected_QE)
            if by_protocol_LQE is not None:
                torch.testing.assert_close(by_protocol_LQE[layer], expected_QE)


def test_without_a_shared_expert_weight_only_the_routed_ones_are_left() -> None:
    layer = made("shared_fine")
    x_BSD, task_BQ = inputs()
    whole, _ = layer(x_BSD, task_BQ)
    shared = torch.stack([expert_output(x_D, layer.shared.weight_EHN[0]) for x_D in x_BSD.flatten(0, 1)])
    layer.shared.weight_EHN.data.zero_()
    routed, _ = layer(x_BSD, task_BQ)
    torch.testing.assert_close(whole - routed, shared.view_as(whole))


def test_the_smooth_step_is_a_half_in_the_middle_and_flat_where_it_ends() -> None:
    value = torch.tensor([-2.0, -0.5, 0.0, 0.5, 2.0], requires_grad=True)
    step = smooth_step(value)
    assert step.tolist() == [0.0, 0.0, 0.5, 1.0, 1.0]
    step.sum().backward()
    assert value.grad is not None
    assert value.grad.tolist() == [0.0, 0.0, 1.5, 0.0, 0.0]


def test_saturated_steps_select_one_expert_by_its_binary_number() -> None:
    bit_ME = made("dselect_k").bit_ME
    for expert in range(E):
        step_TKM = torch.tensor([[[expert & 1, expert >> 1 & 1]]], dtype=torch.float64)
        assert select(step_TKM, bit_ME).flatten().tolist() == [float(other == expert) for other in range(E)]


def test_a_selector_is_a_distribution_and_starts_even() -> None:
    config = config_of("dselect_k")
    layer = DSelectK(config, generator=generator())
    layer(*(value.float() for value in inputs()))
    selector_TKE = layer._selector_TKE
    torch.testing.assert_close(selector_TKE.sum(2), torch.ones(T, K))
    assert (selector_TKE - 1 / E).abs().max() < 0.1


@pytest.mark.parametrize("task_fusion", ["concat", "mixed"])
def test_a_selector_depends_on_its_own_weights_only_however_the_task_is_fused(task_fusion: str) -> None:
    layer = made("dselect_k", task_fusion=task_fusion)
    layer(*inputs())
    before_TKE, bits = layer._selector_TKE, int(math.log2(E))
    layer.router.weight.data[:, bits:] *= -2.0
    layer(*inputs())
    after_TKE = layer._selector_TKE
    torch.testing.assert_close(after_TKE[:, 0], before_TKE[:, 0], rtol=0.0, atol=0.0)
    assert not torch.equal(after_TKE[:, 1], before_TKE[:, 1])


def test_the_selectors_read_the_task_beside_the_token_however_it_is_fused_elsewhere() -> None:
    layers = [made("dselect_k", task_fusion=fusion, task_mix=0.3) for fusion in ("concat", "mixed")]
    (y_BSD, expert_TK), (other_BSD, other_TK) = (layer(*inputs()) for layer in layers)
    assert torch.equal(y_BSD, other_BSD)
    assert torch.equal(expert_TK, other_TK)


def test_the_entropy_of_a_selector_falls_as_its_loss_is_descended() -> None:
    layer = made("dselect_k", load_balance=1.0)
    descent = torch.optim.SGD(layer.router.parameters(), lr=1.0)
    losses = []
    for _ in range(60):
        layer(*inputs())
        loss = layer.auxiliary_loss()
        losses.append(loss.item())
        descent.zero_grad()
        loss.backward()
        descent.step()
    assert losses[0] > 0.1
    assert abs(losses[-1]) < 0.01 * losses[0]
    assert all(p.isfinite().all() for p in layer.parameters())


def token_gradients(layer: Any, x_BSD: Tensor, task_BQ: Tensor, dy_TD: Tensor) -> Tensor:
    """dL/d(expert weights) through one token alone, [T, E, H, N], by a backward pass for each."""
    rows = []
    for token in range(T):
        y_BSD, _ = layer(x_BSD, task_BQ)
        loss = (y_BSD.flatten(0, 1)[token] * dy_TD[token]).sum()
        rows.append(torch.autograd.grad(loss, layer.experts.weight_EHN)[0])
    return torch.stack(rows)


def conflicts_by_loops(layer: Any, x_BSD: Tensor, task_BQ: Tensor, dy_TD: Tensor) -> list[tuple[int, int]]:
    """Pairs of a token and one of its experts whose gradients have a cosine below 0."""
    gradient_TEHN = token_gradients(layer, x_BSD, task_BQ, dy_TD)
    _, expert_TK = layer(x_BSD, task_BQ)
    found = []
    for token in range(T):
        for expert in sorted(expert_TK[token].tolist()):
            tokens = [t for t in range(T) if expert in expert_TK[t].tolist()]
            mean = gradient_TEHN[tokens, expert].mean(0).flatten()
            if torch.cosine_similarity(gradient_TEHN[token, expert].flatten(), mean, dim=0) < 0:
                found.append((token, expert))
    return found


def test_conflicting_tokens_are_those_whose_gradient_opposes_the_mean_of_their_experts() -> None:
    layer = made("stgc", load_balance=1.0)
    # Tokens alike, and a third of them wants the opposite of the others.
    noise_BSD, task_BQ = inputs()
    x_BSD = noise_BSD[0, 0] + 0.5 * noise_BSD
    sign_T1 = torch.tensor([1.0, 1.0, -1.0] * (T // 3), dtype=torch.float64)[:, None]
    dy_TD = sign_T1 * noise_BSD[1, 1] + 0.5 * noise_BSD.flatten(0, 1)
    conflicts = conflicts_by_loops(layer, x_BSD, task_BQ, dy_TD)
    assert 0 < len(conflicts) < T * K, "the case must have both kinds"
    # What the router gets beyond the plain gradient is that of the elimination loss of exactly these pairs.
    logits_TE = logits_of(layer, x_BSD, task_BQ)
    loss = torch.stack([-torch.log_softmax(-logits_TE[token], dim=0)[expert] for token, expert in conflicts]).mean()
    (expected,) = torch.autograd.grad(loss, layer.router.weight)
    gradients = []
    for weight in (1.0, 0.0):
        other = made("stgc", load_balance=weight)
        y_BSD, _ = other(x_BSD, task_BQ)
        gradients.append(torch.autograd.grad((y_BSD.flatten(0, 1) * dy_TD).sum(), other.router.weight)[0])
    torch.testing.assert_close(gradients[0] - gradients[1], expected)


def test_descending_the_elimination_gradient_lowers_the_logit_of_the_conflicting_pair_only() -> None:
    logits_TE = torch.zeros(2, 3)
    conflicting_TE = torch.tensor([[True, False, False], [False, False, False]])
    gradient_TE = elimination_gradient(logits_TE, conflicting_TE)
    assert gradient_TE[0].tolist() == pytest.approx([2 / 3, -1 / 3, -1 / 3])
    assert gradient_TE[1].tolist() == [0.0, 0.0, 0.0]
    assert elimination_gradient(logits_TE, torch.zeros(2, 3, dtype=torch.bool)).abs().sum() == 0


def test_a_token_alone_in_its_expert_agrees_with_it() -> None:
    x_TD, slope_TM, hidden_TM, dy_TD = (torch.randn(1, n, generator=generator()) for n in (5, 4, 4, 5))
    cosine_TE = token_cosine(slope_TM, x_TD, slope_TM.T @ x_TD, hidden_TM, dy_TD, hidden_TM.T @ dy_TD, experts=2)
    torch.testing.assert_close(cosine_TE, torch.ones(1, 2))


def test_an_expert_that_a_token_did_not_choose_has_no_cosine_with_it() -> None:
    zeros_TM, dy_TD = torch.zeros(1, 4), torch.ones(1, 5)
    cosine_TE = token_cosine(zeros_TM, dy_TD, zeros_TM.T @ dy_TD, zeros_TM, dy_TD, zeros_TM.T @ dy_TD, experts=2)
    assert cosine_TE.isnan().all()
