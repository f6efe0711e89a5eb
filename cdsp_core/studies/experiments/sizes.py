"""Configs of the small models that are not the image encoder. Studies list their jobs with these, so no torch here."""

from __future__ import annotations

from typing import Any, Final

from cdsp_core.settings.config import Controls, RunConfig
from cdsp_core.settings.model import ModelConfig
from cdsp_core.settings.overrides import with_controls, with_settings
from cdsp_core.studies.framework.training import at_live_sizes

BYTES: Final = 256
TEXT_CONTEXT: Final = ModelConfig(image_size=64, patch_size=8, num_classes=BYTES)
"""The two sizes of an image only say how many tokens there are: (64 / 8)^2 = 64 bytes of context."""
OPPOSITE_TASKS: Final = ModelConfig(d_model=32, d_base=128, d_task=8, num_layers=1)


def text_config(architecture: str, lambda_conflict: float) -> RunConfig:
    """Bytes in place of patches and classes, at the default rates. Raises ValueError for an unknown architecture."""
    settings = {"architecture": architecture, "lambda_conflict": lambda_conflict}
    return with_settings(RunConfig(model=TEXT_CONTEXT), settings)


def opposite_tasks_config(lambda_conflict: float) -> RunConfig:
    """One layer; an MLP has its number of weights and none of its rules."""
    controls = with_controls(at_live_sizes().controls, {"lambda_conflict": lambda_conflict})
    return RunConfig(preset="live", model=OPPOSITE_TASKS, controls=controls)


def forced_model(start: str, **rules: Any) -> ModelConfig:
    """Two tasks, one expert a token; a logit for every dimension where that is the start."""
    return ModelConfig(d_task=2, num_layers=1, top_k=1, num_partitions=256 if start == "dimensions" else 8, **rules)


def forced_config(start: str, lambda_conflict: float) -> RunConfig:
    """The one layer in which two experts are forced into conflict."""
    controls = with_controls(Controls(), {"lambda_conflict": lambda_conflict})
    return RunConfig(preset="live", model=forced_model(start), controls=controls)
