"""What a trained model does with single images, seen from outside: patch by patch, expert by expert, part by part.

Nothing here changes a model for good: what is muted is muted inside a `with` alone.

Shapes: B images, H = W pixels, L layers, S patches an image, E experts, P partitions, r rank quota, K chosen, Q tasks,
C classes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from cdsp_core.data.datasets import TaskData
from cdsp_core.method.layer import CDSPLayer
from cdsp_core.method.topology import Subspaces
from cdsp_core.training.batches import normalised
from cdsp_core.training.trainer import Trainer

SUREST_OF: Final = 100
"""test images of each task among which an expert's surest patches are looked for"""
SUREST: Final = 6
MOST_OF_A_TASK: Final = 1_500
"""test images of a task that a lesion is measured on"""
AT_ONCE: Final = 500


@torch.no_grad()
def probe(trainer: Trainer, image_HW: Tensor, task: int) -> dict[str, Any]:
    """One image (uint8 [H, W]) given with the ID of a task and without: answers, and each patch's first expert.

    `expert` and `gate` are [L, S] with the ID, `expert_blind` without; gate is None for layers without a router of
    this project. A dense net has no layers here. Answers are class and its probability.
    """
    model = trainer.model
    images_BHW = normalised(image_HW).to(trainer.device).repeat(2, 1, 1)
    task_B = torch.tensor([task, task], device=trainer.device)
    keep_B1 = torch.tensor([[1.0], [0.0]], device=trainer.device)
    with gates(trainer) as seen:
        logits_BC, chosen = model(images_BHW, task_B, keep_B1)
    share_BC = torch.softmax(logits_BC, dim=1)
    best_B = share_BC.argmax(1).tolist()
    answers = [{"label": label, "share": float(share_BC[row, label])} for row, label in enumerate(best_B)]
    routed = [expert_TK[:, 0].unflatten(0, (2, -1)) for expert_TK in chosen if trainer.config.model.routed_experts]
    first_gate = [gate_TK[:, 0].unflatten(0, (2, -1))[0].tolist() for gate_TK in seen]
    return {
        "told": answers[0],
        "blind": answers[1],
        "expert": [expert_BS[0].tolist() for expert_BS in routed],
        "expert_blind": [expert_BS[1].tolist() for expert_BS in routed],
        "gate": first_gate or None,
    }


@torch.no_grad()
def surest_patches(trainer: Trainer, layer: int, expert: int) -> list[dict[str, Any]]:
    """The patches of test images, given with ID, that an expert takes with the largest gate weight, largest first.

    A patch is its pixels (uint8 [side, side] as lists), the task and label of its image, its place and the gate.
    """
    images = _some(trainer.data.test, SUREST_OF)
    with gates(trainer) as seen:
        _, chosen = trainer.model(
            normalised(images.images_NHW), images.task_N, torch.ones(len(images.task_N), 1, device=trainer.device)
        )
    if not seen:
        return []
    gate_TK, expert_TK = seen[layer], chosen[layer]
    weight_T = (gate_TK * (expert_TK == expert)).sum(1)
    tokens = trainer.config.model.num_tokens
    best = torch.topk(weight_T, min(SUREST, len(weight_T)))
    found = []
    side = trainer.config.model.patch_size
    across = trainer.config.model.image_size // side
    for gate, token in zip(best.values.tolist(), best.indices.tolist(), strict=True):
        if gate <= 0:
            break
        image, place = divmod(token, tokens)
        top, left = place // across * side, place % across * side
        found.append(
            {
                "pixels": images.images_NHW[image, top : top + side, left : left + side].tolist(),
                "task": int(images.task_N[image]),
                "label": int(images.labels_N[image]),
                "place": place,
                "gate": gate,
            }
        )
    return found


@torch.no_grad()
def accuracy_by_class(trainer: Trainer) -> Tensor:
    """Accuracy with ID of every class of every task on test images, [Q, C]; NaN for a class without images."""
    images = _some(trainer.data.test, MOST_OF_A_TASK)
    tasks, classes = len(trainer.tasks), trainer.config.model.num_classes
    counts_2QC = torch.zeros(2, tasks * classes, device=trainer.device)
    for first in range(0, len(images.labels_N), AT_ONCE):
        part = slice(first, first + AT_ONCE)
        label_B, task_B = images.labels_N[part], images.task_N[part]
        keep_B1 = torch.ones(len(label_B), 1, device=trainer.device)
        logits_BC, _ = trainer.model(normalised(images.images_NHW[part]), task_B, keep_B1)
        place_B = task_B * classes + label_B
        correct_B = (logits_BC.argmax(1) == label_B).to(torch.float32)
        counts_2QC[0].scatter_add_(0, place_B, correct_B)
        counts_2QC[1].scatter_add_(0, place_B, torch.ones_like(correct_B))
    return (counts_2QC[0] / counts_2QC[1]).view(tasks, classes)


