"""Many models of one shape as one: their weights stacked, the single model's own code run for all by `torch.func`.

Shapes: X runs, W weights of a run as one row, A entries of its topology matrices as one row; others as in the modules.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from cdsp_core.method.layer import CDSPLayer
from cdsp_core.models.transformer import PatchTransformer
from cdsp_core.settings.model import ModelConfig
from cdsp_core.training.batches import stream_generator


class StackedModels:
    """A model for every seed, each drawn as a single run draws its own; computed together on the dense path."""

    def __init__(self, config: ModelConfig, seeds: Sequence[int], *, tasks: int, device: torch.device) -> None:
        drawn = [
            PatchTransformer(config, num_tasks=tasks, generator=stream_generator(seed, "weights")) for seed in seeds
        ]
        self.runs = len(seeds)
        self.template = drawn[0].to(device)
        """whose code runs; what its parameters and buffers hold does not matter"""
        self.cdsp_layers = [layer for layer in self.template.layers if isinstance(layer, CDSPLayer)]
        topology = {id(layer.topology.topology_logits) for layer in self.cdsp_layers}
        parameters = dict(self.template.named_parameters())
        self._shape = {name: parameter.shape for name, parameter in parameters.items()}
        self._topology = [name for name, parameter in parameters.items() if id(parameter) in topology]
        self._weights = [name for name in parameters if name not in self._topology]
        self.weights_XW = _rows(drawn, self._weights, device)
        self.topology_XA = _rows(drawn, self._topology, device)
        """empty rows where a model has no A"""
        kept = [name for name in self.template.state_dict() if name not in parameters]
        self.buffers = {
            name: torch.stack([model.state_dict()[name].cpu() for model in drawn]).to(device) for name in kept
        }
        """what a checkpoint keeps of a layer beside its weights, for every run"""
        self.taps = {
            f"{name}.tap.leaf": layer.tap.leaf.detach().expand(self.runs, -1, -1, -1).clone().requires_grad_()
            for name, layer in self.template.named_modules()
            if isinstance(layer, CDSPLayer)
        }
        """zeros, whose gradient is what each run's taps collect"""
        self._calls = _Calls(self.template)

    @property
    def weights_of_one(self) -> int:
        """Entries of all parameters of one run."""
        return self.weights_XW.shape[1] + self.topology_XA.shape[1]

    def call(self, do: Callable[..., Any], *each: Any, chunk: int | None = None) -> Any:
        """What `do(model, *arguments)` returns for every run's model, stacked: tensors, alone or in lists and tuples.

        `each` are arguments with a first dimension of one entry a run. Only `chunk` runs are computed at once.
        """
        named = {**self._named(self._weights, self.weights_XW), **self._named(self._topology, self.topology_XA)}
        named |= {**self.buffers, **self.taps}

        def one(own: dict[str, Tensor], *arguments: Any) -> Any:
            with_prefix = {f"model.{name}": value for name, value in own.items()}
            return functional_call(self._calls, with_prefix, (do, *arguments))

        return vmap(one, chunk_size=chunk)(named, *each)

    def buffers_of(self, layer: int) -> dict[str, Tensor]:
        """A layer's buffers by their own names, [X, ...]."""
        prefix = f"blocks.{layer}.feed_forward."
        return {name.removeprefix(prefix): value for name, value in self.buffers.items() if name.startswith(prefix)}

    def _named(self, names: Sequence[str], flat: Tensor) -> dict[str, Tensor]:
        """The parameters of these names as views of the rows; the gradient comes back as rows in one operation."""
        pieces = flat.split([self._shape[name].numel() for name in names], dim=1)
        return {name: piece.unflatten(1, self._shape[name]) for name, piece in zip(names, pieces, strict=True)}


class _Calls(nn.Module):
    """Hands a model to a function, so that `functional_call` can put other weights into it for so long."""

    def __init__(self, model: PatchTransformer) -> None:
        super().__init__()
        self.model = model

    def forward(self, do: Callable[..., Any], *arguments: Any) -> Any:
        return do(self.model, *arguments)


def _rows(models: Sequence[PatchTransformer], names: Sequence[str], device: torch.device) -> Tensor:
    rows = []
    for model in models:
        parameters = dict(model.named_parameters())
        pieces = [parameters[name].detach().flatten().cpu() for name in names]
        rows.append(torch.cat(pieces) if pieces else torch.empty(0))
    return torch.stack(rows).to(device).requires_grad_()
