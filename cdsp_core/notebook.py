"""A run inside a Jupyter notebook: the same page as the one HTML file, in a frame of its own."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Final

from cdsp_core.wire.one_file import caption_of, one_file
from cdsp_core.wire.recording import Recording, read_recording

HEIGHT_PX: Final = 900


class Shown:
    """What a notebook draws: it asks `_repr_html_`."""

    def __init__(self, page: str, caption: str, height_px: int) -> None:
        self.page = page
        self._caption = caption
        self._height_px = height_px

    def _repr_html_(self) -> str:
        return (
            f'<iframe title="{html.escape(self._caption)}" srcdoc="{html.escape(self.page)}" sandbox="allow-scripts" '
            f'style="width:100%;height:{self._height_px}px;border:0"></iframe>'
        )

    def __repr__(self) -> str:
        return f"<{self._caption}>"


def show(run: Recording | str | Path, *, title: str | None = None, height_px: int = HEIGHT_PX) -> Shown:
    """A recorded run, or the file of one, to look at in a notebook: what is last in a cell is drawn.

    Raises RecordingError where the file is none, ValueError for a run too large for one page.
    """
    recording = run if isinstance(run, Recording) else read_recording(Path(run))
    name = title or (recording.recipe.config.preset if isinstance(run, Recording) else Path(run).stem)
    return Shown(one_file(recording, title=name), caption_of(recording), height_px)
