"""How much memory a run needs at least, by its sizes: what would surely not fit is refused before it starts.

The largest parts are counted and no more: weights with their gradients and AdamW's two averages, and what the forward
pass keeps of a batch for the backward pass. A run needs more than this; torch alone takes some hundred MiB.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from backend.errors import BadInputError
from cdsp_core.settings.config import RunConfig

FLOAT: Final = 4
COPIES_OF_WEIGHTS: Final = 4
"""weight, gradient and AdamW's two averages"""
KEPT_OF_A_TOKEN: Final = 8
"""rows of the model's width that a layer keeps of a token: inputs of norms and products, queries, outputs"""
CGROUP: Final = Path("/sys/fs/cgroup/memory.max")


def least_mib(config: RunConfig) -> int:
    """MiB that training this config takes at least."""
    model, batch = config.model, config.train.batch_size
    weights = model.num_layers * (2 * model.d_base * model.d_model + 3 * model.d_model**2)
    tokens = batch * model.num_tokens
    experts = 0 if model.architecture == "dense" else model.num_experts + 2 * model.top_k * model.held_rank
    kept = model.num_layers * tokens * (KEPT_OF_A_TOKEN * model.d_model + experts)
    return FLOAT * (COPIES_OF_WEIGHTS * weights + kept) // 2**20


def machine_mib() -> int:
    """MiB of memory that this machine has, or the container that this process is in."""
    found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with suppress(OSError, ValueError):
        found = min(found, int(CGROUP.read_text()))
    return found // 2**20


def check_memory(config: RunConfig, available_mib: int | None) -> None:
    """Raises BadInputError where a run surely does not fit; None for available: that is not known."""
    needed = least_mib(config)
    if available_mib is not None and needed > available_mib:
        raise BadInputError(
            f"This run needs at least {needed} MiB of memory, and {available_mib} MiB are there. A smaller batch_size, "
            "d_model or num_layers, or a larger patch_size, needs less."
        )
