"""One training step, and what is told about it.

Shapes: B images a step, C classes, Q tasks, E experts, K chosen, T tokens, P partitions.
"""

from __future__ import annotations

import functools
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from cdsp_core.data.datasets import Datasets, TaskData, load_datasets
from cdsp_core.method.layer import CDSPLayer
from cdsp_core.models.registry import MakeLayer
from cdsp_core.models.transformer import PatchTransformer
from cdsp_core.settings.config import MAX_STEPS, Controls, RunConfig
from cdsp_core.settings.model import ModelConfig
from cdsp_core.training.adamw import AdamW
from cdsp_core.training.batches import Batch, BatchStream, TestSet, kept_ids, stream_generator, with_validation
from cdsp_core.training.controller import Controller, Move
from cdsp_core.training.device import describe_device
from cdsp_core.training.evaluation import Look, look_at
from cdsp_core.training.flat import flattened
from cdsp_core.training.gradient_on_a import GradientOnA
from cdsp_core.training.non_finite import FiniteGuard, NonFiniteLossError
from cdsp_core.training.objective import added_loss, loss_terms
from cdsp_core.training.pcgrad import backward_by_task
from cdsp_core.training.telemetry import ScalarLog, layer_arrays, scalar_names
from cdsp_core.wire.frames import Array

_load_once = functools.lru_cache(maxsize=1)(load_datasets)
"""A reset begins with the images of the run before, without reading them again."""


def _check_sizes(model: ModelConfig, data: TaskData) -> None:
    """Raises ValueError when the model's sizes are not those of the data. Waits for the device."""
    side, labels = data.images_NHW.shape[1], int(data.labels_N.max()) + 1
    if model.image_size != side:
        raise ValueError(f"image_size must be {side}, the side of the images in the data. Found {model.image_size}.")
    if model.num_classes < labels:
        raise ValueError(f"num_classes must be at least {labels}, the labels in the data. Found {model.num_classes}.")


