"""Fetch the full sets through torchvision, which shows a progress bar and checks what it fetched."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cdsp_core.data.idx import SPLITS, DatasetError, file_names

Downloader = Callable[[Path, str], None]
"""puts the set of that name (torchvision's class name) under the folder, or raises"""

_STALLED_AFTER_S: Final = 30.0


def missing_files(root: Path, name: str) -> list[Path]:
    """The files of set `name` that `root` does not have; what is in the others is not looked at."""
    folder = root / name / "raw"
    return [folder / file for split in SPLITS for file in file_names(split) if not os.path.isfile(folder / file)]


def fetch_missing(root: Path, name: str, *, downloader: Downloader | None, otherwise: str) -> None:
    """Make `root` hold all files of set `name`, in torchvision's layout.

    `downloader` is None where nothing may be downloaded. `otherwise` is the half sentence on the other ways out.
    Raises DatasetError when a file is missing and cannot be had.
    """
    missing = missing_files(root, name)
    if not missing:
        return
    if downloader is None:
        raise DatasetError(f"{missing[0]} is missing; put it there, allow the download, {otherwise}.")
    try:
        downloader(root, name)
    except (OSError, EOFError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise DatasetError(
            f"{missing[0]} is missing and {name} could not be downloaded ({reason}); put it there, {otherwise}."
        ) from error


def download_with_torchvision(root: Path, name: str) -> None:
    """Download set `name` with a progress bar. A connection that stalls gives up after half a minute."""
    from torchvision import datasets

    timeout_before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_STALLED_AFTER_S)
    try:
        getattr(datasets, name)(root, download=True)
    finally:
        socket.setdefaulttimeout(timeout_before)
