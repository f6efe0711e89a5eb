"""The command `replay`: trains a recorded run again, and says whether it came out the same."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from cdsp_core.commands.options import made_ready, positive


def add_options(command: argparse.ArgumentParser) -> None:
    """The options of `python -m cdsp_core replay`."""
    command.add_argument("file", type=Path, metavar="FILE", help="a recorded run, as record or the page gives it")
    command.add_argument("--verify", action="store_true", help="end with status 1 where it came out otherwise")
    command.add_argument(
        "--data-root", type=Path, metavar="DIR", help="folder of the full sets, in torchvision's layout"
    )
    command.add_argument(
        "--device", default="cpu", help="auto, cpu (default) or cuda; bits are compared, so name its own"
    )
    command.add_argument("--threads", type=positive, metavar="N", help="CPU threads (default: all cores but one)")


def run(options: argparse.Namespace) -> int:
    """Replay; the exit status."""
    from cdsp_core.wire.recording import read_recording

    recording = read_recording(options.file)

    from cdsp_core.studies.framework.replay import replayed
    from cdsp_core.training.non_finite import NonFiniteLossError

    device = made_ready(options.device, options.threads)
    last, shown = int(recording.steps[-1]), time.monotonic()

    def progress(step: int, last: int) -> None:
        nonlocal shown
        if time.monotonic() - shown > 5:
            shown = time.monotonic()
            print(f"step {step} of {last}: the same so far", file=sys.stderr)

    try:
        parted = replayed(recording, device=device, data_root=options.data_root, progress=progress)
    except NonFiniteLossError as error:
        print(f"cdsp_core: {error}", file=sys.stderr)
        return 1
    recipe = recording.recipe
    told = f"{options.file}: {recipe.config.preset}, seed {recipe.config.train.seed}, edits {len(recipe.edits)}"
    if parted is None:
        print(f"{told}: equal bit for bit in all {len(recording.steps)} pictures and curves, to step {last:,}.")
        return 0
    print(f"{told}: {parted}. The recording is of version {recording.version}; another machine may add otherwise.")
    return 1 if options.verify else 0
