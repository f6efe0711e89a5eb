"""How much two tasks share: the experts they are routed to, and the backbone dimensions behind those experts.

Shapes: L layers, Q tasks, E experts, R backbone dimensions. A routing distribution's rows sum to 1 over experts.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cdsp_core.measures import distribution_overlap

Array = np.ndarray[Any, Any]


def routing_overlap(routing_LQE: Array) -> float:
    """Sum of minima of two tasks' routing distributions, mean over pairs of tasks and layers. In [0, 1]."""
    return float(np.mean([_pairs(routing_QE) for routing_QE in routing_LQE]))


def dimension_overlap(routing_LQE: Array, mask_LER: Array) -> float:
    """The same for the share of its use that each task gives every backbone dimension. In [0, 1].

    Experts with different names may hold the same dimensions: two tasks are apart only where this is small too.
    """
    used_LQR = routing_LQE @ (mask_LER / mask_LER.sum(2, keepdims=True))
    return routing_overlap(used_LQR)


def _pairs(routing_QE: Array) -> float:
    tasks = len(routing_QE)
    return float(np.mean([distribution_overlap(routing_QE[a], routing_QE[b]) for a in range(tasks) for b in range(a)]))
