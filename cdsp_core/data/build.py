"""Make the embedded files anew: python -m cdsp_core.data.build --root DIR

DIR holds MNIST and Fashion-MNIST in torchvision's layout. The strokes of the kana come from the package `kanjivg`
(pip install kanjivg), which only this script needs. The same inputs give the same files.

Measured on one core: images as they are compress best with lzma at lc=4, pb=0 (10,000 of MNIST 1.37 MB, of
Fashion-MNIST 3.72 MB; predicting a pixel from its neighbours first: 1.63 and 3.83 MB; zlib: 1.61 and 4.31 MB).
Reading 10,000 drawn kana takes a tenth of the time that drawing them takes, so they are kept too.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import lzma
import re
import xml.etree.ElementTree
from pathlib import Path
from typing import Any, Final

import numpy as np

from cdsp_core.data import kana
from cdsp_core.data.datasets import EMBEDDED_FOLDER, EMBEDDED_TEST, EMBEDDED_TRAIN
from cdsp_core.data.idx import Array, DatasetError, Split, encode_idx, file_names, read_split
from cdsp_core.data.tasks import FULL_TEST, FULL_TRAIN, KANA_CLASSES, NUM_CLASSES

_SUBSET_SEED: Final = 20_512_291
_XZ_FILTERS: Final[list[dict[str, Any]]] = [{"id": lzma.FILTER_LZMA2, "preset": 9, "lc": 4, "lp": 0, "pb": 0}]

_NUMBER: Final = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)")
_COMMAND: Final = re.compile(r"([A-Za-z])([^A-Za-z]*)")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m cdsp_core.data.build", description="Make the embedded files anew.")
    parser.add_argument("--root", type=Path, required=True, help="folder with MNIST and FashionMNIST")
    try:
        build(parser.parse_args().root)
    except DatasetError as error:
        parser.exit(1, f"{error}\n")
    total_bytes = sum(path.stat().st_size for path in EMBEDDED_FOLDER.rglob("*") if path.is_file())
    print(f"{EMBEDDED_FOLDER}: {total_bytes:,} bytes")


def build(root: Path) -> None:
    """Write all embedded files. Raises DatasetError when a source is missing or broken."""
    for name in ("MNIST", "FashionMNIST"):
        write_subset(root / name / "raw", EMBEDDED_FOLDER / name, "train", of=FULL_TRAIN, count=EMBEDDED_TRAIN)
        write_subset(root / name / "raw", EMBEDDED_FOLDER / name, "t10k", of=FULL_TEST, count=EMBEDDED_TEST)
    write_strokes(EMBEDDED_FOLDER / "kana-strokes.json")
    write_split(EMBEDDED_FOLDER / "Kana", "train", *kana.draw(EMBEDDED_TRAIN, seed=kana.TRAIN_SEED))
    write_split(EMBEDDED_FOLDER / "Kana", "t10k", *kana.draw(EMBEDDED_TEST, seed=kana.TEST_SEED))


def write_subset(source: Path, target: Path, split: Split, *, of: int, count: int) -> None:
    """Write `count` of the `of` images of a split, the classes in equal shares and in turn: 0, 1, ... 9, 0, 1, ..."""
    images, labels = read_split(source, split, count=of, remedy="get the published file")
    chosen = class_balanced(labels, count, seed=_SUBSET_SEED)
    write_split(target, split, images[chosen], labels[chosen])


def write_split(target: Path, split: Split, images: Array, labels: Array) -> None:
    """Write one split as two compressed idx files."""
    target.mkdir(parents=True, exist_ok=True)
    for name, array in zip(file_names(split), (images, labels.astype(np.uint8)), strict=True):
        packed = lzma.compress(encode_idx(array), format=lzma.FORMAT_XZ, filters=_XZ_FILTERS)
        (target / f"{name}.xz").write_bytes(packed)


def class_balanced(labels: Array, count: int, *, seed: int) -> Array:
    """Indices [count] of a random subset with the same number of every class, the classes in turn."""
    rng = np.random.default_rng(seed)
    per_class = count // NUM_CLASSES
    shuffled = rng.permutation(len(labels))
    return np.stack([shuffled[labels[shuffled] == c][:per_class] for c in range(NUM_CLASSES)], axis=1).ravel()


def write_strokes(target: Path) -> None:
    """Write the ten kana as JSON: {character: [stroke]}, a stroke being [x0, y0, x1, y1, ...], joined cubic Beziers."""
    try:
        files = importlib.metadata.files("kanjivg") or []
    except importlib.metadata.PackageNotFoundError:
        raise DatasetError("The package kanjivg must be installed to build the kana: pip install kanjivg.") from None
    path_of_name = {file.name: Path(str(file.locate())) for file in files}
    strokes = {char: _strokes_of_svg(path_of_name[f"{ord(char):05x}.svg"]) for char in KANA_CLASSES}
    head = {
        "source": "KanjiVG, https://kanjivg.tagaini.net, copyright (C) Ulrich Apel, CC BY-SA 3.0",
        "version": importlib.metadata.version("kanjivg"),
        "changes": "pen strokes of ten kana, as absolute cubic Bezier points in a box of 109 x 109",
    }
    lines = [f"{json.dumps(key)}: {json.dumps(value)}," for key, value in head.items()]
    chars = [f"{json.dumps(char, ensure_ascii=False)}: {json.dumps(strokes[char])}" for char in KANA_CLASSES]
    text = "{\n" + "\n".join(lines) + '\n"strokes": {\n' + ",\n".join(chars) + "\n}\n}\n"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")


def _strokes_of_svg(path: Path) -> list[list[float]]:
    tree = xml.etree.ElementTree.parse(path)
    return [absolute_cubics(element.attrib["d"]) for element in tree.iter("{http://www.w3.org/2000/svg}path")]


def absolute_cubics(path_data: str) -> list[float]:
    """Points of an SVG path of M, C and S commands, all absolute: the start, then three a curve."""
    points: list[complex] = []
    for command, numbers in _COMMAND.findall(path_data):
        values = [float(n) for n in _NUMBER.findall(numbers)]
        pairs = [complex(x, y) for x, y in zip(values[::2], values[1::2], strict=True)]
        per_curve = {"M": 1, "C": 3, "S": 2}[command.upper()]
        assert len(pairs) % per_curve == 0, path_data
        for start in range(0, len(pairs), per_curve):
            origin = points[-1] if points and command.islower() else 0j
            curve = [origin + pair for pair in pairs[start : start + per_curve]]
            if command.upper() == "S":
                curve.insert(0, 2 * points[-1] - points[-2])
            points.extend(curve)
    return [round(value, 2) for point in points for value in (point.real, point.imag)]


if __name__ == "__main__":
    main()
