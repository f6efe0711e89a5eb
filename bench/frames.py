"""What a frame costs beside a training step, and how large it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch

from bench.contenders import waiting_for
from bench.results import Result
from bench.rounds import spread, take_turns
from cdsp_core.data.datasets import Datasets, load_datasets
from cdsp_core.settings.config import RunConfig
from cdsp_core.settings.overrides import with_settings
from cdsp_core.settings.presets import preset
from cdsp_core.training.device import choose_device, prepare_process
from cdsp_core.training.trainer import Trainer
from cdsp_core.wire.frames import Frame, decode_frame, to_json_text

STEPS_A_FRAME: Final = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class FramesBench:
    """What is measured, and for how long."""

    rounds: int = 15
    turn_s: float = 0.1

    def run(self) -> list[Result]:
        prepare_process()
        device = choose_device("auto")
        datasets = load_datasets(data="embedded", labels="ten", root=None, device=device)
        return [result for experts in (8, 64) for result in self._of(_live(experts), device, datasets)]

    def _of(self, config: RunConfig, device: torch.device, datasets: Datasets) -> list[Result]:
        trainer = Trainer(config, device=device, datasets=datasets)
        message = recorded_frame(trainer).encode()
        frame = decode_frame(message)

        def step_and_frame() -> None:
            trainer.train_step()
            trainer.arrays()

        timings = take_turns(
            {
                "step": trainer.train_step,
                "step and frame": step_and_frame,
                "encode": frame.encode,
                "decode": lambda: decode_frame(message),
                "JSON": lambda: to_json_text(frame.to_json()),
            },
            rounds=self.rounds,
            turn_s=self.turn_s,
            wait_for_device=waiting_for(device),
        )
        part = f"frames, preset live, E {config.model.num_experts}"
        step_ms = timings.median_s("step") * 1e3

        def share_of_step(name: str, shown: str) -> Result:
            beside = f"{timings.median_s(name) * 1e3:.3f} / {step_ms:.1f} ms"
            return Result(part=part, name=shown, value=timings.ratio(name, "step").times(100), unit="%", beside=beside)

        json_bytes = len(to_json_text(frame.to_json()))
        return [
            share_of_step("step and frame", "a step that ends with taking a frame, of a step"),
            share_of_step("encode", "encoding a frame, of a step"),
            share_of_step("decode", "decoding it in Python, of a step"),
            share_of_step("JSON", "the same content as JSON, of a step"),
            Result(
                part=part,
                name=f"a frame with the scalars of {STEPS_A_FRAME} steps, of the same as JSON",
                value=spread([100 * len(message) / json_bytes]),
                unit="%",
                beside=f"{len(message)} / {json_bytes} bytes",
            ),
        ]


def recorded_frame(trainer: Trainer) -> Frame:
    """A real frame with the scalars of some steps."""
    trainer.arrays()
    for _ in range(STEPS_A_FRAME):
        trainer.train_step()
    return Frame(
        run="run-00000000",
        epoch=0,
        seq=100,
        after_seq=99,
        step=trainer.step,
        revision=0,
        time_ms=1.7e12,
        steps_per_s=100.0,
        arrays=trainer.arrays(),
    )


def _live(experts: int) -> RunConfig:
    return with_settings(preset("live"), {"num_experts": experts, "num_partitions": experts, "eval_every": 1_000_000})
