"""The update that studies give to models of their own is the trainer's."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F

from cdsp_core.studies.experiments.game_step import GameStep
from tests.core.small import cdsp_layers, small_trainer


@pytest.mark.parametrize("settings", [{}, {"conflict_every": 3}, {"penalty": "sigmoid"}, {"architecture": "standard"}])
def test_its_steps_are_the_trainers(settings: dict[str, object]) -> None:
    trainer = small_trainer(clip_scope="apart", load_balance=0.0, **settings)
    model = copy.deepcopy(trainer.model)
    layers = cdsp_layers(model)
    start = [parameter.detach().clone() for parameter in model.parameters()]
    game = GameStep(model, layers, trainer.controls, weight_decay=trainer.config.train.weight_decay)
    for step in range(7):
        batch = trainer.batches.batch(step)
        keep_BL = (batch.uniform_BL >= trainer.controls.p_drop).float()
        game.update(F.cross_entropy(model(batch.image_BHW, batch.task_B, keep_BL)[0], batch.label_B))
        trainer.train_step()
        for mine, theirs in zip(model.parameters(), trainer.model.parameters(), strict=True):
            torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)
    assert not any(torch.equal(new, old) for new, old in zip(model.parameters(), start, strict=True))
