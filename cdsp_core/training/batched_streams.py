"""The batches of many runs, each in its own order, told by a counter on the device: no step asks the host.

Shapes: X runs, S steps a data epoch, B images a step, L layers, or 1 where all layers share a draw.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from cdsp_core.data.datasets import TaskData
from cdsp_core.settings.model import ModelConfig
from cdsp_core.training.batches import Batch, BatchStream, normalised


class BatchedStreams:
    """The same batches as every run's `BatchStream` gives it. `next_batch` runs on the device alone."""

    def __init__(self, data: TaskData, config: ModelConfig, seeds: Sequence[int], *, batch_size: int) -> None:
        dropout, layers = config.task_dropout, config.num_layers
        self._streams = [
            BatchStream(data, batch_size=batch_size, seed=seed, dropout_per=dropout, num_layers=layers)
            for seed in seeds
        ]
        self.data, self.batch_size = data, batch_size
        self.steps_per_epoch = self._streams[0].steps_per_epoch
        device, runs = data.labels_N.device, len(seeds)
        shape = (self.steps_per_epoch, runs)
        self._index_SXB = torch.zeros(*shape, batch_size, dtype=torch.int64, device=device)
        self._uniform = torch.zeros(*shape, *self._streams[0].draws, device=device)
        self.position = torch.zeros(1, dtype=torch.int64, device=device)
        """step of this data epoch that comes next"""

    def begin_epoch(self, number: int) -> None:
        """Draw a data epoch for every run and stand at its first step."""
        used = self.steps_per_epoch * self.batch_size
        drawn = [stream.data_epoch(number) for stream in self._streams]
        orders = [order_N[:used].view(self.steps_per_epoch, self.batch_size) for order_N, _ in drawn]
        self._index_SXB.copy_(torch.stack(orders, dim=1))
        self._uniform.copy_(torch.stack([uniform for _, uniform in drawn], dim=1))
        self.position.zero_()

    def next_batch(self) -> Batch:
        """Every run's next batch, all fields with a first dimension of X; moves on by one step."""
        step = self.position.remainder(self.steps_per_epoch)  # steps that try a graph out may run past the end
        index_XB = self._index_SXB.index_select(0, step)[0]
        uniform = self._uniform.index_select(0, step)[0]
        self.position += 1
        images = self.data.images_NHW.index_select(0, index_XB.flatten())
        return Batch(
            image_BHW=normalised(images).unflatten(0, index_XB.shape),
            label_B=self.data.labels_N[index_XB],
            task_B=self.data.task_N[index_XB],
            uniform_BL=uniform.expand(-1, self.batch_size, -1),
        )
