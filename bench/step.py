"""What a training step costs: against a plain feed-forward, between the paths, eager and compiled, over E."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import torch

from bench.contenders import (
    NotCompiledError,
    PlainLoopLayer,
    PlainTrainer,
    TorchSortedLayer,
    compiled_trainer,
    trainer_with,
    waiting_for,
)
from bench.results import Bound, Result
from bench.rounds import Timings, take_turns
from cdsp_core.data.datasets import Datasets, load_datasets
from cdsp_core.method.layer import CDSPLayer
from cdsp_core.settings.config import RunConfig
from cdsp_core.settings.overrides import with_settings
from cdsp_core.settings.presets import preset
from cdsp_core.training.device import choose_device, prepare_process
from cdsp_core.training.trainer import Trainer

PART: Final = "step"
EAGER_DENSE_MS: Final = 21.0
AUTHORS_MS: Final = 28.5
"""both measured side by side on one machine, before this project began"""
NEVER: Final = 1_000_000

Work = Callable[[], object]


@dataclass(frozen=True, kw_only=True, slots=True)
class StepBench:
    """What is measured, and for how long."""

    experts: Sequence[int] = (8, 16, 32, 64)
    compiled: Sequence[int] = (8,)
    """numbers of experts for which compiled steps are measured too; each takes about a minute to compile"""
    rounds: int = 15
    turn_s: float = 0.12

    def run(self) -> list[Result]:
        prepare_process()
        device = choose_device("auto")
        datasets = load_datasets(data="embedded", labels="ten", root=None, device=device)
        eager: dict[str, Work] = {}
        for experts in self.experts:
            eager |= _eager_contenders(experts, device, datasets)
        timings = self._take_turns(eager, device)
        results = [result for experts in self.experts for result in _eager_results(experts, timings)]
        results += _growth(self.experts, timings)
        for experts in self.compiled:
            torch.compiler.reset()
            try:
                contenders = _compiled_contenders(experts, device, datasets)
            except NotCompiledError as error:
                print(f"\nCompiled steps are left out. {error}", file=sys.stderr)
                break
            results += _compiled_results(experts, self._take_turns(contenders, device))
        return results

    def _take_turns(self, contenders: dict[str, Work], device: torch.device) -> Timings:
        return take_turns(contenders, rounds=self.rounds, turn_s=self.turn_s, wait_for_device=waiting_for(device))


def release_sizes(experts: int, *, compiled: bool = False, execution: str = "auto") -> RunConfig:
    """Batch 64, 49 tokens, D 64, R 256, K 2, P = E, the conflict exact at every step, looks at test images off."""
    sizes = {"patch_size": 4, "num_experts": experts, "num_partitions": experts, "eval_every": NEVER}
    rules = {"task_fusion": "concat", "compile": "on" if compiled else "off", "execution": execution}
    return with_settings(preset("live"), {**sizes, **rules})


def _eager_contenders(experts: int, device: torch.device, datasets: Datasets) -> dict[str, Work]:
    config, dense = release_sizes(experts), release_sizes(experts, execution="dense")
    model = config.model

    def plain(width: int) -> Work:
        return PlainTrainer(config, width=width, device=device, datasets=datasets).train_step

    def cdsp(layer: type[CDSPLayer], of: RunConfig) -> Work:
        return trainer_with(layer, of, device=device, datasets=datasets).train_step

    return {
        f"plain K r, E {experts}": plain(model.top_k * model.rank),
        f"plain R, E {experts}": plain(model.d_base),
        f"auto, E {experts}": cdsp(CDSPLayer, config),
        f"sorted, E {experts}": cdsp(TorchSortedLayer, config),
        f"dense, E {experts}": cdsp(CDSPLayer, dense),
        f"loop, E {experts}": cdsp(PlainLoopLayer, config),
    }


def _compiled_contenders(experts: int, device: torch.device, datasets: Datasets) -> dict[str, Work]:
    config = release_sizes(experts)
    model = config.model
    contenders: dict[str, Work] = {}
    for way in ("eager", "compiled"):
        compiled = way == "compiled"
        for path in ("auto", "dense"):
            of = release_sizes(experts, compiled=compiled, execution=path)
            make = compiled_trainer if compiled else Trainer
            contenders[f"{path} {way}"] = make(of, device=device, datasets=datasets).train_step
        for name, width in (("plain K r", model.top_k * model.rank), ("plain R", model.d_base)):
            plain = PlainTrainer(config, width=width, device=device, datasets=datasets, compiled=compiled)
            contenders[f"{name} {way}"] = plain.train_step
    return contenders


def _eager_results(experts: int, timings: Timings) -> list[Result]:
    model = release_sizes(experts).model
    part = f"{PART}, eager, E {experts} (r {model.rank}, K r {model.top_k * model.rank})"
    path = _auto_path(experts)
    name = {short: f"{short}, E {experts}" for short in ("auto", "sorted", "dense", "loop", "plain K r", "plain R")}
    shown = {**{short: short for short in name}, "auto": f"auto ({path})"}
    pairs = [("auto", "plain K r"), ("auto", "plain R"), ("sorted", "auto"), ("dense", "auto"), ("loop", "auto")]
    return [_compared(part, timings, name[one], name[other], f"{shown[one]} ÷ {shown[other]}") for one, other in pairs]


def _growth(experts: Sequence[int], timings: Timings) -> list[Result]:
    """The same against the smallest E, in the same rounds: it should follow K r."""
    first = experts[0]
    return [
        _compared(
            f"{PART}, eager, over E", timings, f"{kind}, E {e}", f"{kind}, E {first}", f"{kind}: E {e} ÷ E {first}"
        )
        for kind in ("auto", "plain K r", "loop")
        for e in experts[1:]
    ]


def _compiled_results(experts: int, timings: Timings) -> list[Result]:
    part = f"{PART}, compiled, E {experts}"
    ours = timings.fastest("auto eager", "auto compiled", "dense eager", "dense compiled")
    floor = timings.fastest("plain K r eager", "plain K r compiled")
    wide = timings.fastest("plain R eager", "plain R compiled")
    at_release = experts == 8
    authors = timings.ratio("dense eager", ours).times(AUTHORS_MS / EAGER_DENSE_MS)
    return [
        *(
            _compared(part, timings, f"{kind} compiled", f"{kind} eager", f"{kind}: compiled ÷ eager")
            for kind in ("auto", "dense", "plain K r", "plain R")
        ),
        _compared(
            part, timings, ours, floor, f"best ({ours}) ÷ best {floor}", Bound(limit=1.3) if at_release else None
        ),
        _compared(part, timings, ours, wide, f"best ({ours}) ÷ best {wide}"),
        Result(
            part=part,
            name="authors' program ÷ best, theirs as 28.5/21 dense eager",
            value=authors,
            unit="×",
            beside=f"{timings.median_s(ours) * 1e3:.1f} ms",
            bound=Bound(limit=1.5, kind="at least") if at_release else None,
        ),
    ]


def _compared(part: str, timings: Timings, one: str, other: str, shown: str, bound: Bound | None = None) -> Result:
    beside = f"{timings.median_s(one) * 1e3:.1f} / {timings.median_s(other) * 1e3:.1f} ms"
    return Result(part=part, name=shown, value=timings.ratio(one, other), unit="×", beside=beside, bound=bound)


def _auto_path(experts: int) -> str:
    return CDSPLayer(release_sizes(experts).model).path(choose_device("auto"))
