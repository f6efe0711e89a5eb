"""The device is chosen by itself, and what is asked for but not there is refused in one sentence."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from cdsp_core.training.device import choose_device, describe_device


def test_cpu_is_always_there() -> None:
    assert choose_device("cpu") == torch.device("cpu")


def test_auto_takes_a_gpu_where_there_is_one() -> None:
    assert choose_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is one")
def test_a_gpu_that_is_not_there_is_refused_with_a_way_out() -> None:
    with pytest.raises(ValueError, match=r"^device cuda needs an NVIDIA GPU .* use --device cpu or auto\.$"):
        choose_device("cuda")


@pytest.mark.parametrize("name", ["", "gpu", "cuda:0", "CPU"])
def test_an_unknown_device_is_refused_with_the_names(name: str) -> None:
    with pytest.raises(ValueError, match=r"^device must be one of auto, cpu, cuda\. Found "):
        choose_device(name)


def test_a_device_is_described_for_people() -> None:
    described = describe_device(torch.device("cpu"))
    assert described["kind"] == "cpu"
    assert described["name"]
    assert described["memory_mib"] > 0
    assert described["threads"] == torch.get_num_threads()


def test_a_prepared_process_takes_tiny_numbers_as_zero_in_every_thread_and_computes_as_before() -> None:
    script = """
import threading, torch
from cdsp_core.training.device import prepare_process
assert bool((torch.full((4,), 2.0**-130) * 1.0).any())
before = torch.arange(1000).sum()
prepare_process()
torch.set_num_threads(2)
tiny = torch.ones(1 << 17) * 2.0**-100
tiny *= 2.0**-30
found = [bool(tiny.any())]
other = threading.Thread(target=lambda: found.append(bool((torch.full((4,), 2.0**-120) * 2.0**-10).any())))
other.start()
other.join()
assert found == [False, False], found
assert torch.arange(1000).sum() == before
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
