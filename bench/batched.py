"""Many runs trained as one against one after another: runs times steps a second, by the number of runs.

The sizes are the studies' (patches of 7 pixels, batch 64, D 64, R 256, E 8, two layers, the paper's rules), looks at
test images off. A batch whose runs are not those of single trainings is no measurement: that is checked first.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import torch

from bench.contenders import waiting_for
from bench.results import Result
from bench.rounds import spread
from cdsp_core.data.datasets import Datasets, load_datasets
from cdsp_core.settings.config import RunConfig
from cdsp_core.settings.overrides import with_settings
from cdsp_core.settings.presets import preset
from cdsp_core.training.batched import BatchedTrainer
from cdsp_core.training.batched_memory import bytes_of_one_run
from cdsp_core.training.device import choose_device, prepare_process
from cdsp_core.training.trainer import Trainer

PART: Final = "batched"
NEVER: Final = 1_000_000
CHECKED_STEPS: Final = 8
CHECKED_WITHIN: Final = 1e-4
ON_ACCELERATOR: Final = (1, 8, 32, 64, 128)
ON_CPU: Final = (1, 4, 16)


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchedBench:
    """What is measured, and for how long."""

    runs: Sequence[int] | None = None
    rounds: int = 3
    turn_s: float = 1.5
    architectures: Sequence[str] = ("cdsp", "standard")

    def run(self) -> list[Result]:
        """Raises ValueError when a run of a batch is not the single run."""
        prepare_process()
        device = choose_device("auto")
        datasets = load_datasets(data="embedded", labels="ten", root=None, device=device)
        runs = self.runs or (ON_CPU if device.type == "cpu" else ON_ACCELERATOR)
        return [
            result
            for architecture in self.architectures
            for result in self._of(studied(architecture), runs, device, datasets)
        ]

    def _of(self, config: RunConfig, runs: Sequence[int], device: torch.device, datasets: Datasets) -> list[Result]:
        part = f"{PART}, {config.model.architecture}"
        wait = waiting_for(device)
        apart = largest_difference(config, device, datasets)
        if not apart < CHECKED_WITHIN:
            raise ValueError(f"a run of a batch must be the single run within {CHECKED_WITHIN:g}. Found {apart:.2g}.")
        single = self._steps_per_s(Trainer(config, device=device, datasets=datasets).train_step, wait)
        results = [
            _line(part, "one run, as runs are trained there", single, f"equal within {apart:.1g} to one of a batch")
        ]
        for count in runs:
            _reset_peak(device)
            trainer = BatchedTrainer(_seeds(config, count), device=device, datasets=datasets)
            rates = [count * rate for rate in self._steps_per_s(trainer.train_step, wait)]
            way = "a CUDA graph" if trainer.describe()["cuda_graph"] else (trainer.note or "eager")
            del trainer
            beside = f"{1000 * count / max(rates):.3g} ms a step, {_ratio(rates, single):.3g} times one run, {way}"
            results.append(_line(part, f"{count} at once", rates, beside + _memory(device, config, count)))
        return results

    def _steps_per_s(self, step: Callable[[], object], wait: Callable[[], None]) -> list[float]:
        """By rounds; so many steps as fill a turn, since an accelerator takes commands faster than it obeys."""
        step()
        wait()
        began_s = time.perf_counter()
        for _ in range(2):
            step()
        wait()
        count = max(1, round(self.turn_s / (time.perf_counter() - began_s) * 2))
        rates = []
        for _ in range(self.rounds):
            began_s = time.perf_counter()
            for _ in range(count):
                step()
            wait()
            rates.append(count / (time.perf_counter() - began_s))
        return rates


def studied(architecture: str) -> RunConfig:
    """A study's training under the paper's rules, without looks."""
    sizes = {"patch_size": 7, "d_model": 64, "rank_rule": "sqrt", "batch_size": 64, "eval_every": NEVER}
    return with_settings(preset("paper"), {**sizes, "architecture": architecture})


def largest_difference(config: RunConfig, device: torch.device, datasets: Datasets) -> float:
    """Of all weights after a few steps: two runs as one against each by itself, all on the dense path."""
    together = BatchedTrainer(_seeds(config, 2), device=device, datasets=datasets)
    dense = replace(config.model, execution="dense")
    alone = [Trainer(replace(own, model=dense), device=device, datasets=datasets) for own in _seeds(config, 2)]
    for _ in range(CHECKED_STEPS):
        together.train_step()
        for trainer in alone:
            trainer.train_step()
    rows = together.models.weights_XW.detach()
    apart = [(row - trainer.parameters[0].detach()).abs().max() for row, trainer in zip(rows, alone, strict=True)]
    return float(torch.stack(apart).max())


def _seeds(config: RunConfig, count: int) -> list[RunConfig]:
    return [replace(config, train=replace(config.train, seed=seed)) for seed in range(count)]


def _line(part: str, name: str, rates: Sequence[float], beside: str) -> Result:
    return Result(part=part, name=name, value=spread(rates), unit="runs x steps/s", beside=beside)


def _ratio(rates: Sequence[float], single: Sequence[float]) -> float:
    return spread(rates).median / spread(single).median


def _reset_peak(device: torch.device) -> None:
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def _memory(device: torch.device, config: RunConfig, count: int) -> str:
    if device.type != "cuda":
        return ""
    peak, estimate = torch.cuda.max_memory_reserved(device), count * bytes_of_one_run(config)
    return f", {peak / 2**30:.3g} GiB of {estimate / 2**30:.3g} estimated"
