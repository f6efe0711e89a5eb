"""What each C kernel saves: the real trainer with all of them against the same trainer without one, on one thread.

Only CPU time of this process counts, so that other work on the machine does not.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from bench.contenders import TorchSortedLayer, trainer_with
from bench.results import Bound, Result
from bench.rounds import Spread, Timings, spread, take_turns
from bench.step import NEVER, release_sizes
from cdsp_core.data.datasets import Datasets, load_datasets
from cdsp_core.kernels.execution import Execution
from cdsp_core.kernels.native import why_unavailable
from cdsp_core.method.layer import CDSPLayer
from cdsp_core.method.router import Router
from cdsp_core.method.topology import Subspaces
from cdsp_core.models.attention import Attention
from cdsp_core.settings.config import RunConfig
from cdsp_core.settings.overrides import with_settings
from cdsp_core.settings.presets import preset
from cdsp_core.training.device import prepare_process
from cdsp_core.training.trainer import Trainer

PART: Final = "kernels"
LEAST_SAVING_PERCENT: Final = 5
"""of a `live` step: what a kernel must save to be kept"""


class ExpertsInTorch(TorchSortedLayer):
    """Experts by torch's operations, the game still in C."""

    def _play_game(
        self, collected: Tensor, subspaces: Subspaces, pairs_EE: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        return self._play_native(collected, subspaces, pairs_EE)


class GameInTorch(CDSPLayer):
    """The conflict game by torch's operations, the experts still in C."""

    def _play_native(
        self, gradient_ErN: Tensor, subspaces: Subspaces, pairs_EE: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        return self._play_game(gradient_ErN, subspaces, pairs_EE)


@dataclass(frozen=True, kw_only=True, slots=True)
class KernelsBench:
    """What is measured, and for how long. Raises ValueError where this machine has no C kernels."""

    rounds: int = 100
    turn_s: float = 0.06

    def run(self) -> list[Result]:
        if reason := why_unavailable():
            raise ValueError(reason)
        prepare_process()
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            return [result for name, config in _configs().items() for result in self._measured(name, config)]
        finally:
            torch.set_num_threads(threads)

    def _measured(self, name: str, config: RunConfig) -> list[Result]:
        datasets = load_datasets(data="embedded", labels=config.train.labels, root=None, device=torch.device("cpu"))
        timings = take_turns(
            _contenders(config, datasets), rounds=self.rounds, turn_s=self.turn_s, clock=time.process_time
        )
        return _results(name, timings)


def _configs() -> dict[str, RunConfig]:
    return {
        "live": with_settings(preset("live"), {"eval_every": NEVER}),
        "release": with_settings(preset("release"), {"eval_every": NEVER}),
        "release's sizes, live's rules": release_sizes(8),
    }


def _contenders(config: RunConfig, datasets: Datasets) -> dict[str, Callable[[], object]]:
    def made(layer: type[CDSPLayer] = CDSPLayer) -> Trainer:
        return trainer_with(layer, config, device=torch.device("cpu"), datasets=datasets)

    def without(kind: type[Router | Attention]) -> Trainer:
        trainer = made()
        for module in trainer.model.modules():
            if isinstance(module, kind):
                module._execution = Execution("dense")
        return trainer

    return {
        "all": made().train_step,
        "experts": made(ExpertsInTorch).train_step,
        "game": made(GameInTorch).train_step,
        "gate": without(Router).train_step,
        "attention": without(Attention).train_step,
    }


def _results(name: str, timings: Timings) -> list[Result]:
    at_least = Bound(limit=LEAST_SAVING_PERCENT, kind="at least") if name == "live" else None
    return [
        Result(
            part=f"{PART}, {name}, one thread, CPU time",
            name=f"{kernel}: saved, of a step without it",
            value=_saved(timings, kernel),
            unit="%",
            beside=f"{timings.median_s('all') * 1e3:.2f} / {timings.median_s(kernel) * 1e3:.2f} ms",
            bound=at_least,
        )
        for kernel in timings.seconds
        if kernel != "all"
    ]


def _saved(timings: Timings, kernel: str) -> Spread:
    pairs = zip(timings.seconds["all"], timings.seconds[kernel], strict=True)
    return spread([100 * (1 - with_it / without_it) for with_it, without_it in pairs])
