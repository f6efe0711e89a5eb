"""Streams of images and hidden task IDs that depend on the seed and step alone.

Initial weights, data order and task dropout each have a stream of their own, so changing p_drop does not change
which images come next. A stream is a function of (seed, data epoch): nothing has to be saved to resume it, and it
is drawn on the CPU, so every device sees the same numbers.

Shapes: N training images, B images a step, L layers, or 1 where all layers share a draw.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import torch
from torch import Tensor

from cdsp_core.data.datasets import Datasets, TaskData

Stream = Literal["weights", "order", "dropout"]
_STREAM_NUMBER: dict[Stream, int] = {"weights": 0, "order": 1, "dropout": 2}


def stream_generator(seed: int, stream: Stream, data_epoch: int = 0) -> torch.Generator:
    """A CPU generator of its own for one stream of one data epoch."""
    state = np.random.SeedSequence([seed, _STREAM_NUMBER[stream], data_epoch]).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state[0]))


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """One step's images and what decides about their task IDs."""

    image_BHW: Tensor
    """float32, normalised to [-1, 1]"""
    label_B: Tensor
    task_B: Tensor
    uniform_BL: Tensor
    """float32 in [0, 1): the task ID is hidden from a layer where this is below p_drop; `kept_ids` compares"""


def kept_ids(uniform_BL: Tensor, p_drop: float | Tensor) -> Tensor:
    """Task dropout: 1.0 where a layer's router may see a sample's task ID, 0.0 where it is hidden. Float32, [B, L]."""
    return (uniform_BL >= p_drop).to(torch.float32)


class BatchStream:
    """Shuffled batches of all tasks mixed; the rest of a data epoch that fills no batch is left out."""

    def __init__(
        self,
        data: TaskData,
        *,
        batch_size: int,
        seed: int,
        dropout_per: Literal["sample", "batch", "layer"],
        num_layers: int = 1,
    ) -> None:
        if batch_size > len(data.labels_N):
            raise ValueError(
                f"batch_size must be at most the number of training images, {len(data.labels_N)}. Found {batch_size}."
            )
        self.data = data
        self.batch_size = batch_size
        self.steps_per_epoch = len(data.labels_N) // batch_size
        self._seed = seed
        self.draws = (batch_size if dropout_per == "sample" else 1, num_layers if dropout_per == "layer" else 1)
        """of task dropout a step: for its images, or one for all; for layers, or one for all"""
        self._data_epoch = -1

    def batch(self, step: int) -> Batch:
        """The batch of step 0, 1, 2, ...; on the data's device, without waiting for it."""
        data_epoch, position = divmod(step, self.steps_per_epoch)
        if data_epoch != self._data_epoch:
            self._begin(data_epoch)
        index_B = self._order_N[position * self.batch_size : (position + 1) * self.batch_size]
        return Batch(
            image_BHW=normalised(self.data.images_NHW.index_select(0, index_B)),
            label_B=self.data.labels_N.index_select(0, index_B),
            task_B=self.data.task_N.index_select(0, index_B),
            uniform_BL=self._uniform[position],
        )

    def data_epoch(self, number: int) -> tuple[Tensor, Tensor]:
        """The order of the images, int64 [N], and the draws of task dropout, float32 [steps, *draws], on the CPU."""
        order = torch.randperm(len(self.data.labels_N), generator=stream_generator(self._seed, "order", number))
        generator = stream_generator(self._seed, "dropout", number)
        return order, torch.rand(self.steps_per_epoch, *self.draws, generator=generator)

    def _begin(self, number: int) -> None:
        device = self.data.labels_N.device
        order_N, uniform = self.data_epoch(number)
        self._order_N = order_N.to(device)
        self._uniform = uniform.expand(-1, self.batch_size, -1).to(device)
        self._data_epoch = number


class TestSet:
    """Test images in equal shares per task, cut into looks that take turns."""

    __test__ = False  # not a pytest class

    def __init__(self, data: TaskData, *, images_per_look: int) -> None:
        self.data = data
        tasks = len(data.tasks)
        task_N = data.task_N.cpu()
        per_task = [torch.nonzero(task_N == task).flatten() for task in range(tasks)]
        self._share = min(max(images_per_look // tasks, 1), min(len(indices) for indices in per_task))
        self._per_task = [indices.to(data.labels_N.device) for indices in per_task]

    @property
    def looks(self) -> int:
        """Number of looks that show every test image once; the last one may be smaller."""
        return -(-min(len(indices) for indices in self._per_task) // self._share)

    def look(self, number: int) -> tuple[Tensor, Tensor, Tensor]:
        """Images, labels and tasks of one look; task after task, the same number each."""
        start = (number % self.looks) * self._share
        index = torch.cat([indices[start : start + self._share] for indices in self._per_task])
        images = normalised(self.data.images_NHW.index_select(0, index))
        return images, self.data.labels_N.index_select(0, index), self.data.task_N.index_select(0, index)


def with_validation(data: Datasets, frac: float) -> tuple[TaskData, TaskData]:
    """The training images without a share of each task's, and that share: what choices are made by.

    Which images they are is drawn once and for all, whatever the run's seed, so runs of a study compare. Without a
    share the training images are all of them and nothing is left for choices.
    """
    task_N = data.train.task_N.cpu().numpy()
    random = np.random.default_rng(_SPLIT_SEED)
    kept, held_out = [], []
    for task in range(len(data.train.tasks)):
        shuffled = random.permutation(np.flatnonzero(task_N == task))
        count = round(frac * len(shuffled))
        held_out.append(np.sort(shuffled[:count]))
        kept.append(np.sort(shuffled[count:]))
    return _part(data.train, np.concatenate(kept)), _part(data.train, np.concatenate(held_out))


_SPLIT_SEED: Final = 20_512_291


def _part(data: TaskData, index_N: np.ndarray[Any, Any]) -> TaskData:
    index = torch.from_numpy(index_N).to(data.labels_N.device)
    return TaskData(
        tasks=data.tasks,
        images_NHW=data.images_NHW.index_select(0, index),
        labels_N=data.labels_N.index_select(0, index),
        task_N=data.task_N.index_select(0, index),
    )


def normalised(image_NHW: Tensor) -> Tensor:
    """uint8 images as float32 in [-1, 1]."""
    return image_NHW.to(torch.float32) * (2.0 / 255.0) - 1.0
