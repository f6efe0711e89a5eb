"""Many runs that differ in seed and controls, trained as one: a leading run dimension through method and training.

Every run's model is the single run's own code under `torch.func.vmap`, its batches are those of its own seed, its
gradient is clipped and followed by itself; only the device sees one computation. On an accelerator a small run's step
is hundreds of commands that take longer to give than to carry out, and here they are given once for all runs, as one
CUDA graph.

Shapes: X runs, B images a step, C classes, Q tasks, L layers, E experts, K chosen, P partitions, T tokens, W weights of
a run, A its topology logits.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from cdsp_core.data.datasets import Datasets, load_datasets
from cdsp_core.method.layer import CDSPLayer
from cdsp_core.models.transformer import PatchTransformer
from cdsp_core.settings.config import RunConfig, to_dict
from cdsp_core.training.batched_adamw import Rows, adamw, clipped
from cdsp_core.training.batched_models import StackedModels
from cdsp_core.training.batched_objective import Objective, Told
from cdsp_core.training.batched_snapshot import Snapshot
from cdsp_core.training.batched_streams import BatchedStreams
from cdsp_core.training.batches import Batch, TestSet, with_validation
from cdsp_core.training.captured import Captured
from cdsp_core.training.device import describe_device
from cdsp_core.training.evaluation import Look, Shown, look_at, show_whole_test_set
from cdsp_core.training.non_finite import NonFiniteLossError, first_non_finite
from cdsp_core.training.telemetry import layer_tensors, scalar_names
from cdsp_core.wire.frames import Array

ARCHITECTURES: Final = ("cdsp", "standard", "blind")
MOST_ROWS: Final = 1024
LOOKED_AT_ONCE: Final = 64
"""runs whose test images are in memory at the same time"""
_load_once = functools.lru_cache(maxsize=1)(load_datasets)


def why_not_batched(config: RunConfig) -> str | None:
    """Why a run cannot be one of many, as a sentence; None where it can."""
    model, train = config.model, config.train
    asked: dict[str, tuple[object, tuple[object, ...]]] = {
        "architecture": (model.architecture, ARCHITECTURES),
        "backbone": (model.backbone, ("low_rank",)),
        "conflict_every": (model.conflict_every, (1,)),
        "conflict_pairs": (model.conflict_pairs, ("all",)),
        "conflict_projection": (model.conflict_projection, (0,)),
        "aggregation": (train.aggregation, ("sum",)),
        "controller": (train.controller, ("off",)),
    }
    for name, (found, possible) in asked.items():
        if found not in possible:
            wanted = ", ".join(str(value) for value in possible)
            return f"{name} must be {'one of ' if len(possible) > 1 else ''}{wanted} in a batch of runs. Found {found}."
    return None


def shared_settings(config: RunConfig) -> dict[str, Any]:
    """What all runs of a batch have in common: everything but seed, controls and the name of the preset."""
    content = to_dict(config)
    return {"model": content["model"], "train": {**content["train"], "seed": None}}


class BatchedTrainer:
    """Trains X runs. `train_step` never waits for the device; `arrays` does, once.

    Each run is equal to the single run of its config on the dense path, up to the rounding of sums in another order.
    Raises ValueError when the configs differ in more than seed and controls, or cannot be batched.
    """

    def __init__(
        self,
        configs: Sequence[RunConfig],
        *,
        device: torch.device,
        data_root: Path | None = None,
        datasets: Datasets | None = None,
        capture: bool = True,
    ) -> None:
        _check(configs)
        self.configs, self.device = list(configs), device
        self.runs = len(self.configs)
        config = self.configs[0]
        train = self._train = config.train
        self.model_config = replace(config.model, execution="dense")
        self.data = datasets or _load_once(
            data=train.data,
            labels=train.labels,
            root=data_root,
            device=device,
            missing_kmnist=train.missing_kmnist,
            dataset=config.train.dataset,
        )
        self.tasks = self.data.train.tasks
        seeds = [own.train.seed for own in self.configs]
        trained_on, held_out = self.data.train, None
        if train.validation_frac:
            trained_on, held_out = with_validation(self.data, train.validation_frac)
        self.streams = BatchedStreams(trained_on, config.model, seeds, batch_size=train.batch_size)
        self.test = TestSet(self.data.test, images_per_look=train.eval_batch)
        self.looked_at = self.test if held_out is None else TestSet(held_out, images_per_look=train.eval_batch)
        self.total_steps = train.steps or train.epochs * self.streams.steps_per_epoch
        self.models = StackedModels(self.model_config, seeds, tasks=len(self.tasks), device=device)
        self.step = 0
        self._cdsp_numbers = [n for n, layer in enumerate(self.models.template.layers) if isinstance(layer, CDSPLayer)]
        self._objective = Objective(self.models, [own.controls for own in self.configs])
        self.terms = self._objective.terms
        self.names = scalar_names([task.name for task in self.tasks], config.model, terms=self.terms)
        self.failed: dict[int, NonFiniteLossError] = {}
        """what went wrong, by the run's number; its weights are those of the step before, the others go on"""
        self._set_up_rates()
        self._usable_X = torch.ones(self.runs, dtype=torch.bool, device=device)
        self._steps = torch.zeros((), dtype=torch.float64, device=device)
        self._load_XLE = torch.full((self.runs, config.model.num_layers, config.model.num_experts), torch.nan).to(
            device
        )
        self._set_up_log()
        self.streams.begin_epoch(0)
        self._data_epoch = 0
        self._step_once = Captured(self._one_step, self._changed(), device=device) if capture else None
        self.look_at_test_images()

    @property
    def note(self) -> str | None:
        """Why a step is not one command to an accelerator; None where it is, or there is none."""
        return self._step_once.note if self._step_once else None

    def train_step(self) -> None:
        """One step of every run (`Trainer.train_step`). A run whose loss is not finite stays where it was."""
        data_epoch = self.step // self.streams.steps_per_epoch
        if data_epoch != self._data_epoch:
            self.streams.begin_epoch(data_epoch)
            self._data_epoch = data_epoch
        if self._logged == len(self._log):
            self._drain()
        (self._step_once or self._one_step)()
        self._logged += 1
        self.step += 1
        if self.step % self._train.eval_every == 0:
            self.look_at_test_images()
            self._write_look()

    @torch.no_grad()
    def look_at_test_images(self) -> None:
        """Measure every run on the same next share of the test images, with task ID and without."""
        number = self.step // self._train.eval_every
        image_BHW, label_B, task_B = self.looked_at.look(number)

        def looked(model: PatchTransformer) -> tuple[Tensor, ...]:
            look = look_at(model, image_BHW, label_B, task_B, tasks=len(self.tasks), number=number)
            return tuple(getattr(look, field.name) for field in fields(Look)[1:])

        names = [field.name for field in fields(Look)[1:]]
        self._look = dict(zip(names, self._objective.call(looked, chunk=LOOKED_AT_ONCE), strict=True))

    def arrays(self) -> list[dict[str, Array]]:
        """Every run's arrays as `Trainer.arrays` gives them, on the host: the layers', and the scalars since last time.

        Not among them is what A was pushed by, which nobody asks of a batch.

        A run that was not finite is in `failed` from then on.
        """
        snapshot = self.snapshot()
        return [snapshot.of_run(run) for run in range(self.runs)]

    @torch.no_grad()
    def snapshot(self) -> Snapshot:
        """The same before anything is measured; waits for the device."""
        self._drain()
        layers = self._layers_on_host()
        rows_XNS = np.concatenate(self._taken, axis=1) if self._taken else np.empty((self.runs, 0, len(self.names)))
        self._taken.clear()
        return Snapshot(step=self.step, names=self.names, rows_XNS=rows_XNS, layers=layers, model=self.model_config)

    @torch.no_grad()
    def show_whole_test_set(self) -> list[Shown]:
        """Every run's accuracy and routing on all test images, under every ID and without, on the host."""

        def shown(model: PatchTransformer) -> tuple[Tensor, Tensor]:
            experts = self.model_config.routed_experts
            found = show_whole_test_set(model, self.test, tasks=len(self.tasks), experts=experts)
            return found.accuracy_QG, found.routing_LQGE

        accuracy, routing = (value.cpu() for value in self._objective.call(shown, chunk=LOOKED_AT_ONCE))
        return [Shown(accuracy_QG=accuracy[run], routing_LQGE=routing[run]) for run in range(self.runs)]

    def describe(self) -> dict[str, Any]:
        """Device and way of computing, as JSON."""
        captured = self._step_once is not None and self._step_once.is_graph
        return {**describe_device(self.device), "execution": "dense", "cuda_graph": captured, "note": self.note}

    def _set_up_rates(self) -> None:
        def column(name: str) -> Tensor:
            values = [getattr(config.controls, name) for config in self.configs]
            return torch.tensor(values, dtype=torch.float64, device=self.device)

        lr_X, decay = column("lr_base"), self._train.weight_decay
        self._weights = Rows.of(self.models.weights_XW, lr_X=lr_X, weight_decay=decay)
        self._topology = Rows.of(self.models.topology_XA, lr_X=column("lr_ratio") * lr_X, weight_decay=0.0)

    def _set_up_log(self) -> None:
        self._first_look = self.names.index(f"test_accuracy/{self.tasks[0].name}")
        values = self._first_look + 4 * len(self.tasks)
        rows = min(self._train.eval_every, MOST_ROWS)
        self._log = torch.full((rows, self.runs, values), torch.nan, device=self.device)
        """a row a step of what is measured at every step, then of what looks measure"""
        self._log_row = torch.zeros(1, dtype=torch.int64, device=self.device)
        self._logged = 0
        self._taken: list[Array] = []

    def _changed(self) -> list[Tensor]:
        """Every tensor that a step changes."""
        rows = [value for part in self._groups() for value in (part.value_XW, part.mean_XW, part.square_XW)]
        counters = [self.streams.position, self._steps, self._log_row, self._usable_X]
        return [*rows, *self.models.buffers.values(), *counters, self._log, self._load_XLE]

    def _groups(self) -> list[Rows]:
        return [self._weights, self._topology] if self.models.cdsp_layers else [self._weights]

    def _one_step(self) -> None:
        """The whole step on fixed tensors, without a value that the host would know."""
        batch = self.streams.next_batch()
        told = self._objective.told(batch)
        groups = self._groups()
        wanted = [*(part.value_XW for part in groups), *self.models.taps.values()]
        gradients = torch.autograd.grad(told.loss_X.sum(), wanted)
        with torch.no_grad():
            of_rows, collected = list(gradients[: len(groups)]), gradients[len(groups) :]
            apart, limit = self._train.clip_scope == "apart", self._train.grad_clip
            factors, norm_X = clipped(of_rows, limit=limit, apart=apart)
            self._record_conflict(collected, told.used)
            self._usable_X.logical_and_(torch.isfinite(told.loss_X + norm_X))
            self._steps += 1
            for part, gradient_XW, factor_X in zip(groups, of_rows, factors, strict=True):
                adamw(part, gradient_XW, factor_X=factor_X, usable_X=self._usable_X, step=self._steps)
            self._load_XLE.copy_(told.load_XLE)
            self._write_row(batch, told, norm_X)

    def _record_conflict(self, collected: Sequence[Tensor], used: Sequence[Any]) -> None:
        """Of every layer and run: this step's conflict, for the next step's loss."""

        def play(_model: PatchTransformer, *of_layers: Any) -> list[Any]:
            played = zip(self.models.cdsp_layers, of_layers, strict=True)
            return [layer.game(gradient_ErN, *layer_used) for layer, (gradient_ErN, layer_used) in played]

        found = self._objective.call(play, *zip(collected, used, strict=True)) if used else []
        for number, of_layer in zip(self._cdsp_numbers, found, strict=True):
            kept = self.models.buffers_of(number)
            for name, value in zip(("cosine_EE", "overlap_EE", "pressure_EP"), of_layer, strict=True):
                kept[name].copy_(value)

    def _write_row(self, batch: Batch, told: Told, norm_X: Tensor) -> None:
        correct_XB = told.logits_XBC.argmax(2) == batch.label_B
        is_task_XQB = batch.task_B[:, None] == torch.arange(len(self.tasks), device=self.device)[:, None]
        hits_XQ = (is_task_XQB & correct_XB[:, None]).sum(2)
        accuracy_XQ = hits_XQ / is_task_XQB.sum(2)  # NaN where a task is not in the batch
        told_by_step = torch.stack([self._steps, self._steps / self.streams.steps_per_epoch]).to(torch.float32)
        columns = [told.loss_X.detach()[:, None], told.terms_XM, norm_X[:, None], accuracy_XQ]
        row_XS = torch.cat([told_by_step.expand(self.runs, -1), *columns], dim=1)
        here = self._log_row.remainder(len(self._log))  # steps that try a graph out may run past the end
        self._log[:, :, : self._first_look].index_copy_(0, here, row_XS[None])
        self._log_row += 1

    def _drain(self) -> None:
        """Bring the rows of the log to the host, and note which runs were not finite."""
        if not self._logged:
            return
        rows_NXS = self._log[: self._logged].cpu().numpy()
        full = np.full((self.runs, self._logged, len(self.names)), np.nan, np.float32)
        full[:, :, : rows_NXS.shape[2]] = rows_NXS.transpose(1, 0, 2)
        self._taken.append(full)
        self._log[:, :, self._first_look :] = torch.nan
        self._logged = 0
        self._log_row.zero_()
        for run in range(self.runs):
            if run not in self.failed:
                error = first_non_finite(full[run], names=self.names, terms=self.terms)
                if error is not None:
                    self.failed[run] = error

    def _layers_on_host(self) -> list[dict[str, Array]]:
        """Every layer's arrays for all runs."""
        look = self._look

        def tensors(model: PatchTransformer, load_LE: Tensor, own_LQE: Tensor, blind_LQE: Tensor) -> Any:
            return [
                layer_tensors(layer, load_LE[number], own_LQE[number], blind_LQE[number])
                for number, layer in enumerate(model.layers)
            ]

        found = self._objective.call(tensors, self._load_XLE, look["routing_LQE"], look["routing_blind_LQE"])
        return [{name: value.cpu().numpy().copy() for name, value in layer.items()} for layer in found]

    def _write_look(self) -> None:
        """Into the last row of the log."""
        look = self._look
        kept_XQ = torch.minimum(look["routing_LQE"], look["routing_blind_LQE"]).sum(3).mean(1)
        columns = [look[name] for name in ("accuracy_Q", "accuracy_blind_Q", "accuracy_deceptive_Q")]
        self._log[self._logged - 1, :, self._first_look :] = torch.cat([*columns, kept_XQ], dim=1)


def _check(configs: Sequence[RunConfig]) -> None:
    """Raises ValueError unless these runs can be one batch."""
    if not configs:
        raise ValueError("a batch must have at least one run. Found none.")
    for config in configs:
        reason = why_not_batched(config)
        if reason:
            raise ValueError(reason)
        if shared_settings(config) != shared_settings(configs[0]):
            raise ValueError("runs of a batch must differ in seed and controls only. Found other settings that differ.")
