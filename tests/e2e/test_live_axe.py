"""What axe finds on the Lab while a run trains: pictures, charts and notes that change under it."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.assistive import faults

pytestmark = pytest.mark.browser


@pytest.mark.slow
def test_axe_finds_nothing_while_a_run_trains_in_either_theme(lab: Page) -> None:
    expect(lab.locator("[data-part=chip-words]")).to_have_text("Training")
    assert faults(lab) == []
    lab.emulate_media(color_scheme="dark")
    expect(lab.locator("html")).to_have_attribute("data-theme", "dark")
    assert faults(lab) == []
