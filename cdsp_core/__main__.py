"""The command line: `python -m cdsp_core train | data | record | replay | presets | study | sweep | evidence | ...`."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from types import ModuleType
from typing import Final

from cdsp_core.commands import data, evidence, oligarchy, presets, record, replay, study, sweep, train
from cdsp_core.commands.options import interrupt, kept_out

BAD_INPUT: Final = 2
INTERRUPTED: Final = 130
COMMANDS: Final[dict[str, tuple[ModuleType, str]]] = {
    "train": (train, "train one run without the page"),
    "data": (data, "make own images the tasks of a run"),
    "record": (record, "record a run as sixty pictures, under 10 kB"),
    "replay": (replay, "train a recorded run again, and say whether it came out the same"),
    "presets": (presets, "list the presets and their settings"),
    "study": (study, "run an experiment over seeds, or go on with it"),
    "sweep": (sweep, "train a map: a grid of small runs over two settings, or go on with it"),
    "evidence": (evidence, "write down what the finished studies found, claim by claim"),
    "oligarchy": (oligarchy, "choose the rule of oligarchy on recorded runs, and test it"),
}
"""each with `add_options(parser)` and `run(options)`"""
GO_ON: Final = ("study", "sweep")
AGAIN: Final = " What is done is kept: the same command goes on."


def main(arguments: list[str] | None = None, *, program: str = "python -m cdsp_core") -> int:
    """Exit status: 0 done, 1 a run failed, 2 bad input, 130 interrupted. Errors are one sentence on standard error."""
    options = _parser(program).parse_args(arguments)
    if threading.current_thread() is threading.main_thread():  # the only one that may; another's process has its own
        signal.signal(signal.SIGTERM, interrupt)
    try:
        with kept_out(options):
            return int(options.run(options))
    except KeyboardInterrupt:
        print(f"cdsp_core: stopped.{AGAIN if options.goes_on else ''}", file=sys.stderr)
        return INTERRUPTED
    except ValueError as error:
        print(f"cdsp_core: {error}", file=sys.stderr)
        return BAD_INPUT
    except OSError as error:
        named = error.filename is not None and error.strerror is not None
        said = f"{error.filename} cannot be read or written: {error.strerror}." if named else str(error)
        print(f"cdsp_core: {said}", file=sys.stderr)
        return BAD_INPUT


def _parser(program: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=program, description="Trains CDSP-MoE and tests the claims of its paper.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    parser.usage = f"{program} COMMAND [options]; COMMAND is one of {', '.join(COMMANDS)}; --help says more"
    for name, (command, said) in COMMANDS.items():
        added = commands.add_parser(name, help=said)
        command.add_options(added)
        added.set_defaults(run=command.run, goes_on=name in GO_ON)
    return parser


if __name__ == "__main__":
    sys.exit(main())
