"""Many parameters as one tensor, so that clipping and updating them is a few operations instead of a few hundred."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn


def flattened(parameters: Sequence[nn.Parameter]) -> nn.Parameter:
    """One parameter [sum of sizes] that holds the values of these, which become views of it, with their gradients.

    What is written to either is seen in both. The gradients exist from now on, zero at first: a backward pass adds to
    them, so they are emptied in place (`zero_grad(set_to_none=False)`) and never set to None. All must be of one dtype
    on one device.
    """
    flat = nn.Parameter(torch.cat([parameter.detach().flatten() for parameter in parameters]))
    flat.grad = torch.zeros_like(flat)
    ends = [0]
    for parameter in parameters:
        ends.append(ends[-1] + parameter.numel())
        piece = slice(ends[-2], ends[-1])
        parameter.data = flat.data[piece].view_as(parameter)
        parameter.grad = flat.grad[piece].view_as(parameter)
    return flat
