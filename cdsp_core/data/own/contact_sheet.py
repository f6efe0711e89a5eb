"""Some images of every task side by side, enlarged: what the model is shown."""

from __future__ import annotations

import io
from typing import Final

from PIL import Image

from cdsp_core.data.idx import Array

SCALE: Final = 3
GAP: Final = 4


def contact_sheet(shown: list[tuple[int, int, Array]]) -> bytes:
    """A PNG with a row a task, of task, label and pixels [28, 28]."""
    rows = [[pixels for of, _, pixels in shown if of == task] for task in range(1 + max(of for of, _, _ in shown))]
    side = 28 * SCALE + GAP
    sheet = Image.new("L", (side * max(map(len, rows)) + GAP, side * len(rows) + GAP), 96)
    for y, row in enumerate(rows):
        for x, pixels in enumerate(row):
            tile = Image.fromarray(pixels).resize((28 * SCALE, 28 * SCALE), Image.Resampling.NEAREST)
            sheet.paste(tile, (GAP + x * side, GAP + y * side))
    file = io.BytesIO()
    sheet.save(file, "PNG")
    return file.getvalue()
