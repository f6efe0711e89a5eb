"""The command `presets`: what a run may start from."""

from __future__ import annotations

import argparse
import json

from cdsp_core.settings.config import to_dict
from cdsp_core.settings.presets import PRESETS


def add_options(command: argparse.ArgumentParser) -> None:
    """The options of `python -m cdsp_core presets`."""
    command.add_argument("--json", action="store_true", help="as JSON")


def run(options: argparse.Namespace) -> int:
    """Print them; the exit status."""
    if options.json:
        print(json.dumps({name: {"text": text, "config": to_dict(config)} for name, (text, config) in PRESETS.items()}))
        return 0
    for name, (text, config) in PRESETS.items():
        print(f"{name}: {text}")
        for section, fields in to_dict(config).items():
            if isinstance(fields, dict):
                print(f"  {section}: " + ", ".join(f"{key}={value}" for key, value in fields.items()))
    return 0
