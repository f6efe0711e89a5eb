"""A folder of ES modules as the one script of a page."""

from __future__ import annotations

import base64
import hashlib
import html
from pathlib import Path
from typing import Final

from fastapi import FastAPI

from frontend.kept import KeptTexts, Text
from frontend.module_joining import join

RELOAD_ONCE: Final = (
    "if(sessionStorage.getItem('modules')!=='{hash}'){{sessionStorage.setItem('modules','{hash}');location.reload()}}"
    "else document.body.append('A part of the page is missing: load it again.')"
)
"""Where the script is missing the server has a newer one: the page is asked for anew, once for each version named."""


class ModuleFolder:
    """The modules of a folder, read once; `entry` is the one that begins, and names the script."""

    def __init__(self, folder: Path, *, prefix: str, entry: str) -> None:
        sources = {path.relative_to(folder).as_posix(): path.read_text("utf-8") for path in folder.rglob("*.js")}
        joined = join(sources, entry)
        script = f"{joined.text}//# sourceMappingURL={entry}.map\n"
        texts = {
            entry: Text.of(script, "text/javascript"),
            f"{entry}.map": Text.of(joined.source_map, "application/json"),
        }
        self._kept = KeptTexts(prefix, texts)
        self.address: Final = self._kept.address(entry)
        """of the script on this server"""

    def script(self) -> str:
        """The page's one script element."""
        return f'<script type="module" src="{self.address}" onerror="{self._reload_once()}"></script>'

    def script_hash(self) -> str:
        """What a Content-Security-Policy has to name for the one thing that stands in `script`, its onerror."""
        handler = html.unescape(self._reload_once())
        return f"'sha256-{base64.b64encode(hashlib.sha256(handler.encode()).digest()).decode()}'"

    def mount(self, app: FastAPI) -> None:
        """Serve the script and its source map."""
        self._kept.mount(app)

    def _reload_once(self) -> str:
        return RELOAD_ONCE.format(hash=self._kept.hash)
