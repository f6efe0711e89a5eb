"""PCGrad: what opposes another task's gradient is projected out (Yu et al. 2020, arXiv:2001.06782, Algorithm 1).

The projections are TorchJD's; they need the tasks' gradients only through their inner products.

Shapes: Q tasks, W entries of all shared weights.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

_ORDER_STREAM = 3
"""beside the streams of `batches.py`"""


def backward_by_task(losses: Sequence[Tensor], shared: Sequence[nn.Parameter], *, seed: int, step: int) -> None:
    """A backward pass for every task; the `shared` weights get the sum of the projected gradients.

    All other leaves get the sum of the tasks' gradients, as from one backward pass of the sum of the losses. The order
    of the projections is random in the source; here it depends on seed and step alone. The graph is kept. Waits for
    the device once, for the Q x Q inner products.

    Args:
        losses: each task's loss on its own samples, a scalar; a task without samples has a constant loss of 0.
        shared: the weights whose gradients are projected. Their gradients must be zero or None; each must get one.
    """
    from torchjd.aggregation import PCGradWeighting  # only runs that ask for pcgrad need the package

    rows = []
    for loss in losses:
        loss.backward(retain_graph=True)
        rows.append(torch.cat([_taken(parameter).flatten() for parameter in shared]))
    gradient_QW = torch.stack(rows)
    with torch.random.fork_rng(devices=[]):
        order = np.random.SeedSequence([seed, _ORDER_STREAM, step])
        torch.default_generator.manual_seed(int(order.generate_state(1, np.uint64)[0]))
        weight_Q = PCGradWeighting()(gradient_QW @ gradient_QW.T)
    projected_W = weight_Q @ gradient_QW
    sizes = [parameter.numel() for parameter in shared]
    for parameter, gradient in zip(shared, projected_W.split(sizes), strict=True):
        assert parameter.grad is not None
        parameter.grad.copy_(gradient.view_as(parameter))


def _taken(parameter: nn.Parameter) -> Tensor:
    """The gradient, which is zero afterwards."""
    assert parameter.grad is not None, "a shared weight without gradient"
    gradient = parameter.grad.clone()
    parameter.grad.zero_()
    return gradient
