"""Image tasks made from others: permuted pixels, turned images, halves of a set, other labels.

Shapes: N images, H = W = 28 pixels.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from cdsp_core.data.datasets import Datasets, TaskData, load_datasets
from cdsp_core.data.tasks import NUM_CLASSES, Task
from cdsp_core.studies.framework.study import StudyOptions
from cdsp_core.training.batches import stream_generator

CPU = torch.device("cpu")


class Part(NamedTuple):
    """Images of one task with their labels."""

    image_NHW: Tensor
    """uint8, 0 is background"""
    label_N: Tensor
    """int64, 0 to 9"""


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageTask:
    """One task's training and test images."""

    task: Task
    train: Part
    test: Part

    def changed(self, name: str, note: str, change: Callable[[Part], Part]) -> ImageTask:
        """The same task after `change` of its training and of its test images."""
        task = Task(name=name, label=name, note=note, class_names=self.task.class_names)
        return ImageTask(task=task, train=change(self.train), test=change(self.test))


def source(name: str, options: StudyOptions) -> ImageTask:
    """The task `mnist` or `fashion` of the data the options name. Raises DatasetError."""
    data = _loaded(options)
    number = [task.name for task in data.train.tasks].index(name)

    def part(of: TaskData) -> Part:
        return Part(of.images_NHW[of.task_N == number], of.labels_N[of.task_N == number])

    return ImageTask(task=data.train.tasks[number], train=part(data.train), test=part(data.test))


@functools.lru_cache(maxsize=1)
def _loaded(options: StudyOptions) -> Datasets:
    return load_datasets(
        data=options.data, labels="ten", root=options.data_root, device=CPU, missing_kmnist=options.missing_kmnist
    )


def permuted(source: ImageTask, number: int, *, seed: int) -> ImageTask:
    """Permuted MNIST's task of that number: every image's pixels in one random order. Number 0 is the source itself."""

    def change(part: Part) -> Part:
        pixels = part.image_NHW[0].numel()
        order = torch.randperm(pixels, generator=stream_generator(seed, "order", data_epoch=number))
        return Part(part.image_NHW.flatten(1)[:, order].view_as(part.image_NHW), part.label_N)

    note = f"{source.task.label} with its pixels in a random order, the same for every image."
    return source.changed(f"permutation-{number}", note, change if number else lambda part: part)


def turned(source: ImageTask, *, degrees: float) -> ImageTask:
    """Every image turned about its middle, bilinear."""
    angle = torch.deg2rad(torch.tensor(degrees))
    turn_23 = torch.tensor([[angle.cos(), -angle.sin(), 0.0], [angle.sin(), angle.cos(), 0.0]])

    def change(part: Part) -> Part:
        turned_parts = []
        for image_NHW in part.image_NHW.split(1000):
            shape = (len(image_NHW), 1, *image_NHW.shape[1:])
            grid = F.affine_grid(turn_23.expand(len(image_NHW), 2, 3), list(shape), align_corners=False)
            drawn = F.grid_sample(image_NHW.view(shape).to(torch.float32), grid, align_corners=False)
            turned_parts.append(drawn.round().clamp(0, 255).to(torch.uint8)[:, 0])
        return Part(torch.cat(turned_parts), part.label_N)

    return source.changed("turned", f"{source.task.label} turned by {degrees:g} degrees.", change)


def half(source: ImageTask, number: int) -> ImageTask:
    """Every second image, from the first or the second one on: two tasks that are one."""
    note = f"One half of {source.task.label}."
    return source.changed(f"half-{number}", note, lambda part: Part(part.image_NHW[number::2], part.label_N[number::2]))


def opposed(source: ImageTask) -> ImageTask:
    """The same images with label 9 - y: two tasks on the same inputs that never agree."""
    note = f"{source.task.label} with every label y read as 9 - y."
    return source.changed("opposed", note, lambda part: Part(part.image_NHW, NUM_CLASSES - 1 - part.label_N))


def joined(tasks: Sequence[ImageTask]) -> Datasets:
    """These tasks in this order, as a trainer takes them."""

    def join(parts: Sequence[Part]) -> TaskData:
        return TaskData(
            tasks=tuple(task.task for task in tasks),
            images_NHW=torch.cat([part.image_NHW for part in parts]),
            labels_N=torch.cat([part.label_N for part in parts]),
            task_N=torch.cat([torch.full_like(part.label_N, number) for number, part in enumerate(parts)]),
        )

    note = " ".join(task.task.note for task in tasks)
    return Datasets(train=join([task.train for task in tasks]), test=join([task.test for task in tasks]), note=note)


def only(data: TaskData, number: int) -> TaskData:
    """The images of one task, which keeps its number."""
    kept = data.task_N == number
    return TaskData(
        tasks=data.tasks, images_NHW=data.images_NHW[kept], labels_N=data.labels_N[kept], task_N=data.task_N[kept]
    )
