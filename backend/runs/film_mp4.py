"""A recorded run's film as MP4: its pictures one after the other, each with its step and the run's caption.

Pillow draws the pictures and ffmpeg encodes them, in a process of its own that is killed when it takes too long. All of
it is bounded: a recording has at most 60 pictures, a frame at most SIDE + 2 * MARGIN by that and FOOT pixels.

Shapes: T pictures, E experts, P blocks, h and w of a frame in pixels.
"""

from __future__ import annotations

import asyncio
import subprocess
import tempfile
import textwrap
from pathlib import Path
from typing import Any, Final

from backend.errors import BadInputError, NotNowError, RunNotFoundError, TooManyError
from cdsp_core.wire.one_file import caption_of
from cdsp_core.wire.recording import Recording
from cdsp_core.wire.sigma_colours import sigma_scale

SIDE: Final = 448
"""pixels of the longer side of sigma(A)"""
MARGIN: Final = 16
FOOT: Final = 88
LINE: Final = 15
MOST_LINES: Final = 3
LETTERS_A_LINE: Final = 76
PICTURES_A_SECOND: Final = 4
LAST_STAYS: Final = 4
"""times as long as the others"""
FRAMES_A_SECOND: Final = 12
ENCODE_TIMEOUT_S: Final = 30.0
MOST_WAITING: Final = 4
COLOURS: Final = {"light": ("#ffffff", "#1b2430", "#5a6470"), "dark": ("#171c23", "#e7ebf0", "#9aa5b2")}
"""panel, ink and muted, as in tokens.css"""
FONT: Final = Path(__file__).resolve().parents[2] / "frontend" / "assets" / "fonts" / "inter-latin-wght-normal.woff2"
MISSING: Final = "The film as MP4 needs {}, which this server has not: take the GIF, or install it."


class Encoder:
    """Encodes one film at a time, off the event loop; a few more may wait for it."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._waiting = 0

    async def film(self, recording: Recording, *, layer: int, theme: str) -> bytes:
        """The film of a layer. Raises RunNotFoundError, BadInputError, TooManyError, and NotNowError without ffmpeg."""
        if self._waiting >= MOST_WAITING:
            raise TooManyError(
                f"At most {MOST_WAITING} films may be made at once. Found as many: ask again in a moment."
            )
        self._waiting += 1
        try:
            async with self._turn:
                return await asyncio.to_thread(film_mp4, recording, layer=layer, theme=theme)
        finally:
            self._waiting -= 1


def film_mp4(recording: Recording, *, layer: int, theme: str) -> bytes:
    """The content of the file. Takes about a second of one core; raises as `Encoder.film` does."""
    layers = recording.connection.shape[1]
    if not layers:
        raise RunNotFoundError("A model without A has no film.")
    if not 0 <= layer < layers:
        raise BadInputError(f"layer must be a whole number from 1 to {layers}. Found {layer + 1}.")
    caption = f"{caption_of(recording)} · layer {layer + 1}"
    frames = _frames(recording, layer, theme, caption)
    return _encoded(frames, caption)


def _frames(recording: Recording, layer: int, theme: str, caption: str) -> Any:
    """Every picture in order, the last several times, uint8 [T, h, w, 3]; both sides are even, as H.264 wants them."""
    try:
        from PIL import Image, ImageDraw, ImageFont
    except ImportError:
        raise NotNowError(MISSING.format("pillow")) from None
    import numpy as np

    scale = sigma_scale(theme)
    panel, ink, muted = COLOURS[theme]
    experts, blocks = recording.connection.shape[2:]
    cell = SIDE / max(experts, blocks)
    size = (max(8, round(blocks * cell)), max(8, round(experts * cell)))
    width = SIDE + 2 * MARGIN
    height = (size[1] + 2 * MARGIN + FOOT) // 2 * 2
    large, small = _font(ImageFont, 20, 650), _font(ImageFont, 12, 400)
    frames = []
    for step, connection_ep in zip(recording.steps, recording.connection[:, layer], strict=True):
        frame = Image.new("RGB", (width, height), panel)
        tile = Image.fromarray(scale[connection_ep]).resize(size, Image.Resampling.NEAREST)
        frame.paste(tile, ((width - size[0]) // 2, MARGIN))
        _write(ImageDraw.Draw(frame), size[1] + 2 * MARGIN, int(step), caption, (ink, large), (muted, small))
        frames.append(np.asarray(frame))
    return np.stack(frames + frames[-1:] * (LAST_STAYS - 1))


def _write(draw: Any, top: int, step: int, caption: str, title: Any, text: Any) -> None:
    """The step, and the caption in lines that fit."""
    draw.text((MARGIN, top), f"step {step:,}", fill=title[0], font=title[1])
    lines = textwrap.wrap(caption, LETTERS_A_LINE, max_lines=MOST_LINES, placeholder=" …")
    for place, line in enumerate(lines):
        draw.text((MARGIN, top + 28 + place * LINE), line, fill=text[0], font=text[1])


def _font(fonts: Any, size: int, weight: int) -> Any:
    """The page's typeface, where this Pillow reads it; else Pillow's own."""
    try:
        font = fonts.truetype(FONT, size)
        font.set_variation_by_axes([weight])
    except OSError:
        return fonts.load_default(size)
    return font


def _encoded(frames: Any, caption: str) -> bytes:
    """The frames as H.264 in an MP4 file. Raises NotNowError."""
    try:
        import imageio_ffmpeg

        program = imageio_ffmpeg.get_ffmpeg_exe()
    except (ImportError, RuntimeError):
        raise NotNowError(MISSING.format("imageio-ffmpeg")) from None
    height, width = frames.shape[1:3]
    read = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-framerate", str(PICTURES_A_SECOND)]
    coded = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "18", "-pix_fmt", "yuv420p", "-threads", "1"]
    told = ["-metadata", f"comment={caption}", "-movflags", "+faststart"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        command = [program, "-hide_banner", "-loglevel", "error", *read, "-i", "pipe:0", "-an"]
        command += ["-r", str(FRAMES_A_SECOND), *coded, *told, str(path)]
        try:
            done = subprocess.run(command, input=frames.tobytes(), capture_output=True, timeout=ENCODE_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            raise NotNowError(f"The film was not made within {ENCODE_TIMEOUT_S:.0f} s: take the GIF.") from None
        except OSError as error:
            raise NotNowError(f"ffmpeg cannot be started ({error.strerror}): take the GIF.") from None
        if done.returncode != 0 or not path.exists():
            said = done.stderr.decode(errors="replace").strip().splitlines()
            raise NotNowError(f"ffmpeg could not make the film: {said[-1][:200] if said else done.returncode}.")
        return path.read_bytes()
