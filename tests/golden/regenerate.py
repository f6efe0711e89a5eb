"""The golden loss curve: 60 steps of a small run on the embedded data, every value of its config written out here.

A moves fast enough for alpha sparsity to grow from 0 to one half within these steps.

`python -m tests.golden.regenerate` writes `live_loss.json` anew. Do that only when a change of the curve is meant,
and say in the commit why it had to change.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import torch

from cdsp_core.settings.config import Controls, RunConfig, TrainConfig
from cdsp_core.settings.model import ModelConfig
from cdsp_core.training.trainer import Trainer

GOLDEN: Final = Path(__file__).with_name("live_loss.json")
STEPS: Final = 60
CURVES: Final = ("task_loss", "conflict_penalty", "alpha_sparsity")

CONFIG: Final = RunConfig(
    preset="live",
    model=ModelConfig(
        image_size=28,
        patch_size=7,
        num_classes=10,
        d_model=32,
        d_base=128,
        d_task=8,
        num_layers=2,
        num_heads=4,
        num_kv_heads=2,
        num_experts=8,
        num_partitions=8,
        top_k=2,
        rank_rule="sqrt",
        topology_init="max_entropy",
        gate_softmax="top_k",
        router_norm="token",
        task_dropout="sample",
        conflict_over="uv",
        penalty="logit",
        execution="auto",
    ),
    train=TrainConfig(
        seed=0,
        data="embedded",
        labels="ten",
        batch_size=64,
        epochs=1,
        steps=STEPS,
        weight_decay=0.01,
        grad_clip=1.0,
        clip_scope="all",
        eval_every=1000,
        eval_batch=30,
        compile="off",
    ),
    controls=Controls(p_drop=0.5, lambda_conflict=10.0, lr_ratio=50.0, lr_base=3e-3, l1=1e-4, binarize=1e-3),
)


def loss_curve(config: RunConfig = CONFIG) -> dict[str, list[float]]:
    """Task loss, conflict penalty and alpha sparsity (mean over the layers) after each step, on one CPU thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        trainer = Trainer(config, device=torch.device("cpu"))
        curve: dict[str, list[float]] = {name: [] for name in CURVES}
        for _ in range(STEPS):
            trainer.train_step()
            row = trainer.log.last_row()[0]
            for name in ("task_loss", "conflict_penalty"):
                curve[name].append(float(row[trainer.log.names.index(name)]))
            below = [(layer.topology.connection() < 0.1).float().mean() for layer in trainer.cdsp_layers]
            curve["alpha_sparsity"].append(float(torch.stack(below).mean()))
    finally:
        torch.set_num_threads(threads)
    return curve


if __name__ == "__main__":
    rounded = {name: [round(value, 6) for value in values] for name, values in loss_curve().items()}
    GOLDEN.write_text(json.dumps(rounded, indent=1) + "\n")
    print(f"Wrote {GOLDEN}.")
