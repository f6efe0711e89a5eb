"""The feed-forward that every `ModelConfig.architecture` names.

Shapes: B samples, S tokens, T = B S, D model width, Q width of the task embedding, K slots for chosen experts.
"""

from __future__ import annotations

from functools import partial
from typing import Final, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from cdsp_core.method.layer import CDSPLayer
from cdsp_core.models.baselines import PlainFeedForward, StandardMixture
from cdsp_core.models.related.dselect_k import DSelectK
from cdsp_core.models.related.expert_choice import ExpertChoice
from cdsp_core.models.related.shared_fine import SharedFineMixture
from cdsp_core.models.related.stgc import StgcMixture
from cdsp_core.settings.model import ModelConfig


class MakeLayer(Protocol):
    """Makes the feed-forward of one block, a `Layer`."""

    def __call__(self, config: ModelConfig, *, generator: torch.Generator | None) -> nn.Module: ...


class Layer(Protocol):
    """The feed-forward of one block."""

    def __call__(self, x_BSD: Tensor, task_BQ: Tensor) -> tuple[Tensor, Tensor]:
        """y_BSD, and expert_TK: int64, -1 where a slot is unused, no columns where nothing is routed."""

    def path(self, device: torch.device) -> str:
        """Path on that device: `dense`, `sorted` or `native`."""

    def path_note(self, device: torch.device) -> str | None:
        """Reason, for people, why a faster path is not taken; None when there is nothing to say."""


@runtime_checkable
class WithAuxiliaryLoss(Protocol):
    """A layer that adds to the loss."""

    auxiliary_name: str
    """what it adds, as the name of a scalar"""

    def auxiliary_loss(self) -> Tensor:
        """A scalar, of the last forward pass, weighted."""


def layer_maker(config: ModelConfig) -> MakeLayer:
    """Maker of this model's layers."""
    return _MAKERS[config.architecture]


def _dense(config: ModelConfig, *, generator: torch.Generator | None) -> nn.Module:
    return PlainFeedForward(config, width=config.d_base, generator=generator)


_MAKERS: Final[dict[str, MakeLayer]] = {
    "cdsp": CDSPLayer,
    "standard": StandardMixture,
    "blind": partial(StandardMixture, sees_task=False),
    "dense": _dense,
    "expert_choice": ExpertChoice,
    "shared_fine": SharedFineMixture,
    "dselect_k": DSelectK,
    "stgc": StgcMixture,
}
NAMES: Final = tuple(_MAKERS)
