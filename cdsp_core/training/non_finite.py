"""Handling of a loss or gradient that is NaN or infinite: the device leaves the step out, the host reports it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from cdsp_core.training.adamw import AdamW
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

    def __init__(self, optimizer: AdamW, *, names: Sequence[str], terms: Sequence[str], device: torch.device) -> None:
        self._optimizer = optimizer
        self._names = names
        self._terms = terms
        self._unusable = torch.zeros((), device=device)
        self._broken_at: int | None = None

    def skip_when_non_finite(self, loss: Tensor, grad_norm: Tensor) -> None:
        """Let the optimiser skip this update, and all that follow, once loss or gradient is not finite."""
        finite = torch.isfinite(loss.detach() + grad_norm)
        self._unusable = torch.maximum(self._unusable, 1.0 - finite.to(torch.float32))
        self._optimizer.found_inf = self._unusable

    def check(self, rows: Array) -> None:
        """Raises NonFiniteLossError for the first of these rows that is not finite, once."""
        if self._broken_at is not None:
            return
        error = first_non_finite(rows, names=self._names, terms=self._terms)
        if error is not None:
            self._broken_at = error.step
            raise error


def first_non_finite(rows: Array, *, names: Sequence[str], terms: Sequence[str]) -> NonFiniteLossError | None:
    """What to say of the first of these rows whose loss, terms or norm of the gradient are not all finite."""
    watched = [names.index(name) for name in ("loss", *terms, "grad_norm")]
    bad = ~np.isfinite(rows[:, watched])
    if not bad.any():
        return None
    row = int(np.argmax(bad.any(1)))
    broken = [names[column] for column, is_bad in zip(watched, bad[row], strict=True) if is_bad]
    named = [name for name in broken if name != "loss"]
    return NonFiniteLossError(named[0] if named else "loss", int(rows[row, 0]))
