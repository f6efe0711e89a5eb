"""The named configs, and configs that say only where they differ from one of these. Imports no torch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

from cdsp_core.settings.config import Controls, RunConfig, TrainConfig
from cdsp_core.settings.fields import shown, updated
from cdsp_core.settings.model import ModelConfig

_LIVE = RunConfig(
    preset="live",
    model=ModelConfig(task_fusion="mixed", task_mix=0.3),
    train=TrainConfig(epochs=40, clip_scope="apart"),
    controls=Controls(lr_ratio=3.0),
)


def _live_with(architecture: Literal["standard", "blind", "dense"], *, p_drop: float) -> RunConfig:
    """`live` for another model, named after it."""
    model, controls = replace(_LIVE.model, architecture=architecture), replace(_LIVE.controls, p_drop=p_drop)
    return replace(_LIVE, preset=architecture, model=model, controls=controls)


PRESETS: dict[str, tuple[str, RunConfig]] = {
    "live": (
        "patches of 7 by 7 pixels, batch 64, the task mixed into the router at a share of 0.3: "
        "structure within a minute on two CPU cores",
        _LIVE,
    ),
    "standard": (
        "live's sizes and data for a mixture of eight separate experts: always told the task, balanced by a loss",
        _live_with("standard", p_drop=0.0),
    ),
    "blind": (
        "the same mixture, never told the task",
        _live_with("blind", p_drop=1.0),
    ),
    "dense": (
        "live's sizes and data for a feed-forward without experts, as wide as the backbone",
        _live_with("dense", p_drop=0.5),
    ),
    "paper": (
        "the paper's text and table: width 256, backbone 256, rank 32, batch 128, ten classes each",
        RunConfig(
            preset="paper",
            model=ModelConfig(patch_size=4, d_model=256, d_base=256, rank_rule="linear"),
            train=TrainConfig(batch_size=128),
        ),
    ),
    "release": (
        "the authors' program with its quirks: self-biased A, pressure only while A > 0.001, U only, "
        "the ID hidden from a tenth of the batches by each layer's own draw, a task embedding for every layer, "
        "LayerNorm over tokens and features, their way to start both ends, their labels",
        RunConfig(
            preset="release",
            model=ModelConfig(
                patch_size=4,
                topology_init="self_biased",
                router_norm="all",
                task_dropout="layer",
                task_embedding="layer",
                encoder_init="release",
                conflict_over="u",
                penalty="logit_while_positive",
            ),
            train=TrainConfig(labels="release"),
            controls=Controls(p_drop=0.1),
        ),
    ),
}


def preset(name: object) -> RunConfig:
    """The named preset. Raises ValueError for a name that is none."""
    if not isinstance(name, str) or name not in PRESETS:
        raise ValueError(f"preset must be one of {', '.join(PRESETS)}. Found {shown(name)}.")
    return PRESETS[name][1]


def from_dict(raw: Any) -> RunConfig:
    """Read a config from its JSON form; what is absent comes from the preset it names (default `live`).

    Raises ValueError, one sentence naming the field, its bound and what was found.
    """
    if not isinstance(raw, dict):
        raise ValueError(f"config must be an object. Found {shown(raw)}.")
    unknown = sorted(set(raw) - {"preset", "model", "train", "controls"})
    if unknown:
        raise ValueError(f"config has no field {shown(unknown[0])}. It has preset, model, train, controls.")
    base = preset(raw.get("preset", "live"))
    return replace(
        base,
        model=updated(base.model, raw.get("model", {}), "model"),
        train=updated(base.train, raw.get("train", {}), "train"),
        controls=updated(base.controls, raw.get("controls", {}), "controls"),
    )
