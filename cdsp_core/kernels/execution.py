"""The one place that chooses between torch's operations and the C of a CPU. The results are equal.

docs/decisions.md has what was measured.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from cdsp_core.kernels.native import why_unavailable


class Execution:
    """Choice between `dense`, `sorted` and `native`, from what the config asks for and what this machine can do."""

    def __init__(self, asked: str) -> None:
        self._asked: Final = asked
        self._why_not_native = why_unavailable()

    def path(self, device: torch.device) -> str:
        """Path on that device: `dense`, `sorted`, or `native`, which is sorted in one C function."""
        if device.type != "cpu":
            return "sorted" if self._asked == "sorted" else "dense"
        if self._asked == "dense":
            return "dense"
        return "sorted" if self._why_not_native else "native"

    def native(self, x: Tensor) -> bool:
        """Tell whether C computes with `x`: float32 on a CPU that has the kernels, unless `dense` was asked for."""
        return x.dtype == torch.float32 and self.path(x.device) == "native"

    def note(self, device: torch.device) -> str | None:
        """Reason, for people, why the native path is not taken where it would be; None when there is nothing to say."""
        return self._why_not_native if self.path(device) == "sorted" and device.type == "cpu" else None


def build_kernels(device: torch.device) -> None:
    """Have the C kernels at hand before a run needs them: a run that moves to this process goes on that much sooner."""
    if device.type == "cpu":
        why_unavailable()


class AlwaysDense:
    """For layers that are computed in one way only, by operations whose shapes depend on no data."""

    def path(self, _device: torch.device) -> str:
        """`dense`."""
        return "dense"

    def path_note(self, _device: torch.device) -> None:
        """Nothing: there is no faster path that this machine could lack."""
