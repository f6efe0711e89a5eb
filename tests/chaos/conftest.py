"""Prints the table of figures once every fault and attack is over."""

from __future__ import annotations

import pytest

from tests.chaos.figures import FIGURES, table


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Faults and attacks say how long they took; nothing fails for it, as times are the machine's as well."""
    if FIGURES:
        terminalreporter.section("figures of faults and attacks")
        for line in table():
            terminalreporter.write_line(line)
