"""What each rung of the cost ladder costs and how far its cosines are from the exact ones; needs torch.

Shapes: E experts, r rank quota, N entries of a dimension.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from cdsp_core.method import conflict
from cdsp_core.method.layer import CDSPLayer
from cdsp_core.method.projection import fold, random_signs
from cdsp_core.method.topology import Subspaces, scatter_to_dimensions
from cdsp_core.settings.config import RunConfig
from cdsp_core.settings.model import ModelConfig
from cdsp_core.studies.framework.study import Row, Tell
from cdsp_core.training.batches import kept_ids
from cdsp_core.training.trainer import Trainer

SIGNS_A_STEP = 3
"""projections drawn for every gradient that is looked at"""
PROBE_EVERY = 5
TOKENS, IMAGES = 16, 64


class Errors:
    """Means of a rung's errors, over layers and looks."""

    def __init__(self) -> None:
        self._error: list[float] = []
        self._size: list[float] = []
        self._bias: list[float] = []
        self._pairs: list[float] = []
        self._kept: list[float] = []

    def add(self, cosine_EE: Tensor, exact_EE: Tensor) -> None:
        """One layer at one step: the rung's cosines and the exact ones."""
        upper = torch.triu(torch.ones_like(exact_EE, dtype=torch.bool), diagonal=1)
        known = upper & exact_EE.isfinite()
        if not known.any():
            return
        exact, found = exact_EE[known], cosine_EE[known]
        pressing = torch.relu(-exact)
        kept = found.isfinite()
        self._error.append(float(conflict.ladder_error(cosine_EE, exact_EE)))
        self._size.append(float(exact[kept].abs().mean()))
        self._bias.append(float((torch.relu(-found) - pressing)[kept].mean()))
        self._pairs.append(float(kept.float().mean()))
        self._kept.append(float(pressing[kept].sum() / pressing.sum()))

    def row(self) -> Row:
        """`error` is the mean absolute error of a cosine, `relative_error` that over the mean size of an exact one."""
        error, size = _mean(self._error), _mean(self._size)
        return {
            "error": error,
            "relative_error": error / size,
            "conflict_bias": _mean(self._bias),
            "pairs_frac": _mean(self._pairs),
            "conflict_frac": _mean(self._kept),
        }


def errors(
    config: RunConfig,
    *,
    every: Sequence[int],
    columns: Sequence[int],
    steps: int,
    tell: Tell,
    data_root: Path | None = None,
) -> dict[str, Row]:
    """Train exactly and compare, at every step, what each rung would have known; by rung, as `cost_ladder` names them.

    Every run is the exact one, so all rungs see the same gradients. Projections are compared at every fifth step.
    """
    trainer = Trainer(config, device=torch.device("cpu"), data_root=data_root)
    found = {name: Errors() for name in (*map(_every, every), "co_active", *map(_columns, columns))}
    kept: dict[int, list[Tensor]] = {}
    for step in range(steps):
        if step % PROBE_EVERY == 0:
            _compare_projections(trainer, columns, found)
        trainer.train_step()
        exact = [layer.cosine_EE.clone() for layer in trainer.cdsp_layers]
        for period in every:
            if step % period == 0:
                kept[period] = exact
            for old, now in zip(kept[period], exact, strict=True):
                found[_every(period)].add(old, now)
        tell((step + 1) / steps, f"step {step + 1}")
    return {name: each.row() for name, each in found.items()}


def _compare_projections(trainer: Trainer, columns: Sequence[int], found: dict[str, Errors]) -> None:
    """The next step's gradients, projected with several signs, against their exact cosines; and the co-active pairs."""
    for number, (gradient_ErN, subspaces, expert_TK) in enumerate(_gradients(trainer)):
        exact_EE = _cosine(gradient_ErN, subspaces)
        pairs_EE = conflict.co_active_pairs(expert_TK, len(exact_EE))
        found["co_active"].add(exact_EE.masked_fill(~pairs_EE, torch.nan), exact_EE)
        for draw in range(SIGNS_A_STEP):
            seed = (trainer.config.train.seed * 1000 + trainer.step) * 1000 + 10 * number + draw
            sign_RN = random_signs(dims=subspaces.mask_ER.shape[1], entries=gradient_ErN.shape[2], seed=seed)
            for count in columns:
                folded_Ers = fold(gradient_ErN, subspaces.index_Er, sign_RN, count)
                found[_columns(count)].add(_cosine(folded_Ers, subspaces), exact_EE)


