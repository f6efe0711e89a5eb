"""The loss of many runs, each under its own controls: what `Trainer` computes for one, by the same functions.

Shapes: X runs, B images a step, C classes, L layers, E experts, M terms of the loss.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from cdsp_core.models.transformer import PatchTransformer
from cdsp_core.settings.config import Controls
from cdsp_core.training.batched_models import StackedModels
from cdsp_core.training.batches import Batch, kept_ids
from cdsp_core.training.objective import added_loss, loss_terms


class RunControls(NamedTuple):
    """The controls of every run that its loss reads, [X] each, or of one under `vmap`, scalars."""

    p_drop: Tensor
    lambda_conflict: Tensor
    l1: Tensor
    binarize: Tensor
    sharing: Tensor


class Told(NamedTuple):
    """What one step's forward pass says of every run."""

    loss_X: Tensor
    terms_XM: Tensor
    """the terms of the loss, in the order of `Objective.terms`"""
    logits_XBC: Tensor
    load_XLE: Tensor
    """share of the step's assignments that every expert got"""
    used: list[Any]
    """of every CDSP layer the subspaces and chosen experts that its taps belong to"""


class Objective:
    """Calls functions on the models of all runs, with each run's controls in force."""

    def __init__(self, models: StackedModels, controls: Sequence[Controls]) -> None:
        self._models = models
        self.terms = loss_terms(models.template)
        device = models.weights_XW.device
        self._controls = RunControls(
            *(torch.tensor([getattr(own, name) for own in controls], device=device) for name in RunControls._fields)
        )
        self._shares = any(own.sharing for own in controls)

    def call(self, do: Callable[..., Any], *each: Any, chunk: int | None = None) -> Any:
        """`StackedModels.call`, with every run's `sharing` added to its topology."""
        if not self._shares:
            return self._models.call(do, *each, chunk=chunk)

        def shared(model: PatchTransformer, sharing: Tensor, *arguments: Any) -> Any:
            for layer in self._models.cdsp_layers:
                layer.topology.sharing = sharing
            return do(model, *arguments)

        try:
            return self._models.call(shared, self._controls.sharing, *each, chunk=chunk)
        finally:
            for layer in self._models.cdsp_layers:
                layer.topology.sharing = 0.0

    def told(self, batch: Batch) -> Told:
        """The forward pass of a batch whose fields have a first dimension of X."""
        inputs = (batch.image_BHW, batch.label_B, batch.task_B, batch.uniform_BL, self._controls)
        told: Told = self.call(self._told, *inputs)
        return told

    def _told(
        self,
        model: PatchTransformer,
        image_BHW: Tensor,
        label_B: Tensor,
        task_B: Tensor,
        uniform_BL: Tensor,
        controls: RunControls,
    ) -> Told:
        """Of one run."""
        keep_BL = kept_ids(uniform_BL, controls.p_drop)
        logits_BC, chosen = model(image_BHW, task_B, keep_BL)
        terms = [F.cross_entropy(logits_BC, label_B)]
        penalty, penalty_terms = added_loss(model, controls, task_B)
        loss = terms[0] if penalty is None else terms[0] + penalty
        expert_E = torch.arange(model.config.num_experts, device=image_BHW.device)
        load_LE = torch.stack([(expert_TK[:, :, None] == expert_E).sum((0, 1)) for expert_TK in chosen])
        return Told(
            loss_X=loss,
            terms_XM=torch.stack([*terms, *penalty_terms]).detach(),
            logits_XBC=logits_BC.detach(),
            load_XLE=load_LE / load_LE.sum(1, keepdim=True),
            used=[layer.used for layer in self._models.cdsp_layers],
        )
