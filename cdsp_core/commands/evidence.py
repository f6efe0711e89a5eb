"""The command `evidence`: what the finished studies found."""

from __future__ import annotations

import argparse
from pathlib import Path

from cdsp_core.commands.options import RESULTS, check_packages


def add_options(command: argparse.ArgumentParser) -> None:
    """The options of `python -m cdsp_core evidence`."""
    command.add_argument(
        "--from", dest="folders", type=Path, nargs="+", default=[RESULTS], metavar="DIR", help="results (studies/)"
    )
    command.add_argument(
        "--again", type=Path, metavar="DIR", help="results of the same studies with other seeds, to compare verdicts"
    )
    command.add_argument("--markdown", type=Path, default=Path("docs/evidence.md"), metavar="FILE", help="for people")
    command.add_argument(
        "--json", type=Path, default=Path("frontend/evidence.json"), metavar="FILE", help="for the page"
    )
    command.add_argument("--pdf", type=Path, metavar="FILE", help="the same as a report with every chart")


def run(options: argparse.Namespace) -> int:
    """Write it; the exit status."""
    check_packages()

    from cdsp_core.studies.framework.evidence import gather, headline_of
    from cdsp_core.studies.framework.evidence_page import evidence_json
    from cdsp_core.studies.framework.evidence_text import evidence_markdown, first_page
    from cdsp_core.studies.framework.forest import forest_svg, pdf
    from cdsp_core.studies.framework.rows_file import write_whole

    gathered = gather(options.folders)
    again = gather([options.again]) if options.again else []
    plot = options.markdown.parent / "img" / "headline.svg"
    made = {
        options.markdown: evidence_markdown(gathered, again).encode(),
        plot: forest_svg(headline_of(gathered)),
        options.json: evidence_json(gathered, again).encode(),
    }
    if options.pdf is not None:
        made[options.pdf] = pdf(headline_of(gathered), first_page(gathered), gathered)
    for path, content in made.items():
        write_whole(path, content)
        print(path)
    return 0
