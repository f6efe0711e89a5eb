"""An .npz as tasks: arrays of NumPy in a zip. Nothing of it is unpacked before its size and its shape are known.

images       [N, H, W] or [N, H, W, 3]   uint8, or floats from 0 to 1
labels       [N]                         whole numbers from 0, by the task's own classes
tasks        [N]                         whole numbers from 0
task_names   [Q]                         texts
class_names  [Q, C]                      texts; "" where a task has fewer. Without it classes are called by number
is_test      [N]                         true where an image only tests. Without it every fifth of a class does
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
from numpy.lib import format as npy
from PIL import Image

from cdsp_core.data.idx import Array, DatasetError
from cdsp_core.data.own.bounds import MAX_CLASSES, MAX_IMAGES, MAX_NPZ_BYTES, MAX_PIXELS, MAX_TASKS, MIN_TASKS
from cdsp_core.data.own.parts import TaskImages, every_fifth
from cdsp_core.data.own.pictures import grey_of
from cdsp_core.data.tasks import IMAGE_SIZE

NEEDED: Final = ("images", "labels", "tasks", "task_names")
KNOWN: Final = (*NEEDED, "class_names", "is_test")
MAX_HEAD: Final = 10_000


def read_npz(path: Path) -> list[TaskImages]:
    """The tasks of a file. Raises DatasetError, one sentence that names file, array and bound."""
    try:
        with zipfile.ZipFile(path) as archive:
            arrays = _arrays(archive, path)
    except DatasetError:
        raise
    except (OSError, zipfile.BadZipFile, zlib.error, ValueError, EOFError, NotImplementedError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__
        raise DatasetError(f"{path} must be an .npz that can be read. Found: {reason[:100].rstrip('.')}.") from error
    return _tasks(arrays, path)


def _arrays(archive: zipfile.ZipFile, path: Path) -> dict[str, Array]:
    members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()[: len(KNOWN) + 1]}
    for name in members:
        if name not in KNOWN:
            raise DatasetError(f"{path} must hold {', '.join(KNOWN)} alone. Found {name[:40]!r}.")
    for name in NEEDED:
        if name not in members:
            raise DatasetError(f"{path} must hold {name}. It has {', '.join(members) or 'nothing'}.")
    size = sum(info.file_size for info in members.values())
    if size > MAX_NPZ_BYTES:
        raise DatasetError(f"{path} must hold at most {MAX_NPZ_BYTES:,} bytes. Found {size:,} when it is unpacked.")
    found = {}
    for name, info in members.items():
        with archive.open(info) as file:
            found[name] = _array(file, name, info.file_size, path)
    return found


def _array(file: IO[bytes], name: str, size: int, path: Path) -> Array:
    """An array whose shape fits the bytes that the archive says it has; never of objects, which would be pickled."""
    version = npy.read_magic(file)
    read_head: Any = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(version)
    if read_head is None:
        raise DatasetError(f"{name} in {path} must have NumPy's format 1 or 2. Found {version}.")
    shape, is_fortran, dtype = read_head(file, max_header_size=MAX_HEAD)
    if dtype.hasobject:
        raise DatasetError(f"{name} in {path} must be numbers or texts. Found Python objects, which are not unpacked.")
    wanted = int(np.prod(shape, dtype=object)) * dtype.itemsize if shape else dtype.itemsize
    if wanted > size:
        raise DatasetError(f"{name} in {path} must fit its {size:,} bytes. Found a shape of {list(shape)} {dtype}.")
    content = file.read(wanted)
    if len(content) != wanted:
        raise DatasetError(f"{name} in {path} must have {wanted:,} bytes. Found {len(content):,}.")
    return np.frombuffer(content, dtype=dtype).reshape(shape, order="F" if is_fortran else "C")


def _tasks(arrays: dict[str, Array], path: Path) -> list[TaskImages]:
    names = _texts(arrays["task_names"], "task_names", path, dims=1)
    if not MIN_TASKS <= len(names) <= MAX_TASKS or len(set(names.tolist())) != len(names):
        raise DatasetError(f"task_names in {path} must be {MIN_TASKS} to {MAX_TASKS}, each once. Found {len(names)}.")
    images = arrays["images"]
    _check_images(images, path)
    count = len(images)
    tasks = _whole(arrays["tasks"], "tasks", path, count, most=len(names))
    labels = _whole(arrays["labels"], "labels", path, count, most=MAX_CLASSES)
    classes = None
    if "class_names" in arrays:
        classes = _texts(arrays["class_names"], "class_names", path, dims=2)
        if len(classes) != len(names):
            raise DatasetError(f"class_names in {path} must have {len(names)} rows, a task each. Found {len(classes)}.")
    is_test = None
    if "is_test" in arrays:
        is_test = _whole(arrays["is_test"].astype(np.uint8), "is_test", path, count, most=2).astype(np.uint8)
    found = []
    for task, name in enumerate(names.tolist()):
        own = np.flatnonzero(tasks == task)
        of = labels[own]
        told = tuple(each for each in classes[task].tolist() if each) if classes is not None else ()
        most = int(of.max(initial=-1)) + 1
        if told and len(told) < most:
            raise DatasetError(f"class_names in {path} must have {most} classes of {name}. Found {len(told)}.")
        found.append(
            TaskImages(
                name=name,
                class_names=told or tuple(map(str, range(most))),
                images=np.stack([_grey(image) for image in images[own]]) if len(own) else _NONE,
                labels=of.astype(np.int32),
                is_test=every_fifth(of) if is_test is None else is_test[own],
            )
        )
    return found


_NONE: Final = np.zeros((0, IMAGE_SIZE, IMAGE_SIZE), dtype=np.uint8)


def _check_images(images: Array, path: Path) -> None:
    is_grey, is_colour = images.ndim == 3, images.ndim == 4 and images.shape[3:] == (3,)
    if not (is_grey or is_colour) or not images.size:
        raise DatasetError(f"images in {path} must be [N, H, W] or [N, H, W, 3]. Found {list(images.shape)}.")
    if len(images) > MAX_IMAGES:
        raise DatasetError(f"images in {path} must be at most {MAX_IMAGES:,}. Found {len(images):,}.")
    if images.shape[1] * images.shape[2] > MAX_PIXELS:
        raise DatasetError(
            f"images in {path} must have at most {MAX_PIXELS:,} pixels. Found {list(images.shape[1:3])}."
        )
    if images.dtype == np.uint8:
        return
    if images.dtype.kind != "f":
        raise DatasetError(f"images in {path} must be uint8, or floats from 0 to 1. Found {images.dtype}.")
    for place, image in enumerate(images):
        if not np.isfinite(image).all():
            raise DatasetError(f"image {place} in {path} must be finite. Found NaN or infinity.")
        if image.min() < 0 or image.max() > 1:
            found = image.min() if image.min() < 0 else image.max()
            raise DatasetError(f"image {place} in {path} must be floats from 0 to 1. Found {found:g}.")


def _grey(image: Array) -> Array:
    pixels = image if image.dtype == np.uint8 else np.rint(image * 255).astype(np.uint8)
    if pixels.shape == (IMAGE_SIZE, IMAGE_SIZE):
        return pixels
    return grey_of(Image.fromarray(np.ascontiguousarray(pixels)))


def _whole(array: Array, name: str, path: Path, count: int, *, most: int) -> Array:
    if array.shape != (count,) or array.dtype.kind not in "iub":
        raise DatasetError(
            f"{name} in {path} must be {count:,} whole numbers, one an image. Found {list(array.shape)} {array.dtype}."
        )
    for wrong in (array[array < 0], array[array >= most]):
        if len(wrong):
            raise DatasetError(f"{name} in {path} must be from 0 to {most - 1}. Found {int(wrong[0])}.")
    return array.astype(np.int64)


def _texts(array: Array, name: str, path: Path, *, dims: int) -> Array:
    if array.ndim != dims or array.dtype.kind != "U" or len(array) > MAX_TASKS + 1:
        raise DatasetError(
            f"{name} in {path} must be texts [{'Q, C' if dims == 2 else 'Q'}]. Found {list(array.shape)}."
        )
    return array
