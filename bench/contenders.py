"""What a step of the real trainer is compared with.

Shapes: B images, T tokens, D model width, E experts, K chosen, r rank quota, N = 2 D.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from cdsp_core.data.datasets import Datasets
from cdsp_core.method.layer import CDSPLayer
from cdsp_core.models.baselines import PlainFeedForward
from cdsp_core.models.transformer import PatchTransformer
from cdsp_core.settings.config import RunConfig
from cdsp_core.training.batches import BatchStream, kept_ids
from cdsp_core.training.trainer import Trainer


class TorchSortedLayer(CDSPLayer):
    """The sorted path in torch operations, also where the C kernel could be had."""

    def path(self, device: torch.device) -> str:
        return "sorted"


class PlainLoopLayer(CDSPLayer):
    """The double loop one would write first: for every slot and expert, the tokens that chose it, by a mask."""

    def forward(self, x_BSD: Tensor, task_BQ: Tensor) -> tuple[Tensor, Tensor]:
        gate_TK, expert_TK = self.router(x_BSD, task_BQ)
        subspaces = self.topology.subspaces()
        strength_E = self.topology.strength(subspaces)
        weight_ErN = self.tapped(self.backbone.gather(subspaces), subspaces, expert_TK)
        x_TD = x_BSD.flatten(0, 1)
        y_TD = torch.zeros_like(x_TD)
        for slot in range(expert_TK.shape[1]):
            for expert, weight_rN in enumerate(weight_ErN):
                chose_T = expert_TK[:, slot] == expert
                u_rD, v_rD = weight_rN.split(x_TD.shape[1], dim=1)
                weight_M = gate_TK[chose_T, slot] * strength_E[expert]
                y_TD[chose_T] += weight_M[:, None] * (F.silu(x_TD[chose_T] @ u_rD.T) @ v_rD)
        return y_TD.view_as(x_BSD), expert_TK


class NotCompiledError(ValueError):
    """This machine cannot compile a step; the message is the trainer's sentence on why."""


def trainer_with(layer: type[CDSPLayer], config: RunConfig, *, device: torch.device, datasets: Datasets) -> Trainer:
    """The real trainer, its layers computed as in `layer`."""
    return Trainer(config, device=device, datasets=datasets, make_layer=layer)


def compiled_trainer(config: RunConfig, *, device: torch.device, datasets: Datasets) -> Trainer:
    """The real trainer, compiled. Raises NotCompiledError."""
    trainer = Trainer(config, device=device, datasets=datasets)
    if not trainer.compiled:
        raise NotCompiledError(trainer.compile_note)
    return trainer


def waiting_for(device: torch.device) -> Callable[[], None]:
    """What returns when the device has done all it was given."""
    return torch.cuda.synchronize if device.type == "cuda" else lambda: None


class PlainTrainer:
    """The same transformer with a plain feed-forward: the same data, loss, optimiser and clipping, nothing else."""

    def __init__(
        self, config: RunConfig, *, width: int, device: torch.device, datasets: Datasets, compiled: bool = False
    ) -> None:
        self._config = config
        self._batches = BatchStream(
            datasets.train, batch_size=config.train.batch_size, seed=config.train.seed, dropout_per="sample"
        )
        self._step = 0
        self._model = PatchTransformer(config.model, make_layer=partial(PlainFeedForward, width=width)).to(device)
        self._parameters = list(self._model.parameters())
        self._optimizer = torch.optim.AdamW(
            self._parameters, lr=config.controls.lr_base, weight_decay=config.train.weight_decay, fused=True
        )
        if compiled:
            self._model.compile()

    def train_step(self) -> None:
        """One step."""
        batch = self._batches.batch(self._step)
        keep_BL = kept_ids(batch.uniform_BL, self._config.controls.p_drop)
        logits_BC, _ = self._model(batch.image_BHW, batch.task_B, keep_BL)
        F.cross_entropy(logits_BC, batch.label_B).backward()
        torch.nn.utils.clip_grad_norm_(self._parameters, self._config.train.grad_clip, foreach=True)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        self._step += 1
