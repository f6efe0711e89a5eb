"""The network around the layer: patches, attention, norms, and their hand-written gradients."""

from __future__ import annotations

import dataclasses

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cdsp_core.attention import Attention
from cdsp_core.config import PRESETS, ModelConfig
from cdsp_core.model import CDSPModel
from cdsp_core.norm import RMSNorm
from tests.core.small import small_config


def rotated_by_hand(heads_BHSC: Tensor) -> Tensor:
    """Rotary positions: the pair (c, c + C/2) turned by position * 10000 ** (-2 c / C)."""
    result = heads_BHSC.clone()
    width = heads_BHSC.shape[3]
    for position in range(heads_BHSC.shape[2]):
        for c in range(width // 2):
            angle = torch.tensor(position * 10_000.0 ** (-2 * c / width))
            first, second = heads_BHSC[:, :, position, c], heads_BHSC[:, :, position, c + width // 2]
            result[:, :, position, c] = first * angle.cos() - second * angle.sin()
            result[:, :, position, c + width // 2] = second * angle.cos() + first * angle.sin()
    return result


def attention_by_hand(attention: Attention, x_BSD: Tensor, config: ModelConfig) -> Tensor:
    heads, groups, width = config.num_heads, config.num_kv_heads, config.d_model // config.num_heads
    projected = attention.qkv(x_BSD).view(*x_BSD.shape[:2], heads + 2 * groups, width).transpose(1, 2)
    query = rotated_by_hand(projected[:, :heads])
    key = rotated_by_hand(projected[:, heads : heads + groups])
    value = projected[:, heads + groups :]
    mixed = []
    for head in range(heads):
        group = head // (heads // groups)
        score_BSS = query[:, head] @ key[:, group].transpose(1, 2) / width**0.5
        later = torch.ones_like(score_BSS[0]).triu(1).bool()
        mixed.append(torch.softmax(score_BSS.masked_fill(later, -torch.inf), dim=2) @ value[:, group])
    y_BSD: Tensor = attention.out(torch.cat(mixed, dim=2))
    return y_BSD


@pytest.mark.parametrize(("num_heads", "num_kv_heads"), [(2, 1), (4, 2), (4, 4)])
def test_attention_equals_the_plain_loop_and_so_does_its_gradient(num_heads: int, num_kv_heads: int) -> None:
    config = small_config(d_model=16, num_heads=num_heads, num_kv_heads=num_kv_heads, patch_size=2).model
    attention = Attention(config, generator=torch.Generator().manual_seed(0))
    x_BSD = torch.randn(2, config.num_tokens, 16, requires_grad=True)
    dy_BSD = torch.randn(2, config.num_tokens, 16)
    gradients = [
        (y_BSD, *torch.autograd.grad(y_BSD, [x_BSD, *attention.parameters()], dy_BSD))
        for y_BSD in (attention(x_BSD), attention_by_hand(attention, x_BSD, config))
    ]
    for found, expected in zip(*gradients, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_no_token_sees_a_later_one() -> None:
    attention = Attention(small_config().model, generator=torch.Generator().manual_seed(0))
    x_BSD = torch.randn(1, 4, 16)
    changed = x_BSD.clone()
    changed[:, 3] += 10
    torch.testing.assert_close(attention(x_BSD)[:, :3], attention(changed)[:, :3])


def test_the_norm_equals_torchs_and_so_does_its_gradient() -> None:
    ours, theirs = RMSNorm(16), nn.RMSNorm(16, eps=1e-6)
    weight = torch.rand(16) + 0.5
    x = torch.randn(3, 4, 16, requires_grad=True)
    gradients = []
    for norm in (ours, theirs):
        norm.weight.data.copy_(weight)
        gradients.append((norm(x), *torch.autograd.grad(norm(x), [x, norm.weight], torch.ones(3, 4, 16).cumsum(2))))
    for found, expected in zip(*gradients, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_the_norm_of_nothing_is_nothing() -> None:
    x = torch.zeros(2, 16, requires_grad=True)
    RMSNorm(16)(x).sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()


def test_patches_are_read_row_by_row() -> None:
    config = small_config(image_size=8, patch_size=4).model
    image_BHW = torch.arange(2 * 64, dtype=torch.float32).view(2, 8, 8)
    patches = CDSPModel(config)._patches(image_BHW)
    corners = [(0, 0), (0, 4), (4, 0), (4, 4)]
    expected = torch.stack([image_BHW[:, r : r + 4, c : c + 4].reshape(2, 16) for r, c in corners], dim=1)
    assert torch.equal(patches, expected)


def test_logits_are_the_head_of_the_mean_over_tokens() -> None:
    model = CDSPModel(small_config(num_layers=1).model, generator=torch.Generator().manual_seed(0))
    seen: list[Tensor] = []
    model.norm.register_forward_hook(lambda _module, _input, output: seen.append(output))
    logits_BC, chosen = model(torch.rand(3, 8, 8), torch.arange(3), torch.ones(3, 1))
    torch.testing.assert_close(logits_BC, F.linear(seen[0].mean(1), model.head.weight))
    assert [expert_TK.shape for expert_TK in chosen] == [(12, 2)]


def test_u_and_v_start_orthogonal() -> None:
    model = CDSPModel(small_config().model, generator=torch.Generator().manual_seed(0))
    backbone = model.layers[0].backbone
    torch.testing.assert_close(backbone.u_DR @ backbone.u_DR.T, torch.eye(16), rtol=0.0, atol=1e-5)
    torch.testing.assert_close(backbone.v_RD.T @ backbone.v_RD, torch.eye(16), rtol=0.0, atol=1e-5)


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_runs_forward(name: str) -> None:
    config = PRESETS[name][1].model
    model = CDSPModel(config, generator=torch.Generator().manual_seed(0))
    logits_BC, chosen = model(torch.rand(2, 28, 28), torch.arange(2), torch.ones(2, 1))
    assert logits_BC.shape == (2, config.num_classes)
    assert [tuple(expert_TK.shape) for expert_TK in chosen] == [(2 * config.num_tokens, config.top_k)] * 2


def test_the_presets_have_the_sizes_of_the_text_and_of_the_program() -> None:
    paper, release = PRESETS["paper"][1].model, PRESETS["release"][1].model
    assert (paper.d_model, paper.d_base, paper.rank, PRESETS["paper"][1].train.batch_size) == (256, 256, 32, 128)
    assert (release.d_model, release.d_base, release.rank, release.num_tokens) == (64, 256, 90, 49)
    quirks = ("topology_init", "router_norm", "task_dropout", "conflict_over", "penalty")
    assert [dataclasses.asdict(release)[name] for name in quirks] == [
        "self_biased",
        "all",
        "batch",
        "u",
        "logit_while_positive",
    ]
    assert PRESETS["release"][1].train.labels == "release"
