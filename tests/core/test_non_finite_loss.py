"""A loss that is no number stops the run, names itself, and leaves the weights as they were."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from cdsp_core.training.non_finite import NonFiniteLossError
from cdsp_core.training.telemetry import ScalarLog
from cdsp_core.training.trainer import Trainer
from tests.core.small import small_trainer, state_of, steps


def poison_the_head(trainer: Trainer) -> None:
    trainer.model.head.weight.data[0, 0] = torch.nan


def poison_a_logit(trainer: Trainer) -> None:
    trainer.cdsp_layers[0].topology.topology_logits.data[1, 2] = torch.inf


def poison_the_pressure(trainer: Trainer) -> None:
    trainer.cdsp_layers[1].pressure_EP[0, 1] = torch.nan


def poison_a_gradient(trainer: Trainer) -> None:
    trainer.model.head.weight.register_hook(lambda gradient: gradient * torch.inf)


POISONS: list[tuple[Callable[[Trainer], None], str]] = [
    (poison_the_head, "task_loss"),
    (poison_the_pressure, "conflict_penalty"),
    (poison_a_logit, "conflict_penalty"),
    (poison_a_gradient, "grad_norm"),
]


@pytest.mark.parametrize(("poison", "term"), POISONS)
def test_the_error_names_term_and_step_and_nothing_was_updated(poison: Callable[[Trainer], None], term: str) -> None:
    trainer = steps(small_trainer(lambda_conflict=1.0), 3)
    poison(trainer)
    before = state_of(trainer)
    moments = {
        (number, key): value.clone()
        for number, parameter in enumerate(trainer.parameters)
        for key, value in trainer.optimizer.state[parameter].items()
    }
    with pytest.raises(NonFiniteLossError) as caught:
        trainer.train_step()
    assert caught.value.step == 4
    assert caught.value.term == term
    assert str(caught.value) == f"{term} became non-finite at step 4."
    for name, _ in trainer.model.named_parameters():
        assert torch.equal(state_of(trainer)[name].nan_to_num(9.0), before[name].nan_to_num(9.0))
    for (number, key), value in moments.items():
        assert torch.equal(trainer.optimizer.state[trainer.parameters[number]][key], value)


def test_the_weights_stay_finite_when_the_loss_overflows() -> None:
    trainer = steps(small_trainer(), 2)
    trainer.model.head.weight.data.mul_(3e38)
    with pytest.raises(NonFiniteLossError):
        steps(trainer, 3)
    assert all(parameter.isfinite().all() for parameter in trainer.model.parameters())


def test_a_finite_step_is_not_skipped() -> None:
    trainer = steps(small_trainer(), 1)
    before = state_of(trainer)
    trainer.train_step()
    assert not torch.equal(state_of(trainer)["head.weight"], before["head.weight"])
    assert all(state["step"] == 2 for state in trainer.optimizer.state.values())


def test_where_the_host_does_not_wait_the_next_frame_raises_it() -> None:
    trainer = steps(small_trainer(), 2)
    log: ScalarLog = trainer.log
    names = log.names
    log._rows[0, names.index("binarize_penalty")] = torch.nan
    with pytest.raises(NonFiniteLossError, match=r"^binarize_penalty became non-finite at step 1\.$"):
        trainer.arrays()
