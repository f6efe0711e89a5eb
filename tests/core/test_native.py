"""The C kernels where they cannot be had or get no memory. Their results are tested in `test_expert_paths.py`,
`test_encoder.py` and `test_native_gate.py`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import torch

from cdsp_core.kernels.experts import native_experts
from cdsp_core.kernels.native import SOURCES, NativeBuildError, bound, load_library, why_unavailable
from tests.core.small import CPU, small_trainer, steps

needs_kernel = pytest.mark.skipif(why_unavailable() is not None, reason="no kernel")


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[pytest.MonkeyPatch]:
    """A machine with an empty cache, whose environment the test may change."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("CDSP_NATIVE", raising=False)
    load_library.cache_clear()
    yield monkeypatch
    monkeypatch.undo()
    load_library.cache_clear()


def compiler(folder: Path, script: str) -> str:
    path = folder / "compiler"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def reason() -> str:
    found = why_unavailable()
    assert found is not None
    assert "\n" not in found
    return found


def test_it_can_be_switched_off(machine: pytest.MonkeyPatch) -> None:
    machine.setenv("CDSP_NATIVE", "0")
    assert reason() == "The C kernel is switched off by CDSP_NATIVE=0."
    with pytest.raises(NativeBuildError):
        load_library()


def test_a_machine_without_a_compiler_says_how_to_get_one(machine: pytest.MonkeyPatch, tmp_path: Path) -> None:
    machine.delenv("CC", raising=False)
    machine.setenv("PATH", str(tmp_path))
    assert reason() == "The C kernel needs a C compiler (Debian: apt install gcc libc6-dev). Found none."


def test_a_compiler_that_is_not_there_is_named(machine: pytest.MonkeyPatch) -> None:
    machine.setenv("CC", "/nowhere/cc -m64")
    assert reason() == "CC must name a C compiler. Found /nowhere/cc, which is not there."


def test_a_compiler_that_fails_is_quoted_in_one_sentence(machine: pytest.MonkeyPatch, tmp_path: Path) -> None:
    machine.setenv("CC", compiler(tmp_path, "echo first >&2; echo 'error: no such header' >&2; exit 1"))
    assert reason() == f"The C kernel did not compile with {tmp_path}/compiler: error: no such header"


def test_a_compiler_that_fails_without_a_word_is_named(machine: pytest.MonkeyPatch, tmp_path: Path) -> None:
    machine.setenv("CC", compiler(tmp_path, "exit 1"))
    assert reason() == f"The C kernel did not compile with {tmp_path}/compiler: no message"


def test_a_compiler_that_makes_no_library_is_noticed(machine: pytest.MonkeyPatch, tmp_path: Path) -> None:
    machine.setenv("CC", compiler(tmp_path, 'while [ "$1" != -o ]; do shift; done; echo junk > "$2"'))
    assert reason().startswith("The C kernel could not be loaded: ")


def test_a_folder_that_cannot_hold_the_kernel_is_named(machine: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    machine.setenv("CC", compiler(tmp_path, "exit 0"))
    machine.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert reason() == f"The C kernel could not be kept in {tmp_path}/file/topology-lab: Not a directory."


def test_without_the_kernel_a_run_trains_by_the_sorted_path_and_says_so(machine: pytest.MonkeyPatch) -> None:
    machine.setenv("CDSP_NATIVE", "0")
    trainer = steps(small_trainer(), 2)
    device = trainer.describe()["device"]
    assert device["execution"] == "sorted"
    assert device["note"] == "The C kernel is switched off by CDSP_NATIVE=0."
    assert trainer.step == 2


@needs_kernel
def test_with_the_kernel_a_run_says_native_and_nothing_else() -> None:
    device = small_trainer().describe()["device"]
    assert (device["execution"], device["note"]) == ("native", None)


@pytest.mark.slow
@needs_kernel
def test_with_and_without_the_kernel_a_run_goes_the_same_way(machine: pytest.MonkeyPatch) -> None:
    native = small_trainer()
    machine.setenv("CDSP_NATIVE", "0")
    load_library.cache_clear()
    plain = small_trainer()
    assert plain.model.layers[0].path(CPU) == "sorted"
    machine.delenv("CDSP_NATIVE")
    losses = []
    for trainer in (native, plain):
        rows = steps(trainer, 5).arrays()["scalars"]
        losses.append(rows[:, trainer.log.names.index("task_loss")].tolist())
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


@needs_kernel
@pytest.mark.parametrize("wrong", range(4))
def test_anything_but_float32_is_refused_before_the_kernel_reads_it(wrong: int) -> None:
    floats = [torch.ones(3, 4), torch.ones(3, 1), torch.ones(2), torch.ones(2, 5, 8)]
    floats[wrong] = floats[wrong].double()
    x_TD, gate_TK, strength_E, weight_ErN = floats
    with pytest.raises(
        ValueError, match=r"^The C kernel computes in float32\. Found torch\.float64; use execution dense\.$"
    ):
        native_experts(x_TD, gate_TK, torch.zeros(3, 1, dtype=torch.int64), strength_E, weight_ErN)


HUGE = 2**54
"""a width for which no machine has the memory"""
CALLS: dict[str, tuple[str, Sequence[float]]] = {
    "cdsp_forward": ("p" * 5 + "l" * 6 + "p" * 6 + "i", [0] * 5 + [1, 1, 1, HUGE, 1, 1] + [0] * 6 + [1]),
    "cdsp_backward": ("p" * 9 + "l" * 6 + "p" * 5 + "i", [0] * 9 + [1, 1, 1, HUGE, 1, 1] + [0] * 5 + [1]),
    "cdsp_game": ("p" * 3 + "l" * 5 + "p" * 3, [0] * 3 + [1, 1, 1, 1, HUGE] + [0] * 3),
    "cdsp_gate_forward": (
        "p" * 6 + "l" * 7 + "if" + "p" * 6 + "i",
        [0] * 6 + [1, 1, HUGE, 1, 1, 1, 1, 0, -1.0] + [0] * 6 + [1],
    ),
    "cdsp_gate_backward": (
        "p" * 13 + "l" * 7 + "if" + "p" * 6 + "i",
        [0] * 13 + [1, 1, HUGE, 1, 1, 1, 1, 0, -1.0] + [0] * 6 + [1],
    ),
    "cdsp_attention_forward": ("p" * 4 + "l" * 5 + "i", [0] * 4 + [1, 1, 1, 1, HUGE, 1]),
    "cdsp_attention_backward": ("p" * 5 + "l" * 5 + "i", [0] * 5 + [1, 1, 1, 1, HUGE, 1]),
}
"""what each function takes, and sizes of more than it can get; no address is read before all memory is there"""


@needs_kernel
@pytest.mark.parametrize("name", CALLS)
def test_a_kernel_that_gets_no_memory_says_so_and_does_not_crash(name: str) -> None:
    signature, arguments = CALLS[name]
    message = rf"^The C kernel {name} needs more memory than this machine can give\.$"
    with pytest.raises(MemoryError, match=message):
        bound(name, signature)(*arguments)


def test_every_function_that_asks_for_memory_is_tried_without_it() -> None:
    written = {
        name for source in SOURCES for name in re.findall(r"^int (cdsp_\w+)\(", source.read_text(), re.MULTILINE)
    }
    assert written == CALLS.keys()
