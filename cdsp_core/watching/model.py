"""What is watched of a model that somebody else trains: its layers' arrays and the numbers its program tells.

Shapes: B samples, S tokens a sample, K experts a token, E experts, Q tasks, N steps since the last frame.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from cdsp_core.method.layer import CDSPLayer
from cdsp_core.settings.config import Controls, RunConfig
from cdsp_core.training.controller import Move
from cdsp_core.training.device import describe_device
from cdsp_core.training.objective import TOPOLOGY_TERMS
from cdsp_core.training.telemetry import layer_arrays, scalar_names, with_measures
from cdsp_core.wire.frames import Array
from cdsp_core.wire.messages.run import sizes
from cdsp_core.worker.trainable import Trainable

KEPT: Final = 0.9
"""share of the routing seen so far that stays at each step: some ten steps are looked at together"""
Number = float | Tensor
OnChange = Callable[[Controls], None]


class WatchedModel:
    """A `Trainable` that trains nothing: its program does, and tells of every step.

    CDSP layers tell by themselves whom they chose; for any other mixture the program does. Nothing is brought to the
    host before a frame is due.
    """

    def __init__(
        self, config: RunConfig, layers: Sequence[CDSPLayer], *, tasks: Sequence[str], on_change: OnChange | None
    ) -> None:
        self.config = config
        self.controls = config.controls
        self.step = 0
        self.total_steps = config.train.steps
        self._layers = list(layers)
        self._tasks = list(tasks)
        self._on_change = on_change
        terms = ("task_loss", *(TOPOLOGY_TERMS if layers else ()))
        self._names = scalar_names(self._tasks, config.model, terms=terms)
        self._told = {name: at for at, name in enumerate(self._names) if not name.startswith("layer")}
        self._rows: list[dict[str, Number]] = []
        self._chosen: dict[int, Tensor] = {}
        """experts of every token of the last forward pass, by layer, [T, K]"""
        self._device = next((p.device for layer in layers for p in layer.parameters()), torch.device("cpu"))
        counts = torch.zeros(config.model.num_layers, len(self._tasks), config.model.num_experts, device=self._device)
        self._known_LQE, self._blind_LQE = counts, counts.clone()
        self._load_LE = counts[:, 0] * math.nan
        self._hooks = [layer.register_forward_hook(self._look_at(n)) for n, layer in enumerate(self._layers)]

    def tell(
        self,
        numbers: Mapping[str, Number],
        *,
        task_B: Tensor | None,
        hidden_B: Tensor | None,
        chosen: Sequence[Tensor] | None,
    ) -> None:
        """One step is done. Raises ValueError for numbers that have no place and for shapes that do not fit."""
        unknown = [name for name in numbers if name not in self._told]
        if unknown:
            raise ValueError(f"a number must be one of {', '.join(self._told)}. Found {unknown[0]!r}.")
        self._rows.append({name: n.detach() if isinstance(n, Tensor) else float(n) for name, n in numbers.items()})
        if chosen is not None:
            if len(chosen) != self.config.model.num_layers:
                raise ValueError(f"chosen must have {self.config.model.num_layers} layers. Found {len(chosen)}.")
            self._chosen = {number: experts.flatten(0, -2) for number, experts in enumerate(chosen)}
        self._count(task_B, hidden_B)

    def describe(self) -> dict[str, Any]:
        """Facts that do not change, as JSON."""
        return {
            "tasks": [{"name": name, "label": name, "note": "", "class_names": []} for name in self._tasks],
            "scalar_names": list(self._names),
            **sizes(self.config.model),
            "device": {
                **describe_device(self._device),
                "note": "A program of your own trains this model; it is only watched.",
            },
        }

    def train_step(self) -> None:
        """The program has trained it."""
        self.step += 1

    def steer(self) -> Move | None:
        """Nothing steers but people."""
        return None

    def apply(self, controls: Controls) -> None:
        """Hand new values to the program. Raises ValueError where it takes none."""
        if self._on_change is None:
            raise ValueError("The program that trains this model takes no changes.")
        self._on_change(controls)
        self.controls = controls

    def arrays(self) -> dict[str, Array]:
        """The layers' arrays, and the rows since last time."""
        layers = [self._of_layer(number) for number in range(self.config.model.num_layers)]
        rows = self._rows_on_host()
        return with_measures(rows, layers, self.config.model)

    def forget(self) -> None:
        """Nobody looks at what was told."""
        self._rows.clear()

    def close(self) -> None:
        """Look no more."""
        for hook in self._hooks:
            hook.remove()

    def _look_at(self, number: int) -> Callable[..., None]:
        def looked(module: nn.Module, inputs: Any, output: tuple[Tensor, Tensor]) -> None:
            if torch.is_grad_enabled():
                self._chosen[number] = output[1].detach()

        return looked

    @torch.no_grad()
    def _count(self, task_B: Tensor | None, hidden_B: Tensor | None) -> None:
        experts = self.config.model.num_experts
        for number, expert_TK in self._chosen.items():
            one_TE = torch.zeros(len(expert_TK), experts, device=self._device)
            one_TE.scatter_add_(1, expert_TK, torch.ones_like(expert_TK, dtype=one_TE.dtype))
            self._load_LE[number] = one_TE.mean(0) / expert_TK.shape[1]
            if task_B is None:
                continue
            if len(expert_TK) % len(task_B):
                raise ValueError(f"task must be one of each sample. Found {len(task_B)} for {len(expert_TK)} tokens.")
            own_BE = one_TE.view(len(task_B), -1, experts).sum(1)
            hidden = torch.zeros_like(task_B, dtype=torch.bool) if hidden_B is None else hidden_B.bool()
            for counts_LQE, counted_B in ((self._known_LQE, ~hidden), (self._blind_LQE, hidden)):
                new_QE = torch.zeros_like(counts_LQE[number]).index_add_(0, task_B, own_BE * counted_B[:, None])
                counts_LQE[number].mul_(KEPT).add_(new_QE)

    def _of_layer(self, number: int) -> dict[str, Array]:
        shares = [counts[number] / counts[number].sum(1, keepdim=True) for counts in (self._known_LQE, self._blind_LQE)]
        layer: Any = self._layers[number] if self._layers else None
        return layer_arrays(layer, self._load_LE[number], *shares)

    def _rows_on_host(self) -> Array:
        rows = np.full((len(self._rows), len(self._names)), np.nan, np.float32)
        there = [(at, name, n) for at, row in enumerate(self._rows) for name, n in row.items()]
        on_device = [n.float() for _, _, n in there if isinstance(n, Tensor)]
        fetched = iter(torch.stack(on_device).cpu().tolist() if on_device else ())
        for at, name, number in there:
            rows[at, self._told[name]] = next(fetched) if isinstance(number, Tensor) else number
        for at in range(len(rows)):
            rows[at, 0] = self.step - len(rows) + 1 + at
        self._rows.clear()
        return rows


class WatchedOnce:
    """The `Trainers` of a program of one's own: there is the one model, and nothing is kept of it."""

    def __init__(self, model: WatchedModel) -> None:
        self._model = model
        self._is_given = False

    def new(self, config: RunConfig) -> Trainable:
        """The model itself, once."""
        if self._is_given:
            raise ValueError("Only its own program can begin this run anew: start that again.")
        self._is_given = True
        return self._model

    def load(self, folder: Path, name: str) -> Trainable:
        """Nothing was saved."""
        raise ValueError("Nothing is kept of a model that is only watched: its own program saves it.")

    def is_readable(self, folder: Path, name: str) -> bool:
        """There are no checkpoints."""
        return False

    def save(self, trainer: Trainable, folder: Path, name: str) -> None:
        """Its own program saves it, if it does."""
