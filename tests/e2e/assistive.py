"""What axe-core finds on a page: the rules of WCAG and of good practice that a program can check."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from playwright.sync_api import Page

AXE: Final = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
GRAVE: Final = ("moderate", "serious", "critical")
LOOK: Final = """async () => {
  const { violations } = await axe.run(document, { resultTypes: ["violations"] });
  return violations.map(({ id, impact, help, nodes }) => ({ id, impact, help, at: nodes.map(({ html }) => html) }));
}"""


def faults(page: Page) -> list[str]:
    """Every moderate, serious or critical finding, as a sentence with the first elements that it is about."""
    assert AXE.exists(), f"axe-core must be in {AXE.parent}: `make test` installs it, and so does `npm ci`."
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text())
    found = page.evaluate(LOOK)
    return [
        f"{each['impact']}: {each['help']} ({each['id']}), {len(each['at'])} times, first {each['at'][0][:200]}"
        for each in found
        if each["impact"] in GRAVE
    ]