def _cosine(compact_ErN: Tensor, subspaces: Subspaces) -> Tensor:
    return conflict.cosine_matrix(scatter_to_dimensions(compact_ErN, subspaces), subspaces.mask_ER)


def _gradients(trainer: Trainer) -> list[tuple[Tensor, Subspaces, Tensor]]:
    """Every layer's expert gradients [E, r, N] of the step that comes next, and what was chosen; it takes no step."""
    batch = trainer.batches.batch(trainer.step)
    keep_BL = kept_ids(batch.uniform_BL, trainer.controls.p_drop)
    logits_BC, chosen = trainer.model(batch.image_BHW, batch.task_B, keep_BL)
    F.cross_entropy(logits_BC, batch.label_B).backward()
    taken = []
    for layer, expert_TK in zip(trainer.cdsp_layers, chosen, strict=True):
        taken.append((layer.tap.collected, layer.topology.subspaces(), expert_TK))
        layer.tap.empty()
    trainer.model.zero_grad(set_to_none=True)
    return taken


def costs(model: ModelConfig, rungs: dict[str, dict[str, Any]], *, seed: int, repeats: int) -> dict[str, Row]:
    """Time and memory of one layer's training pass (forward, backward, record) on every rung, measured in turns.

    `pass_ratio` is a median of the process's CPU time over that of the exact game; where measured and other steps take
    turns, their mean in that proportion. `pass_ms` is the same in milliseconds, on this machine. `game_bytes` is what
    lies in memory for the game between backward pass and record.
    """
    layers = {
        name: CDSPLayer(replace(model, **settings), generator=torch.Generator().manual_seed(seed))
        for name, settings in rungs.items()
    }
    generator = torch.Generator().manual_seed(seed)
    x_BSD = torch.randn(IMAGES, TOKENS, model.d_model, generator=generator, requires_grad=True)
    task_BQ = torch.randn(IMAGES, model.d_task, generator=generator)
    dy_BSD = torch.randn(x_BSD.shape, generator=generator)
    seconds: dict[tuple[str, bool], list[float]] = {}
    kept_bytes: dict[str, int] = {}
    for repeat in range(repeats + 1):
        for name, layer in layers.items():
            for step in range(1 + (layer.config.conflict_every > 1)):
                began = time.process_time()
                layer.begin_step(step)
                y_BSD, _ = layer(x_BSD, task_BQ)
                (y_BSD * dy_BSD).sum().backward()
                if layer.measuring:
                    kept_bytes[name] = _kept_bytes(layer)
                layer.record_conflict()
                if repeat:  # the first one warms up
                    seconds.setdefault((name, layer.measuring), []).append(time.process_time() - began)
                layer.zero_grad(set_to_none=True)
    medians = {key: statistics.median(values) for key, values in seconds.items()}
    rows: dict[str, Row] = {}
    for name, layer in layers.items():
        share = 1 / layer.config.conflict_every
        mean_s = share * medians[name, True] + (1 - share) * medians.get((name, False), 0.0)
        rows[name] = {
            "pass_ms": 1000 * mean_s,
            "pass_ratio": mean_s / medians["exact", True],
            "game_bytes": kept_bytes[name],
        }
    return rows


def _kept_bytes(layer: CDSPLayer) -> int:
    """What the tap has collected, and the signs it needed."""
    tap = layer.tap
    return tap.collected.nbytes + (tap.sign_RN.nbytes if tap.columns else 0)


def _every(period: int) -> str:
    return f"every_{period}"


def _columns(count: int) -> str:
    return f"projection_{count}"


def _mean(values: list[float]) -> float:
    finite = [value for value in values if value == value]
    return sum(finite) / len(finite) if finite else float("nan")
