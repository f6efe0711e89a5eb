"""The command `train`: one run without the page."""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cdsp_core.commands.options import add_training, config_of, made_ready, place
from cdsp_core.settings.config import to_dict
from cdsp_core.settings.overrides import with_controls

if TYPE_CHECKING:
    from cdsp_core.training.trainer import Trainer


def add_options(command: argparse.ArgumentParser) -> None:
    """The options of `python -m cdsp_core train`."""
    add_training(command)
    text = "folder or s3://BUCKET/PREFIX for the final checkpoint and result.json"
    command.add_argument("--out", type=place, metavar="DIR", help=text)
    command.add_argument(
        "--json", action="store_true", help="print one JSON object as the last line of standard output"
    )


def run(options: argparse.Namespace) -> int:
    """Train; the exit status."""
    config = config_of(options)

    from cdsp_core.training.checkpoint import save_checkpoint
    from cdsp_core.training.non_finite import NonFiniteLossError
    from cdsp_core.training.trainer import Trainer

    device = made_ready(options.device, options.threads)
    trainer = Trainer(config, device=device, data_root=options.data_root)
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
    try:
        result = _trained(trainer)
    except NonFiniteLossError as error:
        print(f"cdsp_core: {error} The weights are those of the step before.", file=sys.stderr)
        return 1
    if options.out is not None:
        save_checkpoint(trainer, options.out, "final")
        (options.out / "result.json").write_text(json.dumps(result, indent=1))
    if options.json:
        print(json.dumps(result))
    return 0


def _trained(trainer: Trainer) -> dict[str, Any]:
    """Train to the end, with a line of progress every few seconds; what --json prints."""
    from cdsp_core.training.telemetry import layer_result

    began_s = shown_s = time.monotonic()
    device = trainer.describe()["device"]
    print(f"{trainer.total_steps} steps on {device['name']}, {device['execution']} path", file=sys.stderr)
    first_step = trainer.step
    arrays = trainer.arrays()
    while trainer.step < trainer.total_steps:
        _steer(trainer)
        trainer.train_step()
        if time.monotonic() - shown_s > 5 or trainer.step == trainer.total_steps:
            shown_s = time.monotonic()
            arrays = trainer.arrays()
            row = dict(zip(trainer.log.names, arrays["scalars"][-1], strict=True))
            rate = (trainer.step - first_step) / (shown_s - began_s)
            print(f"step {trainer.step}  {rate:.1f} steps/s  task loss {row['task_loss']:.4f}", file=sys.stderr)
    steps_per_s = (trainer.step - first_step) / max(time.monotonic() - began_s, 1e-9)
    accuracy, blind_accuracy = trainer.test_accuracy()
    model = trainer.config.model
    layers = [layer_result(arrays, number, model) for number in range(model.num_layers)]
    return {
        "steps": trainer.step,
        "steps_per_s": steps_per_s,
        "accuracy": accuracy,
        "blind_accuracy": blind_accuracy,
        "measures": {
            f"layer{n}/{name}": value for n, layer in enumerate(layers) for name, value in layer["measures"].items()
        },
        "connection": [layer["connection"] for layer in layers if layer["connection"] is not None],
        "config": to_dict(trainer.config),
        "controls": to_dict(replace(trainer.config, controls=trainer.controls))["controls"],
        "device": device,
    }


def _steer(trainer: Trainer) -> None:
    """Apply what the run's controller asks for, and say so."""
    move = trainer.steer()
    if move is not None:
        trainer.apply(with_controls(trainer.controls, move.controls))
        changed = ", ".join(f"{name} {value:g}" for name, value in move.controls.items())
        print(f"step {trainer.step}  controller: {changed}. {move.reason}", file=sys.stderr)
