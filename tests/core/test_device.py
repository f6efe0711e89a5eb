"""The device is chosen by itself, and what is asked for but not there is refused in one sentence."""

from __future__ import annotations

import pytest
import torch

from cdsp_core.device import choose_device, describe_device, keep_freed_memory


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


def test_keeping_freed_memory_changes_no_result() -> None:
    before = torch.arange(1000).sum()
    keep_freed_memory()
    assert torch.arange(1000).sum() == before