class Trainer:
    """Trains one run. `train_step` never waits for the device; `arrays` does, once.

    Equal configs give equal runs, bit for bit, on one CPU with one number of threads. The model's layers are those
    of `config.model.architecture`, unless `make_layer` makes others that are computed differently.
    """

    def __init__(
        self,
        config: RunConfig,
        *,
        device: torch.device,
        data_root: Path | None = None,
        datasets: Datasets | None = None,
        make_layer: MakeLayer | None = None,
    ) -> None:
        self.config = config
        self.device = device
        self.data = datasets or _load_once(
            data=config.train.data,
            labels=config.train.labels,
            root=data_root,
            device=device,
            missing_kmnist=config.train.missing_kmnist,
            dataset=config.train.dataset,
        )
        _check_sizes(config.model, self.data.train)
        self.tasks = self.data.train.tasks
        train = config.train
        trained_on, held_out = self.data.train, None
        if train.validation_frac:
            trained_on, held_out = with_validation(self.data, train.validation_frac)
        self.batches = BatchStream(
            trained_on,
            batch_size=train.batch_size,
            seed=train.seed,
            dropout_per=config.model.task_dropout,
            num_layers=config.model.num_layers,
        )
        self.test = TestSet(self.data.test, images_per_look=train.eval_batch)
        self.looked_at = self.test if held_out is None else TestSet(held_out, images_per_look=train.eval_batch)
        """what looks and the controller see: validation images where some are kept from training, else test images"""
        self.total_steps = train.steps or train.epochs * self.batches.steps_per_epoch
        if self.total_steps > MAX_STEPS:
            raise ValueError(f"epochs must give at most {MAX_STEPS} steps. Found {self.total_steps}.")
        self.step = 0
        generator = stream_generator(train.seed, "weights")
        model = PatchTransformer(config.model, num_tasks=len(self.tasks), make_layer=make_layer, generator=generator)
        self.model = model.to(device)
        self.cdsp_layers = [layer for layer in self.model.layers if isinstance(layer, CDSPLayer)]
        """the layers with a topology; none of them in a model without A"""
        topology = [layer.topology.topology_logits for layer in self.cdsp_layers]
        weights = [p for p in self.model.parameters() if not any(p is a for a in topology)]
        groups = [{"params": [flattened(weights)], "weight_decay": train.weight_decay}]
        if topology:
            groups.append({"params": [flattened(topology)], "weight_decay": 0.0})
        self.optimizer = AdamW(groups)
        self.parameters = [group["params"][0] for group in self.optimizer.param_groups]
        """all weights as one, and all A as one"""
        self._on_a = GradientOnA(self.cdsp_layers) if config.model.tells_gradient else None
        self._shared = [p for p in weights if p is not self.model.task_embedding]
        self.compiled, self.compile_note = self._compile()
        self.terms = loss_terms(self.model)
        self.log = ScalarLog(
            scalar_names([task.name for task in self.tasks], config.model, terms=self.terms), device=device
        )
        self._finite = FiniteGuard(self.optimizer, names=self.log.names, terms=self.terms, device=device)
        self.controller = Controller(train) if train.controller != "off" else None
        self.apply(config.controls)
        self.look_at_test_images()
        self._chosen: list[Tensor] = []
        """of the last step, for every layer the experts of each token"""

    def apply(self, controls: Controls) -> None:
        """Use these controls from the next step on."""
        self.controls = controls
        weights, *topology = self.optimizer.param_groups
        weights["lr"] = controls.lr_base
        for group in topology:
            group["lr"] = controls.lr_ratio * controls.lr_base
        for layer in self.cdsp_layers:
            layer.topology.sharing = controls.sharing

    def steer(self) -> Move | None:
        """Ask the run's controller for a move before the next step; None for no move, or without a controller.

        Waits for the device at the steps of a look.
        """
        if self.controller is None:
            return None
        return self.controller.consider(self.step, lambda: float(self.look.accuracy_blind_Q.mean()), self.controls)

    def train_step(self) -> None:
        """One step (arXiv:2512.20291, Algorithm 1): this step's task loss, last step's conflict.

        Raises NonFiniteLossError on the CPU at once; on an accelerator `arrays` raises it. In both cases the
        optimiser has left the weights alone.
        """
        for layer in self.cdsp_layers:
            layer.begin_step(self.step)
        batch = self.batches.batch(self.step)
        loss, penalty, terms, logits_BC, chosen = self._loss(batch)
        if self.config.train.aggregation == "sum":
            loss.backward()
        else:
            self._backward_by_task(batch, logits_BC, penalty)
        grad_norm = self._clip()
        for layer in self.cdsp_layers:
            layer.record_conflict()
        self._finite.skip_when_non_finite(loss, grad_norm)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=False)
        self._chosen = chosen
        self.step += 1
        self._write_row(batch, loss, terms, grad_norm, logits_BC)
        if self.step % self.config.train.eval_every == 0:
            self.look_at_test_images()
            self._write_look()

    @torch.no_grad()
    def load(self) -> Tensor:
        """Share of the last step's assignments that every expert got, [layers, experts]; NaN before the first step."""
        experts = self.config.model.routed_experts
        if not self._chosen:
            return torch.full((self.config.model.num_layers, experts), torch.nan, device=self.device)
        slot_LM = torch.stack(self._chosen).flatten(1) + 1  # an unused one, -1, counts at 0
        counts = torch.zeros(len(slot_LM), experts + 1, device=self.device)
        counts.scatter_add_(1, slot_LM, counts.new_ones(()).expand_as(slot_LM))
        return counts[:, 1:] / counts[:, 1:].sum(1, keepdim=True)

    def arrays(self) -> dict[str, Array]:
        """The arrays of a frame at this step, on the host; the scalars of all steps since the last call.

        Raises NonFiniteLossError when one of those steps was not finite and that was not said yet; the next call
        returns the arrays with these steps.
        """
        load_LE = self.load()
        layers = [
            layer_arrays(
                layer, load_LE[number], self.look.routing_LQE[number], self.look.routing_blind_LQE[number], gradient
            )
            for number, (layer, gradient) in enumerate(zip(self.model.layers, self._gradients(), strict=True))
        ]
        rows = self.log.take(layers, self.config.model)
        try:
            self._finite.check(rows)
        except NonFiniteLossError:
            self.log.put_back(rows)
            raise
        arrays = {
            f"layer{number}/{name}": array for number, layer in enumerate(layers) for name, array in layer.items()
        }
        return {"scalars": rows, **arrays}

    def describe(self) -> dict[str, Any]:
        """Facts that do not change while the run trains, as JSON."""
        model, layer = self.config.model, self.model.layers[0]
        held_out = self.looked_at.data if self.looked_at is not self.test else None
        return {
            "tasks": [
                {"name": t.name, "label": t.label, "note": t.note, "class_names": list(t.class_names)}
                for t in self.tasks
            ],
            "scalar_names": list(self.log.names),
            "architecture": model.architecture,
            "topology": model.has_topology,
            "layers": model.num_layers,
            "experts": model.routed_experts,
            "partitions": model.num_partitions if model.has_topology else 0,
            "dims": model.held_dims if model.has_topology else 0,
            "rank": model.held_rank if model.has_topology else 0,
            "num_tokens": model.num_tokens,
            "steps_per_epoch": self.batches.steps_per_epoch,
            "data": {
                "train": len(self.batches.data.labels_N),
                "test": len(self.data.test.labels_N),
                "note": self.data.note,
                **({"validation": len(held_out.labels_N)} if held_out is not None else {}),
            },
            "device": {
                **describe_device(self.device),
                "execution": layer.path(self.device),
                "compiled": self.compiled,
                "note": " ".join(filter(None, (layer.path_note(self.device), self.compile_note))) or None,
            },
        }

    def look_at_test_images(self) -> None:
        """Measure accuracy and routing on the next share of the test images, with task ID and without.

        With a validation split, on its images: test images are then seen by `test_accuracy` alone.
        """
        self.look = self._look(self.looked_at, self.step // self.config.train.eval_every)

    def test_accuracy(self) -> tuple[dict[str, float], dict[str, float]]:
        """Accuracy per task over the whole test set, with task ID and without."""
        looks = [self._look(self.test, number) for number in range(self.test.looks)]
        weights = torch.tensor([look.images for look in looks], dtype=torch.float32, device=self.device)[:, None]
        known, blind = (
            (torch.stack([getattr(look, name) for look in looks]) * weights).sum(0).div(weights.sum()).tolist()
            for name in ("accuracy_Q", "accuracy_blind_Q")
        )
        names = [task.name for task in self.tasks]
        return dict(zip(names, known, strict=True)), dict(zip(names, blind, strict=True))

    def _compile(self) -> tuple[bool, str | None]:
        """Compile the model where the config asks for it. Returns whether it is, and a sentence when it cannot be."""
        if self.config.train.compile == "off":
            return False, None
        if self.device.type == "cpu" and not (os.environ.get("CXX") or shutil.which("g++") or shutil.which("clang++")):
            return (
                False,
                "torch.compile needs a C++ compiler (Debian: apt install g++); found none, so the run is eager.",
            )
        self.model.compile()
        for layer in self.cdsp_layers:
            layer.compile_game()
        return True, None

    def _loss(self, batch: Batch) -> tuple[Tensor, Tensor | None, Tensor, Tensor, list[Tensor]]:
        """Total loss, what of it is penalty, its terms as they are told, the logits and the routing."""
        keep_BL = kept_ids(batch.uniform_BL, self.controls.p_drop)
        logits_BC, chosen = self.model(batch.image_BHW, batch.task_B, keep_BL)
        task_loss = F.cross_entropy(logits_BC, batch.label_B)
        penalty, penalty_terms = self._penalty(batch)
        loss = task_loss if penalty is None else task_loss + penalty
        terms = torch.stack([task_loss, *penalty_terms]).detach()
        return loss, penalty, terms, logits_BC, chosen

    def _backward_by_task(self, batch: Batch, logits_BC: Tensor, penalty: Tensor | None) -> None:
        """Backward passes with the tasks' conflicts projected out of every weight but A and the task embedding.

        A task's loss is its samples' share of the task loss, so without a conflict the gradient is the ordinary one.
        """
        task_loss_B = F.cross_entropy(logits_BC, batch.label_B, reduction="none") / len(batch.label_B)
        losses = [(task_loss_B * (batch.task_B == task)).sum() for task in range(len(self.tasks))]
        backward_by_task(losses, self._shared, seed=self.config.train.seed, step=self.step)
        if penalty is not None:
            penalty.backward()

    def _penalty(self, batch: Batch) -> tuple[Tensor | None, list[Tensor]]:
        """What layers and the router's aids add to the task loss, weighted; and its terms as they are told."""
        return added_loss(self.model, self.controls, batch.task_B)

    @torch.no_grad()
    def _clip(self) -> Tensor:
        """Clip in the configured scope; returns the norm over all parameters before clipping."""
        gradients = [parameter.grad for parameter in self.parameters if parameter.grad is not None]
        norms = torch.stack([torch.linalg.vector_norm(gradient) for gradient in gradients])
        total: Tensor = torch.linalg.vector_norm(norms)
        measured = total if self.config.train.clip_scope == "all" else norms
        scales = (self.config.train.grad_clip / (measured + 1e-6)).clamp_max(1.0).expand_as(norms)
        for gradient, scale in zip(gradients, scales.unbind(), strict=True):
            gradient.mul_(scale)
        if self._on_a is not None:
            self._on_a.keep(scales[-1], self.controls)
        return total

    def _gradients(self) -> Sequence[Tensor | None]:
        """Of every layer A's gradient in the last step and the penalties' shares of it; None for one without A."""
        return [None] * len(self.model.layers) if self._on_a is None else self._on_a.rows().unbind()

    @torch.no_grad()
    def _write_row(self, batch: Batch, loss: Tensor, terms: Tensor, grad_norm: Tensor, logits_BC: Tensor) -> None:
        correct_B = (logits_BC.argmax(1) == batch.label_B).to(torch.float32)
        counts_2Q = torch.zeros(2, len(self.tasks), device=self.device)
        counts_2Q[0].scatter_add_(0, batch.task_B, correct_B)
        counts_2Q[1].scatter_add_(0, batch.task_B, torch.ones_like(correct_B))
        accuracy_Q = counts_2Q[0] / counts_2Q[1]  # NaN where a task is not in the batch
        self.log.write(
            self.step,
            self.step / self.batches.steps_per_epoch,
            torch.cat([loss.detach()[None], terms, grad_norm[None], accuracy_Q]),
        )
        if self.device.type == "cpu":
            self._finite.check(self.log.last_row())

    def _look(self, images: TestSet, number: int) -> Look:
        return look_at(self.model, *images.look(number), tasks=len(self.tasks), number=number)

    def _write_look(self) -> None:
        look = self.look
        measured = [look.accuracy_Q, look.accuracy_blind_Q, look.accuracy_deceptive_Q]
        if self.config.model.routed_experts:
            measured.append(torch.minimum(look.routing_LQE, look.routing_blind_LQE).sum(2).mean(0))
        self.log.add_look(torch.cat(measured))
