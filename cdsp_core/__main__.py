"""The command line: `python -m cdsp_core train | presets`."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cdsp_core.config import PRESETS, RunConfig, preset, to_dict, with_settings

if TYPE_CHECKING:
    from cdsp_core.trainer import Trainer

BAD_INPUT = 2


def main(arguments: list[str] | None = None) -> int:
    """Exit status: 0 done, 1 the run failed, 2 bad input. Errors are one sentence on standard error."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except (ValueError, OSError) as error:
        print(f"cdsp_core: {error}", file=sys.stderr)
        return BAD_INPUT


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m cdsp_core", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    train = commands.add_parser("train", help="train one run without the page")
    train.add_argument("--preset", default="live", help=f"one of {', '.join(PRESETS)} (default live)")
    train.add_argument("--data", choices=("embedded", "full"), help="which data (default: the preset's)")
    train.add_argument("--data-root", type=Path, metavar="DIR", help="folder of the full sets, in torchvision's layout")
    train.add_argument("--steps", type=_positive, metavar="N", help="steps to train (default: the preset's epochs)")
    train.add_argument("--seed", type=_whole_number, metavar="S", help="seed (default: the preset's)")
    train.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="any field of the config")
    train.add_argument("--device", default="auto", help="auto, cpu or cuda (default auto)")
    train.add_argument(
        "--threads", type=_positive, metavar="N", help="CPU threads (default: all cores but one, at most 4)"
    )
    train.add_argument("--out", type=Path, metavar="DIR", help="keep the final checkpoint and result.json there")
    train.add_argument("--json", action="store_true", help="end with one JSON object on standard output")
    train.set_defaults(run=_train)
    presets = commands.add_parser("presets", help="list the presets and their settings")
    presets.add_argument("--json", action="store_true", help="as JSON")
    presets.set_defaults(run=_presets)
    return parser


def _presets(options: argparse.Namespace) -> int:
    if options.json:
        print(json.dumps({name: {"text": text, "config": to_dict(config)} for name, (text, config) in PRESETS.items()}))
        return 0
    for name, (text, config) in PRESETS.items():
        print(f"{name}: {text}")
        for section, fields in to_dict(config).items():
            if isinstance(fields, dict):
                print(f"  {section}: " + ", ".join(f"{key}={value}" for key, value in fields.items()))
    return 0


def _train(options: argparse.Namespace) -> int:
    config = _config(options)

    from cdsp_core.checkpoint import save_checkpoint
    from cdsp_core.device import choose_device, keep_freed_memory, use_threads
    from cdsp_core.trainer import NonFiniteLossError, Trainer

    keep_freed_memory()
    use_threads(options.threads)
    trainer = Trainer(config, device=choose_device(options.device), data_root=options.data_root)
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
    from cdsp_core.snapshot import layer_result

    began_s = shown_s = time.monotonic()
    device = trainer.describe()["device"]
    print(f"{trainer.total_steps} steps on {device['name']}, {device['execution']} path", file=sys.stderr)
    first_step = trainer.step
    arrays = trainer.arrays()
    while trainer.step < trainer.total_steps:
        trainer.train_step()
        if time.monotonic() - shown_s > 5 or trainer.step == trainer.total_steps:
            shown_s = time.monotonic()
            arrays = trainer.arrays()
            row = dict(zip(trainer.log.names, arrays["scalars"][-1], strict=True))
            rate = (trainer.step - first_step) / (shown_s - began_s)
            print(f"step {trainer.step}  {rate:.1f} steps/s  task loss {row['task_loss']:.4f}", file=sys.stderr)
    accuracy, blind_accuracy = trainer.test_accuracy()
    layers = [layer_result(arrays, number) for number in range(trainer.config.model.num_layers)]
    return {
        "steps": trainer.step,
        "steps_per_s": (trainer.step - first_step) / max(time.monotonic() - began_s, 1e-9),
        "accuracy": accuracy,
        "blind_accuracy": blind_accuracy,
        "measures": {
            f"layer{n}/{name}": value for n, layer in enumerate(layers) for name, value in layer["measures"].items()
        },
        "connection": [layer["connection"] for layer in layers],
        "config": to_dict(trainer.config),
        "device": device,
    }


def _config(options: argparse.Namespace) -> RunConfig:
    settings: dict[str, Any] = {}
    for pair in options.set:
        key, found, value = pair.partition("=")
        if not found:
            raise ValueError(f"--set must be KEY=VALUE. Found {pair!r}.")
        settings[key] = value
    named = {"data": options.data, "steps": options.steps, "seed": options.seed}
    settings.update({key: value for key, value in named.items() if value is not None})
    return with_settings(preset(options.preset), settings)


def _whole_number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a whole number. Found {text!r}.") from None


def _positive(text: str) -> int:
    number = _whole_number(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1. Found {text!r}.")
    return number


if __name__ == "__main__":
    sys.exit(main())
