"""Small runs: a network of a few thousand weights and data of a few dozen images."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from cdsp_core.data.datasets import Datasets, TaskData
from cdsp_core.data.tasks import FASHION, KANA, MNIST
from cdsp_core.method.layer import CDSPLayer
from cdsp_core.models.transformer import PatchTransformer
from cdsp_core.settings.config import RunConfig
from cdsp_core.settings.overrides import with_settings
from cdsp_core.training.trainer import Trainer

CPU = torch.device("cpu")
SIZES = {
    "image_size": 8,
    "patch_size": 4,
    "d_model": 16,
    "d_base": 32,
    "d_task": 4,
    "num_layers": 2,
    "num_heads": 2,
    "num_kv_heads": 1,
    "num_experts": 4,
    "num_partitions": 4,
    "top_k": 2,
    "rank_rule": "sqrt",
    "topology_init": "max_entropy",
    "gate_softmax": "top_k",
    "router_norm": "token",
    "task_dropout": "sample",
    "task_embedding": "shared",
    "encoder_init": "plain",
    "conflict_over": "uv",
    "penalty": "logit",
    "execution": "auto",
    "seed": 0,
    "batch_size": 12,
    "epochs": 2,
    "steps": 0,
    "weight_decay": 0.01,
    "grad_clip": 1.0,
    "eval_every": 5,
    "eval_batch": 6,
    "clip_scope": "all",
    "compile": "off",
    "p_drop": 0.5,
    "lambda_conflict": 10.0,
    "lr_ratio": 10.0,
    "lr_base": 5e-3,
    "l1": 1e-4,
    "binarize": 1e-3,
    "sharing": 0.0,
}


def small_config(**settings: Any) -> RunConfig:
    """Two layers of width 16 on 32 shared dimensions, four experts; every value written out here."""
    return with_settings(RunConfig(), {**SIZES, **settings})


def small_data(*, train: int = 60, test: int = 15, side: int = 8, classes: int = 10, seed: int = 0) -> Datasets:
    """Noise around one random picture per task and class: `train` and `test` images a task."""
    generator = torch.Generator().manual_seed(seed)
    pictures = torch.randint(0, 200, (3, classes, side, side), generator=generator)

    def part(count: int) -> TaskData:
        label = (torch.arange(count) % classes).repeat(3)
        task = torch.arange(3).repeat_interleave(count)
        noise = torch.randint(0, 56, (3 * count, side, side), generator=generator)
        images = (pictures[task, label] + noise).to(torch.uint8)
        return TaskData(tasks=(MNIST, KANA, FASHION), images_NHW=images, labels_N=label, task_N=task)

    return Datasets(train=part(train), test=part(test), note="Random pictures.")


def small_trainer(**settings: Any) -> Trainer:
    """A trainer of `small_config` on `small_data`."""
    return Trainer(small_config(**settings), device=CPU, datasets=small_data())


def steps(trainer: Trainer, count: int) -> Trainer:
    """The trainer after `count` more steps."""
    for _ in range(count):
        trainer.train_step()
    return trainer


def state_of(trainer: Trainer) -> dict[str, torch.Tensor]:
    """A copy of every weight and buffer that a checkpoint keeps."""
    return {name: value.detach().clone() for name, value in trainer.model.state_dict().items()}


def with_data_order(config: RunConfig, seed: int) -> RunConfig:
    """The same config from another seed."""
    return replace(config, train=replace(config.train, seed=seed))


def cdsp_layers(model: PatchTransformer) -> list[CDSPLayer]:
    """The layers of a model that have a topology."""
    return [layer for layer in model.layers if isinstance(layer, CDSPLayer)]
