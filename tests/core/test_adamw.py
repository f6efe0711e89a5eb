"""AdamW: the bits of torch's, without the compiler that torch's loads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import torch
from torch import Tensor

from cdsp_core.training.adamw import AdamW

ROOT = Path(__file__).parents[2]


def test_ten_steps_have_the_bits_of_torch_s_fused_adamw_also_where_one_is_left_out() -> None:
    def parameters() -> list[Tensor]:
        generator = torch.Generator().manual_seed(3)
        return [torch.randn(257, generator=generator, requires_grad=True) for _ in range(2)]

    def groups(parameters: list[Tensor]) -> list[dict[str, object]]:
        first, second = parameters
        return [{"params": [first], "weight_decay": 0.1}, {"params": [second], "lr": 0.01}]

    ours, theirs = parameters(), parameters()
    own, torchs = AdamW(groups(ours)), torch.optim.AdamW(groups(theirs), fused=True)
    generator = torch.Generator().manual_seed(4)
    for step in range(10):
        for mine, its in zip(ours, theirs, strict=True):
            mine.grad = torch.randn(257, generator=generator)
            its.grad = mine.grad.clone()
        own.found_inf = torch.tensor(float(step == 5))
        torchs.grad_scale, torchs.found_inf = None, own.found_inf  # type: ignore[attr-defined]
        own.step()
        torchs.step()
        for mine, its in zip(ours, theirs, strict=True):
            assert torch.equal(mine, its)
            assert own.state[mine].keys() == torchs.state[its].keys()
            assert all(torch.equal(own.state[mine][name], value) for name, value in torchs.state[its].items())
    assert {float(state["step"]) for state in own.state.values()} == {9.0}
    own.zero_grad(set_to_none=False)
    assert all(torch.equal(parameter.grad, torch.zeros(257)) for parameter in ours if parameter.grad is not None)
    own.zero_grad()
    assert [parameter.grad for parameter in ours] == [None, None]


def test_a_process_that_trains_loads_no_compiler() -> None:
    code = """
import sys
from cdsp_core.__main__ import main
assert main(["train", "--preset", "live", "--steps", "2", "--device", "cpu", "--json"]) == 0
assert "torch" in sys.modules
print([name for name in ("torch._dynamo", "torch._inductor", "sympy", "triton") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
