"""Frames: what travels in binary, as safetensors. Text messages are in `messages`. Imports no torch.

A frame is a set of named arrays taken at the end of one step. NaN means "no value" (a pair without
overlap, an expert without tokens); it is never 0. `docs/protocol.md` lists the messages.

Array shapes, with E experts, P partitions, R backbone dimensions, Q tasks; a model without A has, of a layer's
arrays, only the routing's (routing, routing_blind, load), and a dense net none:
    scalars                   [steps since the last frame, names] float32; column 0 is the step
    layer{l}/topology_logits  [E, P]   A, with the sharing offset
    layer{l}/connection       [E, P]   sigmoid(A)
    layer{l}/cosine           [E, E]   cosine of last step's expert gradients over shared dimensions
    layer{l}/conflict         [E, E]   relu(-cosine)
    layer{l}/overlap          [E, E]   shared dimensions / rank
    layer{l}/routing          [Q, E]   share of each task's assignments, task ID given
    layer{l}/routing_blind    [Q, E]   the same images, task ID hidden
    layer{l}/load             [E]      share of the training batch's assignments
    layer{l}/strength         [E]      gamma, the mean force over the subspace
    layer{l}/subspace         [E, ceil(R / 8)] uint8, bit-packed, first dimension in the highest bit
    layer{l}/topology_gradient [G, E, P] what AdamW was given for A in this step, clipped, and the shares that conflict,
                              L1 and binarising have in it (`GRADIENT_ROWS`); what they leave of it is the task loss's
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import safetensors
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

Array = np.ndarray[Any, Any]

MAX_COUNT: Final = 2**53
"""The largest whole number on the wire: beyond it a number of JavaScript is not exact."""

LAYER_ARRAYS: Final = (
    "topology_logits",
    "connection",
    "cosine",
    "conflict",
    "overlap",
    "routing",
    "routing_blind",
    "load",
    "strength",
    "subspace",
)
"""What a layer with a topology sends; `topology_gradient` as well, unless A is large (`ModelConfig.tells_gradient`)."""
GRADIENT_ROWS: Final = ("all", "conflict", "l1", "binarize")
"""of `topology_gradient`"""
ROUTING_ARRAYS: Final = ("routing", "routing_blind", "load")
"""What any layer that routes sends."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Frame:
    """The state of one run at the end of one step."""

    run: str
    epoch: int
    seq: int
    step: int
    revision: int
    time_ms: float
    arrays: dict[str, Array]
    kind: str = "frame"
    after_seq: int = -1
    """The scalars of this message cover the frames after_seq + 1 to seq."""
    steps_per_s: float = math.nan

    def encode(self) -> bytes:
        """The binary message. Metadata values are strings, as safetensors requires."""
        return save_arrays(
            {name: np.ascontiguousarray(array) for name, array in self.arrays.items()},
            metadata={
                "run": self.run,
                "epoch": str(self.epoch),
                "seq": str(self.seq),
                "step": str(self.step),
                "revision": str(self.revision),
                "time_ms": f"{self.time_ms:.3f}",
                "kind": self.kind,
                "after_seq": str(self.after_seq),
                "steps_per_s": f"{self.steps_per_s:.2f}",
            },
        )

    def to_json(self) -> dict[str, Any]:
        """The same content as JSON, null for NaN."""
        head = {name: value for name, value in _fields(self).items() if name != "arrays"}
        arrays = {name: array.tolist() for name, array in self.arrays.items()}
        return _json_object({**head, "arrays": arrays})


def decode_frame(message: bytes) -> Frame:
    """Read a binary frame. Raises ValueError when the message is not one."""
    try:
        arrays = load_arrays(message)
        header = json.loads(message[8 : 8 + int.from_bytes(message[:8], "little")])
        meta = header["__metadata__"]
        return Frame(
            run=meta["run"],
            epoch=_count(meta["epoch"]),
            seq=_count(meta["seq"]),
            step=_count(meta["step"]),
            revision=_count(meta["revision"]),
            time_ms=float(meta["time_ms"]),
            arrays=arrays,
            kind=meta["kind"],
            after_seq=_count(meta["after_seq"], low=-1),
            steps_per_s=float(meta["steps_per_s"]),
        )
    except (safetensors.SafetensorError, KeyError, ValueError, UnicodeDecodeError) as error:
        raise ValueError(f"a frame must be a safetensors message with frame metadata. Found {error}.") from error


def _count(text: str, *, low: int = 0) -> int:
    """A whole number of a frame's metadata. Raises ValueError for one that no frame has."""
    number = int(text)
    if not low <= number <= MAX_COUNT:
        raise ValueError(f"a number from {low} to {MAX_COUNT}, but {text[:40]}")
    return number


def json_ready(value: Any) -> Any:
    """`value` with every non-finite number replaced by None, so that it is valid JSON."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: json_ready(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_ready(item) for item in value]
    return value


def to_json_text(value: Any) -> str:
    """`value` as compact JSON, null for NaN."""
    return json.dumps(json_ready(value), allow_nan=False, separators=(",", ":"))


def _json_object(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: json_ready(value) for name, value in fields.items()}


def _fields(frame: Frame) -> dict[str, Any]:
    return {name: getattr(frame, name) for name in Frame.__slots__}
