"""The network around the layer: patches, attention, norms, and their hand-written gradients."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from cdsp_core.kernels.attention import native_attention
from cdsp_core.kernels.execution import Execution
from cdsp_core.kernels.native import why_unavailable
from cdsp_core.method.backbone import Backbone
from cdsp_core.models.attention import Attention, rotary_tables
from cdsp_core.models.norm import RMSNorm
from cdsp_core.models.transformer import PatchTransformer
from cdsp_core.settings.model import ModelConfig
from cdsp_core.settings.presets import PRESETS
from tests.core.small import cdsp_layers, small_config

needs_kernel = pytest.mark.skipif(why_unavailable() is not None, reason="no kernel")
RELATIVE_ERROR = 1e-5


@pytest.fixture(params=[pytest.param(True, marks=needs_kernel), False], ids=["kernel", "torch"])
def native(request: pytest.FixtureRequest) -> bool:
    """Whether the C kernels compute, or torch's operations do."""
    return bool(request.param)


def made_attention(config: ModelConfig, *, native: bool) -> Attention:
    attention = Attention(config, generator=torch.Generator().manual_seed(0))
    attention._execution = Execution("auto" if native else "dense")
    return attention


def rotated_by_hand(heads_BHSC: Tensor) -> Tensor:
    """Rotary positions: the pair (c, c + C/2), as a complex number, turned by position * 10000 ** (-2 c / C)."""
    tokens, width = heads_BHSC.shape[2:]
    first, second = heads_BHSC.double().chunk(2, dim=3)
    angle = torch.arange(tokens).double()[:, None] * 10_000.0 ** (-torch.arange(0, width, 2).double() / width)
    turned = torch.complex(first, second) * torch.polar(torch.ones_like(angle), angle)
    return torch.cat([turned.real, turned.imag], dim=3).to(heads_BHSC.dtype)


def mixed_by_hand(qkv_BSF: Tensor, heads: int, groups: int) -> Tensor:
    width = qkv_BSF.shape[2] // (heads + 2 * groups)
    projected = qkv_BSF.view(*qkv_BSF.shape[:2], heads + 2 * groups, width).transpose(1, 2)
    query = rotated_by_hand(projected[:, :heads])
    key = rotated_by_hand(projected[:, heads : heads + groups])
    value = projected[:, heads + groups :]
    mixed = []
    for head in range(heads):
        group = head // (heads // groups)
        score_BSS = query[:, head] @ key[:, group].transpose(1, 2) / width**0.5
        later = torch.ones(score_BSS.shape[1:]).triu(1).bool()
        mixed.append(torch.softmax(score_BSS.masked_fill(later, -torch.inf), dim=2) @ value[:, group])
    return torch.cat(mixed, dim=2)


def attention_by_hand(attention: Attention, x_BSD: Tensor, config: ModelConfig) -> Tensor:
    y_BSD: Tensor = attention.out(mixed_by_hand(attention.qkv(x_BSD), config.num_heads, config.num_kv_heads))
    return y_BSD


def assert_same(found: Sequence[Tensor], expected: Sequence[Tensor]) -> None:
    for ours, exact in zip(found, expected, strict=True):
        error = torch.linalg.vector_norm(ours - exact)
        assert error <= RELATIVE_ERROR * (1e-3 + torch.linalg.vector_norm(exact))


