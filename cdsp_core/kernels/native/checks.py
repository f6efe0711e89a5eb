"""Check of tensors before their addresses are handed to C."""

from __future__ import annotations

import torch
from torch import Tensor


def check_readable(*tensors: Tensor) -> None:
    """Raises ValueError unless every tensor is float32 in the memory of the CPU."""
    for tensor in tensors:
        if tensor.dtype != torch.float32 or not tensor.is_cpu:
            raise ValueError(
                f"The C kernels read float32 tensors on the CPU. Found {tensor.dtype} on {tensor.device.type}."
            )
