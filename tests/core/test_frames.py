"""Frames, events and answers survive the way over the wire, and stay small."""

from __future__ import annotations

import contextlib
import json
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cdsp_core.method.layer import CDSPLayer
from cdsp_core.settings.model import MAX_FRAME_BYTES, ModelConfig
from cdsp_core.training.telemetry import layer_arrays
from cdsp_core.wire.frames import LAYER_ARRAYS, Frame, decode_frame, json_ready, to_json_text
from cdsp_core.wire.messages.run import CommandResult, Event
from tests.core.small import small_trainer, steps


def frame_of(arrays: dict[str, Any], **changes: Any) -> Frame:
    values = {"run": "r1", "epoch": 2, "seq": 7, "step": 40, "revision": 3, "time_ms": 1234.5, "arrays": arrays}
    return Frame(**{**values, **changes})


def same_arrays(first: Frame, second: Frame) -> bool:
    return first.arrays.keys() == second.arrays.keys() and all(
        a.dtype == second.arrays[name].dtype and a.tobytes() == second.arrays[name].tobytes()
        for name, a in first.arrays.items()
    )


def test_a_real_frame_survives_the_wire_bit_for_bit() -> None:
    frame = frame_of(steps(small_trainer(), 3).arrays())
    back = decode_frame(frame.encode())
    assert same_arrays(frame, back)
    assert (back.run, back.epoch, back.seq, back.step, back.revision) == ("r1", 2, 7, 40, 3)
    assert (back.kind, back.after_seq, back.time_ms) == ("frame", -1, 1234.5)
    assert math.isnan(back.steps_per_s)


@given(
    run=st.text(max_size=20),
    numbers=st.lists(st.integers(0, 2**53), min_size=4, max_size=4),
    after_seq=st.integers(-1, 2**53),
    steps_per_s=st.floats(0, 1e6),
    values=st.lists(st.floats(width=32), max_size=6),
)
def test_any_frame_survives_the_wire(
    run: str, numbers: list[int], after_seq: int, steps_per_s: float, values: list[float]
) -> None:
    epoch, seq, step, revision = numbers
    array = np.array(values, dtype=np.float32).reshape(1, -1)
    frame = frame_of(
        {"scalars": array}, run=run, epoch=epoch, seq=seq, step=step, revision=revision, after_seq=after_seq
    )
    back = decode_frame(frame.encode())
    assert same_arrays(frame, back)
    assert (back.run, back.epoch, back.seq, back.step, back.revision, back.after_seq) == (run, *numbers, after_seq)
    assert np.array_equal(back.arrays["scalars"], array, equal_nan=True)
    assert steps_per_s >= 0


def test_not_a_number_stays_not_a_number() -> None:
    back = decode_frame(frame_of({"a": np.array([np.nan, 0.0], np.float32)}).encode())
    assert np.isnan(back.arrays["a"]).tolist() == [True, False]


def test_slices_and_transposes_arrive_as_they_look() -> None:
    array = np.arange(12, dtype=np.float32).reshape(3, 4)
    back = decode_frame(frame_of({"t": array.T, "s": array[:, ::2]}).encode())
    assert np.array_equal(back.arrays["t"], array.T)
    assert np.array_equal(back.arrays["s"], array[:, ::2])


@given(message=st.binary(max_size=200))
def test_what_is_not_a_frame_is_refused_in_one_sentence(message: bytes) -> None:
    with pytest.raises(ValueError, match="must be a safetensors message with frame metadata"):
        decode_frame(message)


@given(cut=st.integers(0, 400), position=st.integers(0, 400), byte=st.integers(0, 255))
def test_a_damaged_frame_is_refused_or_read_but_never_crashes(cut: int, position: int, byte: int) -> None:
    message = bytearray(frame_of({"a": np.ones(3, np.float32)}).encode())
    message[position % len(message)] = byte
    with contextlib.suppress(ValueError):
        assert isinstance(decode_frame(bytes(message[: len(message) - cut % 2])), Frame)


def test_as_json_a_frame_has_null_for_no_value() -> None:
    frame = frame_of({"a": np.array([[np.nan, 0.5]], np.float32)})
    assert json.loads(json.dumps(frame.to_json(), allow_nan=False))["arrays"] == {"a": [[None, 0.5]]}


@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=10,
    )
)
def test_anything_json_ready_is_valid_json(value: Any) -> None:
    assert json.loads(to_json_text(value)) == json_ready(value)


def test_events_and_answers_are_json() -> None:
    event = Event(
        kind="phase",
        run="r",
        epoch=0,
        step=5,
        revision=1,
        time_ms=1.0,
        text="Expert 3 is idle.",
        data={"load": math.nan},
    )
    assert json.loads(to_json_text(event.to_json()))["data"] == {"load": None}
    assert event.to_json()["type"] == "event"
    result = CommandResult(
        command_id="c", status="applied", applied_step=4, revision=2, old={"l1": 0.0}, new={"l1": 1.0}
    )
    assert json.loads(to_json_text(result.to_json()))["reason"] is None


LARGEST = [
    {"num_layers": 7, "num_experts": 64, "num_partitions": 64, "d_base": 3840},
    {"num_layers": 1, "num_experts": 128, "num_partitions": 512, "d_base": 4096},
    {"num_layers": 8, "num_experts": 3, "num_partitions": 4096, "d_base": 4096},
    {"num_layers": 3, "num_experts": 8, "num_partitions": 4096, "d_base": 4096},
]


@pytest.mark.parametrize("sizes", LARGEST)
def test_the_largest_allowed_models_have_frames_below_the_bound(sizes: dict[str, Any]) -> None:
    config = ModelConfig(d_model=8, num_heads=2, num_kv_heads=1, **sizes)
    layer = CDSPLayer(config, generator=torch.Generator().manual_seed(0))
    tasks, experts = 3, config.num_experts
    one = layer_arrays(layer, torch.zeros(experts), torch.zeros(tasks, experts), torch.zeros(tasks, experts))
    assert set(one) == set(LAYER_ARRAYS)
    arrays = {f"layer{number}/{name}": array for number in range(config.num_layers) for name, array in one.items()}
    size = len(frame_of({**arrays, "scalars": np.zeros((150, 100), np.float32)}, run="x" * 32).encode())
    assert size <= config.frame_bytes() <= MAX_FRAME_BYTES
    assert config.frame_bytes() > 0.8 * MAX_FRAME_BYTES, "the case must be close to the bound"


def test_a_large_a_is_told_without_its_gradient_and_costs_what_it_did() -> None:
    small = ModelConfig(num_layers=2, num_experts=64, num_partitions=64, d_base=1024)
    large = ModelConfig(num_layers=3, num_experts=64, num_partitions=64, d_base=1024)
    assert small.tells_gradient
    assert not large.tells_gradient
    assert small.frame_bytes() > large.frame_bytes() * 2 / 3
    assert not ModelConfig(architecture="standard").tells_gradient


def test_a_model_with_larger_frames_is_refused_with_the_size_found() -> None:
    with pytest.raises(ValueError, match=r"must give frames of at most 1000000 bytes\. Found \d+\.$"):
        ModelConfig(num_layers=8, num_experts=128, num_partitions=128, d_base=128)
