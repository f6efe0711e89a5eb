"""Order of the whole suite, a second try where a machine's pace may be to blame, and the table of figures."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.chaos.figures import FIGURES, Figure, renew, table

BEGAN_S: Final = time.monotonic()
OTHER_PROCESSES = ("backend", "chaos", "cluster", "e2e")
"""folders whose tests start servers, workers or a browser"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests last: Playwright leaves an event loop running, in which asyncio tests cannot start their own.

    Files of the other folders in turn, since some compute and some wait. In CI a test that waits for other processes
    may try twice more; the summary lists it under RERUN.
    """
    turns = dict(_turns(list(dict.fromkeys(item.path for item in items))))
    items.sort(key=lambda item: ("e2e" in item.path.parts, turns[item.path], str(item.path)))
    if os.environ.get("CI"):
        for item in items:
            if any(folder in item.path.parts for folder in OTHER_PROCESSES):
                item.add_marker(pytest.mark.flaky(reruns=2))


def _turns(files: Iterable[Path]) -> Iterator[tuple[Path, float]]:
    """Each file, and how far it stands in its folder: from 0 for the first to 1 for the last."""
    folders: dict[Path, list[Path]] = {}
    for file in files:
        folders.setdefault(file.parent, []).append(file)
    for inside in folders.values():
        yield from ((file, place / len(inside)) for place, file in enumerate(inside))


def pytest_xdist_auto_num_workers() -> int:
    """Processes for `-n auto`: one more than cores, since a third of the time of tests is waiting for others."""
    return (os.cpu_count() or 1) + 1


@pytest.fixture(autouse=True)
def _figures_go_with_the_report(request: pytest.FixtureRequest) -> Iterator[None]:
    """Tests run in several processes; what they measured travels to the one that prints."""
    before = len(FIGURES)
    yield
    for figure in FIGURES[before:]:
        request.node.user_properties.append(("figure", (figure.what, figure.found, figure.wanted)))


_told: list[Figure] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Take the figures of a test that has ended."""
    if report.when == "teardown":
        _told.extend(Figure(*figure) for name, figure in report.user_properties if name == "figure")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How long faults and attacks took; nothing fails for it, as times are the machine's as well."""
    if _told:
        terminalreporter.section("figures of faults and attacks")
        for line in table(_told):
            terminalreporter.write_line(line)
        if os.environ.get("CDSP_FIGURES"):
            failed = sum(len(terminalreporter.stats.get(outcome, [])) for outcome in ("failed", "error"))
            document = Path(os.environ["CDSP_FIGURES"])
            renew(document, _told, took_s=time.monotonic() - BEGAN_S, failed=failed)
            terminalreporter.write_line(f"They stand in {document} now.")
