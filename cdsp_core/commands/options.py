"""What several commands ask for, and the checks that they share."""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cdsp_core.settings.config import RunConfig
from cdsp_core.settings.overrides import with_settings
from cdsp_core.settings.presets import PRESETS, preset
from cdsp_core.storage.mirror import kept_at
from cdsp_core.storage.opening import is_url

if TYPE_CHECKING:
    import torch

    from cdsp_core.studies.framework.missing import RunAll

RESULTS: Final = Path("studies")
"""where studies put their results, and evidence looks for them"""


def add_training(train: argparse.ArgumentParser) -> None:
    """Options that make a config, and say where it is trained."""
    train.add_argument("--preset", default="live", help=f"one of {', '.join(PRESETS)} (default live)")
    train.add_argument("--data", choices=("embedded", "full"), help="data sets to train on (default: the preset's)")
    train.add_argument("--data-root", type=Path, metavar="DIR", help="folder of the full sets, in torchvision's layout")
    train.add_argument("--steps", type=positive, metavar="N", help="steps to train (default: the preset's epochs)")
    train.add_argument("--seed", type=whole_number, metavar="S", help="seed (default: the preset's)")
    train.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="set any field of the config; may be given again",
    )
    train.add_argument("--device", default="auto", help="auto, cpu or cuda (default auto)")
    train.add_argument(
        "--threads", type=positive, metavar="N", help="CPU threads (default: all cores but one, at most 4)"
    )


def config_of(options: argparse.Namespace) -> RunConfig:
    """The config that the options of `add_training` make. Raises ValueError."""
    settings = settings_of(options.set)
    named = {"data": options.data, "steps": options.steps, "seed": options.seed}
    settings.update({key: value for key, value in named.items() if value is not None})
    config = with_settings(preset(options.preset), settings)
    if not config.train.dataset:
        return config

    from cdsp_core.data.own.chosen import with_own_data

    return with_own_data(config)


def settings_of(pairs: Sequence[str]) -> dict[str, Any]:
    """What `--set KEY=VALUE ...` sets. Raises ValueError."""
    settings: dict[str, Any] = {}
    for pair in pairs:
        key, found, value = pair.partition("=")
        if not found:
            raise ValueError(f"--set must be KEY=VALUE. Found {pair!r}.")
        settings[key] = value
    return settings


def made_ready(device: str, threads: int | None) -> torch.device:
    """Make this process ready to train, and choose its device. Raises ValueError. Loads torch."""
    from cdsp_core.training.device import choose_device, prepare_process, use_threads

    prepare_process()
    use_threads(threads)
    return choose_device(device)


def check_packages(needed: Sequence[str] = ("matplotlib", "pyarrow", "scipy", "tqdm")) -> None:
    """Raises ValueError when the packages of the extra `studies` are not all there."""
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        raise ValueError(
            f"study, sweep and evidence need the packages of the extra studies. Found no {', '.join(missing)}."
        )


def add_jobs(command: argparse.ArgumentParser) -> None:
    """Options that say where jobs run, and how many at once."""
    command.add_argument("--jobs", type=positive, metavar="N", help="at once (default: one a core)")
    command.add_argument("--ray-address", metavar="A", help="put the jobs on the Ray cluster at HOST:PORT or auto")


def where_jobs_run(options: argparse.Namespace) -> tuple[RunAll, int]:
    """What runs them, and how many at once. Raises ClusterError, a ValueError."""
    from cdsp_core.studies.framework.workers import run_jobs

    if options.ray_address is None:
        return run_jobs, options.jobs or len(os.sched_getaffinity(0))

    from cdsp_core.studies.framework.cluster import reach_cluster, run_jobs_on_cluster

    room = reach_cluster(options.ray_address)
    return run_jobs_on_cluster, options.jobs or max(1, int(room["cpus"]))


def interrupt(_signal: int, _frame: object) -> None:
    """End as Ctrl-C does; for SIGTERM."""
    raise KeyboardInterrupt


def whole_number(text: str) -> int:
    """The argument, a whole number."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a whole number. Found {text!r}.") from None


def place(text: str) -> Path | str:
    """The argument, a folder or a file, or the URL of a storage as it stands."""
    return text if is_url(text) else folder(text)


@contextmanager
def kept_out(options: argparse.Namespace) -> Iterator[None]:
    """Where `--out` is a storage's URL, let it be a folder, or a file in one, which that storage keeps."""
    url = getattr(options, "out", None)
    if not isinstance(url, str):
        yield
        return
    is_file = getattr(options, "out_is_file", False)
    parent, _, name = url.rpartition("/") if is_file else (url, "", "")
    with kept_at(parent, said=_to_stderr, fetches=not is_file) as here:
        options.out = here / name
        yield
    _to_stderr(f"Kept at {url}.")


def _to_stderr(sentence: str) -> None:
    print(f"cdsp_core: {sentence}", file=sys.stderr)


def folder(text: str) -> Path:
    """The argument, a folder."""
    if not text:
        raise argparse.ArgumentTypeError("must be a folder. Found ''.")
    return Path(text)


def positive(text: str) -> int:
    """The argument, a whole number of at least 1."""
    number = whole_number(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1. Found {text!r}.")
    return number
