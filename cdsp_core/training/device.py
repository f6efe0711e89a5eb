"""Choosing the device and saying what it is."""

from __future__ import annotations

import ctypes
import os
import platform
from pathlib import Path
from typing import Any, Final

import torch

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def choose_device(requested: str) -> torch.device:
    """`auto` takes a GPU where there is one. Raises ValueError when the requested device is not there."""
    if requested == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if requested not in ("cpu", "cuda"):
        raise ValueError(f"device must be one of auto, cpu, cuda. Found {requested!r}.")
    if requested == "cuda" and not torch.cuda.is_available():
        raise ValueError("device cuda needs an NVIDIA GPU that torch can use. Found none; use --device cpu or auto.")
    return torch.device(requested)


def describe_device(device: torch.device) -> dict[str, Any]:
    """kind, name, memory in MiB and CPU threads, for people."""
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        return {
            "kind": "cuda",
            "name": properties.name,
            "memory_mib": properties.total_memory // 2**20,
            "threads": torch.get_num_threads(),
        }
    return {
        "kind": "cpu",
        "name": _cpu_name(),
        "memory_mib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20,
        "threads": torch.get_num_threads(),
    }


MOST_THREADS: Final = 4
"""The matrices of a small model do not feed more."""


def use_threads(number: int | None) -> None:
    """Compute with so many threads; None: all cores but one, at most 4, unless OMP_NUM_THREADS says otherwise.

    A core stays free for the web process and the browser, because OpenMP's threads wait for each other by spinning:
    measured on 2 cores with another program busy, 2 threads made 0.3 to 6 `live` steps a second and 1 thread 21 to 39.
    """
    if number is not None or "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(number or min(max(1, len(os.sched_getaffinity(0)) - 1), MOST_THREADS))


def prepare_process() -> None:
    """Set this process up for training; call it before threads are started, which inherit what it sets.

    Denormals, below 1.2e-38, count as zero. Attention and gates of a trained model underflow into that range, where
    a CPU takes a hundred times as long: 2,000 steps into `release` a step took 47 ms with them and 30 ms without.
    """
    torch.set_flush_denormal(True)
    _keep_freed_memory()


def _keep_freed_memory() -> None:
    """Ask glibc to keep freed memory of this process instead of returning it to the system.

    A step allocates and frees the same few MiB every time; returning them costs a page fault for every 4 KiB at
    the next step. Does nothing where the C library is another one.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    libc = ctypes.CDLL("libc.so.6")
    libc.mallopt(_M_MMAP_THRESHOLD, 1 << 30)
    libc.mallopt(_M_TRIM_THRESHOLD, 1 << 30)


def _cpu_name() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
