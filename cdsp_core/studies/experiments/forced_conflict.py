"""Two experts in constant conflict: what the penalty does to A when nothing else can end the conflict.

A real CDSP layer with frozen weights. The task ID alone decides the expert: task 0 takes expert 0, task 1 expert 1,
and both see the same inputs. The loss raises expert 0's output along one direction and lowers expert 1's, and is
linear in the output, so that the two gradients are opposite, cosine -1, wherever the experts hold a dimension in
common. The direction is drawn anew at every step, which leaves the task loss no lasting pull on A. Only A learns,
under the method's AdamW and rates.

Where the two experts meet at the start decides what can end the conflict, so there are three starts:
`own`         each holds its own partition, and the other's too; A_01 and A_10 are what makes them meet
`third`       each holds its own partition and both hold a third one; A_01 and A_10 have no part in it
`dimensions`  a logit for every dimension (P = R), at the method's random start

Shapes: B inputs, D model width, E experts, R backbone dimensions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from cdsp_core.method.layer import CDSPLayer
from cdsp_core.settings.config import Controls
from cdsp_core.settings.overrides import with_controls
from cdsp_core.studies.experiments.game_step import GameStep
from cdsp_core.studies.experiments.sizes import forced_model
from cdsp_core.studies.framework.study import Row, Tell
from cdsp_core.training.batches import stream_generator
from cdsp_core.training.measures import SPARSE_BELOW

BATCH = 64
FIRST, SECOND, THIRD = 0, 1, 2
HELD, MET = 3.0, 1.0
"""Logits of partitions that are to be held throughout, and of those by which the experts meet; others are near 0."""
EVERY = 2


def forced_layer(start: str, generator: torch.Generator, **rules: Any) -> CDSPLayer:
    """A layer in which task vector (1, 0) means expert 0 and (0, 1) expert 1, and of which only A learns.

    `rules` are settings of the model that depart from the paper's.
    """
    config = forced_model(start, **rules)
    layer = CDSPLayer(config, generator=generator)
    for parameter in layer.parameters():
        parameter.requires_grad_(False)
    layer.router.weight.zero_()
    for task, expert in enumerate((FIRST, SECOND)):
        layer.router.weight[config.d_model + task, expert] = 100.0
    logits_EP = layer.topology.topology_logits
    if start != "dimensions":
        logits_EP[FIRST, FIRST] = logits_EP[SECOND, SECOND] = HELD
    if start == "own":
        logits_EP[FIRST, SECOND] = logits_EP[SECOND, FIRST] = MET
    if start == "third":
        logits_EP[[FIRST, SECOND], THIRD] = HELD
    logits_EP.requires_grad_(True)
    return layer


def train(
    *, lambda_conflict: float, start: str, seed: int, steps: int, tell: Tell, rules: Mapping[str, Any] | None = None
) -> list[Row]:
    """Follow A_01 and A_10, the pair's overlap and its cosine. Returns a row before every second step."""
    generator = stream_generator(seed, "weights")
    layer = forced_layer(start, generator, **(rules or {}))
    game = GameStep(layer, [layer], with_controls(Controls(), {"lambda_conflict": lambda_conflict}))
    draws = stream_generator(seed, "order")
    sign_B1 = torch.tensor([-1.0, 1.0]).repeat_interleave(BATCH)[:, None]
    task_BQ = torch.eye(2).repeat_interleave(BATCH, dim=0)
    rows: list[Row] = []
    for step in range(steps + 1):
        if step % EVERY == 0:
            rows.append({"step": step, **pair_state(layer)})
            tell(step / steps, f"{start}, lambda {lambda_conflict:g}: step {step}")
        x_B1D = torch.randn(BATCH, 1, layer.config.d_model, generator=draws).repeat(2, 1, 1)
        direction_D = torch.randn(layer.config.d_model, generator=draws)
        y_B1D, _ = layer(x_B1D, task_BQ)
        game.update((sign_B1 * (y_B1D @ direction_D)).mean())
    return rows


@torch.no_grad()
def pair_state(layer: CDSPLayer) -> Row:
    """How much of each other's partitions the two experts still hold, and whether they still meet."""
    connection_EP = layer.topology.connection()
    mask_ER = layer.topology.subspaces().mask_ER
    cosine = float(layer.cosine_EE[FIRST, SECOND])
    row: Row = {
        "pair_overlap": float((mask_ER[FIRST] & mask_ER[SECOND]).sum()) / layer.topology.rank,
        "held": float(mask_ER[[FIRST, SECOND]].sum(1).float().mean()) / layer.topology.rank,
        "cosine": cosine if cosine == cosine else None,
    }
    if layer.config.has_diagonal:
        pair = torch.stack([connection_EP[FIRST, SECOND], connection_EP[SECOND, FIRST]])
        row |= {"connection": float(pair.max()), "decoupled": bool((pair < SPARSE_BELOW).all())}
    return row
