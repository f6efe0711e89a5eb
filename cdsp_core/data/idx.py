"""The idx format of MNIST and its kin: a big-endian header, then bytes. Every fault in a file is found here."""

from __future__ import annotations

import lzma
import struct
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from cdsp_core.data.tasks import IMAGE_SIZE, NUM_CLASSES

Array = np.ndarray[Any, Any]
Split = Literal["train", "t10k"]
SPLITS: Final[tuple[Split, ...]] = ("train", "t10k")

_MAGIC_OF_NDIM: Final = {1: 0x0801, 3: 0x0803}


class DatasetError(ValueError):
    """A data file is missing, broken or cannot be fetched. The message is one sentence that says what to do."""


def file_names(split: Split) -> tuple[str, str]:
    """Names of the image and the label file of a split, as torchvision looks for them."""
    return f"{split}-images-idx3-ubyte", f"{split}-labels-idx1-ubyte"


def read_split(folder: Path, split: Split, *, count: int, remedy: str, compressed: bool = False) -> tuple[Array, Array]:
    """Images uint8 [count, 28, 28] and labels int64 [count] of one split.

    `compressed`: the files end in .xz. `remedy` is the half sentence on what to do about a bad file.
    Raises DatasetError when a file is missing, truncated, of another format, size or count.
    """
    image_path, label_path = (folder / (name + (".xz" if compressed else "")) for name in file_names(split))
    images = _read(image_path, ndim=3, count=count, remedy=remedy)
    if images.shape[1:] != (IMAGE_SIZE, IMAGE_SIZE):
        found = f"{images.shape[1]} x {images.shape[2]}"
        raise _broken(image_path, f"must hold images of {IMAGE_SIZE} x {IMAGE_SIZE} pixels. Found {found}", remedy)
    labels = _read(label_path, ndim=1, count=count, remedy=remedy)
    if labels.max(initial=0) >= NUM_CLASSES:
        raise _broken(label_path, f"must hold labels from 0 to {NUM_CLASSES - 1}. Found {labels.max()}", remedy)
    return images, labels.astype(np.int64)


def encode_idx(array: Array) -> bytes:
    """The idx form of a uint8 array with one or three dimensions."""
    assert array.dtype == np.uint8
    return struct.pack(f">{1 + array.ndim}I", _MAGIC_OF_NDIM[array.ndim], *array.shape) + array.tobytes()


def _read(path: Path, *, ndim: int, count: int, remedy: str) -> Array:
    try:
        raw = path.read_bytes()
        if path.suffix == ".xz":
            raw = lzma.decompress(raw)
    except FileNotFoundError:
        raise DatasetError(f"{path} is missing; {remedy}.") from None
    except (OSError, lzma.LZMAError) as error:
        raise _broken(path, f"cannot be read: {error}", remedy) from error
    header_bytes = 4 * (1 + ndim)
    if len(raw) < header_bytes:
        raise _broken(path, f"must have a header of {header_bytes} bytes. Found {len(raw)} bytes", remedy)
    magic, *shape = struct.unpack(f">{1 + ndim}I", raw[:header_bytes])
    if magic != _MAGIC_OF_NDIM[ndim]:
        raise _broken(path, f"must start with the idx magic number {_MAGIC_OF_NDIM[ndim]}. Found {magic}", remedy)
    if shape[0] != count:
        raise _broken(path, f"must hold {count:,} items. Found {shape[0]:,}", remedy)
    expected_bytes = header_bytes + int(np.prod(shape, dtype=np.int64))
    if len(raw) != expected_bytes:
        raise _broken(path, f"must be {expected_bytes:,} bytes long. Found {len(raw):,}", remedy)
    return np.frombuffer(raw, dtype=np.uint8, offset=header_bytes).reshape(shape)


def _broken(path: Path, fault: str, remedy: str) -> DatasetError:
    return DatasetError(f"{path} {fault}; {remedy}.")
