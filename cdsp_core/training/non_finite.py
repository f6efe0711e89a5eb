"""What happens when a loss or a gradient is NaN or infinite: the step is left out on the device, and then said so."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from cdsp_core.wire.frames import Array


class NonFiniteLossError(RuntimeError):
    """A term of the loss or its gradient was NaN or infinite; the weights are still those of the step before."""

    def __init__(self, term: str, step: int) -> None:
        super().__init__(f"{term} became non-finite at step {step}.")
        self.term = term
        self.step = step


class FiniteGuard:
    """Keeps a fused optimiser from using numbers that are not finite, without waiting for the device.

    `names` are the columns of a row of scalars, `terms` those of them that must be finite beside the loss and the norm
    of the gradient.
    """

    def __init__(
        self, optimizer: torch.optim.Optimizer, *, names: Sequence[str], terms: Sequence[str], device: torch.device
    ) -> None:
        self._optimizer = optimizer
        self._names = names
        self._watched = [names.index(name) for name in ("loss", *terms, "grad_norm")]
        self._unusable = torch.zeros((), device=device)
        self._broken_at: int | None = None

    def skip_when_non_finite(self, loss: Tensor, grad_norm: Tensor) -> None:
        """Let the optimiser skip this update, and all that follow, once loss or gradient is not finite."""
        finite = torch.isfinite(loss.detach() + grad_norm)
        self._unusable = torch.maximum(self._unusable, 1.0 - finite.to(torch.float32))
        self._optimizer.grad_scale = None  # type: ignore[attr-defined]
        self._optimizer.found_inf = self._unusable  # type: ignore[attr-defined]

    def check(self, rows: Array) -> None:
        """Raises NonFiniteLossError for the first of these rows that is not finite, once."""
        bad = ~np.isfinite(rows[:, self._watched])
        if self._broken_at is not None or not bad.any():
            return
        row = int(np.argmax(bad.any(1)))
        self._broken_at = int(rows[row, 0])
        broken = [self._names[column] for column, is_bad in zip(self._watched, bad[row], strict=True) if is_bad]
        terms = [name for name in broken if name != "loss"]
        raise NonFiniteLossError(terms[0] if terms else "loss", self._broken_at)
