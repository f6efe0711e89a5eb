"""Models without a topology: the same parameters, the same trainer, and frames that hold what such a model has."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from cdsp_core.__main__ import main
from cdsp_core.method.layer import CDSPLayer
from cdsp_core.models.baselines import StandardMixture
from cdsp_core.models.mixture import Experts, load_balance
from cdsp_core.models.registry import NAMES
from cdsp_core.models.transformer import PatchTransformer
from cdsp_core.settings.config import schema
from cdsp_core.settings.model import ModelConfig
from cdsp_core.settings.presets import PRESETS
from cdsp_core.training.checkpoint import load_checkpoint, save_checkpoint
from cdsp_core.training.telemetry import LAYER_SCALARS
from cdsp_core.wire.frames import ROUTING_ARRAYS, Frame
from cdsp_core.wire.phases import PhaseWatch
from tests.core.small import CPU, small_config, small_data, small_trainer, state_of, steps

WITHOUT_A = [name for name in NAMES if name != "cdsp"]
BASELINES = ["standard", "blind", "dense"]
SAME_ROUTER = ["standard", "blind", "expert_choice", "stgc"]
AUXILIARY = {"expert_choice": None, "dense": None, "dselect_k": "entropy_penalty"}
"""what a model without A adds to the loss where it is not the load balance"""


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(7)


def mixture_by_loops(x_TD: Tensor, gate_TK: Tensor, expert_TK: Tensor, weight_EHN: Tensor) -> Tensor:
    """gate * silu(x U) V of every token and slot, one hidden unit after the other."""
    width = x_TD.shape[1]
    rows = []
    for x_D, gate_K, expert_K in zip(x_TD, gate_TK, expert_TK, strict=True):
        y_D = torch.zeros_like(x_D)
        for gate, expert in zip(gate_K, expert_K.tolist(), strict=True):
            for unit_N in weight_EHN[expert]:
                pre = (x_D * unit_N[:width]).sum()
                y_D = y_D + gate * pre / (1 + torch.exp(-pre)) * unit_N[width:]
        rows.append(y_D)
    return torch.stack(rows)


def gradients(output: Tensor, *inputs: Tensor) -> list[Tensor]:
    weight = torch.linspace(-1, 1, output.numel(), dtype=output.dtype).view_as(output)
    return [output, *torch.autograd.grad((output * weight).sum(), inputs)]


@pytest.mark.parametrize("execution", ["auto", "dense", "sorted"])
def test_the_experts_equal_the_plain_loop_and_so_do_their_gradients(execution: str) -> None:
    config = small_config(architecture="standard", execution=execution).model
    experts = Experts(config, experts=4, width=8, generator=generator())
    x_TD = torch.randn(6, 16, generator=generator()).requires_grad_()
    gate_TK = torch.rand(6, 2, generator=generator()).requires_grad_()
    expert_TK = torch.tensor([[0, 1], [3, 1], [2, 0], [1, 0], [3, 2], [0, 3]])
    found = gradients(experts(x_TD, gate_TK, expert_TK), x_TD, gate_TK, experts.weight_EHN)
    x, gate, weight = (value.detach().double().requires_grad_() for value in (x_TD, gate_TK, experts.weight_EHN))
    expected = gradients(mixture_by_loops(x, gate, expert_TK, weight), x, gate, weight)
    for mine, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(mine.double(), theirs, rtol=1e-4, atol=1e-5)


def test_an_even_load_costs_one_and_a_single_expert_costs_as_many_as_there_are() -> None:
    even_TE, all_on_one_TE = torch.full((8, 4), 0.25), torch.eye(4)[0].expand(8, 4)
    assert load_balance(even_TE, torch.arange(8)[:, None] % 4).item() == pytest.approx(1.0)
    assert load_balance(all_on_one_TE, torch.zeros(8, 1, dtype=torch.int64)).item() == pytest.approx(4.0)


def test_the_load_balance_loss_is_switch_transformers_formula_over_all_slots() -> None:
    probability_TE = torch.softmax(torch.randn(10, 4, generator=generator()), dim=1)
    expert_TK = torch.topk(probability_TE, 2, dim=1).indices
    expected = 0.0
    for expert in range(4):
        assigned = sum(row.count(expert) for row in expert_TK.tolist()) / (10 * 2)
        expected += assigned * float(probability_TE[:, expert].sum()) / 10
    assert load_balance(probability_TE, expert_TK).item() == pytest.approx(4 * expected)


def test_the_auxiliary_loss_is_the_weighted_load_balance_of_the_last_pass_and_reaches_the_router() -> None:
    layer = StandardMixture(small_config(architecture="standard", load_balance=0.5).model, generator=generator())
    x_BSD, task_BQ = torch.randn(3, 4, 16, generator=generator()), torch.randn(3, 4, generator=generator())
    _, expert_TK = layer(x_BSD, task_BQ)
    probability_TE = torch.softmax(layer.router.logits(x_BSD, task_BQ).flatten(0, 1), dim=1)
    loss = layer.auxiliary_loss()
    assert loss.item() == pytest.approx(0.5 * load_balance(probability_TE, expert_TK).item())
    (gradient,) = torch.autograd.grad(loss, layer.router.weight)
    assert gradient.abs().sum() > 0


def test_descending_the_load_balance_loss_evens_the_load_out() -> None:
    layer = StandardMixture(small_config(architecture="standard", load_balance=1.0).model, generator=generator())
    layer.router.bias.data[0] = 3.0
    x_BSD, task_BQ = torch.randn(32, 4, 16, generator=generator()), torch.zeros(32, 4)
    descent = torch.optim.SGD(layer.router.parameters(), lr=0.5)
    loads = []
    for _ in range(100):
        _, expert_TK = layer(x_BSD, task_BQ)
        loads.append(torch.bincount(expert_TK.flatten(), minlength=4) / expert_TK.numel())
        descent.zero_grad()
        layer.auxiliary_loss().backward()
        descent.step()
    assert loads[0][0] > 0.45
    assert (loads[-1] - 0.25).abs().max() < 0.05


@pytest.mark.parametrize("architecture", WITHOUT_A)
def test_the_feed_forward_has_as_many_weights_as_the_backbone(architecture: str) -> None:
    backbone = sum(p.numel() for p in CDSPLayer(small_config().model).backbone.parameters())
    assert backbone == 2 * 16 * 32
    layer = PatchTransformer(small_config(architecture=architecture).model).layers[0]
    weights = [p for name, p in layer.named_parameters() if not name.startswith("router.")]  # type: ignore[attr-defined]
    assert sum(p.numel() for p in weights) == backbone


def test_a_token_passes_more_of_the_backbone_than_of_a_mixture_of_as_many_weights() -> None:
    """The cost behind "green": at equal weights the work a token makes in its experts is 2.8 times a mixture's."""
    cdsp, standard = (PRESETS[name][1].model for name in ("live", "standard"))
    assert (cdsp.d_base, cdsp.top_k) == (standard.d_base, standard.top_k) == (256, 2)
    assert (cdsp.top_k * cdsp.held_rank, standard.top_k * standard.d_base // standard.num_experts) == (180, 64)


@pytest.mark.parametrize("architecture", SAME_ROUTER)
def test_its_router_has_as_many_weights_as_cdsps(architecture: str) -> None:
    cdsp, other = (
        PatchTransformer(small_config().model),
        PatchTransformer(small_config(architecture=architecture).model),
    )
    sizes = [sum(p.numel() for n, p in model.named_parameters() if ".router." in n) for model in (cdsp, other)]
    assert sizes[0] == sizes[1] > 0


@pytest.mark.parametrize("architecture", WITHOUT_A)
def test_every_model_but_the_blind_and_the_dense_one_reads_the_task(architecture: str) -> None:
    model = PatchTransformer(small_config(architecture=architecture).model, generator=generator())
    images = torch.rand(6, 8, 8, generator=generator())
    logits = [model(images, torch.full((6,), task), torch.ones(6, 1))[0] for task in (0, 2)]
    assert torch.equal(*logits) is (architecture in ("blind", "dense"))


@pytest.mark.parametrize("architecture", WITHOUT_A)
def test_training_lowers_the_loss(architecture: str) -> None:
    trainer = steps(small_trainer(architecture=architecture, epochs=100, lr_base=3e-3), 150)
    task_loss = trainer.arrays()["scalars"][:, trainer.log.names.index("task_loss")]
    assert task_loss[-10:].mean() < 0.5 * task_loss[:10].mean()


@pytest.mark.parametrize("architecture", WITHOUT_A)
def test_equal_seeds_give_equal_runs_and_a_checkpoint_goes_on_bit_for_bit(architecture: str, tmp_path: Path) -> None:
    straight = steps(small_trainer(architecture=architecture), 9)
    save_checkpoint(steps(small_trainer(architecture=architecture), 4), tmp_path, "a")
    resumed = steps(load_checkpoint(tmp_path, "a", device=CPU, datasets=small_data()), 5)
    mine, theirs = state_of(straight), state_of(resumed)
    assert all(torch.equal(value, theirs[name]) for name, value in mine.items())
    arrays, others = straight.arrays(), resumed.arrays()
    assert all(np.array_equal(arrays[name], others[name]) for name in arrays if name != "scalars")


@pytest.mark.parametrize("architecture", WITHOUT_A)
def test_a_frame_holds_the_arrays_that_the_model_has(architecture: str) -> None:
    trainer = steps(small_trainer(architecture=architecture), 2)
    arrays = trainer.arrays()
    experts = trainer.config.model.routed_experts
    routing = ("routing", "routing_blind", "load") if experts else ()
    assert set(arrays) == {"scalars"} | {f"layer{number}/{name}" for number in (0, 1) for name in routing}
    for name in routing:
        array = arrays[f"layer1/{name}"]
        assert array.shape == ((experts,) if name == "load" else (3, experts))
        assert array.sum(-1) == pytest.approx(1.0, abs=1e-6)


def test_the_scalars_are_those_that_the_model_has() -> None:
    names = {name: set(small_trainer(architecture=name).log.names) for name in NAMES}
    topology = {"conflict_penalty", "l1_penalty", "binarize_penalty"}
    of_topology = {f"layer{number}/{name}" for number in (0, 1) for name in TOPOLOGY_MEASURES}
    assert names["cdsp"] - names["standard"] == topology | of_topology
    assert {"layer0/alpha_sparsity", "layer1/rank_overlap", "layer1/cosine_null"} <= of_topology
    assert names["standard"] - names["cdsp"] == {LOAD_BALANCE}
    assert names["blind"] == names["shared_fine"] == names["stgc"] == names["standard"]
    assert names["standard"] - names["dselect_k"] == names["standard"] - names["expert_choice"] == {LOAD_BALANCE}
    assert names["dselect_k"] - names["expert_choice"] == {"entropy_penalty"}
    assert not any("layer" in name or "routing" in name or "penalty" in name for name in names["dense"])
    assert {"loss", "task_loss", "grad_norm", "test_accuracy_blind/kana"} <= names["dense"]


LOAD_BALANCE = "load_balance_penalty"
TOPOLOGY_MEASURES = {
    "cosine_null",
    *(name for name, (array, _) in LAYER_SCALARS.items() if array not in ROUTING_ARRAYS),
}


@pytest.mark.parametrize("architecture", WITHOUT_A)
def test_the_loss_is_the_sum_of_its_terms(architecture: str) -> None:
    trainer = steps(small_trainer(architecture=architecture, eval_every=2), 3)
    rows = dict(zip(trainer.log.names, trainer.arrays()["scalars"].T, strict=True))
    name = AUXILIARY.get(architecture, LOAD_BALANCE)
    added = rows[name] if name else np.zeros(3)
    assert rows["loss"] == pytest.approx(rows["task_loss"] + added)
    measured = np.isfinite(rows["test_accuracy/mnist"])
    assert measured.tolist() == [False, True, False]


def test_what_does_not_change_says_that_there_is_no_topology() -> None:
    described = {name: small_trainer(architecture=name).describe() for name in NAMES}
    sizes = ("topology", "experts", "partitions", "dims", "rank")
    found = {name: tuple(each[size] for size in sizes) for name, each in described.items()}
    assert found == {
        "cdsp": (True, 4, 4, 32, 16),
        "standard": (False, 4, 0, 0, 0),
        "blind": (False, 4, 0, 0, 0),
        "dense": (False, 0, 0, 0, 0),
        "expert_choice": (False, 4, 0, 0, 0),
        "shared_fine": (False, 15, 0, 0, 0),
        "dselect_k": (False, 4, 0, 0, 0),
        "stgc": (False, 4, 0, 0, 0),
    }
    assert [each["architecture"] for each in described.values()] == list(described)
    assert described["dense"]["device"]["execution"] == "dense"
    json.dumps(described, allow_nan=False)


@pytest.mark.parametrize("architecture", WITHOUT_A)
def test_the_result_of_a_run_without_a_topology_has_no_connection(
    architecture: str, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = {"d_model": 16, "d_base": 32, "num_heads": 2, "num_kv_heads": 1, "patch_size": 14}
    options = [f"--set={key}={value}" for key, value in {**sizes, "architecture": architecture}.items()]
    assert main(["train", "--steps", "2", "--json", *options]) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert result["connection"] == []
    assert ("layer0/load_gini" in result["measures"]) is (architecture != "dense")
    assert "layer0/alpha_sparsity" not in result["measures"]
    assert set(result["blind_accuracy"]) == {"mnist", "kana", "fashion"}


@pytest.mark.parametrize("architecture", WITHOUT_A)
def test_without_links_there_is_no_phase_of_links(architecture: str) -> None:
    trainer = steps(small_trainer(architecture=architecture), 1)
    watch = PhaseWatch(has_diagonal=trainer.config.model.has_diagonal)
    arrays = trainer.arrays()
    for step in range(1, 2000, 100):
        frame = Frame(run="r", epoch=0, seq=step, step=step, revision=0, time_ms=0.0, arrays=arrays)
        assert watch.observe(frame) == []


def test_a_step_of_a_broken_mixture_names_the_term(tmp_path: Path) -> None:
    trainer = small_trainer(architecture="standard")
    layer: Any = trainer.model.layers[0]
    layer.auxiliary_loss = lambda: torch.tensor(math.inf, requires_grad=True)
    with pytest.raises(RuntimeError, match=r"^load_balance_penalty became non-finite at step 1\.$"):
        trainer.train_step()


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"architecture": "standard", "num_experts": 6, "num_partitions": 8},
            "d_base must be divisible by num_experts under architecture standard. Found 256 and 6.",
        ),
        (
            {"architecture": "shared_fine", "num_experts": 8, "d_base": 48},
            "d_base must be divisible by 4 x num_experts under architecture shared_fine. Found 48 and 4 x 8.",
        ),
        (
            {"architecture": "dselect_k", "num_experts": 12, "num_partitions": 4, "d_base": 48},
            "num_experts must be a power of two under architecture dselect_k. Found 12.",
        ),
    ],
)
def test_experts_that_do_not_come_out_even_are_refused_in_one_sentence(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError) as caught:
        ModelConfig(**settings)
    assert str(caught.value) == sentence


def test_cdsp_and_the_dense_net_need_no_even_share() -> None:
    for architecture in ("cdsp", "dense"):
        assert ModelConfig(architecture=architecture, num_experts=6, num_partitions=8).num_experts == 6


@pytest.mark.parametrize("name", BASELINES)
def test_the_presets_of_the_baselines_differ_from_live_by_architecture_and_task_ids_alone(name: str) -> None:
    live, other = PRESETS["live"][1], PRESETS[name][1]
    assert other.model == dataclasses.replace(live.model, architecture=name)  # type: ignore[arg-type]
    assert (other.train, other.controls.lr_base) == (live.train, live.controls.lr_base)
    assert other.controls.p_drop == {"standard": 0.0, "blind": 1.0, "dense": 0.5}[name]


def test_every_architecture_of_the_config_can_be_made() -> None:
    assert set(NAMES) == set(schema()["model"]["architecture"]["choices"])
