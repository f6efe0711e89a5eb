"""CDSP-MoE (arXiv:2512.20291): a mixture of experts whose experts are subspaces of one shared backbone.

The public names are imported when first used, so that `import cdsp_core` needs no torch:

    from cdsp_core import CDSPLayer, CDSPTransformer, Controls, ModelConfig, Trainer, conflict_matrix, structure_penalty

`examples/in_your_own_model.py` uses the layer in a transformer that is not ours; by `watch` the page shows how a loop
of one's own trains, as `examples/watched.py` does.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from cdsp_core.method.conflict import conflict_matrix as conflict_matrix
    from cdsp_core.method.layer import CDSPLayer as CDSPLayer
    from cdsp_core.method.layer import structure_penalty as structure_penalty
    from cdsp_core.models.transformer import PatchTransformer as CDSPTransformer
    from cdsp_core.settings.config import Controls as Controls
    from cdsp_core.settings.model import ModelConfig as ModelConfig
    from cdsp_core.training.trainer import Trainer as Trainer
    from cdsp_core.watching.watch import watch as watch

__version__ = "0.1.0"

_HOMES: Final = {
    "CDSPLayer": ("method.layer", "CDSPLayer"),
    "CDSPTransformer": ("models.transformer", "PatchTransformer"),
    "Controls": ("settings.config", "Controls"),
    "ModelConfig": ("settings.model", "ModelConfig"),
    "Trainer": ("training.trainer", "Trainer"),
    "conflict_matrix": ("method.conflict", "conflict_matrix"),
    "structure_penalty": ("method.layer", "structure_penalty"),
    "watch": ("watching.watch", "watch"),
}
__all__ = [
    "CDSPLayer",
    "CDSPTransformer",
    "Controls",
    "ModelConfig",
    "Trainer",
    "conflict_matrix",
    "structure_penalty",
    "watch",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _HOMES[name]
    return getattr(importlib.import_module(f"{__name__}.{module}"), attribute)
