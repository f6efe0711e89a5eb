"""Contents of a frame: the arrays of every layer, and the log of scalars, one row a step.

The log lives on the device, so that writing a row does not wait for it; `take` brings all rows over at once.

Shapes: E experts, P partitions, Q tasks, R backbone dimensions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from cdsp_core.method import conflict
from cdsp_core.method.layer import CDSPLayer
from cdsp_core.method.projection import independent_columns
from cdsp_core.models.registry import Layer
from cdsp_core.settings.model import ModelConfig
from cdsp_core.training import measures
from cdsp_core.wire.frames import LAYER_ARRAYS, ROUTING_ARRAYS, Array, json_ready

LAYER_SCALARS: Final[dict[str, tuple[str, Callable[[Array], float]]]] = {
    "alpha_sparsity": ("connection", measures.alpha_sparsity),
    "structural_entropy": ("connection", measures.structural_entropy),
    "structural_entropy_bits": ("connection", measures.structural_entropy_bits),
    "diagonal_gini": ("connection", measures.diagonal_gini),
    "diagonals_above_080": ("connection", measures.diagonals_above),
    "load_gini": ("load", measures.gini),
    "idle_experts": ("load", measures.idle_experts),
    "rank_overlap": ("overlap", measures.rank_overlap),
    "gradient_interference": ("conflict", measures.gradient_interference),
    "largest_connection": ("connection", measures.largest_connection),
    "isolation": ("routing", measures.isolation),
    "specialization": ("routing", measures.specialization),
    "emergent_clustering": ("routing", measures.first_two_cluster),
}
"""Measures of a layer: the array it is taken of, and the function. `cosine_null` needs two and the model's sizes."""


def arrays_of(model: ModelConfig) -> tuple[str, ...]:
    """Names of the arrays a layer of this model has."""
    if model.has_topology:
        return LAYER_ARRAYS
    return ROUTING_ARRAYS if model.routed_experts else ()


def scalar_names(tasks: list[str], model: ModelConfig, *, terms: tuple[str, ...]) -> tuple[str, ...]:
    """Column names of the scalars, in order. `terms` are those of the loss."""
    looks = ["test_accuracy", "test_accuracy_blind", "test_accuracy_deceptive"]
    looks += ["routing_consistency"] if model.routed_experts else []
    return (
        "step",
        "data_epoch",
        "loss",
        *terms,
        "grad_norm",
        *(f"train_accuracy/{task}" for task in tasks),
        *(f"{name}/{task}" for name in looks for task in tasks),
        *(f"layer{layer}/{name}" for layer in range(model.num_layers) for name in layer_scalars(model)),
    )


def layer_scalars(model: ModelConfig) -> list[str]:
    """Names of the measures a layer of this model has, in order."""
    names = [name for name, (array, _) in LAYER_SCALARS.items() if array in arrays_of(model)]
    return [*names, *(("cosine_null",) if model.has_topology else ())]


class ScalarLog:
    """Rows of scalars since the last `take`, on the device. NaN where a value was not measured at that step."""

    def __init__(self, names: tuple[str, ...], *, device: torch.device, capacity: int = 1024) -> None:
        self.names = names
        self._rows = torch.full((capacity, len(names)), torch.nan, device=device)
        self._used = 0
        self._taken: list[Array] = []
        self._first_look = next(i for i, name in enumerate(names) if name.startswith("test_accuracy/"))
        self._first_layer = next((i for i, name in enumerate(names) if name.startswith("layer0/")), len(names))

    def write(self, step: int, data_epoch: float, values: Tensor) -> None:
        """Append a row: step, data epoch and the values of every step, in the order of the names."""
        if self._used == len(self._rows):
            self._drain()
        row = self._rows[self._used]
        row[0].fill_(step)
        row[1].fill_(data_epoch)
        row[2 : 2 + len(values)] = values
        self._used += 1

    def add_look(self, values: Tensor) -> None:
        """Write measurements on test images into the last row."""
        assert self._used, "a look belongs to a step"
        self._rows[self._used - 1, self._first_look : self._first_look + len(values)] = values

    def last_row(self) -> Array:
        """The last row, [1, names], on the host."""
        return np.asarray(self._rows[self._used - 1 : self._used].cpu())

    def take(self, layers: list[dict[str, Array]], model: ModelConfig) -> Array:
        """All rows since the last call, [steps, names]; the last one with the layers' measures. Then forget them."""
        self._drain()
        rows = np.concatenate(self._taken) if self._taken else np.empty((0, len(self.names)), np.float32)
        self._taken.clear()
        if len(rows):
            measured = [layer_measures(layer, model) for layer in layers]
            rows[-1, self._first_layer :] = [value for layer in measured for value in layer.values()]
        return rows

    def put_back(self, rows: Array) -> None:
        """Hand rows out again with the next `take`."""
        self._taken.insert(0, rows)

    def _drain(self) -> None:
        if self._used:
            self._taken.append(self._rows[: self._used].cpu().numpy().copy())
            self._rows[: self._used] = torch.nan
            self._used = 0


