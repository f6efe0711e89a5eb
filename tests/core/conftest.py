"""Settings of all tests of the core."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from hypothesis import settings

settings.register_profile("core", deadline=None, max_examples=30, derandomize=True)
settings.load_profile("core")


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def _tiny_numbers_stay() -> Iterator[None]:
    """Keep denormals: `train` in this process turns them into zeros, and the tests after it need them."""
    yield
    torch.set_flush_denormal(False)
