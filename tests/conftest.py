"""Order of the whole suite."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests last: Playwright leaves an event loop running, in which asyncio tests cannot start their own."""
    items.sort(key=lambda item: "e2e" in item.path.parts)
