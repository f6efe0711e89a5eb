"""PCGrad: projections against Algorithm 1 written as a loop, and what it leaves alone in a run."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cdsp_core.models.registry import NAMES
from cdsp_core.settings.config import RunConfig
from cdsp_core.training.pcgrad import backward_by_task
from cdsp_core.training.trainer import Trainer
from tests.core.small import small_config, small_trainer, state_of, steps


def projected_by_loops(gradients: list[Tensor], orders: tuple[tuple[int, ...], ...]) -> Tensor:
    """Algorithm 1: for every task, take away what opposes the others, one after the other; then add up."""
    total = torch.zeros_like(gradients[0])
    for task, order in enumerate(orders):
        mine = gradients[task].clone()
        for other in order:
            inner = mine @ gradients[other]
            if other != task and inner < 0:
                mine = mine - inner / (gradients[other] @ gradients[other]) * gradients[other]
        total = total + mine
    return total


def after_backward(gradients: list[Tensor], *, seed: int = 0, step: int = 0) -> Tensor:
    """The gradient of weights whose tasks' losses have these gradients."""
    first, second = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(len(gradients[0]) - 2))
    losses = [(torch.cat([first, second]) * gradient).sum() for gradient in gradients]
    backward_by_task(losses, [first, second], seed=seed, step=step)
    assert first.grad is not None
    assert second.grad is not None
    return torch.cat([first.grad, second.grad])


def three_tasks() -> list[Tensor]:
    """Every two of them in conflict."""
    return [torch.tensor(each) for each in ([1.0, 0.0, 0.1, 0.0], [-0.5, 0.9, 0.0, 0.3], [-0.5, -0.9, 0.2, 0.0])]


def test_tasks_that_agree_are_added_up() -> None:
    gradients = [torch.tensor([1.0, 0.5, 0.0]), torch.tensor([0.5, 1.0, 2.0])]
    torch.testing.assert_close(after_backward(gradients), gradients[0] + gradients[1])


def test_of_two_tasks_in_conflict_each_loses_what_opposes_the_other() -> None:
    gradients = [torch.tensor([1.0, 0.0, 0.0]), torch.tensor([-1.0, 1.0, 0.0])]
    found = after_backward(gradients)
    torch.testing.assert_close(found, torch.tensor([0.5, 1.5, 0.0]))
    torch.testing.assert_close(found, projected_by_loops(gradients, ((1,), (0,))))


def test_three_tasks_are_projected_in_one_of_the_orders_of_the_algorithm() -> None:
    gradients = three_tasks()
    orders = itertools.product(itertools.permutations(range(3)), repeat=3)
    allowed = [projected_by_loops(gradients, order) for order in orders]
    found = [after_backward(gradients, step=step) for step in range(8)]
    for each in found:
        assert any(torch.allclose(each, other, atol=1e-5) for other in allowed)
    assert any(not torch.allclose(each, found[0]) for each in found), "the order must change"


def test_the_order_depends_on_seed_and_step_alone_and_disturbs_no_other_stream() -> None:
    gradients = three_tasks()
    torch.manual_seed(11)
    expected_draw = torch.rand(3)
    torch.manual_seed(11)
    first = after_backward(gradients, seed=5, step=2)
    assert torch.equal(torch.rand(3), expected_draw)
    assert torch.equal(after_backward(gradients, seed=5, step=2), first)


def test_a_task_without_samples_changes_nothing() -> None:
    gradients = [torch.tensor([1.0, 0.0, 0.0]), torch.tensor([-1.0, 1.0, 0.0])]
    torch.testing.assert_close(after_backward([*gradients, torch.zeros(3)]), after_backward(gradients))


def gradients_at(trainer: Trainer) -> dict[str, Tensor]:
    """Every gradient before clipping at the trainer's next step."""
    batch = trainer.batches.batch(trainer.step)
    loss, penalty, _, logits_BC, _ = trainer._loss(batch)
    if trainer.config.train.aggregation == "sum":
        loss.backward()
    else:
        trainer._backward_by_task(batch, logits_BC, penalty)
    return {name: p.grad.clone() for name, p in trainer.model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("architecture", NAMES)
def test_a_batch_of_one_task_has_the_ordinary_gradient(architecture: str) -> None:
    settings: dict[str, Any] = {"architecture": architecture, "batch_size": 1, "p_drop": 0.0}
    plain, projected = (gradients_at(small_trainer(aggregation=how, **settings)) for how in ("sum", "pcgrad"))
    assert set(plain) == set(projected)
    for name, gradient in plain.items():
        torch.testing.assert_close(projected[name], gradient, rtol=1e-3, atol=1e-6)


def test_topology_task_embedding_and_expert_gradients_are_the_ordinary_ones() -> None:
    # Both runs stand at the same weights, with conflict recorded; only the aggregation differs from here on.
    runs = [steps(small_trainer(p_drop=0.0), 3) for _ in range(2)]
    runs[1].config = small_trainer(p_drop=0.0, aggregation="pcgrad").config
    plain, projected = (gradients_at(run) for run in runs)
    left_alone = [name for name in plain if "topology_logits" in name or name == "task_embedding"]
    assert len(left_alone) == 3
    for name in left_alone:
        torch.testing.assert_close(projected[name], plain[name], rtol=1e-4, atol=1e-6)
    taps = [[layer.expert_gradient() for layer in run.cdsp_layers] for run in runs]
    for mine, theirs in zip(*taps, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-6)
    assert any((projected[name] - plain[name]).abs().max() > 1e-3 for name in plain if name not in left_alone)


@pytest.mark.parametrize("architecture", NAMES)
def test_every_architecture_trains_the_same_run_twice(architecture: str) -> None:
    first, second = (steps(small_trainer(architecture=architecture, aggregation="pcgrad"), 4) for _ in range(2))
    mine, theirs = state_of(first), state_of(second)
    assert all(torch.equal(value.nan_to_num(9.0), theirs[name].nan_to_num(9.0)) for name, value in mine.items())
    plain = steps(small_trainer(architecture=architecture), 4)
    assert not torch.equal(first.model.head.weight, plain.model.head.weight)


def test_training_with_projected_gradients_lowers_the_loss() -> None:
    trainer = steps(small_trainer(aggregation="pcgrad", epochs=100, lr_base=3e-3), 150)
    task_loss = trainer.arrays()["scalars"][:, trainer.log.names.index("task_loss")]
    assert task_loss[-10:].mean() < 0.5 * task_loss[:10].mean()


def test_a_projected_conflict_cannot_be_put_together_from_several_backward_passes() -> None:
    with pytest.raises(ValueError) as caught:
        RunConfig(model=small_config(conflict_projection=8).model, train=small_config(aggregation="pcgrad").train)
    assert str(caught.value) == (
        "conflict_projection must be 0 under aggregation pcgrad, whose backward passes are one for every task. Found 8."
    )
