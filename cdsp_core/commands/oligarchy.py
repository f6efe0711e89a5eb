"""The command `oligarchy`: chooses the rule of oligarchy on recorded runs, and tests it."""

from __future__ import annotations

import argparse
from pathlib import Path

from cdsp_core.commands.options import check_packages


def add_options(command: argparse.ArgumentParser) -> None:
    """The options of `python -m cdsp_core oligarchy`."""
    command.add_argument(
        "--from", dest="folders", type=Path, nargs="+", required=True, metavar="DIR", help="folders of recorded runs"
    )
    command.add_argument("--rules", default="live", metavar="PRESET", help="preset of the runs (default live)")
    command.add_argument("--json", type=Path, metavar="FILE", help="where the page finds it (default: its own file)")


def run(options: argparse.Namespace) -> int:
    """Choose and test; the exit status."""
    check_packages(("scipy",))

    from cdsp_core.studies.framework.oligarchy import CHOSEN_ON, TESTED_ON, choose, report, runs_of
    from cdsp_core.wire.oligarchy import FOUND

    runs = runs_of(options.folders, rules=options.rules)
    chosen = choose(runs, rules=options.rules, chosen_on=CHOSEN_ON, tested_on=TESTED_ON)
    print(report(chosen))
    (options.json or FOUND).write_text(chosen.found.to_json())
    return 0
