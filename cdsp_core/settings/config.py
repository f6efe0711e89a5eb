"""Everything that describes a run, with defaults and bounds. Imports no torch, so the web process can read it too.

A run is described by one `RunConfig`: what the model is (`ModelConfig`, in `model.py`), how it is trained
(`TrainConfig`) and what people may change while it trains (`Controls`). Bounds are written once, in the
field's metadata; the command line, the API schema, the sliders and the worker all read them from there.
The named configs are in `presets.py`; `overrides.py` changes a config by the names of its fields.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal

from cdsp_core.settings.fields import bounded, check_fields, described, field_schema, worded
from cdsp_core.settings.model import ModelConfig

MAX_SEED = 2**31 - 1
MAX_STEPS = 2**24
"""Steps travel as float32, which counts exactly up to here."""
DATASET_NAME = "[a-z][a-z0-9_-]{0,31}"
DATASET_HASH = 16
"""letters of a hash of a data set's content"""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainConfig:
    """Data and schedule. Fixed for the life of a run."""

    seed: int = bounded(0, 0, MAX_SEED, "initial weights, data order and task dropout each draw a stream from it")
    data: Literal["embedded", "full"] = described(
        "embedded", "the set in the repository, or torchvision's full sets from --data-root"
    )
    dataset: str = worded(
        "",
        f"({DATASET_NAME}(@[0-9a-f]{{{DATASET_HASH}}})?)?",
        "the name of a data set, NAME or NAME@CONTENT, or empty",
        "own data in place of those: a set that `python -m cdsp_core data` has made, with a hash of its content",
    )
    missing_kmnist: Literal["fail", "kana"] = described(
        "fail", "full data without a KMNIST folder: fetch it or fail, or draw kana of the same size in its place"
    )
    labels: Literal["ten", "release"] = described(
        "ten", "ten classes each, or the release's: digits 0-9, kana parity, Fashion-MNIST class >= 5"
    )
    batch_size: int = bounded(64, 1, 4096, "images per step, all tasks mixed")
    epochs: int = bounded(10, 1, 100_000, "passes over the training images")
    steps: int = bounded(0, 0, MAX_STEPS, "steps to train; 0 means epochs decide")
    weight_decay: float = bounded(0.01, 0.0, 1.0, "AdamW's, for the weights; A has none")
    grad_clip: float = bounded(1.0, 1e-3, 1e6, "largest norm of the gradient; what it is taken over says clip_scope")
    clip_scope: Literal["all", "apart"] = described(
        "all", "clip the gradient of weights and A together, or each by itself, so that lambda leaves the weights alone"
    )
    aggregation: Literal["sum", "pcgrad"] = described(
        "sum", "how the tasks' gradients of the shared weights become one: added up, or with conflicts projected out"
    )
    controller: Literal["off", "lambda_conflict", "sharing"] = described(
        "off",
        "a slow bandit that steers lambda_conflict, or an offset on A, by the change of test accuracy without task ID",
    )
    controller_every: int = bounded(200, 1, 1_000_000, "steps between two moves of the controller")
    eval_every: int = bounded(20, 1, 1_000_000, "steps between two looks at test images, with and without task ID")
    eval_batch: int = bounded(126, 3, 100_000, "test images per look, all tasks in equal shares")
    validation_frac: float = bounded(
        0.0,
        0.0,
        0.5,
        "share of each task's training images kept from training; looks and the controller then see these, not test "
        "images. The same images for every seed",
    )
    compile: Literal["off", "on"] = described(
        "off",
        "torch.compile: a faster step for half a minute of start; without a compiler the run is eager and says so",
    )

    def __post_init__(self) -> None:
        check_fields(self)
        if self.dataset and self.labels != "ten":
            raise ValueError(f"labels must be ten with a dataset, whose classes are its own. Found {self.labels}.")


@dataclass(frozen=True, kw_only=True, slots=True)
class Controls:
    """What people change while the run trains. Takes effect between two steps."""

    p_drop: float = bounded(0.5, 0.0, 1.0, "probability that a sample's task ID is hidden from the router")
    lambda_conflict: float = bounded(
        10.0, 0.0, 100.0, "weight of the conflict penalty and the regularisers", scale="log0"
    )
    lr_ratio: float = bounded(10.0, 0.1, 100.0, "learning rate of A over that of the weights", scale="log")
    lr_base: float = bounded(5e-3, 1e-5, 0.1, "learning rate of the weights", scale="log")
    l1: float = bounded(1e-4, 0.0, 1.0, "pulls logits to 0, that is sigmoid to 0.5 (plasticity)", scale="log0")
    binarize: float = bounded(1e-3, 0.0, 1.0, "pushes sigmoid(A) away from 0.5 (determinism)", scale="log0")
    sharing: float = bounded(
        0.0,
        -10.0,
        10.0,
        "added to every entry of A: strength, penalty and regularisers change, which dimensions are held does not",
    )

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class RunConfig:
    """Everything that defines a run; equal configs on one CPU give equal runs, bit for bit."""

    preset: str = "live"
    model: ModelConfig = field(default_factory=ModelConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    controls: Controls = field(default_factory=Controls)

    def __post_init__(self) -> None:
        if self.train.controller != "off" and not self.model.has_topology:
            raise ValueError(
                f"controller {self.train.controller} needs architecture cdsp, which has a topology to steer. "
                f"Found {self.model.architecture}."
            )
        if self.train.aggregation == "pcgrad" and self.model.conflict_projection:
            raise ValueError(
                "conflict_projection must be 0 under aggregation pcgrad, whose backward passes are one for every task. "
                f"Found {self.model.conflict_projection}."
            )


def to_dict(config: RunConfig) -> dict[str, Any]:
    """Plain JSON form of a config; `from_dict` reads it back."""
    return dataclasses.asdict(config)


def schema() -> dict[str, Any]:
    """Fields, types, defaults, bounds and one line of text for each, as JSON: what /api/schema answers."""
    return {
        name: {f.name: field_schema(cls, f) for f in dataclasses.fields(cls)}
        for name, cls in (("model", ModelConfig), ("train", TrainConfig), ("controls", Controls))
    }


def control_bounds(name: str) -> tuple[float, float]:
    """Lowest and highest value of a control."""
    meta = Controls.__dataclass_fields__[name].metadata
    return meta["low"], meta["high"]
