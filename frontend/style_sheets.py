"""Style sheets of a page joined into one, in their order, with the icons that they name in it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import quote

from fastapi import FastAPI

from frontend.kept import KeptTexts, Text

NAMED_FILE: Final = re.compile(r'url\("([^":]+)"\)')
AS_IT_IS: Final = " /:=<>',;()"
"""what may stand in a data address between quotes"""


class StyleSheets:
    """The sheets `names` of the folder `assets`, which is served under /assets; the joined one is called `page`."""

    def __init__(self, assets: Path, names: Sequence[str], *, page: str) -> None:
        joined = "\n".join(_with_icons(assets, assets / f"{name}.css") for name in names)
        called = f"{page}.css"
        self._kept = KeptTexts(f"styles-{page}", {called: Text.of(joined, "text/css")})
        self.link: Final = f'<link rel="stylesheet" href="{self._kept.address(called)}">'

    def mount(self, app: FastAPI) -> None:
        """Serve the joined sheet."""
        self._kept.mount(app)


def _with_icons(assets: Path, sheet: Path) -> str:
    """A sheet whose icons stand in it and whose other files are named from the server's root."""

    def file(found: re.Match[str]) -> str:
        path = sheet.parent / found[1]
        if path.suffix == ".svg":
            return f'url("data:image/svg+xml,{quote(path.read_text("utf-8"), safe=AS_IT_IS)}")'
        return f'url("/assets/{path.relative_to(assets).as_posix()}")'

    return NAMED_FILE.sub(file, sheet.read_text("utf-8"))
