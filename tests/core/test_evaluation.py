"""Every test image under every task ID and under none, against plain passes one by one."""

from __future__ import annotations

import pytest
import torch

from cdsp_core.training.evaluation import Shown, show_whole_test_set, show_with_every_id
from cdsp_core.training.trainer import Trainer
from tests.core.small import small_config, small_trainer, steps


@pytest.fixture(scope="module")
def trainer() -> Trainer:
    return steps(small_trainer(lr_base=0.02), 8)


@pytest.fixture(scope="module")
def shown(trainer: Trainer) -> Shown:
    return show_whole_test_set(trainer.model, trainer.test, tasks=3, experts=4)


def test_right_ids_and_none_give_what_the_trainer_measures(trainer: Trainer, shown: Shown) -> None:
    known, blind = trainer.test_accuracy()
    assert shown.accuracy().tolist() == pytest.approx(list(known.values()))
    assert shown.accuracy_blind().tolist() == pytest.approx(list(blind.values()))


@torch.no_grad()
def test_a_wrong_id_gives_what_a_plain_pass_with_that_id_gives(trainer: Trainer, shown: Shown) -> None:
    data = trainer.data.test
    images = data.images_NHW.to(torch.float32) * (2 / 255) - 1
    for task in range(3):
        mine = data.task_N == task
        for given in range(3):
            asked = torch.full((int(mine.sum()),), given)
            logits, chosen = trainer.model(images[mine], asked, torch.ones(len(asked), 1))
            correct = (logits.argmax(1) == data.labels_N[mine]).float().mean()
            assert shown.accuracy_QG[task, given] == pytest.approx(float(correct))
            for layer, expert_TK in enumerate(chosen):
                share_E = torch.bincount(expert_TK.flatten(), minlength=4) / expert_TK.numel()
                torch.testing.assert_close(shown.routing_LQGE[layer, task, given], share_E)


def test_deceptive_accuracy_is_the_mean_over_the_wrong_ids() -> None:
    accuracy_QG = torch.tensor([[0.9, 0.2, 0.4, 0.5], [0.1, 0.8, 0.3, 0.5], [0.6, 0.0, 1.0, 0.5]])
    shown = Shown(accuracy_QG=accuracy_QG, routing_LQGE=torch.zeros(1, 3, 4, 2))
    assert shown.accuracy_deceptive().tolist() == pytest.approx([0.3, 0.2, 0.3])


def test_routing_with_the_right_id_is_the_diagonal() -> None:
    routing_LQGE = torch.rand(2, 3, 4, 5)
    shown = Shown(accuracy_QG=torch.zeros(3, 4), routing_LQGE=routing_LQGE)
    for task in range(3):
        assert torch.equal(shown.routing()[:, task], routing_LQGE[:, task, task])
    assert torch.equal(shown.routing_blind(), routing_LQGE[:, :, 3])


def test_a_net_without_experts_has_accuracies_and_no_routing() -> None:
    dense = small_trainer(architecture="dense")
    shown = show_with_every_id(dense.model, *dense.test.look(0), tasks=3, experts=0)
    assert shown.routing_LQGE.shape == (2, 3, 4, 0)
    assert torch.equal(shown.accuracy(), shown.accuracy_blind())


def test_slots_that_stay_empty_count_for_no_expert() -> None:
    def model(image_BHW: torch.Tensor, task_B: torch.Tensor, keep_BL: torch.Tensor) -> object:
        experts = torch.tensor([0, -1]).repeat(len(image_BHW) * 2, 1)
        return torch.zeros(len(image_BHW), 10), [experts]

    model.config = small_config().model  # type: ignore[attr-defined]
    images, labels, tasks = (
        torch.zeros(6, 8, 8),
        torch.zeros(6, dtype=torch.int64),
        torch.arange(3).repeat_interleave(2),
    )
    shown = show_with_every_id(model, images, labels, tasks, tasks=3, experts=2)  # type: ignore[arg-type]
    assert torch.equal(shown.routing_LQGE, torch.tensor([1.0, 0.0]).expand(1, 3, 4, 2))
