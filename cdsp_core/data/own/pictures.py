"""The rule by which any image becomes what the model takes: 28 by 28 grey pixels.

It is turned as its EXIF head says, of several frames the first is taken, what is transparent lies on black, colour
becomes grey (ITU-R 601), of an oblong image the middle square is taken, and each of the 28 by 28 pixels is the mean of
what lies under it. Nothing is inverted and no contrast is stretched.
"""

from __future__ import annotations

import struct
import warnings
from pathlib import Path
from typing import IO, Final

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from cdsp_core.data.idx import Array, DatasetError
from cdsp_core.data.own.bounds import MAX_FILE_BYTES, MAX_PIXELS
from cdsp_core.data.tasks import IMAGE_SIZE

FORMATS: Final = ("PNG", "JPEG", "GIF", "BMP", "WEBP")
ENDINGS: Final = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp")
DEEP: Final = ("I", "I;16", "I;16B", "I;16L")
"""modes with 16 bits of grey"""


def grey_pixels(path: Path, *, called: str) -> Array:
    """The image of a file, `called` so in sentences, as uint8 [28, 28]. Raises DatasetError."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            if size > MAX_FILE_BYTES:
                raise DatasetError(f"{called} must have at most {MAX_FILE_BYTES:,} bytes. Found {size:,}.")
            file.seek(0)
            return _read(file, called)
    except DatasetError:
        raise
    except UnidentifiedImageError:
        raise DatasetError(f"{called} must be an image: {_formats()}. Found something else.") from None
    except Image.DecompressionBombError:
        raise DatasetError(f"{called} must have at most {MAX_PIXELS:,} pixels. Found many more.") from None
    except (OSError, SyntaxError, ValueError, EOFError, struct.error) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__
        raise DatasetError(f"{called} cannot be read: {reason[:100].rstrip('.')}.") from error


def grey_of(image: Image.Image) -> Array:
    """An image by the rule above, uint8 [28, 28]."""
    turned = ImageOps.exif_transpose(image)
    if turned.mode in DEEP:
        grey = Image.fromarray((np.asarray(turned).astype(np.int64).clip(0, 65_535) >> 8).astype(np.uint8))
    else:
        if turned.has_transparency_data:
            colour = turned.convert("RGBA")
            turned = Image.alpha_composite(Image.new("RGBA", colour.size, (0, 0, 0, 255)), colour)
        grey = turned.convert("L")
    side = min(grey.size)
    left, top = (grey.width - side) // 2, (grey.height - side) // 2
    square = grey.crop((left, top, left + side, top + side))
    return np.asarray(square.resize((IMAGE_SIZE, IMAGE_SIZE), Image.Resampling.BOX), dtype=np.uint8)


def _read(file: IO[bytes], called: str) -> Array:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of large images, which are refused here
        with Image.open(file, formats=FORMATS) as image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise DatasetError(f"{called} must have at most {MAX_PIXELS:,} pixels. Found {width:,} x {height:,}.")
            image.seek(0)
            return grey_of(image)


def _formats() -> str:
    return f"{', '.join(FORMATS[:-1])} or {FORMATS[-1]}"