@torch.no_grad()
def layer_arrays(
    layer: Layer, load_E: Tensor, routing_QE: Tensor, routing_blind_QE: Tensor, gradient_GEP: Tensor | None = None
) -> dict[str, Array]:
    """A layer's arrays as `frames.py` lists them, on the host in one copy. None for a layer that routes nothing.

    `gradient_GEP` are the rows of `GradientOnA`, where a frame tells them.
    """
    if not len(load_E):
        return {}
    tensors = layer_tensors(layer, load_E, routing_QE, routing_blind_QE)
    return packed(_on_host(tensors if gradient_GEP is None else {**tensors, "topology_gradient": gradient_GEP}))


def layer_tensors(layer: Layer, load_E: Tensor, routing_QE: Tensor, routing_blind_QE: Tensor) -> dict[str, Tensor]:
    """The same on the layer's device, with the subspace as one number for every dimension, 0 or 1."""
    of_routing = {"routing": routing_QE, "routing_blind": routing_blind_QE, "load": load_E}
    if not isinstance(layer, CDSPLayer):
        return of_routing
    subspaces = layer.topology.subspaces()
    return {
        "topology_logits": layer.topology.logits(),
        "connection": layer.topology.connection(),
        "cosine": layer.cosine_EE,
        "conflict": conflict.conflict_from_cosine(layer.cosine_EE),
        "overlap": layer.overlap_EE,
        **of_routing,
        "strength": layer.topology.strength(subspaces),
        "subspace": subspaces.mask_ER.to(torch.float32),
    }


def with_measures(rows: Array, layers: list[dict[str, Array]], model: ModelConfig) -> dict[str, Array]:
    """A frame's arrays: rows of scalars, the last with the layers' measures at its end, and the layers' by number."""
    if len(rows):
        measured = [value for layer in layers for value in layer_measures(layer, model).values()]
        rows[-1, rows.shape[1] - len(measured) :] = measured
    named = {f"layer{number}/{name}": array for number, layer in enumerate(layers) for name, array in layer.items()}
    return {"scalars": rows, **named}


def packed(arrays: dict[str, Array]) -> dict[str, Array]:
    """The same arrays with the subspace as bits."""
    return {name: np.packbits(value > 0, axis=1) if name == "subspace" else value for name, value in arrays.items()}


def _on_host(tensors: dict[str, Tensor]) -> dict[str, Array]:
    flat = torch.cat([value.flatten() for value in tensors.values()]).cpu().numpy()
    ends = np.cumsum([value.numel() for value in tensors.values()])
    pieces = np.split(flat, ends[:-1])
    return {name: piece.reshape(value.shape) for (name, value), piece in zip(tensors.items(), pieces, strict=True)}


def layer_result(arrays: dict[str, Array], number: int, model: ModelConfig) -> dict[str, Any]:
    """sigmoid(A) and every measure of one layer of a frame, as JSON.

    None where a measure has no value; connection is None for a layer without A, measures are those it has.
    """
    prefix = f"layer{number}/"
    layer = {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
    values = layer_measures(layer, model)
    if "routing" in layer:
        consistency = measures.routing_consistency(layer["routing"], layer["routing_blind"])
        values["routing_consistency"] = float(consistency.mean())
    connection = layer["connection"].tolist() if "connection" in layer else None
    return {"connection": connection, "measures": json_ready(values)}


def layer_measures(arrays: dict[str, Array], model: ModelConfig) -> dict[str, float]:
    """The values of `layer_scalars` for one layer's arrays."""
    values = {name: measure(arrays[array]) for name, (array, measure) in LAYER_SCALARS.items() if array in arrays}
    if "cosine" in arrays:
        compared_EE = arrays["overlap"] * model.held_rank * _compared_a_dimension(model)
        values["cosine_null"] = measures.cosine_null(arrays["cosine"], compared_EE)
    return values


def _compared_a_dimension(model: ModelConfig) -> float:
    """Independent entries of one dimension that cosines are taken over: those of the gradient, whole or projected."""
    if not model.conflict_projection:
        return model.compared_entries
    return independent_columns(entries=model.compared_entries, columns=model.conflict_projection)
