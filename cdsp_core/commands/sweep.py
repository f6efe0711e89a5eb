"""The command `sweep`: a map without a server. Importing it loads neither torch nor pyarrow."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

from cdsp_core.commands.options import add_jobs, check_packages, place, settings_of, where_jobs_run
from cdsp_core.settings.overrides import with_settings
from cdsp_core.settings.presets import PRESETS, preset
from cdsp_core.studies.sweeps.files import NAME, stored_sweep
from cdsp_core.studies.sweeps.measures import MEASURES
from cdsp_core.studies.sweeps.spec import Axis, Sweep, axis_of

STEPS: Final = 1000


def add_options(command: argparse.ArgumentParser) -> None:
    """The options of `python -m cdsp_core sweep`."""
    values = "FIELD=VALUES, values like 0,1,10 or a range LOW:HIGH:COUNT, with :log at its end for log spacing"
    command.add_argument("--x", metavar="AXIS", help=f"the setting that varies across: {values}")
    command.add_argument("--y", metavar="AXIS", help="the setting that varies down, likewise")
    command.add_argument("--preset", default="live", help=f"one of {', '.join(PRESETS)} (default live)")
    command.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="set any field of the config; may be repeated"
    )
    command.add_argument("--steps", type=int, default=STEPS, metavar="N", help=f"steps of each cell (default {STEPS})")
    command.add_argument("--seeds", type=int, default=1, metavar="N", help="runs of each cell (default 1)")
    command.add_argument("--measures", metavar="NAMES", help=f"those to show, of {','.join(MEASURES)} (default all)")
    command.add_argument("--data-root", type=Path, metavar="DIR", help="folder of the full sets")
    add_jobs(command)
    command.add_argument(
        "--out",
        type=place,
        required=True,
        metavar="DIR",
        help="folder of the map, or s3://BUCKET/PREFIX; with no axis the map it holds goes on, "
        "with other values or more seeds it grows",
    )
    command.add_argument("--redo-stale", action="store_true", help="do over what another revision of the code did")
    command.add_argument("--progress", choices=("bar", "json"), default="bar", help="json: one JSON object a line")


def run(options: argparse.Namespace) -> int:
    """Train the map that the options ask for. Raises ValueError, OSError. Returns 1 where cells were lost."""
    check_packages(("pyarrow", "tqdm"))

    from cdsp_core.studies.framework.missing import StudyIncompleteError
    from cdsp_core.studies.framework.progress import Bar, JsonLines
    from cdsp_core.studies.sweeps.run import run_sweep

    asked, stored = _asked(options), stored_sweep(options.out)
    if asked is None and stored is None:
        raise ValueError(f"--x and --y must say what varies, as {options.out} holds no map yet. Found none.")
    if asked is not None:
        sweep = asked if stored is None else stored.joined(asked)
    else:
        assert stored is not None
        sweep = stored.extended(seeds=options.seeds)
    run_all, at_once = where_jobs_run(options)
    progress = JsonLines() if options.progress == "json" else Bar()
    try:
        written = run_sweep(
            sweep,
            out=options.out,
            processes=at_once,
            run_all=run_all,
            progress=progress,
            data_root=options.data_root,
            redo_stale=options.redo_stale,
        )
    except StudyIncompleteError as error:
        progress.problem(NAME, str(error))
        return 1
    if options.progress == "bar":
        print(f"{written}  {sweep.size} cells")
    return 0


def _asked(options: argparse.Namespace) -> Sweep | None:
    """The map of the options; None where no axis is given. Raises ValueError."""
    if options.x is None and options.y is None:
        return None
    shown = options.measures.split(",") if options.measures else MEASURES
    return Sweep(
        base=with_settings(preset(options.preset), settings_of(options.set)),
        x=_axis("--x", options.x),
        y=_axis("--y", options.y),
        seeds=options.seeds,
        steps=options.steps,
        measures=tuple(name.strip() for name in shown),
    )


def _axis(option: str, text: str | None) -> Axis:
    field, found, values = (text or "").partition("=")
    if not found:
        raise ValueError(f"{option} must be FIELD=VALUES. Found {text or 'none'}.")
    return axis_of(field.strip(), values)
