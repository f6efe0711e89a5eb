"""The command line: `python -m bench [PART ...]`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from bench.results import Result, machine, machine_line, table
from cdsp_core.training.device import use_threads

FAILED: Final = 1


def main(arguments: list[str] | None = None) -> int:
    """Exit status: 0 measured, 1 a part could not be measured. A slow machine is no failure."""
    options = _parser().parse_args(arguments)
    use_threads(options.threads)
    found = machine()
    print(machine_line(found), flush=True)
    results: list[Result] = []
    problems: dict[str, str] = {}
    for part in options.parts or PARTS:
        try:
            measured = PARTS[part](options)
        except (OSError, ValueError, TimeoutError) as error:
            problems[part] = str(error)
            print(f"\n{part} could not be measured: {error}", file=sys.stderr, flush=True)
            continue
        print(table(measured), flush=True)
        results += measured
    if options.json is not None:
        content = {"machine": found, "quick": options.quick, "results": [result.to_json() for result in results]}
        options.json.write_text(json.dumps({**content, "problems": problems}, indent=1, ensure_ascii=False))
    return FAILED if problems else 0


def _step(options: argparse.Namespace) -> list[Result]:
    from bench.step import StepBench

    quick = StepBench(experts=(8, 64), compiled=options.compiled or (), rounds=4, turn_s=0.05)
    return (quick if options.quick else StepBench(compiled=options.compiled or (8,))).run()


def _kernels(options: argparse.Namespace) -> list[Result]:
    from bench.kernels import KernelsBench

    return (KernelsBench(rounds=4, turn_s=0.05) if options.quick else KernelsBench()).run()


def _batched(options: argparse.Namespace) -> list[Result]:
    from bench.batched import BatchedBench

    quick = BatchedBench(runs=(1, 4), rounds=1, turn_s=0.5, architectures=("cdsp",))
    return (quick if options.quick else BatchedBench()).run()


def _frames(options: argparse.Namespace) -> list[Result]:
    from bench.frames import FramesBench

    return (FramesBench(rounds=4, turn_s=0.05) if options.quick else FramesBench()).run()


def _viewers(options: argparse.Namespace) -> list[Result]:
    from bench.viewers import ViewersBench

    quick = ViewersBench(viewers=(100,), rounds=2, warm_up_s=1.0, window_s=2.0)
    return (quick if options.quick else ViewersBench()).run()


def _fanout(options: argparse.Namespace) -> list[Result]:
    from bench.fanout import FanoutBench

    quick = FanoutBench(processes=(1, 2), viewers=50, rounds=1, warm_up_s=1.0, window_s=2.0)
    return (quick if options.quick else FanoutBench()).run()


def _scale(options: argparse.Namespace) -> list[Result]:
    from bench.scale import ScaleBench

    return (ScaleBench(seeds=2) if options.quick else ScaleBench()).run()


def _training(options: argparse.Namespace) -> list[Result]:
    from bench.training import TrainingBench

    return (TrainingBench(rounds=2, window_s=2.0) if options.quick else TrainingBench()).run()


def _page(options: argparse.Namespace) -> list[Result]:
    from bench.page import PageBench

    minutes = options.minutes
    quick = PageBench(starts=1, loads=2, watch_s=5.0, changes=10, rounds=1, window_s=3.0, heap_minutes=minutes or 0.2)
    return (quick if options.quick else PageBench(heap_minutes=minutes or 0.5)).run()


def _moments(options: argparse.Namespace) -> list[Result]:
    from bench.moments import MomentsBench

    return (MomentsBench(frames=2_000, looks=20) if options.quick else MomentsBench()).run()


def _maps(options: argparse.Namespace) -> list[Result]:
    from bench.beside_map import BesideMapBench
    from bench.maps import MapsBench

    maps = MapsBench(cells=2, steps=60, rounds=1) if options.quick else MapsBench()
    beside = BesideMapBench(rounds=1, warm_up_s=1.0, window_s=3.0) if options.quick else BesideMapBench()
    return maps.run() + beside.run()


PARTS: Final[dict[str, Callable[[argparse.Namespace], list[Result]]]] = {
    "step": _step,
    "kernels": _kernels,
    "batched": _batched,
    "frames": _frames,
    "viewers": _viewers,
    "fanout": _fanout,
    "scale": _scale,
    "training": _training,
    "page": _page,
    "moments": _moments,
    "maps": _maps,
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measures what things cost, as ratios within one run. docs/benchmarks.md explains every number.",
    )
    parts = f"{', '.join(PARTS)} (default: all of them)"
    parser.add_argument("parts", nargs="*", type=_part, metavar="PART", help=parts)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds: shows that it works, no more")
    parser.add_argument(
        "--compiled",
        action="append",
        type=int,
        metavar="E",
        help="number of experts for which compiled steps are measured, may be given again (default 8; with --quick "
        "none); each compiles for a minute or more",
    )
    parser.add_argument(
        "--minutes", type=float, metavar="M", help="how long the page's memory is watched (default 0.5)"
    )
    parser.add_argument(
        "--threads", type=int, metavar="N", help="CPU threads of a step (default: as a worker takes them)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every result there")
    return parser


def _part(name: str) -> str:
    if name not in PARTS:
        raise argparse.ArgumentTypeError(f"PART must be one of {', '.join(PARTS)}. Found {name!r}.")
    return name


if __name__ == "__main__":
    sys.exit(main())
