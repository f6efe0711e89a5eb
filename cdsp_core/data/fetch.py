"""Fetch the full sets through torchvision, which shows a progress bar and checks what it fetched."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Final

from cdsp_core.data.idx import DatasetError, file_names

_STALLED_AFTER_S: Final = 30.0


def missing_files(root: Path, name: str) -> list[Path]:
    """The files of set `name` (torchvision's class name) that `root` does not have."""
    folder = root / name / "raw"
    wanted = [folder / file for split in ("train", "t10k") for file in file_names(split)]  # type: ignore[arg-type]
    return [path for path in wanted if not path.is_file()]


def is_complete(root: Path, name: str) -> bool:
    """Whether `root` has all four files of set `name`; what is in them is not looked at."""
    return not missing_files(root, name)


def fetch(root: Path, name: str, *, download: bool, alternative: str = "") -> None:
    """Download set `name` into `root` in torchvision's layout.

    `alternative` goes into the error, between the ways out. Raises DatasetError when `download` is False, or fails.
    """
    missing = missing_files(root, name)[0]
    if not download:
        raise DatasetError(f"{missing} is missing; put {name} there or allow the download,{alternative} or use --data embedded.")
    from torchvision import datasets

    timeout_before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_STALLED_AFTER_S)
    try:
        getattr(datasets, name)(root, download=True)
    except (OSError, EOFError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise DatasetError(
            f"{missing} is missing and {name} could not be downloaded ({reason}); "
            f"put it there by hand,{alternative} or use --data embedded."
        ) from error
    finally:
        socket.setdefaulttimeout(timeout_before)