@contextmanager
def muted(trainer: Trainer, layer: int, expert: int, block: int | None) -> Iterator[None]:
    """Mute an expert, or with a block only what it holds of that block; all is as before afterwards.

    A muted expert keeps its patches and gives nothing for them. A muted link takes the expert's dimensions of the
    block out of its weights; which others it holds, and its strength, stay. Raises ValueError for a layer without A.
    """
    of = trainer.cdsp_layers[layer]
    hook = None
    if block is None:
        hook = of.router.register_forward_hook(
            lambda _router, _inputs, output: (output[0].masked_fill(output[1] == expert, 0.0), output[1])
        )
        try:
            yield
        finally:
            hook.remove()
        return
    whole = of.backbone.gather

    def without_block(subspaces: Subspaces) -> Tensor:
        gathered_ErN: Tensor = whole(subspaces)
        index_Er = subspaces.index_Er
        is_muted_Er = index_Er // of.topology.block == block
        is_muted_Er = is_muted_Er & (torch.arange(len(index_Er), device=index_Er.device)[:, None] == expert)
        return gathered_ErN.masked_fill(is_muted_Er[:, :, None], 0.0)

    of.backbone.gather = without_block  # type: ignore[method-assign]
    try:
        yield
    finally:
        of.backbone.gather = whole  # type: ignore[method-assign]


def held_dims(layer: CDSPLayer) -> Tensor:
    """How many dimensions of each block each expert holds, int64 [E, P]."""
    return layer.topology.subspaces().count_EP


@contextmanager
def gates(trainer: Trainer) -> Iterator[list[Tensor]]:
    """Collects gate_TK of every layer in one forward pass; empty for layers without a router of this project."""
    seen: list[Tensor] = []
    routers = [
        router for layer in trainer.model.layers if isinstance(router := getattr(layer, "router", None), nn.Module)
    ]
    hooks = [
        router.register_forward_hook(lambda _router, _inputs, output: seen.append(output[0])) for router in routers
    ]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def sample_images(trainer: Trainer, many: int = 9) -> list[dict[str, Any]]:
    """Test images to begin with, of each task the first of its first classes: pixels, task and label.

    So `many` in all, or fewer where tasks have few classes.
    """
    test = trainer.data.test
    found = []
    for task in range(len(test.tasks)):
        a_task = many // len(test.tasks) + (task < many % len(test.tasks))
        of_task = torch.nonzero(test.task_N == task).flatten()
        seen: list[int] = []
        for index in of_task.tolist():
            label = int(test.labels_N[index])
            if label not in seen:
                seen.append(label)
                found.append({"pixels": test.images_NHW[index].flatten().tolist(), "task": task, "label": label})
            if len(seen) == a_task:
                break
    return found


def _some(data: TaskData, a_task: int) -> TaskData:
    """The first images of every task."""
    index_N = torch.cat([torch.nonzero(data.task_N == task).flatten()[:a_task] for task in range(len(data.tasks))])
    return TaskData(
        tasks=data.tasks,
        images_NHW=data.images_NHW.index_select(0, index_N),
        labels_N=data.labels_N.index_select(0, index_N),
        task_N=data.task_N.index_select(0, index_N),
    )


def random_part(layer: CDSPLayer, expert: int, block: int | None, *, seed: int) -> tuple[int, int | None]:
    """Another expert, or another link of as many dimensions, the nearest number where none has as many.

    Raises ValueError where there is no other.
    """
    random = np.random.default_rng(seed)
    dims_EP = held_dims(layer).cpu().numpy()
    if block is None:
        others = [other for other in range(len(dims_EP)) if other != expert]
        if not others:
            raise ValueError("Another expert needs two or more. Found one.")
        return int(random.choice(others)), None
    wanted = dims_EP[expert, block]
    links = [(e, p) for e, p in np.argwhere(dims_EP > 0).tolist() if (e, p) != (expert, block)]
    if not links:
        raise ValueError("Another link needs two or more that hold a dimension. Found one.")
    nearest = min(abs(int(dims_EP[e, p]) - int(wanted)) for e, p in links)
    same = [(e, p) for e, p in links if abs(int(dims_EP[e, p]) - int(wanted)) == nearest]
    other, of = same[int(random.integers(len(same)))]
    return int(other), int(of)