@pytest.mark.parametrize(("num_heads", "num_kv_heads"), [(2, 1), (4, 2), (4, 4)])
def test_attention_equals_the_plain_loop_and_so_does_its_gradient(
    num_heads: int, num_kv_heads: int, native: bool
) -> None:
    config = small_config(d_model=16, num_heads=num_heads, num_kv_heads=num_kv_heads, patch_size=2).model
    attention = made_attention(config, native=native)
    x_BSD = torch.randn(2, config.num_tokens, 16, requires_grad=True)
    dy_BSD = torch.randn(2, config.num_tokens, 16)
    gradients = [
        (y_BSD, *torch.autograd.grad(y_BSD, [x_BSD, *attention.parameters()], dy_BSD))
        for y_BSD in (attention(x_BSD), attention_by_hand(attention, x_BSD, config))
    ]
    for found, expected in zip(*gradients, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@needs_kernel
@given(
    batch=st.integers(0, 3),
    tokens=st.integers(1, 70),
    groups=st.integers(1, 3),
    shared=st.integers(1, 5),
    half_width=st.one_of(st.just(8), st.integers(1, 20)),
    seed=st.integers(0, 1000),
)
def test_the_attention_kernel_equals_the_plain_loop_in_double_precision(
    batch: int, tokens: int, groups: int, shared: int, half_width: int, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    heads, width = groups * shared, 2 * half_width
    qkv_BSF = torch.randn(batch, tokens, (heads + 2 * groups) * width, generator=generator, requires_grad=True)
    exact_BSF = qkv_BSF.detach().double().requires_grad_()
    dmixed = torch.randn(batch, tokens, heads * width, generator=generator)
    found = native_attention(qkv_BSF, *rotary_tables(tokens, width), heads, groups)
    expected = mixed_by_hand(exact_BSF, heads, groups)
    assert_same(
        [found, *torch.autograd.grad(found, qkv_BSF, dmixed)],
        [expected, *torch.autograd.grad(expected, exact_BSF, dmixed.double())],
    )


@needs_kernel
def test_large_scores_become_a_choice_of_one_key_not_an_overflow() -> None:
    qkv_BSF = 1000 * torch.randn(2, 20, 8 * 16, generator=torch.Generator().manual_seed(0))
    found = native_attention(qkv_BSF, *rotary_tables(20, 16), 4, 2)
    torch.testing.assert_close(found, mixed_by_hand(qkv_BSF, 4, 2), rtol=1e-4, atol=1e-2)


@needs_kernel
@pytest.mark.parametrize(("feature", "spoilt"), [(0, [5]), (4 * 16, range(5, 20)), (6 * 16, range(5, 20))])
def test_what_is_not_a_number_stays_visible(feature: int, spoilt: Sequence[int]) -> None:
    qkv_BSF = torch.randn(1, 20, 8 * 16)
    qkv_BSF[0, 5, feature] = torch.nan
    qkv_BSF.requires_grad_()
    mixed = native_attention(qkv_BSF, *rotary_tables(20, 16), 4, 2)
    (dqkv_BSF,) = torch.autograd.grad(mixed, qkv_BSF, torch.ones_like(mixed))
    assert mixed[0, list(spoilt), 0].isnan().all()
    assert dqkv_BSF.isnan().any()
    (dqkv_BSF,) = torch.autograd.grad(RMSNorm(8 * 16)(qkv_BSF).sum(), qkv_BSF)
    assert dqkv_BSF.isnan().any(2)[0].tolist() == [token == 5 for token in range(20)]


@needs_kernel
def test_the_attention_kernel_gives_the_same_bits_twice() -> None:
    x_BSD = torch.randn(8, 16, 64, requires_grad=True)
    attention, norm = made_attention(ModelConfig(), native=True), RMSNorm(64)
    once, again = (
        (y_BSD, *torch.autograd.grad(y_BSD, [x_BSD, *attention.parameters(), *norm.parameters()], x_BSD.detach()))
        for y_BSD in (attention(norm(x_BSD)) for _ in range(2))
    )
    assert all(map(torch.equal, once, again))


@needs_kernel
def test_the_number_of_threads_leaves_the_bits_of_attention_alone() -> None:
    qkv_BSF = torch.randn(5, 16, 8 * 16, requires_grad=True)
    outcomes = []
    for threads in (1, 3):
        torch.set_num_threads(threads)
        mixed = native_attention(qkv_BSF, *rotary_tables(16, 16), 4, 2)
        outcomes.append((mixed, *torch.autograd.grad(mixed, qkv_BSF, torch.ones_like(mixed))))
    torch.set_num_threads(1)
    assert all(map(torch.equal, *outcomes))


@needs_kernel
def test_the_attention_kernel_is_a_whole_operation_to_the_compiler() -> None:
    attention, norm = made_attention(ModelConfig(), native=True), RMSNorm(64)

    def forward(x_BSD: Tensor) -> Tensor:
        y_BSD: Tensor = attention(norm(x_BSD))
        return y_BSD

    x_BSD = torch.randn(3, 16, 64, requires_grad=True)
    compiled = torch.compile(forward, backend="aot_eager", fullgraph=True)
    seen, expected = (
        (y_BSD, *torch.autograd.grad(y_BSD, [x_BSD, *attention.parameters(), *norm.parameters()], x_BSD.detach()))
        for y_BSD in (compiled(x_BSD), forward(x_BSD))
    )
    assert_same(seen, expected)


@needs_kernel
def test_the_attention_kernel_refuses_what_it_cannot_read() -> None:
    tables = rotary_tables(16, 16)
    found = r"^The C kernels read float32 tensors on the CPU\. Found torch\.float64 on cpu\.$"
    with pytest.raises(ValueError, match=found):
        native_attention(torch.ones(2, 16, 128).double(), *tables, 4, 2)
    with pytest.raises(ValueError, match=r"^cos and sin must be \[9, 1, 16\]\. Found \[16, 1, 16\] and"):
        native_attention(torch.ones(2, 9, 128), *tables, 4, 2)


def test_double_precision_and_the_meta_device_go_by_torchs_operations() -> None:
    attention, norm = made_attention(ModelConfig(), native=True), RMSNorm(64)
    x_BSD = torch.randn(2, 16, 64)
    expected = attention_by_hand(attention.double(), norm.double()(x_BSD.double()), ModelConfig())
    torch.testing.assert_close(attention(norm(x_BSD.double())), expected, rtol=1e-6, atol=1e-6)
    assert attention.to("meta")(norm.to("meta")(x_BSD.double().to("meta"))).shape == x_BSD.shape


def test_no_token_sees_a_later_one(native: bool) -> None:
    attention = made_attention(small_config().model, native=native)
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


@given(rows=st.integers(0, 300), width=st.integers(2, 100), spread=st.sampled_from([1e-4, 1.0, 1e4]))
def test_the_norm_equals_torchs_in_double_precision(rows: int, width: int, spread: float) -> None:
    generator = torch.Generator().manual_seed(rows)
    x = (spread * torch.randn(rows, width, generator=generator)).requires_grad_()
    dy = torch.randn(rows, width, generator=generator)
    ours, theirs = RMSNorm(width), nn.RMSNorm(width, eps=1e-6, dtype=torch.float64)
    ours.weight.data.uniform_(-2, 2, generator=generator)
    theirs.weight.data.copy_(ours.weight.data)
    exact = x.detach().double().requires_grad_()
    assert_same(
        [ours(x), *torch.autograd.grad(ours(x), [x, ours.weight], dy)],
        [theirs(exact), *torch.autograd.grad(theirs(exact), [exact, theirs.weight], dy.double())],
    )


def test_the_norm_of_nothing_is_nothing() -> None:
    x = torch.zeros(2, 16, requires_grad=True)
    RMSNorm(16)(x).sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()


def test_patches_are_read_row_by_row() -> None:
    config = small_config(image_size=8, patch_size=4).model
    image_BHW = torch.arange(2 * 64, dtype=torch.float32).view(2, 8, 8)
    patches = PatchTransformer(config)._patches(image_BHW)
    corners = [(0, 0), (0, 4), (4, 0), (4, 4)]
    expected = torch.stack([image_BHW[:, r : r + 4, c : c + 4].reshape(2, 16) for r, c in corners], dim=1)
    assert torch.equal(patches, expected)


def test_logits_are_the_head_of_the_mean_over_tokens() -> None:
    model = PatchTransformer(small_config(num_layers=1).model, generator=torch.Generator().manual_seed(0))
    seen: list[Tensor] = []
    model.norm.register_forward_hook(lambda _module, _input, output: seen.append(output))
    logits_BC, chosen = model(torch.rand(3, 8, 8), torch.arange(3), torch.ones(3, 1))
    torch.testing.assert_close(logits_BC, F.linear(seen[0].mean(1), model.head.weight))
    assert [expert_TK.shape for expert_TK in chosen] == [(12, 2)]


def test_u_and_v_start_orthogonal() -> None:
    model = PatchTransformer(small_config().model, generator=torch.Generator().manual_seed(0))
    backbone = cdsp_layers(model)[0].backbone
    assert isinstance(backbone, Backbone)
    torch.testing.assert_close(backbone.u_DR @ backbone.u_DR.T, torch.eye(16), rtol=0.0, atol=1e-5)
    torch.testing.assert_close(backbone.v_RD.T @ backbone.v_RD, torch.eye(16), rtol=0.0, atol=1e-5)


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_runs_forward(name: str) -> None:
    config = PRESETS[name][1].model
    model = PatchTransformer(config, generator=torch.Generator().manual_seed(0))
    logits_BC, chosen = model(torch.rand(2, 28, 28), torch.arange(2), torch.ones(2, 1))
    assert logits_BC.shape == (2, config.num_classes)
    slots = config.top_k if config.routed_experts else 0
    assert [tuple(expert_TK.shape) for expert_TK in chosen] == [(2 * config.num_tokens, slots)] * 2


def test_the_presets_have_the_sizes_of_the_text_and_of_the_program() -> None:
    paper, release = PRESETS["paper"][1].model, PRESETS["release"][1].model
    assert (paper.d_model, paper.d_base, paper.rank, PRESETS["paper"][1].train.batch_size) == (256, 256, 32, 128)
    assert (release.d_model, release.d_base, release.rank, release.num_tokens) == (64, 256, 90, 49)
    quirks = (
        "topology_init",
        "router_norm",
        "task_dropout",
        "task_embedding",
        "encoder_init",
        "conflict_over",
        "penalty",
    )
    assert [dataclasses.asdict(release)[name] for name in quirks] == [
        "self_biased",
        "all",
        "layer",
        "layer",
        "release",
        "u",
        "logit_while_positive",
    ]
    assert PRESETS["release"][1].train.labels == "release"
    assert PRESETS["release"][1].controls.p_drop == 0.1


def test_the_release_starts_with_a_patch_bias_and_a_head_of_spread_one() -> None:
    def made(encoder_init: str) -> PatchTransformer:
        config = small_config(encoder_init=encoder_init, d_model=64).model
        return PatchTransformer(config, generator=torch.Generator().manual_seed(0))

    released, plain = made("release"), made("plain")
    assert plain.patch_embedding.bias is None
    assert released.patch_embedding.bias is not None
    assert 0.1 < released.patch_embedding.bias.abs().max() <= 0.25
    assert released.head.weight.detach().std() == pytest.approx(1.0, abs=0.1)
    assert plain.head.weight.abs().max() <= 0.125
    xavier = (2 / (16 + 64)) ** 0.5
    assert released.patch_embedding.weight.detach().std() == pytest.approx(xavier, rel=0.1)
    for one, other in zip(released.blocks.parameters(), plain.blocks.parameters(), strict=True):
        assert torch.equal(one, other)
