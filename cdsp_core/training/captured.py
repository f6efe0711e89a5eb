"""A step of many small operations as one command to the device: a CUDA graph, recorded once and replayed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

WARM_UP_STEPS = 3

ALONE = threading.Lock()
"""held while a step is tried out and recorded, and by whoever frees memory or waits for the whole device: CUDA forbids
both while another thread records"""


class Captured:
    """Runs a step again and again, as a CUDA graph where the device has them and the step can be recorded.

    The step must read and write fixed tensors only and never ask the device for a value. `changes` are all tensors it
    changes; trying it out leaves them as they were.
    """

    def __init__(self, step: Callable[[], None], changes: Sequence[Tensor], *, device: torch.device) -> None:
        self._step = step
        self._graph: torch.cuda.CUDAGraph | None = None
        self.note: str | None = None
        """why there is no graph, for people; None where there is one, or could be none"""
        if device.type == "cuda":
            before = [value.detach().clone() for value in changes]
            with ALONE:
                try:
                    self._graph = _recorded(step)
                except RuntimeError as error:
                    self.note = f"The step could not be recorded as a CUDA graph and runs eager: {_first_line(error)}"
                with torch.no_grad():
                    for value, old in zip(changes, before, strict=True):
                        value.copy_(old)
                torch.cuda.current_stream(device).synchronize()

    @property
    def is_graph(self) -> bool:
        """Whether a step is one command to the device."""
        return self._graph is not None

    def __call__(self) -> None:
        if self._graph is not None:
            self._graph.replay()
        else:
            self._step()


def _recorded(step: Callable[[], None]) -> torch.cuda.CUDAGraph:
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(WARM_UP_STEPS):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        step()
    return graph


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
